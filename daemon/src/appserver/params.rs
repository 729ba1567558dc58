//! The parameters of the requests that start work, from what was asked for (PROTOCOL 3, 4).

use super::profile::Profiles;
use crate::store::tables::operations::{Approval, OperationRow, ReviewTarget, Spec};
use common::ids::{ThreadId, TurnId};
use serde_json::{Value, json};

/// Threads get a name so that they are on disk before their first turn (PROTOCOL 3).
const NAME_CHARS_MAX: usize = 60;

/// The request that makes the operation's thread. It asks for no more than reading: what a thread may begin with makes
/// codex trust the project for good, and run what its configuration names. Each turn widens it.
pub(super) fn new_thread(spec: &Spec, profiles: &Profiles) -> (&'static str, Value) {
    match &spec.fork {
        None => ("thread/start", thread_start(spec, profiles)),
        Some(fork) => {
            let mut params = thread_start(spec, profiles);
            params["threadId"] = json!(fork.source);
            params["excludeTurns"] = json!(true);
            if fork.ephemeral {
                params["ephemeral"] = json!(true);
            }
            for (key, value) in fork.config.as_ref().and_then(Value::as_object).into_iter().flatten() {
                params["config"][key] = value.clone();
            }
            ("thread/fork", params)
        }
    }
}

fn thread_start(spec: &Spec, profiles: &Profiles) -> Value {
    let mut params = json!({"cwd": spec.cwd, "permissions": profiles.read_only, "config": profiles.config});
    if let Some(model) = &spec.model {
        params["model"] = json!(model);
    }
    if let Some(approval) = spec.approval {
        params["approvalPolicy"] = approval_policy(approval);
    }
    params
}

/// `thread/settings/update`: what a turn would bring with it.
pub(super) fn settings(spec: &Spec, thread: &ThreadId, effort: Option<&str>, profiles: &Profiles) -> Value {
    let mut params = json!({"threadId": thread, "cwd": spec.cwd});
    set_overrides(&mut params, spec, effort, profiles);
    params
}

pub(super) fn turn_steer(row: &OperationRow, thread: &ThreadId, turn: &TurnId, text: &str) -> Value {
    json!({
        "threadId": thread,
        "expectedTurnId": turn,
        "input": input(&row.spec, text),
        "clientUserMessageId": row.client_message,
    })
}

/// As `review/start` takes it (PROTOCOL 8).
pub(super) fn review_target(target: &ReviewTarget, instructions: &str) -> Value {
    match target {
        ReviewTarget::UncommittedChanges => json!({"type": "uncommittedChanges"}),
        ReviewTarget::BaseBranch { branch } => json!({"type": "baseBranch", "branch": branch}),
        ReviewTarget::Commit { sha, title } => json!({"type": "commit", "sha": sha, "title": title}),
        ReviewTarget::Custom => json!({"type": "custom", "instructions": instructions}),
    }
}

fn input(spec: &Spec, text: &str) -> Vec<Value> {
    let words = json!({"type": "text", "text": text, "text_elements": []});
    std::iter::once(words).chain(spec.images.iter().map(|image| json!(image))).collect()
}

/// `model`: that of the thread, which a mode must name (PROTOCOL 8).
pub(super) fn turn_start(
    row: &OperationRow,
    thread: &ThreadId,
    text: &str,
    effort: Option<&str>,
    model: Option<&str>,
    profiles: &Profiles,
) -> Value {
    let mut params = json!({
        "threadId": thread,
        "input": input(&row.spec, text),
        "clientUserMessageId": row.client_message,
        "cwd": row.spec.cwd,
    });
    set_overrides(&mut params, &row.spec, effort, profiles);
    if let Some(asked) = &row.spec.output_schema {
        params["outputSchema"] = asked.schema.clone();
    }
    if let Some(mode) = row.spec.mode {
        let settings = json!({"model": model, "reasoning_effort": effort, "developer_instructions": null});
        params["collaborationMode"] = json!({"mode": mode.word(), "settings": settings});
    }
    params
}

fn set_overrides(params: &mut Value, spec: &Spec, effort: Option<&str>, profiles: &Profiles) {
    if let Some(model) = &spec.model {
        params["model"] = json!(model);
    }
    if let Some(effort) = effort {
        params["effort"] = json!(effort);
    }
    profiles.select(spec.sandbox, params);
    if let Some(approval) = spec.approval {
        params["approvalPolicy"] = approval_policy(approval);
    }
}

/// The title asked for, else the first words of the prompt.
pub(super) fn thread_name(row: &OperationRow, text: &str) -> String {
    let source = row.spec.title.as_deref().unwrap_or(text);
    let words = source.split_whitespace().collect::<Vec<_>>().join(" ");
    words.chars().take(NAME_CHARS_MAX).collect()
}

/// `on-failure` is codex's granular policy today (ARCHITECTURE 21.9).
fn approval_policy(approval: Approval) -> Value {
    match approval {
        Approval::Untrusted => json!("untrusted"),
        Approval::OnRequest => json!("on-request"),
        Approval::Never => json!("never"),
        Approval::OnFailure => json!({"granular": {
            "sandbox_approval": true, "rules": true, "mcp_elicitations": true, "request_permissions": true, "skill_approval": true,
        }}),
    }
}
