//! The main job: a task goes from an MCP client through the shim and the daemon to codex and its report comes back.

use super::home;
use serde_json::json;
use std::time::Duration;
use tests::{client::id_of, mcp::Shim};

const MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_handed_in_over_mcp_is_run_once_and_its_report_comes_back() {
    let home = home().await;
    let mut shim = Shim::connected(&home).await.unwrap();
    let arguments =
        json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY all is done", "client_request_id": "one"});
    let accepted = shim.tool("codex_submit_task", arguments.clone()).await.unwrap();
    assert_eq!((&accepted["ok"], &accepted["idempotent"]), (&json!(true), &json!(false)), "{accepted}");
    let id = id_of(&accepted);
    let waited = shim.tool("codex_wait", json!({"operation_ids": [id], "mode": "all", "max_seconds": 40})).await.unwrap();
    assert_eq!(waited["allEnded"], json!(true), "{waited}");
    let status = shim.tool("codex_get_operation_status", json!({"operation_id": id})).await.unwrap();
    assert_eq!(status["status"], "completed", "{status}");
    assert_eq!(status["finalReport"]["text"].as_str().map(str::trim), Some("all is done"), "{status}");
    let again = shim.tool("codex_submit_task", arguments).await.unwrap();
    assert_eq!((id_of(&again), &again["idempotent"]), (id, &json!(true)));
    let prompts: Vec<_> = home.provider.requests().into_iter().filter(|one| one.request_kind == "turn").collect();
    assert_eq!(prompts.len(), 1, "{prompts:?}");
    assert!(serde_json::to_string(&status).unwrap().len() < 4096, "a finished status stays small");
    assert!(shim.close().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_goes_on_while_the_daemon_is_killed_and_its_report_is_picked_up() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("HOLD gate the end of a long turn", "one").await.unwrap();
    home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
    let server = home.app_server().await.unwrap();
    home.kill_daemon().unwrap();
    home.provider.release("gate");
    home.start_daemon().unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["finalReport"]["text"].as_str().map(str::trim), Some("the end of a long turn"), "{status}");
    assert_eq!(home.app_server().await.unwrap().pid, server.pid, "the same app-server was adopted");
    assert_eq!(home.provider.requests().len(), 1);
}
