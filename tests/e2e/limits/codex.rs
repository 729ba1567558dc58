//! A codex that is too old or broken. (A codex that is missing is in `links.rs`.)

use super::{all_say_of_codex, home, run, server_was, words};
use serde_json::json;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tests::home::Home;

const MAX: Duration = Duration::from_secs(120);

/// A program at this place that a shell runs.
fn script(path: &Path, lines: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{lines}\n")).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A home whose codex is this script.
async fn with_codex(lines: &str) -> (Home, PathBuf) {
    let mut home = home().await;
    let codex = home.path().join("codex-of-the-test");
    script(&codex, lines);
    home.set("CODEX_BINARY_PATH", &codex);
    (home, codex)
}

/// What was accepted while codex was of no use is done by the next daemon with the codex that is there by then.
async fn goes_on_with_another_codex(home: &mut Home, id: &String) {
    let codex = home.programs.codex.clone();
    home.set("CODEX_BINARY_PATH", codex);
    restart(home).await;
    home.ended(std::slice::from_ref(id), MAX).await.unwrap();
    assert_eq!(home.status(id).await.unwrap()["status"], "completed");
    assert_eq!(home.provider.requests().len(), 1);
    assert_eq!(home.ok("codex_health_summary", json!({})).await.unwrap()["overallStatus"], "healthy");
}

/// As the doctor says.
async fn restart(home: &Home) {
    let restarted = run(home, &home.programs.codexcp, &["daemon", "restart"]).await;
    assert!(restarted.status.success(), "{}", words(&restarted));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_codex_that_is_too_old_is_named_and_the_work_waits_for_a_newer_one() {
    let old = format!("FAKE_CODEX_AGENT='x/0.168.3 (test)' exec '{}' \"$@\"", env!("CARGO_BIN_EXE_fake_codex"));
    let (mut home, _) = with_codex(&old).await;
    home.set("CODEXCP_APP_SERVER_LINK", "stdio");
    home.start_daemon().unwrap();
    let id = home.submit("SAY at last", "one").await.unwrap();
    server_was(&home, "backing_off").await;
    all_say_of_codex(&home, &["codex 0.168.3 is too old", "0.169.0", "npm install -g @openai/codex"]).await;
    home.unset("CODEXCP_APP_SERVER_LINK");
    goes_on_with_another_codex(&mut home, &id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_ends_at_once_is_told_with_its_last_words() {
    for link in ["auto", "stdio"] {
        let (mut home, codex) = with_codex("echo garbage; echo 'cannot open the pod bay doors' >&2; exit 3").await;
        home.set("CODEXCP_APP_SERVER_LINK", link);
        home.start_daemon().unwrap();
        let id = home.submit("SAY at last", "one").await.unwrap();
        server_was(&home, "backing_off").await;
        all_say_of_codex(&home, &["cannot open the pod bay doors", "codex.binary_path", "0.169.0 or newer"]).await;
        std::fs::remove_file(codex).unwrap();
        goes_on_with_another_codex(&mut home, &id).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_no_codex_and_stays_is_ended_and_told() {
    let (mut home, codex) = with_codex("echo \"$$\" >> \"$CODEX_HOME/pids\"; echo garbage; exec sleep 600").await;
    home.start_daemon().unwrap();
    let id = home.submit("SAY at last", "one").await.unwrap();
    server_was(&home, "backing_off").await;
    all_say_of_codex(&home, &["did not listen", "codex.binary_path", "0.169.0 or newer"]).await;
    std::fs::remove_file(codex).unwrap();
    goes_on_with_another_codex(&mut home, &id).await;
    for pid in std::fs::read_to_string(home.codex_home.join("pids")).unwrap().lines() {
        assert_eq!(daemon::appserver::process::started_s(pid.parse().unwrap()), None, "{pid} lives on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_codex_refuses_is_told_in_its_own_words() {
    let home = home().await;
    let config = home.codex_home.join("config.toml");
    let right = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, right.replace("\"on-request\"", "\"untrusted\"")).unwrap();
    home.start_daemon().unwrap();
    let id = home.submit("SAY at last", "one").await.unwrap();
    server_was(&home, "backing_off").await;
    all_say_of_codex(&home, &["approval_policy = \"untrusted\" is no longer supported"]).await;
    // It is tried again by itself.
    std::fs::write(&config, right).unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    assert_eq!(home.status(&id).await.unwrap()["status"], "completed");
}
