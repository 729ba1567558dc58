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
    if let Some(error) = schema.validator.iter_errors(&arguments).next() {
        let path = error.instance_path().to_string();
        return Err(ToolError::invalid(&sentence(&path, &error.to_string())).with("path", common::safe::Redactor.text(&path)));
    }
    Ok(fill(&schema.whole, arguments))
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

/// The library quotes the value it refused; prompts and answers are long and not for errors.
fn sentence(path: &str, said: &str) -> String {
    const SAID_CHARS_MAX: usize = 300;
    let place = if path.is_empty() { "the arguments".to_owned() } else { format!("argument {path}") };
    let said: String = said.chars().take(SAID_CHARS_MAX).collect();
    format!("{place}: {said}; tools/list has the schema")
}
