//! Arguments against the schema a tool announces: an unknown or ill-typed one is refused by its path, a missing one
//! gets the schema's default. The predecessor announced schemas and did not keep them (BEHAVIOUR 26.20).

use super::{ToolEntry, ToolError};
use jsonschema::Validator;
use serde_json::{Map, Value};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError},
};

static VALIDATORS: LazyLock<Mutex<HashMap<&'static str, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Checks the arguments and fills in the defaults.
pub(super) fn checked(tool: &'static ToolEntry, arguments: Value) -> Result<Value, ToolError> {
    let Value::Object(mut given) = arguments else { return Err(ToolError::invalid("the arguments must be an object")) };
    let schema: Value = serde_json::from_str(tool.input).map_err(|e| ToolError::internal(&e))?;
    let whole = Value::Object(given.clone());
    let validator = validator(tool, &schema)?;
    if let Some(error) = validator.iter_errors(&whole).next() {
        let path = error.instance_path().to_string();
        return Err(ToolError::invalid(&sentence(&path, &error.to_string())).with("path", common::safe::Redactor.text(&path)));
    }
    fill(&schema, &mut given);
    Ok(Value::Object(given))
}

fn validator(tool: &'static ToolEntry, schema: &Value) -> Result<Arc<Validator>, ToolError> {
    let mut all = VALIDATORS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = all.get(tool.name) {
        return Ok(known.clone());
    }
    let made = Arc::new(jsonschema::validator_for(schema).map_err(|e| ToolError::internal(&e))?);
    all.insert(tool.name, made.clone());
    Ok(made)
}

/// Where the caller names none, the configuration decides; the schema only shows what that usually is.
const CONFIGURED: &[&str] = &["sandbox", "approval_policy", "timeout_seconds"];

fn fill(schema: &Value, given: &mut Map<String, Value>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(default) = property.get("default")
            && !given.contains_key(name)
            && !CONFIGURED.contains(&name.as_str())
        {
            given.insert(name.clone(), default.clone());
        }
    }
}

/// The library quotes the value it refused; prompts and answers are long and not for errors.
fn sentence(path: &str, said: &str) -> String {
    const SAID_CHARS_MAX: usize = 300;
    let place = if path.is_empty() { "the arguments".to_owned() } else { format!("argument {path}") };
    let said: String = said.chars().take(SAID_CHARS_MAX).collect();
    format!("{place}: {said}; tools/list has the schema")
}
