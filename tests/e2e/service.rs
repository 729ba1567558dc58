//! The daemon as systemd starts it: on a socket that is handed over, and with somebody who waits for its word. The test
//! plays systemd; `tests/systemd.sh` has the real one.

use super::home;
use serde_json::json;
use std::{
    fs,
    os::{
        fd::AsRawFd,
        unix::net::{UnixDatagram, UnixListener},
    },
    time::Duration,
};
use tests::home::Home;

const MAX: Duration = Duration::from_secs(120);

/// What a socket unit does.
fn bind(home: &Home) -> UnixListener {
    fs::create_dir_all(&home.place.run_dir).unwrap();
    UnixListener::bind(home.place.daemon_socket()).unwrap()
}

fn terminate(home: &Home) {
    let pid = i32::try_from(home.daemon_pid().unwrap()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::TERM).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_was_there_before_the_daemon_is_answered() {
    let home = home().await;
    let socket = bind(&home);
    let mut early = home.connection().await.unwrap();
    home.start_daemon_on(&socket).unwrap();
    let reply = early.send("GET", "/v1/health", Vec::new(), MAX).await.unwrap();
    let health: common::wire::Health = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(Some(health.pid), home.daemon_pid());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_restart_on_the_same_socket_nobody_is_refused_and_the_turn_goes_on() {
    let home = home().await;
    let socket = bind(&home);
    home.start_daemon_on(&socket).unwrap();
    let id = home.submit("HOLD gate the end of a long turn", "one").await.unwrap();
    home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
    let server = home.app_server().await.unwrap();
    terminate(&home);
    // Accepted by the one that ends, or by the next one; refused by nobody.
    let while_ending = home.connection().await;
    home.daemon_ends().unwrap();
    let mut while_nobody = home.connection().await.unwrap();
    assert!(home.place.daemon_socket().exists(), "the socket is not the daemon's to remove");
    home.start_daemon_on(&socket).unwrap();
    let reply = while_nobody.send("GET", "/v1/health", Vec::new(), MAX).await.unwrap();
    assert_eq!(reply.status, 200);
    assert!(while_ending.is_ok());
    home.provider.release("gate");
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["finalReport"]["text"].as_str().map(str::trim), Some("the end of a long turn"), "{status}");
    assert_eq!(home.app_server().await.unwrap().pid, server.pid, "the same app-server was adopted");
    assert_eq!(super::recovery::turns_of(&home)["HOLD gate the end of a long turn"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_is_told_of_start_and_end_and_children_inherit_nothing() {
    let mut home = home().await;
    let words = home.place.home.join("notify.sock");
    let told = UnixDatagram::bind(&words).unwrap();
    told.set_read_timeout(Some(MAX)).unwrap();
    let heard = || {
        let mut buffer = [0; 64];
        let bytes = told.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..bytes]).into_owned()
    };
    home.set("NOTIFY_SOCKET", &words);
    let socket = bind(&home);
    home.start_daemon_on(&socket).unwrap();
    assert_eq!(heard(), "READY=1");
    home.submit("HOLD gate x", "one").await.unwrap();
    home.provider.wait_for(|all| !all.is_empty(), MAX).await.unwrap();
    let server = home.app_server().await.unwrap().pid;
    let environment = String::from_utf8_lossy(&fs::read(format!("/proc/{server}/environ")).unwrap()).into_owned();
    assert!(environment.contains("CODEXCP_BELOW="), "{environment}");
    assert!(!environment.contains("LISTEN_") && !environment.contains("NOTIFY_SOCKET"), "{environment}");
    let ours = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
    let open = |pid: u32| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
    assert!(open(home.daemon_pid().unwrap()).any(|one| one == ours), "the daemon has it");
    assert!(!open(server).any(|one| one == ours), "the app-server does not");
    terminate(&home);
    assert_eq!(heard(), "STOPPING=1");
    home.daemon_ends().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_of_another_home_is_not_taken_and_neither_is_a_home_that_is_served() {
    let home = home().await;
    let elsewhere = UnixListener::bind(home.place.home.join("other.sock")).unwrap();
    let refused = home.start_daemon_on(&elsewhere).unwrap_err().to_string();
    assert!(refused.contains("other.sock") && refused.contains("codexcp service install"), "{refused}");
    home.start_daemon().unwrap();
    let first = home.daemon_pid().unwrap();
    fs::remove_file(home.place.daemon_socket()).unwrap();
    let refused = home.start_daemon_on(&bind(&home)).unwrap_err().to_string();
    assert!(refused.contains(&format!("already serves this home (pid {first})")), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_handed_to_another_process_is_left_alone() {
    let mut home = home().await;
    home.set("LISTEN_PID", "1");
    home.set("LISTEN_FDS", "1");
    home.start_daemon().unwrap();
    assert_eq!(home.ok("codex_get_queue_status", json!({})).await.unwrap()["ok"], json!(true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_systemd_the_command_says_what_to_do_and_still_shows_what_it_would_write() {
    let mut home = home().await;
    let nothing = home.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    home.set("PATH", &nothing);
    let run = |arguments: &[&str]| home.command(&home.programs.codexcp).args(arguments).output().unwrap();
    let refused = run(&["service", "install"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!((refused.status.code(), words.contains("no systemd")), (Some(1), true), "{words}");
    assert!(!home.place.daemon_socket().exists(), "no daemon was started for it");
    let shown = run(&["service", "install", "--print", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let listen = format!("ListenStream={}\n", home.place.daemon_socket().display());
    assert!(shown["files"][1]["text"].as_str().unwrap().contains(&listen), "{shown}");
    let state: serde_json::Value = serde_json::from_slice(&run(&["service", "status", "--json"]).stdout).unwrap();
    assert_eq!((&state["installed"], &state["running"]), (&json!(false), &json!(null)), "{state}");
    assert_eq!(run(&["service", "uninstall"]).status.code(), Some(0));
}
