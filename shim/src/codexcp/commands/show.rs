//! `codexcp show`: one operation with its report, or its newest message while there is none.
//! Reads only.

use super::{logs, plan};
use crate::codexcp::{
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    output::Output,
    views::{self, word},
};
use serde_json::json;

pub(super) async fn run(daemon: &Daemon, out: &Output, id: &str, events: bool) -> Result<Exit, Failure> {
    let mut status = daemon.status(id, Patience::Short).await?;
    let events = if events { Some(logs::all_of(daemon, word(&status["operationId"])).await?) } else { None };
    if out.json {
        if let Some(events) = events {
            status["events"] = json!(events);
        }
        out.object(status)?;
        return Ok(Exit::Success);
    }
    out.data(&views::operation(&status))?;
    let newest = status["latestMessages"].as_array().and_then(|all| all.last()).map(|message| &message["text"]);
    let report = status["finalReport"]["text"].as_str();
    // What a planning turn says is its plan, whole.
    if plan::show(daemon, out, &status).await? {
        return Ok(Exit::Success);
    }
    if let Some(text) = report.or_else(|| newest.and_then(|text| text.as_str())) {
        out.data(&format!("\n{}", text.trim_end_matches('\n')))?;
    }
    for (n, event) in events.iter().flatten().enumerate() {
        let gap = if n == 0 { "\n" } else { "" };
        out.data(&format!("{gap}{}", views::event(event)))?;
    }
    Ok(Exit::Success)
}
