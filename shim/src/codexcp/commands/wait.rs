//! `codexcp wait`: until operations have ended, asked of the daemon in pieces. The exit code is their outcome; a
//! question that nobody answers ends the wait, because it would never end by itself.

use crate::codexcp::{
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    ids,
    output::Output,
    views::{self, word},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// How long one call may take.
const CALL_SECONDS_MAX: f64 = 40.0;
const FIRST_SECONDS_MAX: f64 = 2.0;

pub(super) async fn run(daemon: &Daemon, out: &Output, ids: &[String], any: bool, timeout: Option<u64>) -> Result<Exit, Failure> {
    let since = std::time::Instant::now();
    let until = timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (mut cursor, mut why) = (Value::Null, String::new());
    loop {
        out.spin(&format!("waiting for {}", ids.join(", ")), since);
        let left = until.map(|until| until.saturating_duration_since(Instant::now()).as_secs_f64());
        // The first look is a short one: why work stands still is known at once, and no event tells it.
        let longest = if cursor.is_null() { FIRST_SECONDS_MAX } else { CALL_SECONDS_MAX };
        let seconds = left.unwrap_or(longest).min(longest).ceil();
        let arguments = json!({
            "operation_ids": ids, "after_cursor": cursor, "mode": if any { "any" } else { "all" }, "max_seconds": seconds as u64,
        });
        let answer = daemon.tool_with(Patience::Long, "codex_wait", arguments).await?;
        cursor = answer["cursor"].clone();
        let over = left.is_some_and(|left| left <= seconds) && answer["timedOut"] == json!(true);
        if let Some(exit) = outcome(&answer, any).or(over.then_some(Exit::TimedOut)) {
            out.unspin();
            return tell(out, &answer, exit);
        }
        let now = standing_still(&answer);
        if now != why {
            if !now.is_empty() {
                out.say(&now);
            }
            why = now;
        }
    }
}

/// A line for each that stands still.
fn standing_still(answer: &Value) -> String {
    let all = answer["operations"].as_array().into_iter().flatten();
    let lines = all.filter_map(|one| Some(format!("{} waits: {}", ids::short(word(&one["operationId"])), one["waitsBecause"].as_str()?)));
    lines.collect::<Vec<_>>().join("\n")
}

/// `None`: go on waiting.
fn outcome(answer: &Value, any: bool) -> Option<Exit> {
    let all: Vec<&Value> = answer["operations"].as_array().into_iter().flatten().collect();
    let ended: Vec<&&Value> = all.iter().filter(|one| one["ended"] == json!(true)).collect();
    if ended.len() == all.len() || (any && !ended.is_empty()) {
        let failed = ended.iter().map(|one| Exit::of_outcome(word(&one["status"]))).find(|exit| *exit != Exit::Success);
        return Some(failed.unwrap_or(Exit::Success));
    }
    all.iter().any(|one| one["pendingInteractions"].as_u64() > Some(0)).then_some(Exit::NeedsInput)
}

fn tell(out: &Output, answer: &Value, exit: Exit) -> Result<Exit, Failure> {
    if out.json {
        out.object(answer.clone())?;
        return Ok(exit);
    }
    for one in answer["operations"].as_array().into_iter().flatten() {
        out.data(&format!("{} {}", ids::short(word(&one["operationId"])), views::ended(one)))?;
    }
    match exit {
        Exit::NeedsInput => out.say("Codex waits for an answer; `codexcp pending` shows for which."),
        Exit::TimedOut => out.say("Not all have ended in this time; the work goes on."),
        _ => {}
    }
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(all: &[(&str, bool, u32)]) -> Value {
        let one = |(status, ended, pending): &(&str, bool, u32)| json!({"status": status, "ended": ended, "pendingInteractions": pending});
        json!({"operations": all.iter().map(one).collect::<Vec<_>>()})
    }

    #[test]
    fn the_exit_code_is_the_outcome() {
        let (done, failed, busy, asks) = (("completed", true, 0), ("failed", true, 0), ("running", false, 0), ("running", false, 1));
        assert_eq!(outcome(&answer(&[done, done]), false), Some(Exit::Success));
        assert_eq!(outcome(&answer(&[done, failed]), false), Some(Exit::Failed));
        assert_eq!(outcome(&answer(&[done, busy]), false), None);
        assert_eq!(outcome(&answer(&[done, busy]), true), Some(Exit::Success));
        assert_eq!(outcome(&answer(&[busy, failed]), true), Some(Exit::Failed));
        assert_eq!(outcome(&answer(&[busy, asks]), true), Some(Exit::NeedsInput));
        assert_eq!(outcome(&answer(&[done, asks]), false), Some(Exit::NeedsInput));
    }
}
