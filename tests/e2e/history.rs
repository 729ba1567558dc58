//! History that ends: what is old gives its words back and keeps its row, what is forgotten is gone from every file of ours,
//! and neither ever runs again (FAULTS A8, A16, B13, E6).

use super::home;
use daemon::store::open_for_writing;
use serde_json::{Value, json};
use std::time::Duration;
use tests::home::Home;

const MAX: Duration = Duration::from_secs(60);
const DAY_MS: i64 = 86_400_000;

async fn done(home: &Home, message: &str, request: &str) -> String {
    let id = home.submit(message, request).await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    id
}

fn command(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let ran = home.command(&home.programs.codexcp).args(arguments).output().unwrap();
    (ran.status.code(), format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)))
}

fn stop(home: &Home) {
    let (code, said) = command(home, &["daemon", "stop"]);
    assert_eq!(code, Some(0), "{said}");
    home.daemon_ends().unwrap();
}

/// As if all that is stored had happened so many days before. No daemon runs.
fn age(home: &Home, days: i64) {
    let connection = open_for_writing(&home.place.state_file()).unwrap();
    let by = days * DAY_MS;
    connection.execute_batch(&format!("UPDATE operations SET ended_at = ended_at - {by}; UPDATE events SET at = at - {by};")).unwrap();
}

/// Which of our own files of the state hold these words.
fn holders(home: &Home, words: &str) -> Vec<String> {
    let entries = std::fs::read_dir(&home.place.home).unwrap().filter_map(Result::ok);
    let state = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("state.sqlite3"));
    let holds = |bytes: Vec<u8>| bytes.windows(words.len()).any(|window| window == words.as_bytes());
    state
        .filter(|entry| holds(std::fs::read(entry.path()).unwrap()))
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

async fn cleared(home: &Home, id: &str) -> Value {
    let until = tokio::time::Instant::now() + MAX;
    loop {
        let status = home.status(id).await.unwrap();
        if status["reportCleared"] == json!(true) {
            return status;
        }
        assert!(tokio::time::Instant::now() < until, "{status}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_long_ago_keeps_its_row_and_its_report_is_read_from_codex() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = done(&home, "SAY quite an old report", "old").await;
    let fresh = home.status(&id).await.unwrap();
    let cursor = fresh["cursor"].clone();
    stop(&home);
    age(&home, 31);
    home.start_daemon().unwrap();
    let old = cleared(&home, &id).await;
    assert_eq!(old["latestReportHash"], fresh["latestReportHash"]);
    for kept in ["status", "threadId", "turnId", "clientRequestId", "createdAt"] {
        assert_eq!(old[kept], fresh[kept], "{kept}");
    }
    let report = &old["finalReport"];
    assert_eq!((&report["text"], &report["source"]), (&json!("quite an old report"), &json!("codex_thread")), "{old}");
    // A retry years later is the same request, and nothing runs.
    let arguments = json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY quite an old report",
        "client_request_id": "old", "sandbox": "workspace-write", "resource_keys": ["old"]});
    let again = home.ok("codex_submit_task", arguments).await.unwrap();
    assert_eq!((&again["operationId"], &again["idempotent"], &again["reportCleared"]), (&json!(id), &json!(true), &json!(true)), "{again}");
    // A caller's cursor still holds; one from before hears that something is missing.
    let page = home.ok("codex_get_events", json!({"after_cursor": 0})).await.unwrap();
    assert!(page["clearedUpTo"].as_i64().unwrap() > 0, "{page}");
    assert!(page["events"].as_array().unwrap().iter().all(|event| event["body"]["text"].is_null()), "{page}");
    let page = home.ok("codex_get_events", json!({"after_cursor": cursor})).await.unwrap();
    assert_eq!((&page["clearedUpTo"], &page["cursorReset"]), (&Value::Null, &Value::Null), "{page}");
    stop(&home);
    assert_eq!(holders(&home, "quite an old report"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_work_is_gone_from_every_file_and_never_runs_again() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = done(&home, "SAY words to be forgotten ;; and how they were asked for", "embarrassing").await;
    std::fs::write(home.place.home.join("state.sqlite3.before"), "words to be forgotten").unwrap();
    assert_eq!(home.records().len(), 1);
    let (code, said) = command(&home, &["forget", &id, "--codex"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("of 1 operation") && said.contains("state.sqlite3.before") && said.contains("deleted: 1"), "{said}");
    assert_eq!(holders(&home, "to be forgotten"), ["state.sqlite3.before"], "{said}");
    assert_eq!(holders(&home, "how they were asked"), Vec::<String>::new());
    assert!(home.records().is_empty(), "{:?}", home.records());
    let status = home.status(&id).await.unwrap();
    assert_eq!((&status["reportCleared"], &status["finalReport"]), (&json!(true), &Value::Null), "{status}");
    assert_eq!(home.submit("SAY words to be forgotten ;; and how they were asked for", "embarrassing").await.unwrap(), id);
    // What runs is not forgotten, and says so.
    let runs = home.submit("HOLD go late", "runs").await.unwrap();
    home.reaches(&runs, "running", MAX).await.unwrap();
    let (code, said) = command(&home, &["forget", &runs]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("it has not ended"), "{said}");
    // All that ended before tomorrow, however often it is asked for.
    let other = done(&home, "SAY another one", "another").await;
    for _ in 0..2 {
        let (code, said) = command(&home, &["forget", "--before", "2999-01-01"]);
        assert_eq!((code, said.contains("of 2 operations")), (Some(0), true), "{said}");
    }
    assert_eq!(home.status(&other).await.unwrap()["reportCleared"], true);
    assert_eq!(home.status(&runs).await.unwrap()["status"], "running");
    home.provider.release("go");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_waits_for_somebody_is_kept_however_old_and_one_that_was_forgotten_is_not_approved_blind() {
    let home = home().await;
    home.start_daemon().unwrap();
    let arguments =
        json!({"project_id": home.project, "message": "PLAN first look / then change / then test it all", "client_request_id": "plan"});
    let started = home.ok("codex_start_plan_workflow", arguments).await.unwrap();
    let (workflow, planning) =
        (started["workflowId"].as_str().unwrap().to_owned(), started["planOperationId"].as_str().unwrap().to_owned());
    home.ended(std::slice::from_ref(&planning), MAX).await.unwrap();
    let beside = done(&home, "SAY beside it", "beside").await;
    stop(&home);
    age(&home, 400);
    home.start_daemon().unwrap();
    cleared(&home, &beside).await;
    let plan = home.ok("codex_get_workflow_status", json!({"workflow_id": workflow})).await.unwrap();
    assert!(plan["latestPlan"]["markdown"].as_str().unwrap().contains("then change"), "{plan}");
    let (code, said) = command(&home, &["forget", &workflow]);
    assert_eq!(code, Some(0), "{said}");
    let refused = home.call("codex_approve_plan", json!({"workflow_id": workflow, "client_request_id": "yes"})).await.unwrap();
    assert!(refused["error"]["message"].as_str().unwrap().contains("plan the task again"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_failed_can_be_handed_in_again_for_some_days() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = done(&home, "FAIL 400", "fails").await;
    let (_, said) = command(&home, &["retry", &id, "--detach"]);
    let again = said.split_whitespace().find_map(|word| (word.len() == 36).then(|| word.to_owned())).unwrap();
    home.ended(std::slice::from_ref(&again), MAX).await.unwrap();
    stop(&home);
    age(&home, 8);
    home.start_daemon().unwrap();
    let until = tokio::time::Instant::now() + MAX;
    loop {
        let (code, said) = command(&home, &["retry", &id, "--detach"]);
        if code == Some(2) {
            assert!(said.contains("no longer kept"), "{said}");
            break;
        }
        assert!(tokio::time::Instant::now() < until, "{said}");
    }
}

/// FAULTS B13: the log of the database held them on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prompt_of_work_that_completed_is_in_no_file_of_ours_after_a_stop() {
    let home = home().await;
    home.start_daemon().unwrap();
    done(&home, "SAY fine ;; please keep this between us", "private").await;
    stop(&home);
    assert_eq!(holders(&home, "keep this between us"), Vec::<String>::new());
}

/// FAULTS A16: whoever came with the cursor of a database that was set aside waited in silence.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_another_database_is_answered_at_once_and_named() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = done(&home, "SAY hello", "one").await;
    let begun = tokio::time::Instant::now();
    let page = home.ok("codex_get_events", json!({"after_cursor": 900_000, "max_seconds": 40})).await.unwrap();
    assert_eq!((&page["cursorReset"], &page["returnedCount"]), (&json!(true), &json!(0)), "{page}");
    let next = home.ok("codex_get_events", json!({"after_cursor": page["cursor"]})).await.unwrap();
    assert_eq!(next["cursorReset"], Value::Null, "{next}");
    let waited = home.ok("codex_wait", json!({"operation_ids": [id], "after_cursor": 900_000, "max_seconds": 40})).await.unwrap();
    assert_eq!((&waited["cursorReset"], &waited["changed"][0]["operationId"]), (&json!(true), &json!(id)), "{waited}");
    assert!(begun.elapsed() < Duration::from_secs(20));
}
