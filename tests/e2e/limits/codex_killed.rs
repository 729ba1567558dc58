//! An app-server that somebody kills every second, for longer than it is tried.

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
async fn an_app_server_killed_every_second_is_given_up_with_a_hint_and_nothing_is_lost_or_run_twice() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (mut tasks, mut kills, mut backed_off) = (Vec::new(), 0, false);
    let mut second = tokio::time::interval(Duration::from_secs(1));
    let until = tokio::time::Instant::now() + MAX;
    let given_up = loop {
        assert!(tokio::time::Instant::now() < until, "killed {kills} times and never given up");
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
        match health["appServer"]["state"].as_str().unwrap() {
            "backing_off" => {
                let check = check_of(&health, "app_server");
                assert_eq!(check["status"], "warning", "{health}");
                assert!(check["message"].as_str().unwrap().contains("started again by itself"), "{health}");
                backed_off = true;
            }
            "given_up" => break health,
            _ => {}
        }
    };
    assert!(backed_off && kills > 2, "it was given up after {kills} kills");
    assert_eq!(given_up["overallStatus"], "broken", "{given_up}");
    all_say_of_codex(&home, &["SIGKILL"]).await;
    let doctor = run(&home, &home.programs.codexcp, &["doctor"]).await;
    assert_eq!(doctor.status.code(), Some(1), "{}", words(&doctor));
    for part in ["given up", "what ends it", "`codexcp daemon restart`"] {
        assert!(words(&doctor).contains(part), "{part:?} is not in {}", words(&doctor));
    }
    let starts = json!({"types": ["app_server.state"], "limit": 200, "after_cursor": 0});
    let starts = home.ok("codex_get_events", starts).await.unwrap();
    let starts = starts["events"].as_array().unwrap().iter().filter(|one| one["body"]["state"] == "starting").count();
    assert_eq!(starts, usize::from(domain::supervise::FAILURES_MAX), "it is started so often and no more");

    // Nobody kills it any more, and a new task has it started again.
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
