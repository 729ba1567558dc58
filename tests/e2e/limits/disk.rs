//! A disk that is slow, and one that is full.

use super::{code, home, message};
use rusqlite::{Connection, ErrorCode};
use serde_json::{Value, json};
use std::time::Duration;
use tests::{home::Home, mcp::Shim};

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

const PAGES_MAX: i64 = 400;

/// Takes all the room that is left, to the last byte, as another program on the same disk would.
fn fill(home: &Home) -> Connection {
    let filler = Connection::open(home.place.state_file()).unwrap();
    filler.pragma_update(None, "max_page_count", PAGES_MAX).unwrap();
    filler.execute_batch("CREATE TABLE filler (bytes BLOB)").unwrap();
    for bytes in [65_536, 4_000, 100] {
        let full = loop {
            if let Err(error) = filler.execute("INSERT INTO filler VALUES (zeroblob(?1))", [bytes]) {
                break error;
            }
        };
        assert_eq!(full.sqlite_error_code(), Some(ErrorCode::DiskFull), "{full}");
    }
    filler
}

fn state_check(health: &Value) -> &Value {
    health["checks"].as_array().unwrap().iter().find(|one| one["name"] == "state_db").unwrap()
}

/// Until health says this of the store. Nothing announces it: what cannot be stored makes no event.
async fn store_becomes(home: &Home, wanted: &str) -> Value {
    for _ in 0..600 {
        let health = home.ok("codex_health_summary", json!({})).await.unwrap();
        if state_check(&health)["status"] == wanted {
            return health;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the store never became {wanted}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_full_disk_new_work_is_refused_and_an_ending_is_stored_when_there_is_room_again() {
    let mut home = home().await;
    home.set("FAILPOINTS", format!("store.pages_max=return({PAGES_MAX})"));
    home.start_daemon().unwrap();
    let report = "word ".repeat(12_000);
    let running = home.submit(&format!("HOLD gate {report}"), "one").await.unwrap();
    home.reaches(&running, "running", MAX).await.unwrap();
    let filler = fill(&home);

    let new =
        json!({"operation_type": "start_chat", "project_id": home.project, "message": format!("SAY {report}"), "client_request_id": "two"});
    let refused = home.call("codex_submit_task", new.clone()).await.unwrap();
    assert_eq!((code(&refused), &refused["error"]["retryable"]), ("CODEX_STATE_UNAVAILABLE", &json!(true)), "{refused}");
    assert!(message(&refused).contains("nothing was accepted") && message(&refused).contains("free some space"), "{refused}");
    let health = store_becomes(&home, "error").await;
    assert_eq!(health["overallStatus"], "broken", "{health}");
    assert!(state_check(&health)["message"].as_str().unwrap().contains("free some space"), "{health}");

    // Codex ends its turn now; the daemon hears it and has no room for it.
    home.provider.release("gate");
    let log = "could not record what the app-server said";
    while !logs(&home).contains(log) {
        home.ok("codex_health_summary", json!({})).await.unwrap();
    }
    assert_eq!(home.status(&running).await.unwrap()["status"], "running", "reads are answered, and claim no end that is not stored");

    filler.execute_batch("DROP TABLE filler").unwrap();
    home.ended(std::slice::from_ref(&running), MAX).await.unwrap();
    let status = home.status(&running).await.unwrap();
    assert_eq!(status["status"], "completed", "{status}");
    assert_eq!(status["finalReport"]["originalChars"], json!(report.trim().len()), "{status}");
    let new = home.ok("codex_submit_task", new).await.unwrap();
    assert_eq!(new["idempotent"], json!(false), "what was refused was not half accepted: {new}");
    home.ended(&[tests::client::id_of(&new)], MAX).await.unwrap();
    assert_eq!(store_becomes(&home, "ok").await["overallStatus"], "healthy");
    assert_eq!(home.provider.requests().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_that_could_not_be_stored_before_the_daemon_died_is_read_from_codex() {
    let mut home = home().await;
    home.set("FAILPOINTS", format!("store.pages_max=return({PAGES_MAX})"));
    home.start_daemon().unwrap();
    let running = home.submit(&format!("HOLD gate {}", "word ".repeat(12_000)), "one").await.unwrap();
    home.reaches(&running, "running", MAX).await.unwrap();
    let filler = fill(&home);
    home.provider.release("gate");
    store_becomes(&home, "error").await;
    home.kill_daemon().unwrap();
    filler.execute_batch("DROP TABLE filler").unwrap();
    home.start_daemon().unwrap();
    home.ended(std::slice::from_ref(&running), MAX).await.unwrap();
    assert_eq!(home.status(&running).await.unwrap()["status"], "completed");
    assert_eq!(home.provider.requests().len(), 1);
}

fn logs(home: &Home) -> String {
    std::fs::read_dir(&home.place.logs_dir).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}
