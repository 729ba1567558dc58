//! The JSON schema that a report is asked to fit: checked before the work is accepted, by the rules of codex's strict mode
//! (BEHAVIOUR 7.6), so that no turn is spent on a schema that would be refused. Judges no report.

use crate::{store::tables::operations::OutputSchema, tools::ToolError};
use common::safe::Redactor;
use serde_json::Value;

const CHARS_MAX: usize = 50_000;
const TYPES: &[&str] = &["object", "array", "string", "number", "integer", "boolean", "null"];

pub(super) fn output_schema(given: Value) -> Result<OutputSchema, ToolError> {
    if given.as_object().is_none_or(serde_json::Map::is_empty) {
        return Err(refused("must be a JSON schema, an object that is not empty", "$"));
    }
    // Maps are kept in order of key, so the text is the same however it was given.
    let text = given.to_string();
    if text.chars().count() > CHARS_MAX {
        return Err(refused("is longer than 50000 characters; make it shorter", "$").with("maxChars", CHARS_MAX));
    }
    check(&given, "$")?;
    if let Err(error) = jsonschema::validator_for(&given) {
        return Err(refused(&format!("is no JSON schema: {error}"), "$"));
    }
    let hash = blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect();
    Ok(OutputSchema { chars: text.chars().count(), hash, schema: given })
}

fn check(schema: &Value, path: &str) -> Result<(), ToolError> {
    let Some(map) = schema.as_object() else { return Err(refused("must be an object here", path)) };
    let types: Vec<&Value> = match map.get("type") {
        Some(Value::Array(types)) => types.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    if let Some(strange) = types.iter().find(|one| !one.as_str().is_some_and(|name| TYPES.contains(&name))) {
        return Err(refused(&format!("has the unknown type {strange}"), path));
    }
    if types.iter().any(|one| *one == "object") || map.contains_key("properties") {
        object(map, path)?;
    }
    for group in ["properties", "$defs", "definitions"] {
        for (name, inner) in map.get(group).and_then(Value::as_object).into_iter().flatten() {
            check(inner, &format!("{path}.{group}.{name}"))?;
        }
    }
    if let Some(items) = map.get("items") {
        check(items, &format!("{path}.items"))?;
    }
    for group in ["allOf", "anyOf", "oneOf"] {
        for (n, inner) in map.get(group).and_then(Value::as_array).into_iter().flatten().enumerate() {
            check(inner, &format!("{path}.{group}[{n}]"))?;
        }
    }
    Ok(())
}

/// Strict: nothing but what is named, and all of it.
fn object(map: &serde_json::Map<String, Value>, path: &str) -> Result<(), ToolError> {
    let none = serde_json::Map::new();
    let properties = match map.get("properties") {
        Some(Value::Object(properties)) => properties,
        None => &none,
        Some(_) => return Err(refused("has properties that are no object", path)),
    };
    if map.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Err(refused("must say additionalProperties: false", path));
    }
    let required: Vec<&str> = match map.get("required") {
        Some(Value::Array(names)) if names.iter().all(Value::is_string) => names.iter().filter_map(Value::as_str).collect(),
        None => Vec::new(),
        Some(_) => return Err(refused("has a required that is no list of names", path)),
    };
    let missing: Vec<_> = properties.keys().filter(|name| !required.contains(&name.as_str())).map(|name| Redactor.text(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(refused("must list all its properties in required", path).with("missingRequired", missing))
}

fn refused(why: &str, path: &str) -> ToolError {
    ToolError::invalid(&format!("argument output_schema: {path} {why}")).with("path", Redactor.text(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn why(schema: Value) -> String {
        output_schema(schema).unwrap_err().message.to_string()
    }

    #[test]
    fn a_strict_schema_is_taken_and_its_hash_is_that_of_its_meaning() {
        let one = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
        let same = json!({"additionalProperties": false, "required": ["a"], "properties": {"a": {"type": "integer"}}, "type": "object"});
        assert_eq!(output_schema(one).unwrap().hash, output_schema(same).unwrap().hash);
    }

    #[test]
    fn what_codex_would_refuse_is_refused_with_the_place() {
        assert!(why(json!({})).contains("not empty"));
        assert!(why(json!({"type": "thing"})).contains("unknown type"));
        assert!(why(json!({"type": "object", "properties": {}})).contains("additionalProperties"));
        let inner =
            json!({"type": "array", "items": {"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": false}});
        assert!(why(inner).contains("$.items must list all"));
        assert!(why(json!({"type": "string", "pattern": "("})).contains("no JSON schema"));
        assert!(why(json!({"type": "string", "description": "x".repeat(60_000)})).contains("50000"));
    }
}
