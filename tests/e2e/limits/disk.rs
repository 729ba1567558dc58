//! A disk that is slow, and one that is full.

use super::home;
use serde_json::json;
use std::time::Duration;
use tests::mcp::Shim;

const MAX: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_slow_disk_reads_are_answered_while_a_commit_is_under_way() {
    let mut home = home().await;
    // The first commit is the start of the daemon, the second one the submit.
    home.set("FAILPOINTS", "commit.before=1*off->1*sleep(8000)->off");
    home.start_daemon().unwrap();
    let mut shim = Shim::connected(&home).await.unwrap();
    let submit = async { home.submit("SAY slowly", "one").await.unwrap() };
    let reads = async {
        for _ in 0..3 {
            shim.tool("codex_get_queue_status", json!({})).await.unwrap();
            home.ok("codex_health_summary", json!({})).await.unwrap();
        }
    };
    // Both at once, and the reads first to end: a submit is answered when it is on disk, not before.
    tokio::pin!(submit);
    let id = tokio::select! {
        biased;
        () = reads => submit.await,
        _ = &mut submit => panic!("the reads waited for the disk"),
    };
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    assert_eq!(home.status(&id).await.unwrap()["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_slow_disk_work_approvals_and_interrupts_take_longer_and_nothing_times_out() {
    let mut home = home().await;
    home.set("FAILPOINTS", "commit.before=sleep(400)");
    home.start_daemon().unwrap();
    let asks = home.submit("ESCALATE touch yes.txt ;; SAY done", "one").await.unwrap();
    let held = home.submit("HOLD never the end", "two").await.unwrap();
    home.reaches(&asks, "waiting_for_approval", MAX).await.unwrap();
    let pending = home.ok("codex_list_pending_interactions", json!({})).await.unwrap();
    let interaction = pending["interactions"][0]["interactionId"].clone();
    home.ok("codex_answer_pending_interaction", json!({"interaction_id": interaction, "decision": "accept"})).await.unwrap();
    home.reaches(&held, "running", MAX).await.unwrap();
    let stopped = home.ok("codex_interrupt_turn", json!({"operation_id": held})).await.unwrap();
    assert_eq!(stopped["confirmed"], json!(true), "{stopped}");
    home.ended(&[asks.clone(), held.clone()], MAX).await.unwrap();
    assert_eq!(home.status(&asks).await.unwrap()["status"], "completed");
    assert_eq!(home.status(&held).await.unwrap()["status"], "interrupted");
    assert!(home.project.join("yes.txt").exists());
}
