//! `codexcp pending`: what codex waits for somebody to say, and the command that says it; with an id, the whole of one.
//! Reads only; it never answers.

use super::answer;
use crate::codexcp::{
    daemon::Daemon,
    exit::{Exit, Failure},
    ids,
    output::Output,
    question,
    views::word,
};
use common::shown::middle_left_out;
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, id: Option<&str>) -> Result<Exit, Failure> {
    if let Some(id) = id {
        return one(daemon, out, id).await;
    }
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
        out.say("`codexcp pending ID` shows the whole of one.");
    }
    Ok(Exit::Success)
}

async fn one(daemon: &Daemon, out: &Output, id: &str) -> Result<Exit, Failure> {
    let interaction = answer::find(daemon, id).await?;
    if out.json {
        out.object(interaction)?;
    } else {
        out.data(&answer::whole(daemon, &interaction).await?)?;
        out.say(&format!("Answer with: {}", question::how_to_answer(&interaction)));
    }
    Ok(Exit::Success)
}

fn row(one: &Value) -> Vec<String> {
    vec![
        ids::short(word(&one["interactionId"])).to_owned(),
        ids::short(word(&one["operationId"])).to_owned(),
        word(&one["kind"]).to_owned(),
        middle_left_out(&question::prompt(one), 120),
        question::how_to_answer(one),
    ]
}
