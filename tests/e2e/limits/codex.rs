//! A codex that is too old, broken, logged out, or updated while it works. (A codex that is missing is in `links.rs`.)

use super::{all_say_of_codex, check_of, home, run, server_was, words};
use serde_json::json;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tests::{home::Home, provider};

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
    let old = format!(
        "[ \"$1\" = --version ] && echo 'codex-cli 0.168.3' && exit; FAKE_CODEX_AGENT='x/0.168.3 (test)' exec '{}' \"$@\"",
        env!("CARGO_BIN_EXE_fake_codex")
    );
    let (mut home, _) = with_codex(&old).await;
    home.set("CODEXCP_APP_SERVER_LINK", "stdio");
    // Whoever asks whether all is well is told before anything is handed in (FAULTS A22).
    let doctor = |home: &Home| {
        let ran = home.command(&home.programs.codexcp).arg("doctor").output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.lines().any(|line| line.to_lowercase().starts_with("fail") && line.contains("codex 0.168.3 is too old")), "{said}");
    };
    doctor(&home);
    home.start_daemon().unwrap();
    doctor(&home);
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
        all_say_of_codex(
            &home,
            &["codex ended at once (exit status: 3)", "cannot open the pod bay doors", "codex.binary_path", "0.169.0 or newer"],
        )
        .await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_a_codex_that_is_logged_out_says_to_log_in_and_after_that_the_next_one_runs() {
    let home = home().await;
    let config = provider::config_toml(&home.provider.base_url()).replace("requires_openai_auth = false", "requires_openai_auth = true");
    std::fs::write(home.codex_home.join("config.toml"), format!("cli_auth_credentials_store = \"file\"\n{config}")).unwrap();
    home.start_daemon().unwrap();
    let out = home.submit("LOGIN first", "one").await.unwrap();
    home.ended(std::slice::from_ref(&out), MAX).await.unwrap();
    let status = home.status(&out).await.unwrap();
    assert_eq!((&status["status"], &status["lastErrorCode"]), (&json!("failed"), &json!("CODEX_LOGIN_NEEDED")), "{status}");
    let why = status["lastError"].as_str().unwrap();
    assert!(why.contains("401") && why.contains("run `codex login`"), "{why}");

    // As the sentence says, with a key: the other way needs a browser.
    let mut login = tokio::process::Command::from(home.command(&home.programs.codex));
    let mut login =
        login.args(["login", "--with-api-key"]).stdin(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut login.stdin.take().unwrap(), b"sk-no-key-of-anyone\n").await.unwrap();
    assert!(login.wait().await.unwrap().success());
    let again = home.submit("LOGIN second", "two").await.unwrap();
    home.ended(std::slice::from_ref(&again), MAX).await.unwrap();
    let status = home.status(&again).await.unwrap();
    assert_eq!((&status["status"], &status["finalReport"]["text"]), (&json!("completed"), &json!("second")), "{status}");
    let health = home.ok("codex_health_summary", json!({})).await.unwrap();
    assert_eq!(check_of(&health, "app_server")["status"], "ok", "{health}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_codex_that_is_updated_keeps_its_turn_and_is_replaced_when_idle() {
    let mut home = home().await;
    // It finds the programs of its sandbox in its package.
    let package = home.path().join("package");
    std::fs::create_dir_all(package.join("bin")).unwrap();
    let codex = package.join("bin/codex");
    std::fs::copy(&home.programs.codex, &codex).unwrap();
    let resources = home.programs.codex.parent().unwrap().parent().unwrap().join("codex-resources");
    std::os::unix::fs::symlink(resources, package.join("codex-resources")).unwrap();
    home.set("CODEX_BINARY_PATH", &codex);
    home.start_daemon().unwrap();
    let held = home.submit("HOLD gate the end", "one").await.unwrap();
    home.reaches(&held, "running", MAX).await.unwrap();
    let before = home.app_server().await.unwrap();
    // As an installer does: the new file takes the place of the old one.
    let new = home.path().join("codex.new");
    std::os::unix::fs::symlink(&home.programs.codex, &new).unwrap();
    std::fs::rename(&new, &codex).unwrap();
    let meanwhile = home.submit("SAY meanwhile", "two").await.unwrap();
    home.ended(std::slice::from_ref(&meanwhile), MAX).await.unwrap();
    assert_eq!(home.app_server().await.unwrap().pid, before.pid, "it has work");

    home.provider.release("gate");
    home.ended(std::slice::from_ref(&held), MAX).await.unwrap();
    let status = home.status(&held).await.unwrap();
    assert_eq!((&status["status"], &status["finalReport"]["text"]), (&json!("completed"), &json!("the end")), "{status}");
    assert!(daemon::appserver::process::gone_within(&before, Duration::from_secs(30)).await, "the old one is ended when it is idle");
    let next = home.submit("SAY on the new one", "three").await.unwrap();
    home.ended(std::slice::from_ref(&next), MAX).await.unwrap();
    assert_eq!(home.status(&next).await.unwrap()["status"], "completed");
    let after = home.app_server().await.unwrap();
    assert_eq!(after.binary, home.programs.codex.canonicalize().unwrap());
    assert_ne!((after.pid, &after.binary_mark), (before.pid, &before.binary_mark));
    assert_eq!(home.provider.requests().len(), 3, "nothing was said twice");
    let more = json!({"operation_type": "send_message", "chat_id": status["threadId"], "message": "SAY and on the old thread"});
    let more = tests::client::id_of(&home.ok("codex_submit_task", more).await.unwrap());
    home.ended(std::slice::from_ref(&more), MAX).await.unwrap();
    assert_eq!(home.status(&more).await.unwrap()["status"], "completed");
}

/// Nobody waits for a program that does not even say its version.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_hangs_is_told_by_doctor_and_health_in_seconds() {
    let (home, _) = with_codex("exec sleep 600").await;
    for daemon in [false, true] {
        if daemon {
            home.start_daemon().unwrap();
        }
        let begun = std::time::Instant::now();
        let ran = run(&home, &home.programs.codexcp, &["doctor"]).await;
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}: {}", begun.elapsed(), words(&ran));
        assert!(daemon || words(&ran).contains("does not say its version"), "{}", words(&ran));
    }
}
