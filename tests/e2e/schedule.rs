//! Who runs next and who excludes whom, with the real programs. The rules themselves are tested in `domain`.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);

/// A task that holds what it holds until the gate is opened.
async fn hold(home: &Home, name: &str, more: Value) -> String {
    let mut task = json!({"operation_type": "start_chat", "project_id": home.project, "message": format!("HOLD gate {name}"), "sandbox": "workspace-write"});
    for (key, value) in more.as_object().unwrap() {
        task[key] = value.clone();
    }
    id_of(&home.ok("codex_submit_task", task).await.unwrap())
}

async fn queue(home: &Home) -> Value {
    home.ok("codex_get_queue_status", json!({})).await.unwrap()
}

async fn reason(home: &Home, id: &str) -> Value {
    home.status(id).await.unwrap()["queueState"].clone()
}

/// The gate is open for those who come later too.
async fn let_all_end(home: &Home, ids: &[String]) {
    home.provider.release("gate");
    home.ended(ids, MAX).await.unwrap();
    for id in ids {
        assert_eq!(home.status(id).await.unwrap()["status"], "completed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_turns_run_at_once_and_the_rest_waits_in_order() {
    let mut home = home().await;
    home.set("CODEX_MCP_MAX_ACTIVE_TURNS_PER_PROJECT", "4");
    home.start_daemon().unwrap();
    let mut ids = Vec::new();
    for n in 0..7 {
        let priority = if n == 6 { "high" } else { "normal" };
        ids.push(hold(&home, &format!("report {n}"), json!({"priority": priority, "resource_keys": [n.to_string()]})).await);
    }
    home.provider.wait_for(|all| all.len() >= 4, MAX).await.unwrap();
    let queue = queue(&home).await;
    assert_eq!((&queue["queueSummary"]["queued"], &queue["queueSummary"]["activeTurnSlots"]), (&json!(3), &json!(4)), "{queue}");
    let order: Vec<_> = queue["queuedOperations"].as_array().unwrap().iter().map(id_of).collect();
    assert_eq!(order, [ids[6].clone(), ids[4].clone(), ids[5].clone()], "high first, then first come");
    assert_eq!(queue["queueReasons"]["global_slot_limit"], 3);
    let_all_end(&home, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_has_what_its_keys_cover_for_itself_and_readers_hold_nobody_up() {
    let home = home().await;
    std::fs::create_dir_all(home.project.join("src")).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(home.project.join("src"), home.project.join("link")).unwrap();
    home.start_daemon().unwrap();
    let first = hold(&home, "src", json!({"resource_keys": ["src"]})).await;
    let under = hold(&home, "a file in it", json!({"resource_keys": ["link/a.rs"]})).await;
    let whole = hold(&home, "everything", json!({})).await;
    let reader = hold(&home, "reads", json!({"sandbox": "read-only"})).await;
    home.provider.wait_for(|all| all.len() >= 2, MAX).await.unwrap();
    for (waiting, holder) in [(&under, &first), (&whole, &first)] {
        let state = reason(&home, waiting).await;
        assert_eq!((&state["queuedReason"], &state["blockedBy"]), (&json!("resource_lock_conflict"), &json!(holder)), "{state}");
    }
    assert_eq!(home.status(&whole).await.unwrap()["nextRecommendedAction"], "wait_for_resource_lock");
    let queue = queue(&home).await;
    let running: Vec<_> = queue["runningOperations"].as_array().unwrap().iter().map(id_of).collect();
    assert!(running.contains(&first) && running.contains(&reader) && running.len() == 2, "{queue}");
    assert_eq!(queue["queueSummary"]["blockedByLocks"], 2);
    let_all_end(&home, &[first, under, whole, reader]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_full_does_not_hold_up_another() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut ids = Vec::new();
    for n in 0..40 {
        ids.push(
            hold(&home, &format!("mass {n}"), json!({"resource_keys": [n.to_string()], "agent_id": format!("agent {}", n % 20)})).await,
        );
    }
    let other = home.project.with_file_name("other");
    std::fs::create_dir(&other).unwrap();
    let theirs = hold(&home, "theirs", json!({"project_id": other})).await;
    home.provider.wait_for(|all| all.iter().any(|one| one.prompt.contains("theirs")), MAX).await.unwrap();
    assert_eq!(reason(&home, &ids[39]).await["queuedReason"], "global_slot_limit");
    ids.push(theirs);
    let_all_end(&home, &ids).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_after_other_work_runs_after_it_and_is_cancelled_when_it_does_not_complete() {
    let home = home().await;
    home.start_daemon().unwrap();
    let first = hold(&home, "first", json!({})).await;
    let after = hold(&home, "after", json!({"sandbox": "read-only", "depends_on": [first]})).await;
    let last = hold(&home, "last", json!({"sandbox": "read-only", "depends_on": [after, first]})).await;
    home.provider.wait_for(|all| all.len() == 1, MAX).await.unwrap();
    let state = reason(&home, &after).await;
    assert_eq!((&state["queuedReason"], &state["blockedBy"]), (&json!("waiting_for_dependency"), &json!(first)), "{state}");
    home.kill_daemon().unwrap();
    home.start_daemon().unwrap();
    let_all_end(&home, &[first.clone(), after.clone(), last.clone()]).await;
    let asked: Vec<_> = home.provider.requests().into_iter().map(|one| one.prompt).collect();
    assert_eq!(asked, ["HOLD gate first", "HOLD gate after", "HOLD gate last"]);

    let stopped = hold(&home, "other-gate stopped", json!({"message": "HOLD other-gate stopped"})).await;
    let never = hold(&home, "never", json!({"depends_on": [stopped]})).await;
    let nor = hold(&home, "nor this", json!({"depends_on": [never]})).await;
    home.provider.wait_for(|all| all.len() == 4, MAX).await.unwrap();
    home.ok("codex_interrupt_turn", json!({"operation_id": stopped})).await.unwrap();
    home.ended(&[never.clone(), nor.clone()], MAX).await.unwrap();
    for id in [&never, &nor] {
        let status = home.status(id).await.unwrap();
        assert_eq!(status["status"], "cancelled", "{status}");
        assert!(status["lastError"].as_str().unwrap().contains("did not complete"), "{status}");
    }
    let too_late = json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY x", "depends_on": [stopped]});
    let refused = home.call("codex_submit_task", too_late).await.unwrap();
    assert_eq!(refused["error"]["code"], "INVALID_ARGUMENT", "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_starts_at_its_moment_and_not_before() {
    let home = home().await;
    home.start_daemon().unwrap();
    let soon = moment(Duration::from_secs(2));
    let began = std::time::Instant::now();
    let tomorrow = hold(&home, "tomorrow", json!({"not_before": moment(Duration::from_secs(86_400))})).await;
    let later = hold(&home, "later", json!({"not_before": soon})).await;
    assert_eq!(reason(&home, &later).await["queuedReason"], "not_before");
    home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1), "the moment has whole seconds");
    let_all_end(&home, &[later]).await;
    let waits = home.status(&tomorrow).await.unwrap();
    assert_eq!((&waits["status"], &waits["queueState"]["queuedReason"]), (&json!("queued"), &json!("not_before")), "{waits}");
    assert!(waits["nextAttemptAt"].is_string() && home.provider.requests().len() == 1, "{waits}");
    let wrong = json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY x", "not_before": "tomorrow"});
    let refused = home.call("codex_submit_task", wrong).await.unwrap();
    assert!(refused["error"]["message"].as_str().unwrap().contains("2026-11-30T08:00:00Z"), "{refused}");
}

/// A moment so long from now, as RFC 3339 in whole seconds.
fn moment(from_now: Duration) -> String {
    let at = daemon::clock::Clock::System.now().0 + i64::try_from(from_now.as_millis()).unwrap();
    daemon::clock::iso(common::time::Timestamp(at / 1_000 * 1_000))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_queue_starts_nothing_and_goes_on_where_it_was_even_after_a_restart() {
    let home = home().await;
    let codexcp = |arguments: &[&str]| {
        let out = home.command(&home.programs.codexcp).args(arguments).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice::<Value>(&out.stdout).expect("one object")
    };
    home.start_daemon().unwrap();
    let running = hold(&home, "running", json!({"resource_keys": ["a"]})).await;
    home.provider.wait_for(|all| all.len() == 1, MAX).await.unwrap();
    let paused = codexcp(&["queue", "pause", "--json"]);
    assert_eq!(paused["atWork"], json!([running]), "{paused}");
    let waiting = hold(&home, "waiting", json!({"resource_keys": ["b"]})).await;
    assert_eq!(reason(&home, &waiting).await["queuedReason"], "queue_paused");
    home.kill_daemon().unwrap();
    home.start_daemon().unwrap();
    let shown = home.command(&home.programs.codexcp).arg("status").output().unwrap();
    assert!(String::from_utf8_lossy(&shown.stdout).contains("codexcp queue resume"), "{shown:?}");
    home.provider.release("gate");
    codexcp(&["queue", "drain", "--json"]);
    assert_eq!(home.status(&running).await.unwrap()["status"], "completed");
    assert_eq!(queue(&home).await["paused"]["everywhere"], true);
    assert_eq!(home.status(&waiting).await.unwrap()["status"], "queued");
    codexcp(&["queue", "resume", "--json"]);
    home.ended(&[waiting], MAX).await.unwrap();
    let project = home.project.to_string_lossy().into_owned();
    codexcp(&["queue", "pause", "--project", &project, "--json"]);
    let here = hold(&home, "here", json!({})).await;
    assert_eq!(reason(&home, &here).await["queuedReason"], "queue_paused");
    assert_eq!(queue(&home).await["paused"]["projects"].as_array().unwrap().len(), 1);
    codexcp(&["queue", "resume", "--project", &project, "--json"]);
    home.ended(&[here], MAX).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_taken_of_each_limit_is_shown_with_the_paths_that_are_held() {
    let home = home().await;
    home.start_daemon().unwrap();
    let writer = hold(&home, "writes", json!({"resource_keys": ["src"], "agent_id": "ann"})).await;
    let reader = hold(&home, "reads", json!({"sandbox": "read-only"})).await;
    home.provider.wait_for(|all| all.len() == 2, MAX).await.unwrap();
    let status = home.ok("codex_get_concurrency_status", json!({})).await.unwrap();
    assert_eq!((&status["counts"]["global"], &status["counts"]["perAgent"]["ann"]), (&json!(2), &json!(1)), "{status}");
    assert_eq!(status["resourceLockCount"], 1);
    assert_eq!(status["resourceLocks"][0]["operationId"], json!(writer));
    assert!(status["resourceLocks"][0]["lockKey"].as_str().unwrap().ends_with("shop/src"), "{status}");
    let worker = home.ok("codex_get_worker_status", json!({})).await.unwrap();
    assert_eq!(worker["workers"][0]["activeTurnCount"], 2, "{worker}");
    let none = home.call("codex_get_worker_command_status", json!({"command_id": "x"})).await.unwrap();
    assert_eq!(none["error"]["code"], "INVALID_ARGUMENT");
    let_all_end(&home, &[writer, reader]).await;
}
