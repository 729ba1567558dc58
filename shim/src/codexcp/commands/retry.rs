//! `codexcp retry`: the same work as a new operation. The text of work that completed is not kept, so it may have to be
//! given again; an operation that has not ended is never doubled.

use super::{resume, submit};
use crate::codexcp::{
    arguments::Task,
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    ids,
    output::Output,
    views::word,
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, id: &str, text: Option<&str>, detach: bool) -> Result<Exit, Failure> {
    let known = daemon.admin("prompt", json!({"id": id})).await?;
    let id = word(&known["operationId"]);
    let short = ids::short(id);
    if known["ended"] != json!(true) {
        let why = format!("{short} has not ended, so it is not handed in again; wait for it, or stop it with `codexcp cancel {short}`");
        return Err(Failure::new(Exit::Refused, why));
    }
    let message = match (text, known["prompt"].as_str()) {
        (Some(given), _) => submit::text(given)?,
        (None, Some(kept)) => kept.to_owned(),
        (None, None) => {
            let why = format!(
                "the text of {short} is no longer kept; give it again: codexcp retry {short} \"TEXT\" (texts of work that completed are not kept \
                 unless history.keep_prompts is on, others for history.retry_days)"
            );
            return Err(Failure::new(Exit::Usage, why));
        }
    };
    let status = daemon.status(id, Patience::Short).await?;
    let (arguments, task) = again(&known, &status, message, detach);
    submit::submit(daemon, out, submit::with_task(arguments, &task), detach).await
}

/// The arguments of a submit that asks for the same.
fn again(known: &Value, status: &Value, message: String, detach: bool) -> (Value, Task) {
    let operation_type = word(&status["operationType"]);
    let mut arguments = json!({"operation_type": operation_type, "message": message, "cwd": known["cwd"]});
    if operation_type == "send_message" {
        arguments["chat_id"] = known["threadId"].clone();
    } else {
        arguments["project_id"] = known["project"].clone();
    }
    if !known["title"].is_null() {
        arguments["title"] = known["title"].clone();
    }
    let keys = status["requestSummary"]["resourceKeys"].as_array().into_iter().flatten();
    let mut task = Task {
        model: known["model"].as_str().map(str::to_owned),
        priority: status["queueState"]["priority"].as_str().map(str::to_owned),
        turn_seconds_max: known["turnSecondsMax"].as_u64().and_then(|seconds| seconds.try_into().ok()),
        resource_keys: keys.filter_map(Value::as_str).map(str::to_owned).collect(),
        detach,
        ..Task::default()
    };
    resume::keep_policy(&mut arguments, &mut task, known);
    (arguments, task)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_asked_for_again() {
        let known = json!({
            "project": "/p", "cwd": "/p/a", "threadId": "t", "title": null, "model": "m", "sandbox": "workspace-write", "approvalPolicy": null,
        });
        let status = json!({"operationType": "start_chat", "queueState": {"priority": "high"}, "requestSummary": {}});
        let (arguments, task) = again(&known, &status, "x".into(), false);
        let wanted = json!({
            "operation_type": "start_chat", "project_id": "/p", "cwd": "/p/a", "message": "x", "sandbox": "workspace-write",
            "approval_policy": "respect_existing",
        });
        assert_eq!(arguments, wanted);
        assert_eq!((task.model.as_deref(), task.priority.as_deref()), (Some("m"), Some("high")));
        let (arguments, _) = again(&known, &json!({"operationType": "send_message"}), "x".into(), false);
        assert_eq!((&arguments["chat_id"], &arguments["project_id"]), (&json!("t"), &Value::Null));
    }
}
