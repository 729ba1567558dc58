//! The command for people, as scripts use it: data on stdout, words on stderr, exit codes that say how it went.

use super::home;
use serde_json::{Value, json};
use std::{
    process::{Output, Stdio},
    time::Duration,
};
use tests::home::Home;

const MAX: Duration = Duration::from_secs(120);

async fn codexcp(home: &Home, arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::from(home.command(&home.programs.codexcp));
    command.args(arguments).current_dir(&home.project).stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(MAX, command.output()).await.expect("codexcp ends in time").unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_starts_the_daemon_and_prints_the_report_and_nothing_else_on_stdout() {
    let home = home().await;
    let ran = codexcp(&home, &["run", "SHELL echo hi ;; SAY all is done", "--sandbox", "workspace-write"]).await;
    assert_eq!(ran.status.code(), Some(0), "{}", words(&ran));
    assert_eq!(out(&ran).trim(), "all is done");
    assert!(words(&ran).contains("echo hi"), "{}", words(&ran));
    let listed = codexcp(&home, &["list", "--all", "--json"]).await;
    let listed: Value = serde_json::from_str(&out(&listed)).unwrap();
    assert!(listed.to_string().contains("completed"), "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn run_as_ndjson_ends_with_the_result_and_a_failed_task_is_not_zero() {
    let home = home().await;
    let ran = codexcp(&home, &["run", "SAY fine", "--json"]).await;
    assert_eq!(ran.status.code(), Some(0), "{}", words(&ran));
    let lines: Vec<Value> = out(&ran).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["operation"]["status"]), (&json!("result"), &json!("completed")), "{last}");
    assert!(lines.iter().any(|line| line["type"] == "event"));
    let failed = codexcp(&home, &["run", "FAIL 400"]).await;
    assert_eq!(failed.status.code(), Some(1), "{}", words(&failed));
    assert_eq!(out(&failed), "");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_detaches_and_the_task_goes_on() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut command = tokio::process::Command::from(home.command(&home.programs.codexcp));
    command
        .args(["run", "HOLD gate the end"])
        .current_dir(&home.project)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.kill_on_drop(true).spawn().unwrap();
    home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let ended = tokio::time::timeout(MAX, child.wait_with_output()).await.unwrap().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{}", words(&ended));
    assert!(words(&ended).contains("codexcp wait"), "{}", words(&ended));
    home.provider.release("gate");
    let id = home.ok("codex_get_queue_status", json!({})).await.unwrap()["operations"][0]["operationId"].as_str().map(str::to_owned);
    if let Some(id) = id {
        let waited = codexcp(&home, &["wait", &id[id.len() - 8..]]).await;
        assert_eq!(waited.status.code(), Some(0), "{}", words(&waited));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_over_a_killed_daemon() {
    let home = home().await;
    home.start_daemon().unwrap();
    let ran = async { codexcp(&home, &["run", "HOLD gate the end"]).await };
    let kills = async {
        home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
        home.kill_daemon().unwrap();
        home.provider.release("gate");
    };
    let (ran, ()) = tokio::join!(ran, kills);
    assert_eq!(ran.status.code(), Some(0), "{}", words(&ran));
    assert_eq!(out(&ran).trim(), "the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn off_a_terminal_an_approval_is_answered_by_another_command() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("ESCALATE touch yes.txt ;; SAY done", "one").await.unwrap();
    home.reaches(&id, "waiting_for_approval", MAX).await.unwrap();
    assert_eq!(codexcp(&home, &["wait", &id]).await.status.code(), Some(6));
    let pending = codexcp(&home, &["pending", "--json"]).await;
    let pending: Value = serde_json::from_str(&out(&pending)).unwrap();
    let text = pending.to_string();
    let at = text.find("int_").unwrap();
    let interaction = &text[at..at + 36];
    let answered = codexcp(&home, &["answer", interaction, "--accept"]).await;
    assert_eq!(answered.status.code(), Some(0), "{}", words(&answered));
    assert_eq!(codexcp(&home, &["wait", &id]).await.status.code(), Some(0));
    assert!(home.project.join("yes.txt").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exit_codes_tell_usage_absence_refusal_and_time_out_apart() {
    let home = home().await;
    assert_eq!(codexcp(&home, &["fly"]).await.status.code(), Some(2));
    assert_eq!(codexcp(&home, &["show", "ffffffff"]).await.status.code(), Some(3));
    let outside = codexcp(&home, &["run", "SAY x", "--cwd", "/etc"]).await;
    assert!(!outside.status.success());
    assert!(words(&outside).contains("codexcp allow"), "{}", words(&outside));
    let first = codexcp(&home, &["run", "HOLD gate x", "--detach", "--json"]).await;
    assert_eq!(first.status.code(), Some(0), "{}", words(&first));
    assert_eq!(codexcp(&home, &["run", "HOLD gate x", "--detach"]).await.status.code(), Some(4));
    let id = home.ok("codex_get_queue_status", json!({})).await.unwrap()["operations"][0]["operationId"].as_str().unwrap().to_owned();
    assert_eq!(codexcp(&home, &["wait", &id, "--timeout", "1"]).await.status.code(), Some(7));
    assert_eq!(codexcp(&home, &["cancel", &id]).await.status.code(), Some(0));
    let stopped = codexcp(&home, &["daemon", "stop", "--all"]).await;
    assert_eq!(stopped.status.code(), Some(0), "{}", words(&stopped));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_allowed_at_once_and_for_later() {
    let home = home().await;
    let other = home.path().canonicalize().unwrap().join("other");
    std::fs::create_dir(&other).unwrap();
    let path = other.to_str().unwrap();
    assert!(!codexcp(&home, &["run", "SAY x", "--cwd", path]).await.status.success());
    let allowed = codexcp(&home, &["allow", path]).await;
    assert_eq!(allowed.status.code(), Some(0), "{}", words(&allowed));
    assert_eq!(codexcp(&home, &["run", "SAY x", "--cwd", path]).await.status.code(), Some(0));
    assert!(std::fs::read_to_string(&home.place.config_file).unwrap().contains(path));
    let config = codexcp(&home, &["config", "--json"]).await;
    assert!(out(&config).contains("allowed_roots"), "{}", out(&config));
    let restarted = codexcp(&home, &["daemon", "restart"]).await;
    assert_eq!(restarted.status.code(), Some(0), "{}", words(&restarted));
    assert_eq!(codexcp(&home, &["run", "SAY y", "--cwd", path]).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_works_with_and_without_a_daemon() {
    let home = home().await;
    let down = codexcp(&home, &["doctor"]).await;
    assert!(out(&down).contains("daemon") || words(&down).contains("daemon"), "{}{}", out(&down), words(&down));
    assert!(!home.place.daemon_socket().exists(), "the doctor starts nothing");
    home.start_daemon().unwrap();
    let up = codexcp(&home, &["doctor", "--json"]).await;
    assert_eq!(up.status.code(), Some(0), "{}{}", out(&up), words(&up));
    serde_json::from_str::<Value>(&out(&up)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_is_said_on_a_thread_and_work_is_handed_in_again() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("SAY first", "one").await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let more = codexcp(&home, &["resume", &id[id.len() - 8..], "SAY second"]).await;
    assert_eq!((more.status.code(), out(&more).trim()), (Some(0), "second"), "{}", words(&more));
    assert_eq!(home.provider.requests().last().unwrap().user_messages, ["SAY first", "SAY second"]);
    let again = codexcp(&home, &["retry", &id, "SAY third"]).await;
    assert_eq!((again.status.code(), out(&again).trim()), (Some(0), "third"), "{}", words(&again));
    let logs = codexcp(&home, &["logs", &id]).await;
    assert_eq!(logs.status.code(), Some(0));
    assert!(out(&logs).contains("turn.ended"), "{}", out(&logs));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_is_shown_sent_back_and_approved_by_the_number_of_its_operation() {
    let home = home().await;
    let planned = codexcp(&home, &["plan", "PLAN - first step"]).await;
    assert_eq!(planned.status.code(), Some(0), "{}", words(&planned));
    assert!(out(&planned).contains("- first step"), "{}", out(&planned));
    let said = words(&planned);
    let id = said.split("codexcp approve ").nth(1).and_then(|rest| rest.split('`').next()).unwrap().to_owned();
    let again = codexcp(&home, &["revise", &id, "PLAN - first step / - second step", "--verbose"]).await;
    assert_eq!(again.status.code(), Some(0), "{}", words(&again));
    assert!(out(&again).contains("- second step") && words(&again).contains("+- second step"), "{}", words(&again));
    let approved = codexcp(&home, &["approve", &id, "SAY it is done", "--sandbox", "read-only"]).await;
    assert_eq!((approved.status.code(), out(&approved).trim()), (Some(0), "it is done"), "{}", words(&approved));
    let other = codexcp(&home, &["run", "SAY other", "--detach", "--json"]).await;
    let other: Value = serde_json::from_str(&out(&other)).unwrap();
    let none = codexcp(&home, &["approve", other["operationId"].as_str().unwrap()]).await;
    assert_eq!(none.status.code(), Some(4), "{}", words(&none));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_is_steered_and_a_folder_reviewed_from_the_terminal() {
    let home = home().await;
    home.start_daemon().unwrap();
    let id = home.submit("HOLD it the first words", "held").await.unwrap();
    home.reaches(&id, "running", MAX).await.unwrap();
    let steered = codexcp(&home, &["steer", &id, "SAY other words"]).await;
    assert_eq!((steered.status.code(), out(&steered).trim()), (Some(0), "other words"), "{}", words(&steered));
    let late = codexcp(&home, &["steer", &id, "SAY too late"]).await;
    assert_eq!(late.status.code(), Some(2), "{}", words(&late));
    let reviewed = codexcp(&home, &["review", "SAY all is well"]).await;
    assert_eq!((reviewed.status.code(), out(&reviewed).trim()), (Some(0), "all is well"), "{}", words(&reviewed));
}
