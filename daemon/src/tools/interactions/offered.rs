//! Whether an answer is one that was offered: a decision of the list, permissions out of those asked for, words for
//! questions that exist, a form that fits its schema. Makes the result that codex gets; nothing else ever becomes one.

use crate::{
    store::tables::interactions::InteractionRow,
    tools::{ToolError, views::interaction},
};
use common::safe::Redactor;
use serde_json::{Map, Value, json};

/// A word, or an object with a rule that goes with it. Exactly as offered: a rule of other words is another rule.
pub(super) fn decision(row: &InteractionRow, given: &Value) -> Result<Value, ToolError> {
    let offered = interaction::decisions(row).unwrap_or_default();
    if offered.as_array().is_some_and(|all| all.contains(given)) {
        return Ok(json!({"decision": given}));
    }
    let shown = Redactor.decided_on(&given.to_string()).truncated(200).0;
    Err(ToolError::invalid(&format!("this decision was not offered: {shown}; give one of availableDecisions, as it stands there"))
        .with("offered", Redactor.json_decided_on(&offered)))
}

/// No more than what was asked for.
pub(super) fn permissions(row: &InteractionRow, given: &Value, scope: &str, strict: Option<bool>) -> Result<Value, ToolError> {
    if !matches!(scope, "turn" | "session") {
        return Err(ToolError::invalid("argument scope: give turn or session"));
    }
    if !given.is_object() || !is_part_of(given, &row.params["permissions"]) {
        return Err(ToolError::invalid("argument permissions: grant what is in params.permissions or a part of it; {} grants nothing")
            .with("asked", Redactor.json_decided_on(&row.params["permissions"])));
    }
    let mut response = json!({"permissions": given, "scope": scope});
    if let Some(strict) = strict {
        response["strictAutoReview"] = json!(strict);
    }
    Ok(response)
}

/// Each value of it stands in the other at the same place; lists may be shorter, and nothing is always less.
fn is_part_of(given: &Value, asked: &Value) -> bool {
    match (given, asked) {
        (Value::Null | Value::Bool(false), _) => true,
        (Value::Object(given), Value::Object(asked)) => {
            let kept = |(key, value): (&String, &Value)| !takes_away(value) || given.get(key) == Some(value);
            (given.is_empty() || asked.iter().all(kept))
                && given.iter().all(|(key, value)| is_part_of(value, asked.get(key).unwrap_or(&Value::Null)))
        }
        (Value::Object(given), Value::Null) => given.values().all(|value| is_part_of(value, &Value::Null)),
        (Value::Array(given), Value::Array(asked)) => {
            let kept = |one: &Value| !takes_away(&one["access"]) || given.contains(one);
            given.iter().all(|one| asked.contains(one)) && (given.is_empty() || asked.iter().all(kept))
        }
        (Value::Array(given), Value::Null) => given.is_empty(),
        (given, asked) => given == asked,
    }
}

/// Without it the rest would be more than was asked for.
fn takes_away(access: &Value) -> bool {
    access == "deny" || access == "none"
}

/// By question id: a text, a list of texts, or the form of codex's protocol.
pub(super) fn answers(row: &InteractionRow, given: &Map<String, Value>) -> Result<Value, ToolError> {
    let questions = row.params["questions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut out = Map::new();
    for (id, answer) in given {
        let Some(question) = questions.iter().find(|one| one["id"] == id.as_str()) else {
            let known: Vec<&str> = questions.iter().filter_map(|one| one["id"].as_str()).collect();
            return Err(ToolError::invalid(&format!("argument answers: no question has the id {id}"))
                .with("questions", Redactor.json(&json!(known))));
        };
        let texts: Vec<Value> = match answer {
            Value::Array(all) => all.clone(),
            Value::Object(object) if object.contains_key("answers") => object["answers"].as_array().cloned().unwrap_or_default(),
            one => vec![one.clone()],
        };
        if !texts.iter().all(Value::is_string) {
            return Err(ToolError::invalid(&format!("argument answers: the answer to {id} must be text or a list of texts")));
        }
        // Words of one's own only where the question takes them.
        if let (Some(options), Some(false)) = (question["options"].as_array(), question["isOther"].as_bool())
            && let Some(other) = texts.iter().find(|text| !options.iter().any(|option| option["label"] == **text))
        {
            return Err(ToolError::invalid(&format!("argument answers: {other} is no option of the question {id}; give the label of one"))
                .with("options", Redactor.json(&json!(options))));
        }
        out.insert(id.clone(), json!({"answers": texts}));
    }
    Ok(json!({"answers": out}))
}

/// What is accepted must fit the form of the server that asks.
pub(super) fn elicitation(row: &InteractionRow, action: &str, content: Option<&Value>) -> Result<Value, ToolError> {
    match action {
        "decline" | "cancel" => Ok(json!({"action": action, "content": null, "_meta": null})),
        "accept" => {
            let schema = &row.params["requestedSchema"];
            let content = content.cloned().unwrap_or_else(|| if schema.is_null() { Value::Null } else { json!({}) });
            if !schema.is_null() {
                let form = jsonschema::validator_for(schema)
                    .map_err(|_| ToolError::invalid("the form of the MCP server cannot be read; decline or cancel the question"))?;
                if let Some(error) = form.iter_errors(&content).next() {
                    let place = error.instance_path().to_string();
                    return Err(ToolError::invalid(&format!("argument content{place}: {error}; the question stays open"))
                        .with("requestedSchema", Redactor.json_decided_on(schema)));
                }
            }
            Ok(json!({"action": action, "content": content, "_meta": null}))
        }
        _ => Err(ToolError::invalid("argument action: give accept, decline or cancel")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_a_part_of_what_was_asked_for() {
        let asked = json!({"network": null, "fileSystem": {"read": null, "write": ["/p", "/q"], "entries": [{"path": {"type": "path", "path": "/p"}, "access": "write"}]}});
        for part in [json!({}), asked.clone(), json!({"fileSystem": {"write": ["/q"]}}), json!({"network": {"enabled": false}})] {
            assert!(is_part_of(&part, &asked), "{part}");
        }
        for more in [
            json!({"network": {"enabled": true}}),
            json!({"fileSystem": {"write": ["/"]}}),
            json!({"fileSystem": {"read": ["/p"]}}),
            json!({"fileSystem": {"entries": [{"path": {"type": "path", "path": "/q"}, "access": "write"}]}}),
            json!({"other": 1}),
        ] {
            assert!(!is_part_of(&more, &asked), "{more}");
        }
    }
}
