//! `codexcp pending`: what codex waits for somebody to say, and the command that says it; with an id, the whole of one.
//! Reads only; it never answers.

use super::answer;
use crate::codexcp::{
    daemon::Daemon,
    exit::{Exit, Failure},
    ids,
    output::Output,
    question,
    views::{self, word},
};
use common::shown::middle_left_out;
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, id: Option<&str>) -> Result<Exit, Failure> {
    if let Some(id) = id {
        return one(daemon, out, id).await;
    }
    let mut answer = daemon.tool("codex_list_pending_interactions", json!({"limit": 200})).await?;
    let plans = plans(daemon).await?;
    if out.json {
        answer["plans"] = json!(plans);
        out.object(answer)?;
        return Ok(Exit::Success);
    }
    let rows: Vec<_> = answer["interactions"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() && plans.is_empty() {
        out.say("Nothing waits for an answer.");
    }
    if !rows.is_empty() {
        out.table(&["id", "operation", "kind", "asked", "answer with"], &rows)?;
        out.say("`codexcp pending ID` shows the whole of one.");
    }
    if !plans.is_empty() {
        let rows: Vec<_> = plans.iter().map(row_of_plan).collect();
        out.table(&["plan", "version", "planned", "folder", "title", "approve with"], &rows)?;
        out.say("`codexcp show ID` shows a plan.");
    }
    Ok(Exit::Success)
}

/// Those that wait for a yes.
pub(super) async fn plans(daemon: &Daemon) -> Result<Vec<Value>, Failure> {
    Ok(daemon.admin("plans", json!({})).await?["plans"].as_array().cloned().unwrap_or_default())
}

fn row_of_plan(one: &Value) -> Vec<String> {
    let short = ids::short(word(&one["operationId"]));
    vec![
        short.to_owned(),
        one["version"].to_string(),
        one["plannedAtMs"].as_i64().map(views::utc).unwrap_or_default(),
        word(&one["project"]).to_owned(),
        views::cut(word(&one["title"]), 40),
        format!("codexcp approve {short}"),
    ]
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
