//! A provider whose usage limit is used up: the turn it refused ends with what to do, and what is queued waits for the
//! reset instead of failing after it.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(60);

async fn refused(home: &Home, seconds: u32) -> Value {
    let id = home.submit(&format!("LIMIT {seconds}"), "refused").await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    home.status(&id).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queued_work_waits_for_the_reset_also_over_a_restart() {
    let home = home().await;
    home.start_daemon().unwrap();
    let refused = refused(&home, 8).await;
    assert_eq!((&refused["status"], &refused["lastErrorCode"]), (&json!("failed"), &json!("CODEX_LIMIT_REACHED")), "{refused}");
    assert!(refused["lastError"].as_str().unwrap().contains("wait until it is reset"), "{refused}");
    let id = home.submit("SAY after the reset", "later").await.unwrap();
    let waits = home.status(&id).await.unwrap();
    assert_eq!((&waits["status"], &waits["queueState"]["queuedReason"]), (&json!("queued"), &json!("rate_limited")), "{waits}");
    let until = waits["nextAttemptAt"].as_str().unwrap().to_owned();
    home.kill_daemon().unwrap();
    home.start_daemon().unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let done = home.status(&id).await.unwrap();
    assert_eq!((&done["status"], &done["finalReport"]["text"]), (&json!("completed"), &json!("after the reset")), "{done}");
    assert!(done["startedAt"].as_str().unwrap() >= until.as_str(), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_resumes_the_queue_need_not_wait_for_the_reset() {
    let home = home().await;
    home.start_daemon().unwrap();
    refused(&home, 3_600).await;
    let arguments = json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY more credit"});
    let id = id_of(&home.ok("codex_submit_task", arguments).await.unwrap());
    assert_eq!(home.status(&id).await.unwrap()["queueState"]["queuedReason"], "rate_limited");
    assert!(home.command(&home.programs.codexcp).args(["queue", "resume"]).output().unwrap().status.success());
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    assert_eq!(home.status(&id).await.unwrap()["finalReport"]["text"], "more credit");
}

/// FAULTS A7: a reset that lies in our past let each queued task through to fail, one after the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_whose_reset_has_passed_and_one_without_a_reset_burn_no_queue() {
    for refusal in ["LIMIT 0", "FAIL 429"] {
        let home = home().await;
        home.start_daemon().unwrap();
        let mut ids = Vec::new();
        for n in 0..20 {
            ids.push(home.submit(refusal, &format!("r{n}")).await.unwrap());
        }
        // As many as run at once are refused together; then one at a time, after growing waits.
        tokio::time::sleep(Duration::from_secs(10)).await;
        let mut failed = 0;
        for id in &ids {
            failed += usize::from(home.status(id).await.unwrap()["status"] == "failed");
        }
        assert!((1..=5).contains(&failed), "{failed} of 20 were burnt in ten seconds by {refusal}");
    }
}
