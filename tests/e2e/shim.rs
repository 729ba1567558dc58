//! The shim and MCP on its stdio: both eras, bad lines, many calls at once, daemons that come and go.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, mcp::Shim};

const MAX: Duration = Duration::from_secs(120);

fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_eras_are_spoken_on_one_connection_before_and_after_the_handshake() {
    let home = home().await;
    let mut shim = Shim::start(&home).unwrap();
    let early = shim.request("tools/list", json!({})).await.unwrap();
    assert_eq!(early["recommendedPrimaryWriteTool"], "codex_submit_task");
    assert!(early.get("resultType").is_none());
    let found = shim.request("server/discover", modern(json!({}))).await.unwrap();
    assert_eq!(found["resultType"], "complete", "{found}");
    let listed = shim.request("tools/list", modern(json!({}))).await.unwrap();
    assert_eq!((&listed["resultType"], listed["tools"].as_array().unwrap().len()), (&json!("complete"), daemon::tools::TOOLS.len()));
    let called = shim.request("tools/call", modern(json!({"name": "codex_health_summary", "arguments": {}}))).await.unwrap();
    assert_eq!((&called["resultType"], &called["isError"]), (&json!("complete"), &json!(false)), "{called}");
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let welcome = shim.request("initialize", hello).await.unwrap();
    assert_eq!((&welcome["protocolVersion"], &welcome["instructions"]), (&json!("2025-06-18"), &found["instructions"]));
    assert_eq!(welcome["capabilities"], found["capabilities"]);
    shim.request("ping", json!({})).await.unwrap();
    let text: Value = serde_json::from_str(called["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, called["structuredContent"], "the text is the same payload");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_lines_are_answered_and_the_connection_lives_on() {
    let home = home().await;
    let mut shim = Shim::connected(&home).await.unwrap();
    shim.send_text("{not json").await.unwrap();
    assert_eq!(shim.read().await.unwrap()["error"]["code"], -32700);
    shim.send_text("").await.unwrap();
    let id = shim.ask("no/such/method", json!({})).await.unwrap();
    assert_eq!(shim.answer_to(id).await.unwrap()["error"]["code"], -32601);
    let id = shim.ask("tools/call", json!({"name": " "})).await.unwrap();
    assert_eq!(shim.answer_to(id).await.unwrap()["error"]["code"], -32602);
    let unknown = shim.request("tools/call", json!({"name": "no_such_tool", "arguments": {}})).await.unwrap();
    assert_eq!((&unknown["isError"], &unknown["structuredContent"]["error"]["code"]), (&json!(true), &json!("INVALID_ARGUMENT")));
    let long = format!(r#"{{"jsonrpc":"2.0","method":"tools/call","params":{{"x":"{}"}},"id":"long"}}"#, "y".repeat(20_000_000));
    shim.send_text(&long).await.unwrap();
    let refused = shim.read().await.unwrap();
    assert_eq!((&refused["id"], &refused["error"]["message"]), (&json!("long"), &json!("message too large")), "{refused}");
    shim.request("ping", json!({})).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_argument_that_a_client_adds_for_itself_is_taken_and_changes_nothing() {
    let home = home().await;
    let mut shim = Shim::connected(&home).await.unwrap();
    let mut task = json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY once", "client_request_id": "once"});
    let id = id_of(&shim.tool("codex_submit_task", task.clone()).await.unwrap());
    task["wait_for_previous"] = json!(true);
    assert_eq!(id_of(&shim.tool("codex_submit_task", task.clone()).await.unwrap()), id);
    task["wait_for_next"] = json!(true);
    let refused = shim.request("tools/call", json!({"name": "codex_submit_task", "arguments": task})).await.unwrap();
    assert_eq!(refused["structuredContent"]["error"]["code"], "INVALID_ARGUMENT", "{refused}");
    home.ended(&[id], MAX).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_call_holds_up_no_other_and_tells_its_progress() {
    let home = home().await;
    let mut shim = Shim::connected(&home).await.unwrap();
    let task = json!({"operation_type": "start_chat", "project_id": home.project, "message": "HOLD gate the end"});
    let id = id_of(&shim.tool("codex_submit_task", task).await.unwrap());
    let wait = json!({"name": "codex_wait", "arguments": {"operation_ids": [id], "mode": "all", "max_seconds": 45}, "_meta": {"progressToken": "p"}});
    let waiting = shim.ask("tools/call", wait).await.unwrap();
    let cancelled = shim
        .ask("tools/call", json!({"name": "codex_wait", "arguments": {"operation_ids": [id], "mode": "all", "max_seconds": 45}}))
        .await
        .unwrap();
    shim.send(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": cancelled}})).await.unwrap();
    for _ in 0..20 {
        shim.tool("codex_get_operation_status", json!({"operation_id": id})).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    home.provider.release("gate");
    let done = shim.answer_to(waiting).await.unwrap();
    assert_eq!(done["result"]["structuredContent"]["allEnded"], json!(true), "{done}");
    let progress: Vec<_> = shim.others.iter().filter(|one| one["method"] == "notifications/progress").collect();
    assert!(!progress.is_empty() && progress.iter().all(|one| one["params"]["progressToken"] == "p"), "{progress:?}");
    assert!(!shim.others.iter().any(|one| one["id"] == json!(cancelled)), "a cancelled call is not answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_shims_at_once_start_one_daemon() {
    let home = home().await;
    let mut shims = Vec::new();
    for _ in 0..12 {
        shims.push(Shim::start(&home).unwrap());
    }
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let mut asked = Vec::new();
    for shim in &mut shims {
        asked.push(shim.ask("initialize", hello.clone()).await.unwrap());
    }
    for (shim, id) in shims.iter_mut().zip(asked) {
        assert!(shim.answer_to(id).await.unwrap()["result"]["serverInfo"].is_object());
    }
    let starts = || {
        let files = std::fs::read_dir(&home.place.logs_dir).unwrap();
        let logs: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        logs.matches("daemon ready").count()
    };
    // Lines are written by another thread than the one that answers.
    let until = tokio::time::Instant::now() + MAX;
    while starts() == 0 && tokio::time::Instant::now() < until {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(starts(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_in_flight_while_the_daemon_dies_is_answered_by_the_next_and_runs_once() {
    let mut home = home().await;
    // The test starts the daemons; the shim would be faster.
    home.set("CODEXCP_AUTOSTART", "0");
    home.start_daemon().unwrap();
    let mut shim = Shim::connected(&home).await.unwrap();
    // Without a client_request_id: the shim's nonce and the call's id make it repeatable.
    let task = json!({"operation_type": "start_chat", "project_id": home.project, "message": "HOLD gate the end"});
    let id = id_of(&shim.tool("codex_submit_task", task).await.unwrap());
    let waiting = shim
        .ask("tools/call", json!({"name": "codex_wait", "arguments": {"operation_ids": [id], "mode": "all", "max_seconds": 45}}))
        .await
        .unwrap();
    for n in 0..3 {
        let more = json!({"name": "codex_submit_task", "arguments": {"operation_type": "start_chat", "project_id": home.project, "message": format!("SAY extra {n}")}});
        let asked = shim.ask("tools/call", more).await.unwrap();
        home.kill_daemon().unwrap();
        home.start_daemon().unwrap();
        let answer = shim.answer_to(asked).await.unwrap();
        assert_eq!(answer["result"]["structuredContent"]["ok"], json!(true), "{answer}");
    }
    home.provider.release("gate");
    let done = shim.answer_to(waiting).await.unwrap();
    assert_eq!(done["result"]["structuredContent"]["allEnded"], json!(true), "{done}");
    let queue = home.ok("codex_get_queue_status", json!({})).await.unwrap();
    let rest: Vec<_> = queue["operations"].as_array().unwrap().iter().map(id_of).collect();
    if !rest.is_empty() {
        home.ended(&rest, MAX).await.unwrap();
    }
    let turns = super::recovery::turns_of(&home);
    assert_eq!((0..3).map(|n| turns.get(&format!("SAY extra {n}")).copied()).collect::<Vec<_>>(), [Some(1); 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_autostart_the_shim_waits_for_a_daemon_that_somebody_else_starts() {
    let mut home = home().await;
    home.set("CODEXCP_AUTOSTART", "0");
    let mut shim = Shim::start(&home).unwrap();
    let id = shim.ask("tools/list", json!({})).await.unwrap();
    assert!(!home.place.daemon_socket().exists());
    home.start_daemon().unwrap();
    assert!(shim.answer_to(id).await.unwrap()["result"]["tools"].is_array());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_with_other_variables_than_the_daemon_gets_a_note_and_changes_nothing() {
    let mut home = home().await;
    home.start_daemon().unwrap();
    let same = Shim::connected(&home).await.unwrap().tool("codex_health_summary", json!({})).await.unwrap();
    assert!(!same["notes"].to_string().contains("CODEX_*"), "{same}");
    home.set("CODEX_MCP_DEFAULT_MODEL", "another");
    let other = Shim::connected(&home).await.unwrap().tool("codex_health_summary", json!({})).await.unwrap();
    assert!(other["notes"].to_string().contains("CODEX_*"), "{other}");
}

/// The libraries behind most clients hand on only a few variables to the servers they start; `XDG_RUNTIME_DIR` is not
/// among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hands_on_few_variables_finds_the_daemon_of_a_home_with_a_long_path() {
    let mut home = home().await;
    let long = home.path().canonicalize().unwrap().join("x".repeat(120));
    std::fs::rename(&home.place.home, &long).unwrap();
    home.place = common::place::Place::in_folder(&long);
    home.set("CODEXCP_HOME", long.clone());
    home.set("CODEXCP_AUTOSTART", "0");
    home.set("XDG_RUNTIME_DIR", home.codex_home.clone());
    home.start_daemon().unwrap();
    home.unset("XDG_RUNTIME_DIR");
    let health = Shim::connected(&home).await.unwrap().tool("codex_health_summary", json!({})).await.unwrap();
    assert_eq!(health["ok"], json!(true), "{health}");
    home.kill_daemon().unwrap();
    std::fs::remove_dir_all(&home.place.run_dir).unwrap();
}

/// FAULTS A17: the same words under the same id were taken for the call before, sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_is_used_again_is_another_call_and_one_that_is_sent_again_is_not() {
    let mut home = home().await;
    home.set("CODEXCP_AUTOSTART", "0");
    home.start_daemon().unwrap();
    let mut shim = Shim::connected(&home).await.unwrap();
    let task = json!({"name": "codex_submit_task", "arguments": {"operation_type": "start_chat", "project_id": home.project,
        "message": "SAY the same words", "dedup_policy": "idempotency_only"}});
    let line = json!({"jsonrpc": "2.0", "id": 4711, "method": "tools/call", "params": task}).to_string();
    let mut ids = std::collections::HashSet::new();
    for _ in 0..3 {
        shim.send_text(&line).await.unwrap();
        ids.insert(id_of(&shim.answer_to(4711).await.unwrap()["result"]["structuredContent"]));
    }
    assert_eq!(ids.len(), 3, "{ids:?}");
    // In flight while the daemon dies: sent again by the shim, and still the same call.
    shim.send_text(&line).await.unwrap();
    home.kill_daemon().unwrap();
    home.start_daemon().unwrap();
    ids.insert(id_of(&shim.answer_to(4711).await.unwrap()["result"]["structuredContent"]));
    assert_eq!(ids.len(), 4, "{ids:?}");
    let known: Vec<String> = ids.into_iter().collect();
    home.ended(&known, MAX).await.unwrap();
    assert_eq!(home.provider.requests().len(), 4);
}

/// FAULTS C4: some readers take the line ends of Unicode for the end of a line.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_one_line_for_every_reader() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut shim = Shim::connected(&home).await.unwrap();
    let id = home.submit("SAY a\u{2028}b\u{2029}c\u{85}d", "ends").await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let asked = shim.ask("tools/call", json!({"name": "codex_get_operation_status", "arguments": {"operation_id": id}})).await.unwrap();
    let line = shim.line_with(asked).await.unwrap();
    assert!(!line.contains(['\u{2028}', '\u{2029}', '\u{85}']), "{line}");
    let answer: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(answer["result"]["structuredContent"]["finalReport"]["text"], "a\u{2028}b\u{2029}c\u{85}d");
    let shown = home.command(&home.programs.codexcp).args(["show", &id, "--json"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(!shown.contains(['\u{2028}', '\u{2029}', '\u{85}']) && shown.contains("\\u2028"), "{shown}");
}

/// FAULTS A14: the first call waited a minute, at which clients give up.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_daemon_the_first_call_is_answered_before_clients_give_up() {
    let mut home = home().await;
    let hangs = home.path().join("hangs");
    std::fs::write(&hangs, "#!/bin/sh\nexec sleep 300\n").unwrap();
    std::fs::set_permissions(&hangs, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    home.set("CODEXCP_DAEMON_PROGRAM", hangs.into_os_string());
    let mut shim = Shim::start(&home).unwrap();
    let begun = tokio::time::Instant::now();
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let asked = shim.ask("initialize", hello).await.unwrap();
    let answer = shim.answer_to(asked).await.unwrap();
    assert_eq!(
        (&answer["error"]["data"]["code"], &answer["error"]["data"]["retryable"]),
        (&json!("DAEMON_STARTING"), &json!(true)),
        "{answer}"
    );
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
}

/// What came while there was no daemon is judged by the one that comes, whatever it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_lines_and_good_ones_that_came_before_any_daemon_are_all_answered() {
    let mut home = home().await;
    home.set("CODEXCP_AUTOSTART", "0");
    let mut shim = Shim::start(&home).unwrap();
    shim.send_text("this is no JSON").await.unwrap();
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}});
    let asked = shim.ask("initialize", hello).await.unwrap();
    shim.send_text("[1, 2]").await.unwrap();
    let ping = shim.ask("ping", json!({})).await.unwrap();
    home.start_daemon().unwrap();
    assert!(shim.answer_to(asked).await.unwrap()["result"]["serverInfo"].is_object());
    assert!(shim.answer_to(ping).await.unwrap()["result"].is_object());
    while shim.others.iter().filter(|one| one["id"].is_null() && one["error"].is_object()).count() < 2 {
        let line = shim.read().await.unwrap();
        shim.others.push(line);
    }
}
