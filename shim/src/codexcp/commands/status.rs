//! `codexcp status`: how the daemon and its queue are, or how one operation stands. Reads only; being busy or broken
//! is shown, not an exit code of its own.

use super::pending;
use crate::codexcp::{
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    output::Output,
    views::{self, word},
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, id: Option<&str>) -> Result<Exit, Failure> {
    match id {
        Some(id) => {
            let status = daemon.status(id, Patience::Short).await?;
            if out.json { out.object(status)? } else { out.data(&views::operation(&status))? }
        }
        None => whole(daemon, out).await?,
    }
    Ok(Exit::Success)
}

/// Where nothing new starts; nothing where everything does.
fn paused(paused: &Value) -> String {
    let projects: Vec<_> = paused["projects"].as_array().into_iter().flatten().map(word).collect();
    match (paused["everywhere"] == json!(true), projects.as_slice()) {
        (true, _) => "everywhere; `codexcp queue resume` lets it go on".to_owned(),
        (false, []) => String::new(),
        (false, some) => format!("{}; `codexcp queue resume --project P` lets it go on", some.join(", ")),
    }
}

async fn whole(daemon: &Daemon, out: &Output) -> Result<(), Failure> {
    let health = daemon.tool("codex_health_summary", json!({})).await?;
    let queue = daemon.tool("codex_get_queue_status", json!({})).await?;
    let plans = pending::plans(daemon).await?.len();
    if out.json {
        return out.object(json!({"health": health, "queue": queue, "plansWaiting": plans}));
    }
    let summary = &queue["queueSummary"];
    let work = &health["activeWork"];
    let server = &health["appServer"];
    let codex = server["codexVersion"].as_str().map(|version| format!(", codex {version}")).unwrap_or_default();
    let waiting = work["pendingInteractionCount"].as_u64().unwrap_or_default();
    let silent = health["stallSupervisor"]["stalledTurnCount"].as_u64().unwrap_or_default();
    let some = |count: u64, words: String| if count > 0 { words } else { String::new() };
    let lines = [
        ("health", word(&health["overallStatus"]).to_owned()),
        ("daemon", word(&health["version"]["serverVersion"]).to_owned()),
        ("app-server", format!("{}{codex}", word(&server["state"]))),
        ("queue", format!("{} queued, {} at work", summary["queued"], summary["runningTurnOperations"])),
        ("paused", paused(&queue["paused"])),
        ("waits for", some(waiting, format!("{waiting} answers; see `codexcp pending`"))),
        ("plans", if plans > 0 { format!("{plans} wait for a yes; see `codexcp pending`") } else { String::new() }),
        ("silent", some(silent, format!("{silent} turns without a sign of life"))),
    ];
    out.data(&views::fields(&lines))?;
    let notes = health["recommendedActions"].as_array().into_iter().chain(health["notes"].as_array()).flatten();
    notes.for_each(|note| out.say(&format!("note: {}", word(note))));
    Ok(())
}
