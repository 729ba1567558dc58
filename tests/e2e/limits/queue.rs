//! A queue as long as it may be: ten thousand tasks, then a clear no.

use super::{code, home, message};
use rusqlite::Connection;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);
/// The default of `limits.operations_live_max`.
const LIMIT: usize = 10_000;
/// So many come in over the endpoint; the others are laid beside them while the daemon is away, to save minutes.
const HANDED_IN: usize = 20;

fn task(home: &Home, n: usize) -> Value {
    json!({"operation_type": "start_chat", "project_id": home.project, "message": format!("HOLD gate task {n}"), "client_request_id": format!("task {n}")})
}

/// Copies of the newest accepted task, each with a prompt and a request of its own.
fn multiply(home: &Home, copies: usize) {
    let store = Connection::open(home.place.state_file()).unwrap();
    let columns = "prompt_digest, prompt_chars, project_key, state, tag, rank, cost, writes, wake_at, created_at, updated_at";
    let sql = format!(
        "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {copies}), \
         one AS (SELECT * FROM operations ORDER BY accepted DESC LIMIT 1) \
         INSERT INTO operations (id, accepted, request_key, request_digest, spec, prompt, prompt_form, client_message, \
         project_turn, agent_turn, {columns}) \
         SELECT printf('01a1fd69-0000-7000-8000-%012x', n), accepted + n, 'copy ' || n, request_digest, spec, 'HOLD gate copy ' || n, \
         'copy ' || n, 'codexcp:copy ' || n, project_turn + 2 * n, agent_turn + 2 * n, {columns} FROM one, many"
    );
    assert_eq!(store.execute(&sql, []).unwrap(), copies);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tasks_are_queued_and_the_next_one_is_refused_with_the_limit() {
    let mut home = home().await;
    home.set("CODEX_MCP_MAX_ACTIVE_TURNS_PER_PROJECT", "4");
    home.start_daemon().unwrap();
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(id_of(&home.ok("codex_submit_task", task(&home, n)).await.unwrap()));
    }
    home.provider.wait_for(|all| all.len() == 4, MAX).await.unwrap();
    home.kill_daemon().unwrap();
    multiply(&home, LIMIT - HANDED_IN);
    home.start_daemon().unwrap();
    let rest = (5..HANDED_IN).map(|n| home.ok("codex_submit_task", task(&home, n)));
    futures_util::future::try_join_all(rest).await.unwrap();

    let full = home.call("codex_submit_task", task(&home, LIMIT)).await.unwrap();
    assert_eq!((code(&full), &full["error"]["details"]["limit"]), ("CODEX_BUSY", &json!(LIMIT)), "{full}");
    assert!(message(&full).contains("10000") && message(&full).contains("limits.operations_live_max"), "{full}");
    assert_eq!(full["error"]["retryable"], json!(true), "{full}");
    let again = home.ok("codex_submit_task", task(&home, 1)).await.unwrap();
    assert_eq!(again["idempotent"], json!(true), "the same request again is no new work: {again}");
    let queue = home.ok("codex_get_queue_status", json!({"limit": 5})).await.unwrap();
    assert_eq!((&queue["queueSummary"]["queued"], &queue["queueSummary"]["activeTurnSlots"]), (&json!(LIMIT - 4), &json!(4)), "{queue}");

    // One ends: one more fits, and the next in the queue is at work.
    home.ok("codex_interrupt_turn", json!({"operation_id": ids[0]})).await.unwrap();
    home.ended(&ids[..1], MAX).await.unwrap();
    home.ok("codex_submit_task", task(&home, LIMIT)).await.unwrap();
    home.reaches(&ids[4], "running", MAX).await.unwrap();
}

/// FAULTS C31.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_status_of_a_long_queue_is_a_page_that_clients_take() {
    let home = home().await;
    home.start_daemon().unwrap();
    assert!(home.command(&home.programs.codexcp).args(["queue", "pause"]).output().unwrap().status.success());
    for n in 0..120 {
        home.submit(&format!("SAY task {n}"), &format!("queued-{n}")).await.unwrap();
    }
    let page = home.ok("codex_get_queue_status", json!({})).await.unwrap();
    assert!(page.to_string().len() < 60_000, "{}", page.to_string().len());
    assert_eq!((&page["queueSummary"]["queued"], &page["hasMore"]), (&json!(120), &json!(true)));
    let all = home.ok("codex_get_queue_status", json!({"limit": 200})).await.unwrap();
    assert_eq!((all["operations"].as_array().unwrap().len(), &all["hasMore"]), (120, &Value::Null));
}
