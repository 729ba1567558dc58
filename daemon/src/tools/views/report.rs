//! The final report of a turn: the last whole assistant message, as it is but for secrets (ARCHITECTURE 21.10),
//! and as JSON where it is a JSON object or holds one in its first fence (BEHAVIOUR 10.1).

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
        pub truncated: bool,
        pub original_chars: usize,
        pub returned_chars: usize,
    }
}

pub(crate) fn report(text: &str, thread: Option<ThreadId>, turn: Option<TurnId>, chars_max: usize) -> FinalReport {
    let structured = structured(text);
    let (shown, truncated) = Redactor.text(text).truncated(chars_max);
    FinalReport {
        thread_id: thread,
        turn_id: turn,
        source: "live",
        structured_status: if structured.is_some() { "parsed" } else { "not_available" },
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

/// Changes whenever the report does.
pub(crate) fn hash(text: &str) -> SafeText {
    Redactor.text(&blake3::hash(text.as_bytes()).to_hex())
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

    #[test]
    fn a_report_is_kept_as_it_is_and_parsed_where_it_is_json() {
        let plain = report("See /api/v1/users in src/a.rs", None, None, 8_000);
        assert_eq!(plain.text.as_str(), "See /api/v1/users in src/a.rs");
        assert_eq!(plain.structured_parse_status, "plain_text");
        let json = report("Here:\n```json\n{\"done\": true}\n```\nbye", None, None, 8_000);
        assert_eq!(json.structured.unwrap().as_value()["done"], true);
        assert_eq!(report("[1]", None, None, 8_000).structured_status, "not_available");
    }
}
