//! At least two hundred random kills of daemon and app-server while work comes in: the rules of recovery hold for
//! each operation. The seed is printed; `CODEXCP_TEST_SEED` repeats a run's choices (not its timing).

use super::{
    home,
    recovery::{check, logs, turns_of, what_led_to},
};
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const KILLS: usize = 200;
const TASKS: usize = 60;
const MAX: Duration = Duration::from_secs(300);

/// A small generator of our own: the choices must be repeatable, not good.
struct Choices(u64);

impl Choices {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[expect(clippy::disallowed_methods, reason = "a test may be told its seed")]
fn seed() -> u64 {
    std::env::var("CODEXCP_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20_261_121)
}

fn script(n: usize) -> (String, String) {
    match n % 3 {
        0 => (format!("SAY report {n}"), format!("report {n}")),
        1 => (format!("SLOW 20 slow report number {n}"), format!("slow report number {n}")),
        _ => (format!("SHELL sleep 0.05 ;; SAY after the command {n}"), format!("after the command {n}")),
    }
}

/// A caller that does not give up: the same call with the same id until it is answered.
async fn submit(home: &Home, n: usize) -> String {
    let arguments = json!({
        "operation_type": "start_chat", "project_id": home.project, "message": script(n).0, "client_request_id": format!("task{n}"),
        "sandbox": "danger-full-access", "approval_policy": "never",
    });
    loop {
        match home.call("codex_submit_task", arguments.clone()).await {
            Ok(payload) if payload["ok"] == json!(true) => return id_of(&payload),
            Ok(payload) => assert_eq!(payload["error"]["retryable"], json!(true), "{payload}"),
            Err(_) => {}
        }
        // The daemon is being restarted by the other task.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_random_kills_lose_nothing_and_repeat_nothing() {
    let home = home().await;
    let seed = seed();
    println!("seed {seed}");
    home.start_daemon().unwrap();
    let ids = std::sync::Mutex::new(Vec::new());
    let work = async {
        for n in 0..TASKS {
            let id = submit(&home, n).await;
            ids.lock().unwrap().push(id);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let kills = async {
        let mut choices = Choices(seed);
        let (mut done, mut servers) = (0, 0);
        while done < KILLS {
            tokio::time::sleep(Duration::from_millis(choices.below(250))).await;
            let choice = choices.below(10);
            if choice < 4 && home.kill_app_server().await.is_some() {
                (done, servers) = (done + 1, servers + 1);
            }
            if choice >= 3 {
                home.kill_daemon().unwrap();
                home.start_daemon().unwrap();
                done += 1;
            }
        }
        println!("{done} kills, {servers} of them of the app-server");
    };
    tokio::join!(work, kills);
    let ids = ids.into_inner().unwrap();
    home.ended(&ids, MAX).await.unwrap();
    let turns = turns_of(&home);
    let mut completed = 0;
    for (n, id) in ids.iter().enumerate() {
        let status: Value = home.status(id).await.unwrap();
        let (prompt, report) = script(n);
        let cut = status["lastError"].as_str().is_some_and(|why| why.contains("app_server_exit"));
        if status["status"] != "completed" && !cut {
            println!("{}", what_led_to(&home, id, &prompt).await);
        }
        check(&status, &turns, &prompt, &report);
        completed += usize::from(status["status"] == "completed");
    }
    for line in logs(&home).lines().filter(|line| line.contains("look-up refused")) {
        println!("{line}");
    }
    println!("{completed} of {TASKS} completed, the others were cut by the end of their app-server");
    assert!(completed > 0);
}
