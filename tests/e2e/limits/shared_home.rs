//! A CODEX_HOME that a codex outside the daemon uses too, and has a thread open in.

use super::{home, run, words};
use anyhow::{Context, ensure};
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tests::{client::id_of, home::Home};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

const MAX: Duration = Duration::from_secs(120);

/// What an interactive codex does below its screen: an app-server of its own, on pipes.
struct Other {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    asked: i64,
}

impl Other {
    async fn start(home: &Home) -> anyhow::Result<Other> {
        let mut command = Command::from(home.command(&home.programs.codex));
        command.arg("app-server").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().context("no stdin")?;
        let lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let mut other = Other { child, stdin, lines, asked: 0 };
        other.request("initialize", json!({"clientInfo": {"name": "somebody", "version": "1"}})).await?;
        Ok(other)
    }

    async fn request(&mut self, method: &str, params: Value) -> anyhow::Result<Value> {
        self.asked += 1;
        let id = json!(self.asked);
        self.stdin.write_all(format!("{}\n", json!({"id": id, "method": method, "params": params})).as_bytes()).await?;
        let answer = self.hears(|line| line["id"] == id && line.get("method").is_none()).await?;
        ensure!(answer.get("error").is_none(), "{method}: {answer}");
        Ok(answer["result"].clone())
    }

    async fn hears(&mut self, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        let hear = async {
            loop {
                let line = serde_json::from_str(&self.lines.next_line().await?.context("it ended")?)?;
                if wanted(&line) {
                    return Ok(line);
                }
            }
        };
        tokio::time::timeout(MAX, hear).await.context("not heard in time")?
    }

    /// As a person who leaves it.
    async fn leave(mut self) -> anyhow::Result<()> {
        drop(self.stdin);
        ensure!(tokio::time::timeout(MAX, self.child.wait()).await??.success(), "it failed");
        Ok(())
    }
}

/// Until the operation waits in the queue for this reason.
async fn waits_because(home: &Home, id: &str, reason: &str) -> Value {
    let look = async {
        let mut status = home.status(id).await.unwrap();
        while status["queueState"]["queuedReason"] != reason {
            assert_eq!(status["completedAt"], Value::Null, "{status}");
            let wait = json!({"operation_ids": [id], "after_cursor": status["cursor"], "max_seconds": 5});
            home.ok("codex_wait", wait).await.unwrap();
            status = home.status(id).await.unwrap();
        }
        status
    };
    tokio::time::timeout(MAX, look).await.expect("it never waits for that reason")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_to_a_thread_that_another_codex_has_open_waits_for_it_and_goes_on_by_itself() {
    let home = home().await;
    home.start_daemon().unwrap();
    let first = home.submit("SAY first", "one").await.unwrap();
    home.ended(std::slice::from_ref(&first), MAX).await.unwrap();
    let thread = home.status(&first).await.unwrap()["threadId"].clone();
    // Ours lets go of the thread only when it ends.
    home.kill_app_server().await.unwrap();

    let mut other = Other::start(&home).await.unwrap();
    other.request("thread/resume", json!({"threadId": thread})).await.unwrap();
    let said = json!({"threadId": thread, "input": [{"type": "text", "text": "HOLD theirs their own turn"}]});
    other.request("turn/start", said).await.unwrap();
    home.provider.wait_for(|all| all.len() == 2, MAX).await.unwrap();

    let message = json!({"operation_type": "send_message", "chat_id": thread, "message": "SAY second", "client_request_id": "two"});
    let second = id_of(&home.ok("codex_submit_task", message).await.unwrap());
    let waiting = waits_because(&home, &second, "thread_held_elsewhere").await;
    assert_eq!((&waiting["status"], &waiting["queueState"]["queueStatus"]), (&json!("queued"), &json!("queued")), "{waiting}");
    assert!(waiting["nextAttemptAt"].is_string(), "{waiting}");
    let shown = run(&home, &home.programs.codexcp, &["show", &second]).await;
    for part in ["thread_held_elsewhere", "close it there"] {
        assert!(words(&shown).contains(part), "{part:?} is not in {}", words(&shown));
    }
    // Only this thread waits.
    let meanwhile = home.submit("SAY meanwhile", "three").await.unwrap();
    home.ended(std::slice::from_ref(&meanwhile), MAX).await.unwrap();
    assert_eq!(home.status(&meanwhile).await.unwrap()["status"], "completed");

    home.provider.release("theirs");
    let end = other.hears(|line| line["method"] == "turn/completed").await.unwrap();
    assert_eq!(end["params"]["turn"]["status"], "completed", "their turn was not disturbed: {end}");
    waits_because(&home, &second, "thread_held_elsewhere").await;
    other.leave().await.unwrap();
    home.ended(std::slice::from_ref(&second), MAX).await.unwrap();
    let status = home.status(&second).await.unwrap();
    assert_eq!((&status["status"], &status["finalReport"]["text"]), (&json!("completed"), &json!("second")), "{status}");
    assert_eq!(status["threadId"], thread, "{status}");
    let requests = home.provider.requests();
    let ours: Vec<_> = requests.iter().filter(|one| one.prompt == "SAY second").collect();
    assert_eq!(ours.len(), 1, "{requests:#?}");
    assert_eq!(ours[0].user_messages, ["SAY first", "HOLD theirs their own turn", "SAY second"]);
}

/// FAULTS A13: the turn read `running` for as long as the other codex had the thread, and could not be stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_died_is_known_to_have_ended_although_another_codex_has_its_thread_open() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("HOLD for the end", "one").await.unwrap();
    let thread = home.reaches(&id, "running", MAX).await.unwrap()["threadId"].clone();
    home.provider.wait_for(|all| all.len() == 1, MAX).await.unwrap();
    home.kill_daemon().unwrap();
    home.kill_app_server().await.unwrap();
    let mut other = Other::start(&home).await.unwrap();
    other.request("thread/resume", json!({"threadId": thread})).await.unwrap();
    home.start_daemon().unwrap();
    home.ended(std::slice::from_ref(&id), Duration::from_secs(30)).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["status"], "interrupted", "{status}");
    assert_eq!(home.provider.requests().len(), 1);
    other.leave().await.unwrap();
}
