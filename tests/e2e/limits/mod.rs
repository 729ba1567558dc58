//! The hard edges: each limit reached on purpose, with the real programs. What the user is told, and that nothing is
//! lost. `docs/limits.md` is the table of them.

mod clients;
#[cfg(unix)]
mod codex;
#[cfg(unix)]
mod codex_killed;
mod disk;
#[cfg(unix)]
mod homes;
mod lines;
mod queue;
mod readers;
mod shared_home;
mod state;

use super::home;
use serde_json::{Value, json};
use std::process::Output;
use tests::home::Home;

fn code(payload: &Value) -> &str {
    payload["error"]["code"].as_str().unwrap_or("none")
}

fn message(payload: &Value) -> &str {
    payload["error"]["message"].as_str().unwrap_or_default()
}

/// A program that ends by itself, in the environment of the home.
async fn run(home: &Home, program: &std::path::Path, arguments: &[&str]) -> Output {
    const MAX: std::time::Duration = std::time::Duration::from_secs(60);
    let mut command = tokio::process::Command::from(home.command(program));
    command.args(arguments).stdin(std::process::Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(MAX, command.output()).await.expect("it ends by itself").unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// Daemon, doctor and shim all say the same about what keeps the daemon from starting.
async fn all_say(home: &Home, sentence: &[&str]) {
    let daemon = run(home, &home.programs.daemon, &[]).await;
    let check = run(home, &home.programs.daemon, &["--check"]).await;
    let doctor = run(home, &home.programs.codexcp, &["doctor"]).await;
    let command = run(home, &home.programs.codexcp, &["list"]).await;
    let mut shim = tests::mcp::Shim::start(home).unwrap();
    let asked = shim.ask("tools/list", json!({})).await.unwrap();
    let shim = shim.answer_to(asked).await.unwrap();
    assert_eq!(shim["error"]["data"]["code"], "DAEMON_STARTING", "{shim}");
    for (who, status, said) in [
        ("the daemon", daemon.status.code(), words(&daemon)),
        ("--check", check.status.code(), words(&check)),
        ("the doctor", doctor.status.code(), words(&doctor)),
        ("the command", command.status.code(), words(&command)),
        ("the shim", None, shim.to_string()),
    ] {
        assert_ne!(status, Some(0), "{who}: {said}");
        for part in sentence {
            assert!(said.contains(part), "{who} does not say {part:?}: {said}");
        }
    }
}

/// Until the app-server was in this state, however short.
#[cfg(unix)]
async fn server_was(home: &Home, wanted: &str) {
    const MAX: std::time::Duration = std::time::Duration::from_secs(120);
    let look = async {
        let mut cursor = json!(0);
        loop {
            let news = json!({"after_cursor": cursor, "types": ["app_server.state"], "max_seconds": 20});
            let news = home.ok("codex_get_events", news).await.unwrap();
            if news["events"].as_array().unwrap().iter().any(|event| event["body"]["state"] == wanted) {
                return;
            }
            cursor = news["cursor"].clone();
        }
    };
    tokio::time::timeout(MAX, look).await.unwrap_or_else(|_| panic!("the app-server was never {wanted}"));
}

#[cfg(unix)]
fn check_of<'a>(health: &'a Value, name: &str) -> &'a Value {
    health["checks"].as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()
}

/// Health, status of the app-server and doctor all say the same about what keeps codex from working.
#[cfg(unix)]
async fn all_say_of_codex(home: &Home, sentence: &[&str]) {
    let health = home.ok("codex_health_summary", json!({})).await.unwrap();
    let check = check_of(&health, "app_server");
    assert_ne!(check["status"], "ok", "{health}");
    let status = home.ok("codex_get_app_server_status", json!({})).await.unwrap();
    let doctor = run(home, &home.programs.codexcp, &["doctor"]).await;
    let command = run(home, &home.programs.codexcp, &["status"]).await;
    for part in sentence {
        for said in [check["message"].as_str(), status["lastError"].as_str(), Some(&words(&doctor)), Some(&words(&command))] {
            assert!(said.is_some_and(|said| said.contains(part)), "{part:?} is not in {said:?}");
        }
    }
}
