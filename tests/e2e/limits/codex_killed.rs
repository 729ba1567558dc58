//! An app-server that somebody kills every second, that is stopped, or that was given more threads than it can hold.

use super::{all_say_of_codex, check_of, home, run, words};
use crate::recovery;
use serde_json::{Value, json};
use std::time::Duration;
use tests::home::Home;

const MAX: Duration = Duration::from_secs(240);
/// So long tasks come in, one a second; it is killed for longer.
const TASKS: usize = 10;

async fn health(home: &Home) -> Value {
    home.ok("codex_health_summary", json!({})).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_server_killed_every_second_is_tried_for_ever_with_a_hint_and_nothing_is_lost_or_run_twice() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (mut tasks, mut kills, mut backed_off) = (Vec::new(), 0, false);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let until = tokio::time::Instant::now() + MAX;
    let failing = loop {
        assert!(tokio::time::Instant::now() < until, "killed {kills} times and nobody is told to look");
        second.tick().await;
        if home.kill_app_server().await.is_some() {
            kills += 1;
        }
        let n = tasks.len();
        if n < TASKS {
            let report = format!("report {n}");
            let prompt = if n % 2 == 0 { format!("SAY {report}") } else { format!("HOLD gate {report}") };
            tasks.push((home.submit(&prompt, &format!("r{n}")).await.unwrap(), prompt, report));
        }
        let health = health(&home).await;
        if health["appServer"]["state"] == "backing_off" {
            let check = check_of(&health, "app_server");
            if check["status"] == "error" {
                break health;
            }
            assert!(check["message"].as_str().unwrap().contains("started again by itself"), "{health}");
            backed_off = true;
        }
    };
    assert!(backed_off && kills > 2, "it was killed {kills} times");
    assert_eq!(failing["overallStatus"], "broken", "{failing}");
    all_say_of_codex(&home, &["SIGKILL"]).await;
    let doctor = run(&home, &home.programs.codexcp, &["doctor"]).await;
    assert_eq!(doctor.status.code(), Some(1), "{}", words(&doctor));
    for part in ["times in a row", "every minute", "what ends it"] {
        assert!(words(&doctor).contains(part), "{part:?} is not in {}", words(&doctor));
    }

    // Nobody kills it any more: it comes back within a minute, and nobody has to do anything.
    home.provider.release("gate");
    let last = home.submit("SAY the last one", "last").await.unwrap();
    tasks.push((last, "SAY the last one".to_owned(), "the last one".to_owned()));
    let ids: Vec<_> = tasks.iter().map(|(id, ..)| id.clone()).collect();
    home.ended(&ids, MAX).await.unwrap();
    let turns = recovery::turns_of(&home);
    for (id, prompt, report) in &tasks {
        recovery::check(&home.status(id).await.unwrap(), &turns, prompt, report);
    }
    assert_eq!(home.status(&ids[TASKS]).await.unwrap()["status"], "completed");
    assert_eq!(health(&home).await["overallStatus"], "healthy");
}

/// FAULTS A1: each task left its thread loaded, until the app-server could open no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_of_ended_work_are_let_go_and_the_app_server_does_not_grow_with_them() {
    let home = home().await;
    home.start_daemon().unwrap();
    let mut open = Vec::new();
    for round in 0..4 {
        let mut ids = Vec::new();
        for n in 0..20 {
            ids.push(home.submit("SAY done", &format!("r{round}-{n}")).await.unwrap());
        }
        home.ended(&ids, MAX).await.unwrap();
        let server = home.app_server().await.unwrap();
        let frames = daemon::appserver::start::connect(&server.address).await.unwrap();
        let live = std::sync::Arc::new(daemon::engine::Live::default());
        let generation = common::ids::Generation(1);
        let (other, _incoming) = daemon::appserver::Link::establish(frames, generation, 8, MAX, Default::default(), live).await.unwrap();
        let until = tokio::time::Instant::now() + Duration::from_secs(60);
        loop {
            let loaded = other.request("thread/loaded/list", json!({})).await.unwrap();
            if loaded["data"].as_array().unwrap().is_empty() {
                break;
            }
            assert!(tokio::time::Instant::now() < until, "still loaded: {loaded}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        open.push(std::fs::read_dir(format!("/proc/{}/fd", server.pid)).unwrap().count());
    }
    assert!(open[3] <= open[0] + 10, "descriptors after each round: {open:?}");
}

fn signal(pid: u32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// FAULTS A2: one that takes connections and says nothing was waited for without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_server_that_is_stopped_is_replaced_whether_it_was_linked_or_not() {
    let home = home().await;
    home.start_daemon().unwrap();
    let held = home.submit("HOLD gate never", "one").await.unwrap();
    home.reaches(&held, "running", MAX).await.unwrap();
    let first = home.app_server().await.unwrap();
    home.kill_daemon().unwrap();
    signal(first.pid, rustix::process::Signal::STOP);
    home.start_daemon().unwrap();
    home.ended(std::slice::from_ref(&held), MAX).await.unwrap();
    assert_eq!(home.status(&held).await.unwrap()["status"], "interrupted");
    // Linked, and silent from now on.
    let again = home.submit("HOLD gate never again", "two").await.unwrap();
    home.reaches(&again, "running", MAX).await.unwrap();
    let second = home.app_server().await.unwrap();
    assert_ne!(second.pid, first.pid);
    signal(second.pid, rustix::process::Signal::STOP);
    home.ended(std::slice::from_ref(&again), MAX).await.unwrap();
    let third = home.submit("SAY well", "three").await.unwrap();
    home.ended(std::slice::from_ref(&third), MAX).await.unwrap();
    assert_eq!(home.status(&third).await.unwrap()["finalReport"]["text"], "well");
}

/// FAULTS E15: codex names its socket and lock in the temporary folder by the path of ours, so a home has one pair, which the
/// next process takes over, however often one is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_app_servers_of_a_home_leave_no_more_than_one_pair_of_files_in_the_temporary_folder() {
    let home = home().await;
    home.start_daemon().unwrap();
    for n in 0..4 {
        let id = home.submit(&format!("SAY hello {n}"), &format!("r{n}")).await.unwrap();
        home.ended(std::slice::from_ref(&id), Duration::from_secs(60)).await.unwrap();
        home.kill_app_server().await.unwrap();
    }
    let script = "printf %s \"$0\" | sha256sum | cut -d' ' -f1";
    let digest = std::process::Command::new("/bin/sh").args(["-c", script]).arg(home.place.app_server_socket()).output().unwrap();
    let digest = String::from_utf8(digest.stdout).unwrap().trim().to_owned();
    let folder = std::env::temp_dir().join(format!("codex-daemon-{}", rustix::process::geteuid().as_raw()));
    let names = std::fs::read_dir(&folder).unwrap().filter_map(Result::ok).map(|file| file.file_name().to_string_lossy().into_owned());
    let mut ours: Vec<String> = names.filter(|name| name.starts_with(&digest)).collect();
    ours.sort();
    assert_eq!(ours, [digest.clone(), format!("{digest}.lock")]);
    // Homes of tests are gone with their test.
    ours.iter().for_each(|name| std::fs::remove_file(folder.join(name)).unwrap());
}
