//! A pending question as callers see it: what is asked, what may be answered, what it risks (BEHAVIOUR 14).

use super::{
    decision::{self, Length},
    when, when_opt,
};
use crate::store::tables::interactions::InteractionRow;
use common::{
    agent_safe,
    ids::*,
    safe::{Redactor, SafeJson, SafeText},
};
use domain::interaction::{Interaction, Kind};
use serde_json::{Value, json};

agent_safe! {
    pub struct InteractionView {
        pub interaction_id: InteractionId,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub operation_id: Option<OperationId>,
        pub method: SafeText,
        pub kind: &'static str,
        pub thread_id: Option<ThreadId>,
        pub turn_id: Option<TurnId>,
        pub item_id: Option<ItemId>,
        pub status: &'static str,
        pub terminal: bool,
        pub prompt: SafeText,
        pub available_decisions: Option<SafeJson>,
        pub questions: Vec<SafeJson>,
        pub answer_schema: SafeJson,
        pub recommended_action: &'static str,
        pub risk_summary: Risk,
        pub expires_at: Option<SafeText>,
        pub created_at: SafeText,
        pub resolved_at: Option<SafeText>,
        pub process_generation: Generation,
        pub auto_resolved: bool,
        pub response_redacted: bool,
        pub last_error: Option<SafeText>,
        pub params: SafeJson,
    }

    pub struct Risk {
        pub level: &'static str,
        pub category: &'static str,
        pub summary: SafeText,
    }
}

pub(crate) fn view(row: &InteractionRow) -> InteractionView {
    let kind = row.kind();
    let open = row.state.is_pending();
    InteractionView {
        interaction_id: row.id.clone(),
        operation_id: row.operation.clone(),
        method: Redactor.text(&row.method),
        kind: kind.word(),
        thread_id: row.thread.clone(),
        turn_id: row.turn.clone(),
        item_id: row.item.clone(),
        status: row.state.word(),
        terminal: matches!(row.state, Interaction::Settled { .. }),
        prompt: Redactor.decided_on(&decision::text(row, Length::Short)),
        available_decisions: decisions(row).map(|value| Redactor.json_decided_on(&value)),
        questions: row.params["questions"].as_array().into_iter().flatten().map(|one| Redactor.json(one)).collect(),
        answer_schema: Redactor.json(&answer_schema(row)),
        recommended_action: if open { "answer_pending_interaction" } else { "none" },
        risk_summary: risk(row),
        expires_at: when_opt(row.state.wake_at()),
        created_at: when(row.created),
        resolved_at: when_opt(row.settled),
        process_generation: row.generation,
        auto_resolved: row.state.word() == "auto_declined",
        response_redacted: !open,
        last_error: None,
        params: Redactor.json_decided_on(&row.params),
    }
}

fn command(params: &Value) -> String {
    params["command"].as_str().map_or_else(|| "a command".to_owned(), |command| format!("`{command}`"))
}

/// What the app-server offers; where it offers no list, the words of its protocol (docs/adr/0010). To decline is always
/// possible: it gives nothing, and the turn goes on.
pub(crate) fn decisions(row: &InteractionRow) -> Option<Value> {
    match row.kind() {
        Kind::Approval => {
            let mut all = row.params["availableDecisions"].as_array().cloned().unwrap_or_default();
            if all.is_empty() {
                all = ["accept", "acceptForSession", "cancel"].map(|word| json!(word)).to_vec();
            }
            if !all.iter().any(|one| one == "decline") {
                let before_cancel = all.iter().position(|one| one == "cancel").unwrap_or(all.len());
                all.insert(before_cancel, json!("decline"));
            }
            Some(Value::Array(all))
        }
        Kind::Permissions | Kind::UserInput | Kind::Elicitation | Kind::Unknown => None,
    }
}

fn answer_schema(row: &InteractionRow) -> Value {
    match row.kind() {
        Kind::Approval => {
            json!({"type": "approval_decision", "required": ["decision"], "decisions": decisions(row), "rawResponseAllowed": true})
        }
        Kind::Permissions => {
            json!({"type": "permissions", "required": ["permissions"], "scope": ["turn", "session"], "rawResponseAllowed": true})
        }
        Kind::UserInput => {
            json!({"type": "question_answers", "required": ["answers"], "questions": row.params["questions"], "rawResponseAllowed": true})
        }
        Kind::Elicitation | Kind::Unknown => {
            json!({"type": "elicitation", "required": ["action"], "actions": ["accept", "decline", "cancel"], "rawResponseAllowed": true})
        }
    }
}

fn risk(row: &InteractionRow) -> Risk {
    let (level, category) = match row.method.as_str() {
        "item/commandExecution/requestApproval" => {
            (if is_destructive(&command(&row.params)) { "high" } else { "medium" }, "command_execution")
        }
        "item/fileChange/requestApproval" => ("medium", "file_change"),
        "item/permissions/requestApproval" => ("high", "permissions"),
        _ => ("low", row.kind().word()),
    };
    Risk { level, category, summary: Redactor.decided_on(&decision::text(row, Length::Short)) }
}

fn is_destructive(command: &str) -> bool {
    const WORDS: &[&str] = &["rm", "rmdir", "del", "format", "mkfs", "dd", "shred", "remove-item"];
    let lower = command.to_lowercase();
    let words = lower.split(|c: char| !(c.is_alphanumeric() || c == '-'));
    words.clone().any(|word| WORDS.contains(&word)) || lower.contains("git reset --hard") || lower.contains("push --force")
}

#[cfg(test)]
mod tests {
    use super::is_destructive;

    #[test]
    fn a_deleting_command_is_high_risk_wherever_it_stands() {
        assert!(is_destructive("`rm -rf x`"));
        assert!(is_destructive("`bash -lc 'cd a && rm b'`"));
        assert!(!is_destructive("`cargo fmt --check`"));
    }
}
