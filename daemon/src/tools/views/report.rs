//! The final report of a turn: the last whole assistant message, as it is but for secrets (ARCHITECTURE 21.10),
//! and as JSON where it is a JSON object or holds one in its first fence (BEHAVIOUR 10.1).

use crate::store::tables::{
    messages,
    operations::{OperationRow, OutputSchema},
};
use common::{
    agent_safe,
    ids::{ThreadId, TurnId},
    safe::{Redactor, SafeJson, SafeText},
};

agent_safe! {
    pub struct FinalReport {
        pub text: SafeText,
        pub thread_id: Option<ThreadId>,
        pub turn_id: Option<TurnId>,
        pub source: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub structured: Option<SafeJson>,
        pub structured_status: &'static str,
        pub structured_parse_status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub schema_hash: Option<SafeText>,
        /// Where it does not fit the schema that was asked for, and why; a few of the places.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub schema_faults: Vec<SafeText>,
        pub truncated: bool,
        pub original_chars: usize,
        pub returned_chars: usize,
    }
}

pub(crate) fn report(text: &str, row: &OperationRow, chars_max: usize) -> FinalReport {
    let structured = structured(text);
    let asked = row.spec.output_schema.as_ref();
    let schema_faults = asked.map(|asked| faults(structured.as_ref(), asked)).unwrap_or_default();
    let (shown, truncated) = Redactor.text(text).truncated(chars_max);
    FinalReport {
        thread_id: row.thread.clone(),
        turn_id: row.turn.clone(),
        source: "live",
        structured_status: status(structured.is_some(), &schema_faults),
        schema_hash: asked.map(|asked| Redactor.text(&asked.hash)),
        schema_faults,
        structured_parse_status: match &structured {
            Some(_) => "valid_json",
            None if text.trim().is_empty() => "empty",
            None => "plain_text",
        },
        structured: structured.map(|value| Redactor.json(&value)),
        truncated,
        original_chars: text.chars().count(),
        returned_chars: shown.as_str().chars().count(),
        text: shown,
    }
}

/// Whether the report is JSON, and fits what was asked for.
fn status(parsed: bool, faults: &[SafeText]) -> &'static str {
    match (parsed, faults) {
        (false, _) => "not_available",
        (true, []) => "parsed",
        (true, _) => "schema_mismatch",
    }
}

fn faults(structured: Option<&serde_json::Value>, asked: &OutputSchema) -> Vec<SafeText> {
    const SHOWN_MAX: usize = 5;
    let Some(report) = structured else { return vec![SafeText::fixed("the report is no JSON object")] };
    match jsonschema::validator_for(&asked.schema) {
        Ok(validator) => {
            let fault =
                |error: jsonschema::ValidationError<'_>| Redactor.text(&format!("{}: {error}", error.instance_path())).truncated(400).0;
            validator.iter_errors(report).take(SHOWN_MAX).map(fault).collect()
        }
        // It was one when the work was accepted.
        Err(error) => vec![Redactor.text(&format!("the schema cannot be read: {error}")).truncated(400).0],
    }
}

/// Changes whenever the report does.
pub(crate) fn hash(text: &str) -> SafeText {
    Redactor.text(&messages::hash(text))
}

fn structured(text: &str) -> Option<serde_json::Value> {
    let object = |text: &str| serde_json::from_str::<serde_json::Value>(text.trim()).ok().filter(serde_json::Value::is_object);
    let fenced = || {
        let inside = text.split_once("```")?.1;
        let body = inside.split_once('\n')?.1;
        object(body.split_once("```")?.0)
    };
    object(text).or_else(fenced)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_is_found_in_the_text_or_in_its_first_fence() {
        assert_eq!(structured("{\"done\": true}").unwrap()["done"], true);
        assert_eq!(structured("Here:\n```json\n{\"done\": true}\n```\nbye").unwrap()["done"], true);
        assert_eq!(structured("[1]"), None);
        assert_eq!(structured("See /api/v1/users in src/a.rs"), None);
    }

    #[test]
    fn a_report_that_does_not_fit_its_schema_says_where() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
        let asked = OutputSchema { schema, hash: String::new(), chars: 0 };
        let judged = |report: Option<serde_json::Value>| {
            let faults = faults(report.as_ref(), &asked);
            (status(report.is_some(), &faults), faults.first().map(|fault| fault.to_string()).unwrap_or_default())
        };
        assert_eq!(judged(Some(json!({"a": 1}))), ("parsed", String::new()));
        let (status, fault) = judged(Some(json!({"a": "one"})));
        assert!(status == "schema_mismatch" && fault.starts_with("/a: "), "{fault}");
        assert_eq!(judged(None).0, "not_available");
    }
}
