//! Whole threads: put away, taken out, shortened; while nobody works on them, and whatever dies in between.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);

async fn thread(home: &Home, message: &str) -> Value {
    let id = home.submit(message, message).await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    home.status(&id).await.unwrap()["threadId"].clone()
}

async fn more(home: &Home, thread: &Value, message: &str) -> Value {
    let arguments = json!({"operation_type": "send_message", "chat_id": thread, "message": message});
    let id = id_of(&home.ok("codex_submit_task", arguments).await.unwrap());
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    home.status(&id).await.unwrap()
}

async fn acts(home: &Home, tool: &str, thread: &Value) -> Value {
    home.ok(tool, json!({"thread_id": thread})).await.unwrap()
}

async fn compacted(home: &Home, action: &Value) -> Value {
    home.ended(&[id_of(action)], MAX).await.unwrap();
    home.ok("codex_get_thread_compaction_status", json!({"action_id": action["actionId"], "include_events": true})).await.unwrap()
}

fn compactions(home: &Home) -> usize {
    home.provider.requests().iter().filter(|one| one.request_kind == "compaction").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thread_is_put_away_and_taken_out_again_as_often_as_one_asks() {
    let home = home().await;
    home.start_daemon().unwrap();
    let thread = thread(&home, "SAY first").await;
    for _ in 0..2 {
        let archived = acts(&home, "codex_archive_thread", &thread).await;
        assert_eq!((&archived["status"], &archived["actionType"]), (&json!("completed"), &json!("archive")), "{archived}");
        assert_eq!(
            (&archived["threadState"]["archived"], &archived["nextRecommendedAction"]),
            (&json!(true), &json!("read_thread_status"))
        );
        assert!(archived["actionId"].as_str().unwrap().starts_with("tla_"), "{archived}");
    }
    let refused = more(&home, &thread, "SAY into the archive").await;
    assert_eq!(refused["status"], "failed", "{refused}");
    assert!(refused["lastError"].as_str().unwrap().contains("unarchive"), "{refused}");
    for _ in 0..2 {
        let out = acts(&home, "codex_unarchive_thread", &thread).await;
        assert_eq!((&out["status"], &out["threadState"]["archived"]), (&json!("completed"), &json!(false)), "{out}");
    }
    assert_eq!(more(&home, &thread, "SAY out again").await["finalReport"]["text"], "out again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_to_a_thread_that_is_in_use_or_unknown() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("HOLD it done", "held").await.unwrap();
    let thread = home.reaches(&id, "running", MAX).await.unwrap()["threadId"].clone();
    for tool in ["codex_archive_thread", "codex_unarchive_thread", "codex_start_thread_compaction"] {
        let busy = home.call(tool, json!({"thread_id": thread})).await.unwrap();
        assert_eq!(busy["error"]["code"], "CODEX_BUSY", "{busy}");
        let unknown = home.call(tool, json!({"thread_id": "01a00000-0000-7000-8000-000000000000"})).await.unwrap();
        assert_eq!(unknown["error"]["code"], "CODEX_THREAD_NOT_FOUND", "{unknown}");
    }
    let no_action = home.call("codex_get_thread_compaction_status", json!({"action_id": "tla_1"})).await.unwrap();
    assert_eq!(no_action["error"]["code"], "INVALID_ARGUMENT", "{no_action}");
    home.provider.release("it");
    home.ended(&[id], MAX).await.unwrap();
    assert_eq!(acts(&home, "codex_archive_thread", &thread).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_thread_is_summed_up_and_gone_on_with() {
    let home = home().await;
    home.start_daemon().unwrap();
    let thread = thread(&home, "SAY what was first").await;
    let action = acts(&home, "codex_start_thread_compaction", &thread).await;
    assert_eq!((&action["actionType"], &action["pollRecommended"]), (&json!("compact"), &json!(true)), "{action}");
    let done = compacted(&home, &action).await;
    assert_eq!((&done["status"], &done["pollRecommended"]), (&json!("completed"), &json!(false)), "{done}");
    assert!(done["targetTurnId"].is_string() && !done["events"].as_array().unwrap().is_empty(), "{done}");
    assert!(compactions(&home) > 0);
    let operation = home.status(&id_of(&action)).await.unwrap();
    assert_eq!((&operation["operationType"], &operation["status"]), (&json!("compact_thread"), &json!("completed")), "{operation}");
    assert_eq!(more(&home, &thread, "SAY after it").await["finalReport"]["text"], "after it");
}

/// The daemon, or codex, dies around each step: what was asked for is done in the end, and told as it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_to_a_thread_survives_whatever_dies() {
    let mut home = home().await;
    home.start_daemon().unwrap();
    let thread = thread(&home, "SAY first").await;
    for point in ["send.before", "send.middle", "send.after"] {
        home.kill_daemon().unwrap();
        home.set("FAILPOINTS", format!("{point}=1*return->off"));
        home.start_daemon().unwrap();
        let before = compactions(&home);
        drop(home.call("codex_start_thread_compaction", json!({"thread_id": thread})).await);
        home.daemon_ends().unwrap();
        home.unset("FAILPOINTS");
        home.start_daemon().unwrap();
        let left = home.ok("codex_get_queue_status", json!({})).await.unwrap();
        for one in left["queuedOperations"].as_array().into_iter().chain(left["runningOperations"].as_array()).flatten() {
            home.ended(&[id_of(one)], MAX).await.unwrap();
        }
        let newest = more(&home, &thread, &format!("SAY after {point}")).await;
        assert_eq!(newest["status"], "completed", "{newest}");
        assert!(compactions(&home) > before, "{point}: it was forgotten");
    }
    for tool in ["codex_archive_thread", "codex_unarchive_thread"] {
        home.kill_daemon().unwrap();
        home.kill_app_server().await.unwrap();
        home.set("FAILPOINTS", "commit.after=1*off->1*return->off");
        home.start_daemon().unwrap();
        drop(home.call(tool, json!({"thread_id": thread})).await);
        home.daemon_ends().unwrap();
        home.unset("FAILPOINTS");
        home.start_daemon().unwrap();
        assert_eq!(acts(&home, tool, &thread).await["status"], "completed", "{tool}");
    }
    assert_eq!(more(&home, &thread, "SAY at last").await["finalReport"]["text"], "at last");
}
