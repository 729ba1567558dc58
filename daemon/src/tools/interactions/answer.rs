//! Answer what codex waits for, in each form of its protocol (PROTOCOL 7). The answer is stored before it is sent.

use crate::{
    engine::Cause,
    store::tables::interactions::{self, InteractionRow},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::interaction::{self, InteractionView},
    },
};
use common::{agent_safe, error::ErrorCode, ids::*, safe::Redactor};
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

fn response(row: &InteractionRow, input: &Input) -> Result<Value, ToolError> {
    if let Some(raw) = &input.raw_response {
        return Ok(Value::Object(raw.clone()));
    }
    match row.kind() {
        Kind::Approval => decision(row, input),
        Kind::Permissions => {
            let permissions = input
                .permissions
                .clone()
                .ok_or_else(|| missing("permissions", "what is granted, from the request's permissions; {} grants nothing"))?;
            let mut response = json!({"permissions": permissions, "scope": input.scope.as_deref().unwrap_or("turn")});
            if let Some(strict) = input.strict_auto_review {
                response["strictAutoReview"] = json!(strict);
            }
            Ok(response)
        }
        Kind::UserInput => answers(row, input),
        Kind::Elicitation => {
            let action = input.action.as_deref().ok_or_else(|| missing("action", "accept, decline or cancel"))?;
            Ok(json!({"action": action, "content": input.content, "_meta": null}))
        }
        Kind::Unknown => Err(ToolError::new(ErrorCode::InteractionUnavailable, "this kind of request is declined by itself")),
    }
}

fn decision(row: &InteractionRow, input: &Input) -> Result<Value, ToolError> {
    let offered = interaction::decisions(row).unwrap_or_default();
    let offered = offered.as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(payload) = &input.decision_payload {
        let key = payload.keys().next().ok_or_else(|| missing("decision_payload", "an object with one of the offered decisions"))?;
        let names = |one: &Value| one.as_object().is_some_and(|object| object.contains_key(key));
        if !offered.iter().any(names) {
            return Err(ToolError::invalid(&format!("argument decision_payload: {key} is not among the offered decisions"))
                .with("offered", Redactor.json(&json!(offered))));
        }
        return Ok(json!({"decision": payload}));
    }
    let decision = input.decision.as_deref().ok_or_else(|| missing("decision", "accept, acceptForSession, decline or cancel"))?;
    Ok(json!({"decision": decision}))
}

fn answers(row: &InteractionRow, input: &Input) -> Result<Value, ToolError> {
    let answers = input.answers.as_ref().ok_or_else(|| missing("answers", "an object of question id and answer"))?;
    let known: Vec<&str> = row.params["questions"].as_array().into_iter().flatten().filter_map(|one| one["id"].as_str()).collect();
    let mut out = Map::new();
    for (id, answer) in answers {
        if !known.contains(&id.as_str()) {
            return Err(ToolError::invalid(&format!("argument answers: no question has the id {id}"))
                .with("questions", Redactor.json(&json!(known))));
        }
        let texts: Vec<Value> = match answer {
            Value::Array(all) => all.clone(),
            Value::Object(object) if object.contains_key("answers") => object["answers"].as_array().cloned().unwrap_or_default(),
            one => vec![one.clone()],
        };
        if !texts.iter().all(Value::is_string) {
            return Err(ToolError::invalid(&format!("argument answers: the answer to {id} must be text or a list of texts")));
        }
        out.insert(id.clone(), json!({"answers": texts}));
    }
    Ok(json!({"answers": out}))
}

fn missing(name: &str, what: &str) -> ToolError {
    ToolError::invalid(&format!("argument {name}: this interaction needs it: {what}"))
}
