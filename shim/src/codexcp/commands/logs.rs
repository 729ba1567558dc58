//! `codexcp logs`: what happened, of one operation or of all, and with `-f` what happens. Reads only; a follower that
//! loses the daemon goes on after the last event it has shown.

use crate::codexcp::{
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    output::Output,
    views::{self, word},
};
use serde_json::{Value, json};

/// How long one question for news may take.
const WAIT_SECONDS: u32 = 40;
const PAGE: u32 = 200;

pub(super) async fn run(daemon: &Daemon, out: &Output, id: Option<&str>, follow: bool, lines: u32) -> Result<Exit, Failure> {
    match id {
        Some(id) => of_one(daemon, out, id, follow).await?,
        None => of_all(daemon, out, follow, lines).await?,
    }
    Ok(Exit::Success)
}

/// Every event of one operation so far.
pub(super) async fn all_of(daemon: &Daemon, id: &str) -> Result<Vec<Value>, Failure> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = page(daemon, id, after, 0).await?;
        after = cursor(&page);
        all.extend(page["events"].as_array().cloned().unwrap_or_default());
        if page["hasMore"] != json!(true) {
            return Ok(all);
        }
    }
}

async fn of_one(daemon: &Daemon, out: &Output, id: &str, follow: bool) -> Result<(), Failure> {
    // The whole id first: a part may fit a second one later.
    let status = daemon.status(id, Patience::Short).await?;
    let id = word(&status["operationId"]);
    let (mut after, mut ended) = (0, !status["completedAt"].is_null());
    loop {
        let page = page(daemon, id, after, if follow && !ended { WAIT_SECONDS } else { 0 }).await?;
        after = cursor(&page);
        ended |= show(out, &page)?;
        let more = page["hasMore"] == json!(true);
        if !more && (ended || !follow) {
            return Ok(());
        }
    }
}

async fn page(daemon: &Daemon, id: &str, after: i64, seconds: u32) -> Result<Value, Failure> {
    let arguments = json!({"operation_id": id, "after_cursor": after, "limit": PAGE, "max_seconds": seconds});
    let patience = if seconds > 0 { Patience::Long } else { Patience::Short };
    daemon.tool_with(patience, "codex_get_events", arguments).await
}

async fn of_all(daemon: &Daemon, out: &Output, follow: bool, lines: u32) -> Result<(), Failure> {
    let head = daemon.get(Patience::Short, "/v1/health").await?["head"].as_i64().unwrap_or_default();
    let mut after = (head - i64::from(lines)).max(0);
    loop {
        let (wait, patience) = if follow { (WAIT_SECONDS, Patience::Long) } else { (0, Patience::Short) };
        let page = daemon.get(patience, &format!("/v1/events?after={after}&wait={wait}")).await?;
        after = cursor(&page);
        show(out, &page)?;
        if !follow && page["hasMore"] != json!(true) {
            return Ok(());
        }
    }
}

fn cursor(page: &Value) -> i64 {
    page["cursor"].as_i64().unwrap_or_default()
}

/// `true` if one of the events is the end of its operation.
fn show(out: &Output, page: &Value) -> Result<bool, Failure> {
    let mut ended = false;
    for event in page["events"].as_array().into_iter().flatten() {
        out.data(&if out.json { event.to_string() } else { views::event(event) })?;
        ended |= event["type"] == "operation.state" && event["body"]["state"] == "ended";
    }
    Ok(ended)
}
