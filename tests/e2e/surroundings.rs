//! Where a daemon stands that somebody starts by the way: its session, its open files, its variables. Linux, by `/proc`.

use super::home;
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tests::{client::id_of, home::Home, mcp::Shim};

const MAX: Duration = Duration::from_secs(60);

/// Runs the words in a shell, with `$0` as the command; its output ends when nobody holds it open any more.
async fn shell(home: &Home, words: &str) -> String {
    let mut command = tokio::process::Command::from(home.command(std::path::Path::new("/bin/bash")));
    command.args(["-c", words]).arg(&home.programs.codexcp).stdin(Stdio::null()).current_dir(&home.project).kill_on_drop(true);
    let output = tokio::time::timeout(MAX, command.output()).await.expect("nobody holds the output open").unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn field_of_stat(pid: u32, field: usize) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // Behind the name, which may hold anything, comes field 3.
    stat.rsplit_once(')').unwrap().1.split_whitespace().nth(field - 3).unwrap().parse().unwrap()
}

/// FAULTS C 13, C 14, C 15.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_a_command_started_has_its_own_session_no_open_files_of_others_and_the_variables_that_are_named() {
    let mut home = home().await;
    home.set("ACME_MODEL_KEY", "not-a-real-key");
    home.set("ACME_OTHER_KEY", "not-a-real-key");
    let config = std::fs::read_to_string(&home.place.config_file).unwrap();
    std::fs::write(&home.place.config_file, config + "\n[app_server]\nenvironment = [\"ACME_MODEL_KEY\"]\n").unwrap();
    let ran = shell(&home, r#"exec 3>&1; "$0" run "SAY done" 3>&3"#).await;
    assert!(ran.contains("done"), "{ran}");
    let status: Value = serde_json::from_str(&shell(&home, r#""$0" daemon start --json"#).await).unwrap();
    let daemon = u32::try_from(status["pid"].as_u64().unwrap()).unwrap();
    let app_server = home.app_server().await.expect("an app-server").pid;
    for pid in [daemon, app_server] {
        assert_eq!(field_of_stat(pid, 6), pid, "the session of {pid}");
        let environment = std::fs::read_to_string(format!("/proc/{pid}/environ")).unwrap();
        assert!(environment.contains("ACME_MODEL_KEY=") && !environment.contains("ACME_OTHER_KEY"), "{pid}");
    }
    // Whoever takes in orphans here, it is not the command, which has ended.
    let parent = field_of_stat(daemon, 4);
    assert!(parent == 1 || !std::fs::read_to_string(format!("/proc/{parent}/cmdline")).unwrap().contains("codexcp"), "{parent}");
    shell(&home, r#""$0" daemon stop --all"#).await;
}

/// FAULTS E 10.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_with_a_configuration_that_is_broken_leaves_the_daemon_as_it_is() {
    let home = home().await;
    home.start_daemon().unwrap();
    let config = std::fs::read_to_string(&home.place.config_file).unwrap();
    std::fs::write(&home.place.config_file, config.clone() + "\n[limits\n").unwrap();
    let said = shell(&home, r#""$0" daemon restart 2>&1; echo "exit $?""#).await;
    assert!(said.contains("config.toml") && !said.contains("exit 0"), "{said}");
    let status: Value = serde_json::from_str(&shell(&home, r#""$0" daemon start --json"#).await).unwrap();
    assert_eq!(status["pid"].as_u64(), home.daemon_pid().map(u64::from), "{status}");
    std::fs::write(&home.place.config_file, config).unwrap();
}

/// FAULTS C17: it could be neither reached nor stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_whose_socket_was_removed_listens_on_a_new_one_as_soon_as_somebody_asks() {
    let home = home().await;
    home.start_daemon().unwrap();
    let pid = home.daemon_pid();
    for gone in [home.place.daemon_socket(), home.place.run_dir.clone()] {
        if gone.is_dir() {
            std::fs::remove_dir_all(&gone).unwrap()
        } else {
            std::fs::remove_file(&gone).unwrap()
        }
        let ran = home.command(&home.programs.codexcp).arg("status").output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(home.daemon_pid(), pid);
    }
    let mut shim = Shim::connected(&home).await.unwrap();
    let id = id_of(
        &shim
            .tool("codex_submit_task", json!({"operation_type": "start_chat", "project_id": home.project, "message": "SAY still there"}))
            .await
            .unwrap(),
    );
    home.ended(std::slice::from_ref(&id), Duration::from_secs(60)).await.unwrap();
    std::fs::remove_file(home.place.daemon_socket()).unwrap();
    let ran = home.command(&home.programs.codexcp).args(["daemon", "stop"]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    home.daemon_ends().unwrap();
}

/// FAULTS A15: against a daemon that hangs, commands said nothing for more than forty seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_hangs_is_named_within_seconds_with_what_ends_it() {
    let home = home().await;
    home.start_daemon().unwrap();
    let pid = home.daemon_pid().unwrap();
    let process = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::STOP).unwrap();
    for arguments in [&["status"][..], &["daemon", "stop"], &["doctor"], &["wait", "abcd"]] {
        let begun = std::time::Instant::now();
        let ran = home.command(&home.programs.codexcp).args(arguments).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(!ran.status.success() && said.contains(&format!("kill -9 {pid}")), "{arguments:?}: {said}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{arguments:?}: {:?}", begun.elapsed());
    }
    rustix::process::kill_process(process, rustix::process::Signal::CONT).unwrap();
}
