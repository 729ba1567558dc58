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
