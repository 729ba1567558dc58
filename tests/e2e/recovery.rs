//! Whatever dies in between: nothing accepted is lost, nothing is given to the model twice, every state is true.
//! The provider's log is the witness: it is written before a prompt is answered.

use super::home;
use serde_json::{Value, json};
use std::{collections::HashMap, time::Duration};
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(240);

/// How often the model saw each prompt as a new turn.
pub(crate) fn turns_of(home: &Home) -> HashMap<String, usize> {
    let mut turns: HashMap<String, std::collections::HashSet<String>> = HashMap::new();
    for request in home.provider.requests() {
        if request.request_kind == "turn" {
            turns.entry(request.prompt).or_default().insert(request.turn_id);
        }
    }
    turns.into_iter().map(|(prompt, ids)| (prompt, ids.len())).collect()
}

/// The rules that hold for one operation however often anything was killed.
pub(crate) fn check(status: &Value, turns: &HashMap<String, usize>, prompt: &str, report: &str) {
    let seen = turns.get(prompt).copied().unwrap_or(0);
    assert!(seen <= 1, "{prompt} was given to the model in {seen} turns: {status}");
    match status["status"].as_str() {
        Some("completed") => {
            assert_eq!(seen, 1, "completed without the model: {status}");
            assert_eq!(status["finalReport"]["text"].as_str().map(str::trim), Some(report), "{status}");
        }
        Some("interrupted") => assert!(status["lastError"].as_str().is_some_and(|why| why.contains("app_server_exit")), "{status}"),
        _ => panic!("neither completed nor interrupted by an exit: {status}"),
    }
}

/// What led to an ending that breaks the rules, for whoever reads the failure.
pub(crate) async fn what_led_to(home: &Home, id: &str, prompt: &str) -> String {
    let events = home.ok("codex_get_events", json!({"operation_id": id, "limit": 200})).await.unwrap();
    let requests: Vec<_> = home.provider.requests().into_iter().filter(|one| one.prompt == prompt).collect();
    let log = logs(home);
    let telling = |line: &&str| [id, "daemon ready", "generation", "refused"].iter().any(|words| line.contains(words));
    let lines: Vec<_> = log.lines().filter(telling).collect();
    format!("{events}\n{requests:#?}\n{}", lines.join("\n"))
}

/// What the daemons of this home logged.
pub(crate) fn logs(home: &Home) -> String {
    let files = std::fs::read_dir(&home.place.logs_dir).unwrap().filter_map(Result::ok);
    files.map(|file| String::from_utf8_lossy(&std::fs::read(file.path()).unwrap_or_default()).into_owned()).collect()
}

/// One crash of the daemon at a named point, at each of its first passages.
async fn crash_at(point: &str, passages: std::ops::Range<usize>) {
    for passage in passages {
        let mut home = home().await;
        home.set("FAILPOINTS", format!("{point}={passage}*off->1*return->off"));
        home.start_daemon().unwrap();
        let prompt = "SAY the report";
        let arguments = json!({"operation_type": "start_chat", "project_id": home.project, "message": prompt, "client_request_id": "one"});
        // The crash may come before the answer: then the caller sends the same call again.
        let first = home.call("codex_submit_task", arguments.clone()).await;
        let id = match first {
            Ok(payload) if payload["ok"] == json!(true) => id_of(&payload),
            _ => {
                restart(&home).await;
                id_of(&home.ok("codex_submit_task", arguments).await.unwrap())
            }
        };
        for _ in 0..2 {
            let waited = home.ended(std::slice::from_ref(&id), MAX).await;
            if waited.is_ok() {
                break;
            }
            restart(&home).await;
        }
        let status = home.status(&id).await.unwrap();
        assert_eq!(status["status"], "completed", "{point}, passage {passage}: {status}");
        check(&status, &turns_of(&home), prompt, "the report");
    }
}

/// The same home without fail points.
async fn restart(home: &Home) {
    home.daemon_ends().unwrap();
    let mut command = home.command(&home.programs.daemon);
    command.env_remove("FAILPOINTS");
    home.start(command).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_any_commit_loses_nothing_and_repeats_nothing() {
    crash_at("commit.before", 1..18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_after_any_commit_loses_nothing_and_repeats_nothing() {
    crash_at("commit.after", 1..18).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_or_after_a_send_loses_nothing_and_repeats_nothing() {
    crash_at("send.before", 0..1).await;
    crash_at("send.after", 0..1).await;
    crash_at("send.middle", 0..1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_on_disk_is_not_sent_again_when_the_app_server_is_killed() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("HOLD never the report", "one").await.unwrap();
    home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
    home.reaches(&id, "running", MAX).await.unwrap();
    home.kill_app_server().await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["status"], "interrupted", "{status}");
    assert!(status["lastError"].as_str().unwrap().contains("app_server_exit"), "{status}");
    assert_eq!(home.provider.requests().len(), 1);
    // The thread is not lost: more can be said on it.
    let more = json!({"operation_type": "send_message", "chat_id": status["threadId"], "message": "SAY and on it goes"});
    let more = id_of(&home.ok("codex_submit_task", more).await.unwrap());
    home.ended(std::slice::from_ref(&more), MAX).await.unwrap();
    assert_eq!(home.status(&more).await.unwrap()["status"], "completed");
}

/// An app-server killed between making the record of a thread and writing its first line leaves it empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_whose_thread_left_an_empty_record_runs_once_on_a_new_thread() {
    let mut home = home().await;
    home.set("FAILPOINTS", "send.before=1*return->off");
    home.start_daemon().unwrap();
    let id = home.submit("SAY the report", "one").await.unwrap();
    home.daemon_ends().unwrap();
    // It is written when the last who heard of the thread is gone.
    while home.records().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    home.kill_app_server().await.unwrap();
    let store = rusqlite::Connection::open(home.place.state_file()).unwrap();
    let thread: String = store.query_row("SELECT thread_id FROM operations", [], |row| row.get(0)).unwrap();
    drop(store);
    let records = home.records();
    assert_eq!(records.len(), 1, "{records:?}");
    std::fs::write(&records[0], "").unwrap();
    restart(&home).await;
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["status"], "completed", "{status}");
    assert_ne!(status["threadId"], json!(thread), "{status}");
    check(&status, &turns_of(&home), "SAY the report", "the report");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_work_outlives_daemon_and_app_server_both() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(home.submit(&format!("SAY report {n}"), &format!("r{n}")).await.unwrap());
    }
    home.kill_daemon().unwrap();
    home.kill_app_server().await;
    home.start_daemon().unwrap();
    home.ended(&ids, MAX).await.unwrap();
    let turns = turns_of(&home);
    for (n, id) in ids.iter().enumerate() {
        check(&home.status(id).await.unwrap(), &turns, &format!("SAY report {n}"), &format!("report {n}"));
    }
}

/// ARCHITECTURE 8: a daemon killed within milliseconds of `turn/start`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_daemons_killed_around_turn_start_give_no_prompt_twice() {
    let mut home = home().await;
    home.set("CODEXCP_LOG", "debug");
    home.start_daemon().unwrap();
    let warm = home.submit("SAY warm", "warm").await.unwrap();
    home.ended(&[warm], MAX).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..100_u64 {
        ids.push(home.submit(&format!("SAY race {n}"), &format!("race{n}")).await.unwrap());
        // Spread over what a start takes, from before thread/start to after the first delta.
        tokio::time::sleep(Duration::from_millis(n * 7 % 120)).await;
        home.kill_daemon().unwrap();
        home.start_daemon().unwrap();
        // A look-up takes longer than a daemon lives here: now and then it gets to its end.
        if n % 10 == 9 {
            home.ended(&ids, MAX).await.unwrap();
        }
    }
    home.ended(&ids, MAX).await.unwrap();
    let turns = turns_of(&home);
    for (n, id) in ids.iter().enumerate() {
        let status = home.status(id).await.unwrap();
        let prompt = format!("SAY race {n}");
        if status["status"] != "completed" || turns.get(&prompt) != Some(&1) {
            println!("{}", what_led_to(&home, id, &prompt).await);
        }
        assert_eq!(status["status"], "completed", "the app-server lived all the time: {status}");
        check(&status, &turns, &prompt, &format!("race {n}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_goes_on_by_itself_when_the_daemon_is_back() {
    let home = home().await;
    home.start_daemon().unwrap();
    let cut = home.submit("HOLD never the report", "one").await.unwrap();
    home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
    let queued = home.submit("SAY after it", "two").await.unwrap();
    home.kill_daemon().unwrap();
    home.kill_app_server().await.unwrap();
    home.start_daemon().unwrap();
    let back = std::time::Instant::now();
    home.ended(&[cut.clone(), queued.clone()], MAX).await.unwrap();
    // Printed, not asserted: how long depends on the machine.
    println!("all ended {:?} after the daemon was back", back.elapsed());
    assert_eq!(home.status(&cut).await.unwrap()["status"], "interrupted");
    assert_eq!(home.status(&queued).await.unwrap()["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shim_that_is_killed_takes_no_work_with_it() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut shim = tests::mcp::Shim::connected(&home).await.unwrap();
    let task =
        json!({"operation_type": "start_chat", "project_id": home.project, "message": "HOLD gate the end", "client_request_id": "one"});
    let id = id_of(&shim.tool("codex_submit_task", task).await.unwrap());
    shim.ask("tools/call", json!({"name": "codex_wait", "arguments": {"operation_ids": [id]}})).await.unwrap();
    shim.kill().await.unwrap();
    home.provider.release("gate");
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    assert_eq!(home.status(&id).await.unwrap()["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_that_panics_leaves_no_process_behind() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let panics = tokio::spawn(async move {
        let home = home().await;
        home.start_daemon().unwrap();
        let id = home.submit("HOLD never", "one").await.unwrap();
        home.reaches(&id, "running", MAX).await.unwrap();
        tell.send((home.daemon_pid().unwrap(), home.app_server().await.unwrap().pid)).unwrap();
        panic!("as announced");
    });
    let (daemon, server) = told.await.unwrap();
    assert!(panics.await.is_err());
    for pid in [daemon, server] {
        assert_eq!(daemon::appserver::process::started_s(pid), None, "{pid} lives on");
    }
}

/// FAULTS A20: codex writes a message for the model first and lists it a moment later. Killed between the two it has the
/// prompt in its history and does not say so; sent again, the model would read it twice in one request.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_that_is_in_the_history_and_not_listed_is_taken_out_before_it_is_sent_again() {
    const ROUNDS_MAX: usize = 60;
    const HITS_WANTED: usize = 3;
    let home = home().await;
    home.start_daemon().unwrap();
    let (mut hits, mut ids) = (0, Vec::new());
    for round in 0..ROUNDS_MAX {
        let known = home.records();
        let prompt = format!("SAY round {round}");
        let id = home.submit(&prompt, &format!("round{round}")).await.unwrap();
        let server = loop {
            match home.app_server().await {
                Some(server) => break server,
                None => tokio::task::yield_now().await,
            }
        };
        let killed = tokio::task::spawn_blocking({
            let (folder, prompt) = (home.codex_home.join("sessions"), prompt.clone());
            move || kill_when_written(server.pid, &folder, &known, &prompt)
        });
        if killed.await.unwrap() {
            hits += 1;
        }
        ids.push(id);
        if hits >= HITS_WANTED {
            break;
        }
    }
    home.ended(&ids, MAX).await.unwrap();
    assert!(hits > 0, "the app-server was never killed between the two lines");
    for request in home.provider.requests() {
        let of_turn: Vec<_> = request.user_messages.iter().filter(|one| **one == request.prompt).collect();
        assert!(of_turn.len() <= 1, "{} is in one request {} times", request.prompt, of_turn.len());
    }
    for id in ids {
        let status = home.status(&id).await.unwrap();
        assert!(matches!(status["status"].as_str(), Some("completed" | "interrupted")), "{status}");
    }
}

/// Kills as soon as the prompt stands in a record that is new; whether it was listed there by then, it tells.
#[cfg(target_os = "linux")]
fn kill_when_written(pid: u32, folder: &std::path::Path, known: &[std::path::PathBuf], prompt: &str) -> bool {
    let process = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(20);
    let mut file = None;
    while std::time::Instant::now() < until {
        if file.is_none() {
            file = tests::home::files_below(folder).into_iter().find(|path| !known.contains(path));
        }
        let text = file.as_ref().and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
        if text.contains("\"role\":\"user\"") && text.contains(prompt) {
            // One of the round before may still have looked alive: then this one was not killed.
            if rustix::process::kill_process(process, rustix::process::Signal::KILL).is_err() {
                return false;
            }
            let left = std::fs::read_to_string(file.unwrap()).unwrap();
            return left.contains(prompt) && !left.contains("\"client_id\":\"codexcp");
        }
    }
    false
}
