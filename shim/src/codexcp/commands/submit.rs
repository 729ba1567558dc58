//! Handing in work, for `run`, `resume` and `retry`: the arguments, the receipt, then the live view or the id. Every
//! submit has a request id, so that one whose answer got lost is never done twice.

use crate::codexcp::{
    arguments::Task,
    daemon::Daemon,
    exit::{Exit, Failure},
    ids, live,
    output::Output,
    views::word,
};
use serde_json::{Value, json};
use std::io::Read;

/// Adds what the options say to the arguments of a submit.
pub(super) fn with_task(mut arguments: Value, task: &Task) -> Value {
    let own = || format!("codexcp:{}", uuid::Uuid::now_v7());
    arguments["client_request_id"] = json!(task.request_id.clone().unwrap_or_else(own));
    let options = [
        ("model", json!(task.model)),
        ("sandbox", json!(task.sandbox)),
        ("approval_policy", json!(task.approval)),
        ("turn_seconds_max", json!(task.turn_seconds_max)),
        ("priority", json!(task.priority)),
        ("not_before", json!(task.not_before)),
    ];
    for (name, value) in options {
        if !value.is_null() {
            arguments[name] = value;
        }
    }
    if !task.resource_keys.is_empty() {
        arguments["resource_keys"] = json!(task.resource_keys);
    }
    if !task.after.is_empty() {
        arguments["depends_on"] = json!(task.after);
    }
    arguments
}

/// The text itself, or all of stdin for `-`.
pub(super) fn text(given: &str) -> Result<String, Failure> {
    if given != "-" {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(|error| Failure::new(Exit::Usage, format!("could not read the task from stdin: {error}; give it as an argument")))?;
    Ok(text)
}

/// Hands it in and follows it; with `detach` prints its id.
pub(super) async fn submit(daemon: &Daemon, out: &Output, arguments: Value, detach: bool) -> Result<Exit, Failure> {
    let receipt = daemon.tool("codex_submit_task", arguments).await?;
    let id = word(&receipt["operationId"]);
    let short = ids::short(id);
    if receipt["idempotent"] == json!(true) {
        out.say(&format!("This request was accepted before, as {short}."));
    } else {
        out.say(&format!("Accepted as {short}."));
    }
    for other in receipt["similarOperations"].as_array().into_iter().flatten() {
        out.say(&format!("Task {} reads much the same and has not ended.", ids::short(word(&other["operationId"]))));
    }
    if !detach {
        return live::watch(daemon, out, id).await;
    }
    out.detail(&format!("Follow it with `codexcp logs -f {short}`, wait with `codexcp wait {short}`."));
    if out.json {
        out.object(receipt.clone())?
    } else {
        out.data(id)?
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named_is_sent_and_a_request_id_always() {
        let bare = with_task(json!({"message": "x"}), &Task::default());
        assert!(word(&bare["client_request_id"]).starts_with("codexcp:"));
        assert_eq!(bare.as_object().unwrap().len(), 2);
        let task =
            Task { sandbox: Some("read-only".into()), request_id: Some("r".into()), resource_keys: vec!["k".into()], ..Task::default() };
        let wanted = json!({"message": "x", "client_request_id": "r", "sandbox": "read-only", "resource_keys": ["k"]});
        assert_eq!(with_task(json!({"message": "x"}), &task), wanted);
    }
}
