//! Clients that do not read what they asked for: they are held up themselves, within bounds, and nobody else is.

use super::home;
use serde_json::{Value, json};
use std::{collections::HashSet, time::Duration};
use tests::{home::Home, mcp::Shim};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWrite, AsyncWriteExt, BufReader, Lines},
    sync::watch,
};

const MAX: Duration = Duration::from_secs(120);
/// Far more than may be under way and fits into the buffers of pipes and sockets.
const LINES: usize = 800;
/// A writer that gets no further for this long is held up.
const HELD_UP: Duration = Duration::from_secs(3);
const GROWTH_BYTES_MAX: u64 = 100_000_000;

fn memory_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Asks for the list of tools: a short question with a long answer. Padded, so that buffers hold few of them.
fn question(n: usize) -> String {
    format!("{}\n", json!({"jsonrpc": "2.0", "id": n, "method": "tools/list", "params": {"_meta": {"pad": "y".repeat(4_000)}}}))
}

/// Writes all lines, reads nothing until it is held up and `meanwhile` is over, then reads all answers.
async fn asks_and_does_not_read<W, R>(
    line: fn(usize) -> String,
    mut write: W,
    mut read: Lines<R>,
    meanwhile: impl Future<Output = ()>,
) -> Vec<Value>
where
    W: AsyncWrite + Send + Unpin + 'static,
    R: AsyncBufRead + Unpin,
{
    let (progress, mut taken) = watch::channel(0);
    let writing = tokio::spawn(async move {
        for n in 0..LINES {
            write.write_all(line(n).as_bytes()).await.unwrap();
            progress.send_replace(n + 1);
        }
        // Not closed before the last answer is read.
        write
    });
    while let Ok(moved) = tokio::time::timeout(HELD_UP, taken.changed()).await {
        moved.expect("all lines were taken and no answer was read: there is no bound");
    }
    meanwhile.await;
    let mut answers = Vec::new();
    while answers.len() < LINES {
        let line = tokio::time::timeout(MAX, read.next_line()).await.expect("an answer in time").unwrap().expect("the connection lives on");
        answers.push(serde_json::from_str(&line).unwrap());
    }
    drop(writing.await.unwrap());
    answers
}

fn each_once(answers: &[Value]) {
    let ids: HashSet<_> = answers.iter().filter_map(|one| one["id"].as_u64()).collect();
    assert_eq!(ids.len(), LINES, "each request is answered once");
    assert!(answers.iter().all(|one| one["result"]["tools"].is_array()), "{:?}", answers.iter().find(|one| one["result"].is_null()));
}

async fn others_are_served(home: &Home, request: &str) {
    let id = home.submit("SAY meanwhile", request).await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    assert_eq!(home.status(&id).await.unwrap()["status"], "completed");
    let mut other = Shim::connected(home).await.unwrap();
    other.tool("codex_health_summary", json!({})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_not_read_is_bounded_and_others_are_served() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (read, write) = tokio::io::split(home.connection().await.unwrap().upgrade().await.unwrap());
    let pid = home.daemon_pid().unwrap();
    let before = memory_bytes(pid);
    let meanwhile = async {
        others_are_served(&home, "one").await;
        let grown = memory_bytes(pid).saturating_sub(before);
        assert!(grown < GROWTH_BYTES_MAX, "{grown} bytes for a client that does not read");
    };
    each_once(&asks_and_does_not_read(question, write, BufReader::new(read).lines(), meanwhile).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_rubbish_and_does_not_read_is_bounded_too() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (read, write) = tokio::io::split(home.connection().await.unwrap().upgrade().await.unwrap());
    let meanwhile = others_are_served(&home, "one");
    let rubbish = |n: usize| format!("{{\"id\": \"{n}{}\"}} rubbish\n", "y".repeat(900));
    let answers = asks_and_does_not_read(rubbish, write, BufReader::new(read).lines(), meanwhile).await;
    assert!(answers.iter().all(|one| one["error"]["code"] == -32700), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_the_shim_that_does_not_read_gets_every_answer_when_it_does() {
    let home = home().await;
    home.start_daemon().unwrap();
    let shim = Shim::connected(&home).await.unwrap();
    let pid = shim.pid().unwrap();
    let (_child, write, read) = shim.pipes().unwrap();
    let meanwhile = async {
        others_are_served(&home, "one").await;
        let bytes = memory_bytes(pid);
        assert!(bytes < GROWTH_BYTES_MAX, "the shim holds {bytes} bytes");
    };
    each_once(&asks_and_does_not_read(question, write, read, meanwhile).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_follower_that_stops_reading_holds_no_work_up() {
    let home = home().await;
    home.start_daemon().unwrap();
    // Each word is a line of the stream: megabytes in all.
    let id = home.submit(&format!("HOLD gate {}", "word ".repeat(30_000)), "one").await.unwrap();
    home.reaches(&id, "running", MAX).await.unwrap();
    let (first, begun) = tokio::sync::oneshot::channel();
    let mut first = Some(first);
    let path = format!("/v1/follow/{id}");
    let following = home.connection().await.unwrap().lines(&path, move |_| first.take().is_none_or(|first| first.send(()).is_ok()));
    tokio::pin!(following);
    tokio::select! {
        _ = &mut following => panic!("it ended before the operation did"),
        heard = begun => heard.unwrap(),
    }
    // From here on it is not polled: nobody reads the stream.
    home.provider.release("gate");
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    assert_eq!(home.status(&id).await.unwrap()["status"], "completed");
}
