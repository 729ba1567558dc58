//! What a person at the terminal is told, and how they find back to what they had (FAULTS E1, E3, E4, E9, E13).

use super::home;
use serde_json::{Value, json};
use std::{process::Stdio, time::Duration};
use tests::home::Home;
use tokio::io::{AsyncBufReadExt, BufReader};

const MAX: Duration = Duration::from_secs(60);

async fn codexcp(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = tokio::process::Command::from(home.command(&home.programs.codexcp));
    command.args(arguments).current_dir(&home.project).stdin(Stdio::null()).kill_on_drop(true);
    let ran = tokio::time::timeout(MAX, command.output()).await.expect("codexcp ends in time").unwrap();
    (ran.status.code(), format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr)))
}

/// FAULTS E1: it waited in silence for as long as somebody looked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_work_stands_still_is_said_within_seconds_wherever_somebody_looks() {
    let mut home = home().await;
    home.set("CODEX_BINARY_PATH", home.path().join("nowhere").into_os_string());
    home.start_daemon().unwrap();
    let mut command = tokio::process::Command::from(home.command(&home.programs.codexcp));
    command.args(["run", "SAY never"]).current_dir(&home.project).stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut run = command.spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    let said = tokio::time::timeout(Duration::from_secs(15), async {
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            all.push(line.clone());
            if line.contains("codex was not found") {
                return (line, all);
            }
        }
        panic!("{all:?}")
    });
    let (line, all) = said.await.expect("it is said in time");
    assert!(line.starts_with("waits: ") && line.contains("npm install -g @openai/codex"), "{all:?}");
    run.kill().await.unwrap();
    let id = all.iter().find_map(|line| line.strip_prefix("Accepted as ")).unwrap().trim_end_matches('.').to_owned();
    let (code, said) = codexcp(&home, &["wait", &id, "--timeout", "4"]).await;
    assert_eq!((code, said.contains("codex was not found")), (Some(7), true), "{said}");
    let (_, said) = codexcp(&home, &["show", &id]).await;
    assert!(said.contains("codex was not found"), "{said}");
    let waited = home.ok("codex_wait", json!({"operation_ids": [id], "max_seconds": 1})).await.unwrap();
    assert!(waited["operations"][0]["waitsBecause"].as_str().unwrap().contains("codex was not found"), "{waited}");
}

/// FAULTS E4: only one place said behind whom.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_behind_other_work_says_so_in_every_place() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (_, first) = codexcp(&home, &["run", "HOLD go the first", "--sandbox", "workspace-write", "--detach"]).await;
    let first = first.lines().find(|line| line.len() == 36).unwrap().to_owned();
    home.reaches(&first, "running", MAX).await.unwrap();
    let (_, second) = codexcp(&home, &["run", "SAY the second", "--sandbox", "workspace-write", "--detach"]).await;
    let second = second.lines().find(|line| line.len() == 36).unwrap().to_owned();
    let behind = format!("operation {} writes in the same place first", &first[first.len() - 8..]);
    for arguments in [&["wait", &second, "--timeout", "4"][..], &["show", &second]] {
        let (_, said) = codexcp(&home, arguments).await;
        assert!(said.contains(&behind), "{arguments:?}: {said}");
    }
    // The same words twice: the sentence is one for people (FAULTS E9).
    let (code, said) = codexcp(&home, &["run", "SAY the second", "--detach"]).await;
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("codexcp run --again") && !said.contains("dedup_policy"), "{said}");
    let (code, said) = codexcp(&home, &["run", "SAY the second", "--detach", "--again"]).await;
    assert_eq!(code, Some(0), "{said}");
    let third = said.lines().find(|line| line.len() == 36).unwrap();
    let (code, said) = codexcp(&home, &["cancel", &second, third, &first]).await;
    assert_eq!((code, said.matches("cancelled").count(), said.matches("interrupted").count()), (Some(0), 2, 1), "{said}");
}

/// FAULTS E3: after the first look there was none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_can_be_read_again_and_whoever_looks_for_work_finds_that_it_waits() {
    let home = home().await;
    home.start_daemon().unwrap();
    let (code, said) = codexcp(&home, &["plan", "PLAN look at it first / then change it / then test all of it"]).await;
    assert_eq!(code, Some(0), "{said}");
    let pending: Value = serde_json::from_str(&codexcp(&home, &["pending", "--json"]).await.1).unwrap();
    let planning = pending["plans"][0]["operationId"].as_str().unwrap().to_owned();
    let short = &planning[planning.len() - 8..];
    let (_, listed) = codexcp(&home, &["pending"]).await;
    assert!(listed.contains(&format!("codexcp approve {short}")), "{listed}");
    let (_, status) = codexcp(&home, &["status"]).await;
    assert!(status.contains("1 wait for a yes"), "{status}");
    let (_, shown) = codexcp(&home, &["show", short]).await;
    assert!(shown.contains("then change it") && shown.contains(&format!("codexcp approve {short}")), "{shown}");
    let (code, said) = codexcp(&home, &["approve", short, "SAY done as planned"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, shown) = codexcp(&home, &["show", short]).await;
    assert!(shown.contains("then change it") && shown.contains("It was approved"), "{shown}");
    let (_, listed) = codexcp(&home, &["pending"]).await;
    assert!(!listed.contains(short), "{listed}");
}

/// FAULTS E13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_is_refused_until_it_is_allowed_and_again_when_that_is_taken_back() {
    let home = home().await;
    home.start_daemon().unwrap();
    let elsewhere = home.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let folder = elsewhere.to_str().unwrap();
    let run = ["run", "SAY hello", "--detach", "--cwd", folder];
    let (code, said) = codexcp(&home, &run).await;
    assert_eq!((code, said.contains("…/elsewhere is outside")), (Some(4), true), "{said}");
    let (code, said) = codexcp(&home, &["allow", folder]).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, config) = codexcp(&home, &["config"]).await;
    let line = config.lines().find(|line| line.starts_with("allowed_roots")).unwrap();
    assert!(line.contains(folder) && line.contains("file "), "{line}");
    assert_eq!(codexcp(&home, &run).await.0, Some(0));
    let (code, said) = codexcp(&home, &["disallow", folder]).await;
    assert_eq!((code, said.contains(folder)), (Some(0), false), "{said}");
    assert_eq!(codexcp(&home, &["run", "SAY again", "--detach", "--cwd", folder]).await.0, Some(4));
    let (code, said) = codexcp(&home, &["disallow", folder]).await;
    assert_eq!((code, said.contains("none of the allowed folders")), (Some(2), true), "{said}");
    let (code, said) = codexcp(&home, &["run", "SAY x", "--detach", "--cwd", home.path().join("nosuch").to_str().unwrap()]).await;
    assert_eq!((code, said.contains("…/nosuch does not exist")), (Some(2), true), "{said}");
    // No word of what only programs can call.
    for arguments in [&["show", "abcd1234"][..], &["pending", "abcd1234"], &["approve", "wf_none"], &["run", "x", "--model", ""]] {
        let (code, said) = codexcp(&home, arguments).await;
        assert!(code != Some(0) && !said.contains("codex_") && !said.contains("tools/list"), "{arguments:?}: {said}");
    }
    let written = std::fs::read_to_string(&home.place.config_file).unwrap();
    assert!(written.contains("projects") && !written.contains("elsewhere"), "{written}");
}
