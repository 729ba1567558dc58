//! `codexcp resume`: more on the thread of an operation. Sandbox and approval policy stay what that operation had,
//! unless others are named.

use super::submit;
use crate::codexcp::{
    arguments::Task,
    daemon::{Daemon, Patience},
    exit::{Exit, Failure},
    ids,
    output::Output,
    views::word,
};
use serde_json::{Value, json};

pub(super) async fn run(daemon: &Daemon, out: &Output, id: &str, text: &str, mut task: Task) -> Result<Exit, Failure> {
    let status = daemon.status(id, Patience::Short).await?;
    let Some(thread) = status["threadId"].as_str() else {
        let short = ids::short(word(&status["operationId"]));
        return Err(Failure::new(
            Exit::Refused,
            format!("{short} has no thread to go on with; hand it in again with `codexcp retry {short}`"),
        ));
    };
    let mut arguments = json!({"operation_type": "send_message", "chat_id": thread, "message": submit::text(text)?});
    keep_policy(&mut arguments, &mut task, &status["requestSummary"]["runtimePolicy"]);
    submit::submit(daemon, out, submit::with_task(arguments, &task), task.detach).await
}

/// What the operation left to its thread is left to it again, not to the daemon's defaults.
pub(super) fn keep_policy(arguments: &mut Value, task: &mut Task, policy: &Value) {
    for (option, name, had) in
        [(&mut task.sandbox, "sandbox", &policy["sandbox"]), (&mut task.approval, "approval_policy", &policy["approvalPolicy"])]
    {
        if option.is_none() {
            arguments[name] = json!(had.as_str().unwrap_or("respect_existing"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_stays_unless_another_is_named() {
        let mut arguments = json!({});
        let mut task = Task { approval: Some("never".into()), ..Task::default() };
        keep_policy(&mut arguments, &mut task, &json!({"sandbox": "workspace-write", "approvalPolicy": "untrusted"}));
        assert_eq!(arguments, json!({"sandbox": "workspace-write"}));
        keep_policy(&mut arguments, &mut Task::default(), &json!({"sandbox": null}));
        assert_eq!(arguments, json!({"sandbox": "respect_existing", "approval_policy": "respect_existing"}));
    }
}
