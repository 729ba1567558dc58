//! `codexcp pending`: what codex waits for somebody to say, and the command that says it.
//! Reads only; it never answers.

use crate::codexcp::{
    daemon::Daemon,
    exit::{Exit, Failure},
    ids,
    output::Output,
    question,
    views::{self, word},
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output) -> Result<Exit, Failure> {
    let answer = daemon.tool("codex_list_pending_interactions", json!({"limit": 200})).await?;
    if out.json {
        out.object(answer)?;
        return Ok(Exit::Success);
    }
    let rows: Vec<_> = answer["interactions"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        out.say("Nothing waits for an answer.");
    } else {
        out.table(&["id", "operation", "kind", "asked", "answer with"], &rows)?;
    }
    Ok(Exit::Success)
}

fn row(one: &Value) -> Vec<String> {
    vec![
        ids::short(word(&one["interactionId"])).to_owned(),
        ids::short(word(&one["operationId"])).to_owned(),
        word(&one["kind"]).to_owned(),
        views::cut(&question::prompt(one), 80),
        question::how_to_answer(one),
    ]
}
