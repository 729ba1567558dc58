//! The other links to the app-server: loopback with a token, and pipes.

use super::home;
use serde_json::{Value, json};
use std::{os::unix::fs::PermissionsExt, time::Duration};

const MAX: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_loopback_the_turn_outlives_the_daemon_and_strangers_are_refused() {
    let mut home = home().await;
    home.set("CODEXCP_APP_SERVER_LINK", "loopback");
    home.start_daemon().unwrap();
    let id = home.submit("HOLD gate over loopback", "one").await.unwrap();
    home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
    let daemon::store::tables::app_server::Address::Loopback { port, token_file } = home.app_server().await.unwrap().address else {
        panic!("not on loopback")
    };
    assert_eq!(std::fs::metadata(&token_file).unwrap().permissions().mode() & 0o777, 0o600);
    let mut stranger = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let hello = "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stranger, hello.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    tokio::io::AsyncReadExt::read(&mut stranger, &mut answer).await.unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("401"), "{}", String::from_utf8_lossy(&answer));
    home.kill_daemon().unwrap();
    home.start_daemon().unwrap();
    home.provider.release("gate");
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    assert_eq!(home.status(&id).await.unwrap()["status"], "completed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_pipes_a_killed_daemon_takes_the_turn_with_it_and_nothing_runs_twice() {
    let mut home = home().await;
    home.set("CODEXCP_APP_SERVER_LINK", "stdio");
    home.start_daemon().unwrap();
    let done = home.submit("SAY over pipes", "one").await.unwrap();
    home.ended(&[done], MAX).await.unwrap();
    let cut = home.submit("HOLD gate never", "two").await.unwrap();
    home.provider.wait_for(|all| all.len() == 2, MAX).await.unwrap();
    home.kill_daemon().unwrap();
    home.start_daemon().unwrap();
    home.ended(std::slice::from_ref(&cut), MAX).await.unwrap();
    let status = home.status(&cut).await.unwrap();
    assert_eq!(status["status"], "interrupted", "{status}");
    assert_eq!(super::recovery::turns_of(&home)["HOLD gate never"], 1);
    let health = home.ok("codex_health_summary", json!({})).await.unwrap();
    assert!(health["notes"].to_string().contains("stdio"), "{health}");
}

/// A program that speaks the protocol on its pipes and knows neither `--version` nor `--listen`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_program_that_speaks_the_protocol_on_pipes_will_do() {
    let mut home = home().await;
    home.set("CODEXCP_APP_SERVER_LINK", "stdio");
    home.set("CODEX_BINARY_PATH", env!("CARGO_BIN_EXE_fake_codex"));
    home.start_daemon().unwrap();
    let id = home.submit("hello", "one").await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!((&status["status"], &status["finalReport"]["text"]), (&json!("completed"), &json!("you said: hello")), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_codex_the_work_waits_and_health_says_what_to_install() {
    let mut home = home().await;
    home.set("CODEX_BINARY_PATH", "/nowhere/codex");
    home.start_daemon().unwrap();
    let id = home.submit("SAY at last", "one").await.unwrap();
    let mut cursor = json!(0);
    loop {
        let status = home.ok("codex_get_app_server_status", json!({})).await.unwrap();
        if status["state"] == "backing_off" {
            assert!(status["lastError"].as_str().unwrap().contains("npm install -g @openai/codex"), "{status}");
            break;
        }
        cursor = home.ok("codex_get_events", json!({"after_cursor": cursor, "max_seconds": 5})).await.unwrap()["cursor"].clone();
    }
    let health = home.ok("codex_health_summary", json!({})).await.unwrap();
    assert_eq!(health["overallStatus"], "broken", "{health}");
    home.kill_daemon().unwrap();
    let codex = home.programs.codex.clone();
    home.set("CODEX_BINARY_PATH", codex);
    home.start_daemon().unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    assert_eq!(home.status(&id).await.unwrap()["status"], "completed");
    assert_eq!(home.ok("codex_health_summary", json!({})).await.unwrap()["overallStatus"], "healthy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_gives_no_sign_of_life_is_ended_where_the_configuration_says_so() {
    let mut home = home().await;
    home.set("CODEX_MCP_TURN_STALL_TIMEOUT_SECONDS", "1");
    home.set("CODEX_MCP_STALLED_TURN_ACTION", "interrupt");
    home.start_daemon().unwrap();
    let id = home.submit("HANG", "one").await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["status"], "interrupted", "{status}");
    assert!(status["lastError"].as_str().unwrap().contains("no sign of life"), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_that_gives_no_sign_of_life_is_reported_and_not_ended() {
    let mut home = home().await;
    home.set("CODEX_MCP_TURN_STALL_TIMEOUT_SECONDS", "1");
    home.start_daemon().unwrap();
    let id = home.submit("HANG", "one").await.unwrap();
    let mut cursor = json!(0);
    loop {
        let page =
            home.ok("codex_get_events", json!({"after_cursor": cursor, "types": ["turn.stalled"], "max_seconds": 10})).await.unwrap();
        if page["returnedCount"] == json!(1) {
            break;
        }
        cursor = page["cursor"].clone();
    }
    let health = home.ok("codex_health_summary", json!({})).await.unwrap();
    assert_eq!((&health["overallStatus"], &health["stallSupervisor"]["stalledTurnCount"]), (&json!("degraded"), &json!(1)), "{health}");
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["status"], "running", "{status}");
    assert!(status["turnStatus"]["stalledAt"].is_string(), "{status}");
    home.ok("codex_interrupt_turn", json!({"operation_id": id})).await.unwrap();
    home.ended(&[id], MAX).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_app_server_is_restarted_when_idle_after_its_turns_or_by_force() {
    let home = home().await;
    home.start_daemon().unwrap();
    let warm = home.submit("SAY warm", "warm").await.unwrap();
    home.ended(&[warm], MAX).await.unwrap();
    let restart = async |arguments: Value| home.call("codex_restart_app_server", arguments).await.unwrap();
    let idle = restart(json!({})).await;
    assert_eq!((&idle["restarted"], &idle["started"]), (&json!(true), &json!(true)), "{idle}");
    assert_ne!(idle["beforePid"], idle["afterPid"]);
    // At work: not without being told how.
    let held = home.submit("HOLD drained done", "held").await.unwrap();
    home.reaches(&held, "running", MAX).await.unwrap();
    let busy = restart(json!({})).await;
    assert_eq!(busy["error"]["code"], "CODEX_BUSY", "{busy}");
    // Drained: the turn ends as if nothing were, what comes meanwhile waits for the next one.
    let draining = restart(json!({"mode": "drain", "timeout_seconds": 1})).await;
    assert_eq!(draining["restarted"], json!(false), "{draining}");
    let queued = home.submit("SAY after", "after").await.unwrap();
    home.provider.release("drained");
    home.ended(&[held.clone(), queued.clone()], MAX).await.unwrap();
    assert_eq!(home.status(&held).await.unwrap()["finalReport"]["text"], "done");
    assert_eq!(home.status(&queued).await.unwrap()["finalReport"]["text"], "after");
    assert_ne!(home.app_server().await.map(|process| json!(process.pid)), Some(idle["afterPid"].clone()));
    // By force: what it did is cut and told so.
    let cut = home.submit("HOLD never done", "cut").await.unwrap();
    home.reaches(&cut, "running", MAX).await.unwrap();
    let forced = restart(json!({"force": true})).await;
    assert_eq!((&forced["restarted"], &forced["started"], &forced["mode"]), (&json!(true), &json!(true), &json!("force")), "{forced}");
    home.ended(std::slice::from_ref(&cut), MAX).await.unwrap();
    let cut = home.status(&cut).await.unwrap();
    assert!(cut["lastError"].as_str().unwrap().contains("app_server_exit"), "{cut}");
    assert_eq!(home.ok("codex_health_summary", json!({})).await.unwrap()["overallStatus"], "healthy");
}

/// FAULTS W2: one that was started and not yet written down when its daemon died lived on for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_server_on_loopback_that_nobody_wrote_down_is_ended_by_the_next_start() {
    let mut home = home().await;
    home.set("CODEXCP_APP_SERVER_LINK", "loopback");
    let token_file = home.place.run_dir.join("a.token");
    std::fs::create_dir_all(&home.place.run_dir).unwrap();
    std::fs::write(&token_file, "a token that is long enough to be one").unwrap();
    let mut command = home.command(&home.programs.codex);
    command.args(["app-server", "--listen", "ws://127.0.0.1:0", "--ws-auth", "capability-token", "--ws-token-file"]).arg(&token_file);
    let mut stray = command.stdin(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap();
    home.start_daemon().unwrap();
    let id = home.submit("SAY hello", "one").await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = stray.try_wait().unwrap().expect("it is ended before another is started");
    assert!(!status.success(), "{status}");
}
