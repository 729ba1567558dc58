//! `codexcp list`: operations, a line each, the newest first.
//! Reads only, and shows no text of a task.

use crate::codexcp::{
    daemon::Daemon,
    exit::{Exit, Failure},
    ids,
    output::Output,
    views::{self, word},
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, all: bool, limit: Option<u32>) -> Result<Exit, Failure> {
    let mut body = json!({"all": all});
    if let Some(limit) = limit {
        body["limit"] = json!(limit);
    }
    let answer = daemon.admin("list", body).await?;
    if out.json {
        out.object(answer)?;
        return Ok(Exit::Success);
    }
    let rows: Vec<_> = answer["operations"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        out.say(if all {
            "There is no operation yet."
        } else {
            "Nothing is queued or at work; `codexcp list --all` shows what has ended."
        });
    } else {
        out.table(&["id", "status", "type", "created", "folder", "title"], &rows)?;
    }
    Ok(Exit::Success)
}

fn row(one: &Value) -> Vec<String> {
    vec![
        ids::short(word(&one["operationId"])).to_owned(),
        word(&one["status"]).to_owned(),
        word(&one["type"]).to_owned(),
        one["createdAtMs"].as_i64().map(views::utc).unwrap_or_default(),
        word(&one["project"]).to_owned(),
        views::cut(word(&one["title"]), 40),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_short_id_and_a_date() {
        let one = json!({"operationId": "x-456789ab", "type": "start_chat", "status": "running", "project": "/p", "title": null, "createdAtMs": 0});
        assert_eq!(row(&one), ["456789ab", "running", "start_chat", "1970-01-01 00:00Z", "/p", ""]);
    }
}
