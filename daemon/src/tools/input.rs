//! Arguments against the schema a tool announces: an unknown or ill-typed one is refused by its path, a missing one
//! gets the schema's default. The predecessor announced schemas and did not keep them (BEHAVIOUR 26.20).

use super::{ToolEntry, ToolError};
use jsonschema::Validator;
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

/// What a tool announces, read once.
struct Schema {
    whole: Value,
    validator: Validator,
}

static SCHEMAS: LazyLock<Mutex<HashMap<&'static str, Arc<Schema>>>> = LazyLock::new(Mutex::default);

/// Checks the arguments and fills in the defaults.
pub(super) fn checked(tool: &'static ToolEntry, arguments: Value) -> Result<Value, ToolError> {
    if !arguments.is_object() {
        return Err(ToolError::invalid("the arguments must be an object"));
    }
    let schema = schema(tool)?;
    let arguments = as_meant(&schema.whole, arguments);
    if let Some(error) = schema.validator.iter_errors(&arguments).next() {
        let path = error.instance_path().to_string();
        return Err(
            ToolError::invalid(&sentence(&path, &error.masked_with("it").to_string())).with("path", common::safe::Redactor.text(&path))
        );
    }
    Ok(fill(&schema.whole, arguments))
}

/// Models write lists, numbers and objects as text at times. Where no text is allowed and what it says fits in kind, it is
/// taken as that (FAULTS C7). What fits neither is refused as it is.
fn as_meant(schema: &Value, mut given: Value) -> Value {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let kinds = kinds(property);
        let Some(text) = given.get(name).and_then(Value::as_str).filter(|_| !kinds.is_empty() && !kinds.contains(&"string")) else {
            continue;
        };
        let meant = serde_json::from_str::<Value>(text).ok().filter(|meant| kinds.iter().any(|kind| is_of(meant, kind)));
        if let Some(meant) = meant {
            given[name] = meant;
        }
    }
    given
}

fn kinds(property: &Value) -> Vec<&str> {
    match &property["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "array" => value.is_array(),
        "object" => value.is_object(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => false,
    }
}

fn schema(tool: &'static ToolEntry) -> Result<Arc<Schema>, ToolError> {
    let mut all = SCHEMAS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(tool.name) {
        return Ok(known.clone());
    }
    let whole: Value = serde_json::from_str(tool.input).map_err(|e| ToolError::internal(&e))?;
    let validator = jsonschema::validator_for(&whole).map_err(|e| ToolError::internal(&e))?;
    let made = Arc::new(Schema { whole, validator });
    all.insert(tool.name, made.clone());
    Ok(made)
}

/// Where the caller names none, the configuration decides; the schema only shows what that usually is.
const CONFIGURED: &[&str] = &["sandbox", "approval_policy", "timeout_seconds"];

fn fill(schema: &Value, mut given: Value) -> Value {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(default) = property.get("default")
            && given.get(name).is_none()
            && !CONFIGURED.contains(&name.as_str())
        {
            given[name] = default.clone();
        }
    }
    given
}

/// What was refused is not quoted: prompts and answers are long, and the limit is what whoever wrote them needs.
fn sentence(path: &str, said: &str) -> String {
    const SAID_CHARS_MAX: usize = 300;
    let place = if path.is_empty() { "the arguments".to_owned() } else { format!("argument {}", path.trim_start_matches('/')) };
    let said: String = said.chars().take(SAID_CHARS_MAX).collect();
    format!("{place}: {said}; tools/list has the schema")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::find;
    use serde_json::json;

    #[test]
    fn what_is_written_as_text_is_taken_as_what_it_says_where_no_text_is_meant() {
        let tool = find("codex_wait").unwrap();
        let given = checked(tool, json!({"operation_ids": "[\"abcd\"]", "max_seconds": "5"})).unwrap();
        assert_eq!((&given["operation_ids"], &given["max_seconds"]), (&json!(["abcd"]), &json!(5)));
        let submit = find("codex_submit_task").unwrap();
        let given = checked(submit, json!({"operation_type": "start_chat", "message": "[1]", "resource_keys": "[\"a\"]"})).unwrap();
        assert_eq!((&given["message"], &given["resource_keys"]), (&json!("[1]"), &json!(["a"])));
        for wrong in
            [json!({"operation_ids": "abcd"}), json!({"operation_ids": ["a"], "max_seconds": "\"5\""}), json!({"operation_ids": "5"})]
        {
            assert!(checked(tool, wrong.clone()).is_err(), "{wrong}");
        }
    }

    /// FAULTS E9.
    #[test]
    fn an_argument_that_is_too_long_is_told_the_limit_and_not_quoted() {
        let submit = find("codex_submit_task").unwrap();
        let error = checked(submit, json!({"operation_type": "start_chat", "message": "y".repeat(2_000_000)})).unwrap_err();
        let message = error.payload()["error"]["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("argument message: it is longer than") && !message.contains("yy"), "{message}");
    }
}
