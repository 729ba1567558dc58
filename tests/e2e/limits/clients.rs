//! Many clients at once, and clients that do not do their part.

use super::home;
use anyhow::{Context, ensure};
use common::client::Upgraded;
use serde_json::{Value, json};
use std::{process::Command, time::Duration};
use tests::home::Home;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

const MAX: Duration = Duration::from_secs(120);

/// The daemon, under limits that a shell sets first.
fn start_with(home: &Home, limits: &str) {
    let shell = home.command(std::path::Path::new("sh"));
    let mut command = Command::new(shell.get_program());
    command.env_clear().envs(shell.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(["-c", &format!("{limits}; exec \"$0\"")]).arg(&home.programs.daemon);
    home.start(command).unwrap();
}

async fn upgraded(home: &Home) -> anyhow::Result<BufReader<Upgraded>> {
    Ok(BufReader::new(home.connection().await?.upgrade().await?))
}

async fn asked(connection: &mut BufReader<Upgraded>, id: usize) -> anyhow::Result<()> {
    let call = json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": {"name": "codex_get_queue_status", "arguments": {}}});
    connection.write_all(format!("{call}\n").as_bytes()).await?;
    let mut line = String::new();
    tokio::time::timeout(MAX, connection.read_line(&mut line)).await.context("no answer in time")??;
    let answer: Value = serde_json::from_str(&line)?;
    ensure!(answer["id"] == json!(id) && answer["result"]["structuredContent"]["ok"] == json!(true), "{answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_at_once_are_all_answered_whatever_the_soft_limit_was() {
    daemon::descriptors::raise();
    let home = home().await;
    start_with(&home, "ulimit -Sn 256");
    let knocking = (0..1_000).map(|_| upgraded(&home));
    let mut connections: Vec<_> = futures_util::future::join_all(knocking).await.into_iter().map(Result::unwrap).collect();
    let asking = connections.iter_mut().enumerate().map(|(id, connection)| asked(connection, id));
    for answered in futures_util::future::join_all(asking).await {
        answered.unwrap();
    }
    let health = home.ok("codex_health_summary", json!({})).await.unwrap();
    assert_eq!(health["overallStatus"], "healthy", "{health}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_too_few_descriptors_clients_wait_their_turn_work_goes_on_and_health_says_why() {
    let home = home().await;
    start_with(&home, "ulimit -n 80");
    let id = home.submit("HOLD gate the end", "one").await.unwrap();
    home.reaches(&id, "running", MAX).await.unwrap();
    let calls = (0..200).map(|_| home.ok("codex_health_summary", json!({})));
    for answer in futures_util::future::join_all(calls).await {
        let health = answer.unwrap();
        let check = health["checks"].as_array().unwrap().iter().find(|one| one["name"] == "open_files").unwrap();
        assert_eq!(check["status"], "warning", "{health}");
        assert!(check["message"].as_str().unwrap().contains("raise the hard limit"), "{health}");
    }
    home.provider.release("gate");
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    assert_eq!(home.status(&id).await.unwrap()["status"], "completed");
}
