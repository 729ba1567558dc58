//! Answer what codex waits for, in each form of its protocol (PROTOCOL 7). The answer is stored before it is sent.

use super::offered;
use crate::{
    engine::Cause,
    store::tables::interactions::{self, InteractionRow},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::interaction::{self, InteractionView},
    },
};
use common::{agent_safe, error::ErrorCode, ids::*};
use domain::interaction::{AnsweredBy, Kind};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub struct Answer;

#[derive(Deserialize)]
pub struct Input {
    interaction_id: String,
    decision: Option<String>,
    decision_payload: Option<Map<String, Value>>,
    answers: Option<Map<String, Value>>,
    action: Option<String>,
    content: Option<Value>,
    permissions: Option<Map<String, Value>>,
    scope: Option<String>,
    strict_auto_review: Option<bool>,
    raw_response: Option<Map<String, Value>>,
}

agent_safe! {
    pub struct Output {
        pub answered: bool,
        pub interaction: InteractionView,
        pub response_redacted: bool,
        pub next_recommended_action: &'static str,
    }
}

impl Tool for Answer {
    const NAME: &'static str = "codex_answer_pending_interaction";
    const ABOUT: &'static str = "Answer an approval, permission request, question or elicitation of codex. The turn goes on with it. \
        Approvals: decision, or decision_payload for amendments. Questions: answers by question id. A person should decide.";
    const ACCESS: Access = Access::Control;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "lifecycle", next_tools: &["codex_get_operation_status", "codex_wait"], bare: false };
    const INPUT: &'static str = include_str!("answer.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let allowed = &cx.config.answer_from;
        if !allowed.is_empty() && !allowed.contains(&cx.caller.program) {
            return Err(ToolError::new(
                ErrorCode::Refused,
                "could not answer: approvals.answer_from does not name this program; answer with `codexcp answer`",
            ));
        }
        let id = InteractionId::new(input.interaction_id.trim());
        let row = read(cx, &id).await?;
        let response = response(&row, &input)?;
        cx.engine.apply(Cause::Answer { interaction: id.clone(), response, by: AnsweredBy::Caller }).await?;
        let row = read(cx, &id).await?;
        Ok(Output { answered: true, interaction: interaction::view(&row), response_redacted: true, next_recommended_action: "wait_again" })
    }
}

async fn read(cx: &Cx, id: &InteractionId) -> Result<InteractionRow, ToolError> {
    let wanted = id.clone();
    let row = cx.reader.read(move |tx| interactions::by_id(tx, &wanted)).await?;
    row.ok_or_else(|| {
        ToolError::new(ErrorCode::InteractionNotFound, "no interaction has this id; codex_list_pending_interactions lists them")
            .with("interactionId", id.clone())
    })
}

/// In the form of codex's protocol, and only what was offered.
fn response(row: &InteractionRow, input: &Input) -> Result<Value, ToolError> {
    if let Some(raw) = &input.raw_response {
        return raw_response(row, raw);
    }
    match row.kind() {
        Kind::Approval => {
            let word = || input.decision.as_ref().map(|word| json!(word));
            let given = input.decision_payload.clone().map(Value::Object).or_else(word);
            offered::decision(row, &given.ok_or_else(|| missing("decision", "one of availableDecisions"))?)
        }
        Kind::Permissions => {
            let given = input.permissions.clone().map(Value::Object);
            let given =
                given.ok_or_else(|| missing("permissions", "what is granted, from the request's permissions; {} grants nothing"))?;
            offered::permissions(row, &given, input.scope.as_deref().unwrap_or("turn"), input.strict_auto_review)
        }
        Kind::UserInput => {
            let given = input.answers.as_ref().ok_or_else(|| missing("answers", "an object of question id and answer"))?;
            offered::answers(row, given)
        }
        Kind::Elicitation => {
            let action = input.action.as_deref().ok_or_else(|| missing("action", "accept, decline or cancel"))?;
            offered::elicitation(row, action, input.content.as_ref())
        }
        Kind::Unknown => Err(ToolError::new(ErrorCode::InteractionUnavailable, "this kind of request is declined by itself")),
    }
}

/// The same answers, written as codex's protocol has them: no way around what was offered.
fn raw_response(row: &InteractionRow, raw: &Map<String, Value>) -> Result<Value, ToolError> {
    let known: &[&str] = match row.kind() {
        Kind::Approval => &["decision"],
        Kind::Permissions => &["permissions", "scope", "strictAutoReview"],
        Kind::UserInput => &["answers"],
        Kind::Elicitation => &["action", "content", "_meta"],
        Kind::Unknown => &[],
    };
    if let Some(other) = raw.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(ToolError::invalid(&format!(
            "argument raw_response: `{other}` has no place in this answer; it takes {}",
            known.join(", ")
        )));
    }
    let value = |key: &str| raw.get(key).cloned().unwrap_or_default();
    match row.kind() {
        Kind::Approval => offered::decision(row, &value("decision")),
        Kind::Permissions => {
            let scope = value("scope");
            offered::permissions(row, &value("permissions"), scope.as_str().unwrap_or("turn"), value("strictAutoReview").as_bool())
        }
        Kind::UserInput => offered::answers(row, value("answers").as_object().unwrap_or(&Map::new())),
        Kind::Elicitation => {
            let content = raw.get("content").filter(|content| !content.is_null());
            offered::elicitation(row, value("action").as_str().unwrap_or_default(), content)
        }
        Kind::Unknown => Err(ToolError::new(ErrorCode::InteractionUnavailable, "this kind of request is declined by itself")),
    }
}

fn missing(name: &str, what: &str) -> ToolError {
    ToolError::invalid(&format!("argument {name}: this interaction needs it: {what}"))
}
