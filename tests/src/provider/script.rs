//! The script language of the provider: which prompt of a request counts, which of its steps is
//! due, and what that step asks for. Pure functions over the request body.
//! It must never do I/O and never guess at a malformed step: a mistake in a test is an error that
//! the test gets to see, not a reply that happens to look plausible.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::http::StatusCode;
use serde_json::{Value, json};

const SEPARATOR: &str = " ;; ";

/// Tags with which codex wraps what it puts into the conversation itself, in the role of the user.
/// A closed list, because a prompt that is wrapped in some other tag is a prompt.
const INJECTED_TAGS: [&str; 11] = [
    "codex_internal_context",
    "environment_context",
    "goal_context",
    "hook_prompt",
    "image_resize_notice",
    "recommended_plugins",
    "skill",
    "subagent_notification",
    "turn_aborted",
    "user_action",
    "user_shell_command",
];

/// What one request tells about the conversation so far.
#[derive(Default)]
pub(super) struct Conversation {
    /// All real prompts, oldest first. The newest one is the script.
    pub user_messages: Vec<String>,
    /// How many tool outputs follow the newest prompt: the index of the step that is due.
    pub step: usize,
    /// Working directory of the thread, from the injected environment context.
    pub cwd: Option<String>,
    /// Pictures among the messages.
    pub images: usize,
    /// What the tools had printed since the newest prompt.
    pub outputs: Vec<String>,
    /// The request came with a key or a token.
    pub logged_in: bool,
}

impl Conversation {
    pub(super) fn read(body: &Value) -> Self {
        let mut read = Self::default();
        for item in body["input"].as_array().into_iter().flatten() {
            if let Some("function_call_output" | "custom_tool_call_output") = item["type"].as_str() {
                read.step += 1;
                let output = &item["output"];
                read.outputs.push(output.as_str().map_or_else(|| output.to_string(), str::to_owned));
            } else if item["role"] == "user" {
                read.images += item["content"].as_array().into_iter().flatten().filter(|part| part["type"] == "input_image").count();
                read.user_message(item);
            }
        }
        read
    }

    fn user_message(&mut self, item: &Value) {
        // One message can carry injected parts and a prompt, so the parts are judged one by one.
        let mut prompt: Vec<&str> = Vec::new();
        for part in item["content"].as_array().into_iter().flatten() {
            let Some(text) = part["text"].as_str() else {
                continue;
            };
            if is_injected(text) {
                self.cwd = between(text, "<cwd>", "</cwd>").or(self.cwd.take());
            } else {
                prompt.push(text);
            }
        }
        if !prompt.is_empty() {
            self.user_messages.push(prompt.join("\n"));
            self.step = 0;
            self.outputs.clear();
        }
    }

    /// The newest prompt; empty if there never was one. A turn that is started without any input
    /// thus plays the script of the turn before it again.
    pub(super) fn prompt(&self) -> &str {
        self.user_messages.last().map_or("", String::as_str)
    }
}

fn is_injected(text: &str) -> bool {
    let text = text.trim();
    if text.starts_with("# AGENTS.md instructions") {
        return text.ends_with("</INSTRUCTIONS>");
    }
    // The summary that takes the place of a compacted history.
    if text.starts_with("Another language model started to solve this problem") {
        return true;
    }
    // An attached image comes between two text parts of its own: `<image ...>` and `</image>`.
    if text == "</image>" || (text.starts_with("<image") && text.ends_with('>')) {
        return true;
    }
    let Some((tag, _)) = text.strip_prefix('<').and_then(|rest| rest.split_once(|c: char| c == '>' || c.is_whitespace())) else {
        return false;
    };
    // `external_<key>` is what a client gave as `additionalContext`.
    (INJECTED_TAGS.contains(&tag) || tag.starts_with("external_")) && text.ends_with(&format!("</{tag}>"))
}

fn between(text: &str, open: &str, close: &str) -> Option<String> {
    let (_, rest) = text.split_once(open)?;
    let (inside, _) = rest.split_once(close)?;
    Some(inside.to_owned())
}

/// One model response.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Say(Speech),
    Call(Call),
    /// A reply that breaks off after its first delta.
    Cut,
    /// An HTTP error instead of a stream.
    Fail(StatusCode),
    /// The usage limit of the account, reset after so many seconds.
    Limit(u64),
    /// The request is taken and never answered, not even with headers.
    Hang,
}

/// An agent message, and when it is said.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Speech {
    pub text: String,
    /// Wait for the release of this name before the first word.
    pub hold: Option<String>,
    /// Wait this long before each word.
    pub per_word: Duration,
}

/// A tool call. Function tools take JSON, custom tools free text.
#[derive(Debug, PartialEq)]
pub(super) enum Call {
    Function { name: &'static str, arguments: Value },
    Custom { name: &'static str, input: String },
}

/// The step that is due in this conversation.
///
/// A prompt that does not begin with a known word is no script and gets a short report. A script
/// that has run out of steps says "Done.", so that a lone `SHELL ls` is a complete turn.
pub(super) fn due(conversation: &Conversation) -> Result<Step> {
    let prompt = conversation.prompt().trim();
    let cwd = conversation.cwd.as_deref().unwrap_or("/");
    let mut steps = prompt.split(SEPARATOR);
    let first = steps.next().unwrap_or_default();
    if first.starts_with("LOGIN ") && !conversation.logged_in {
        return Ok(Step::Fail(StatusCode::UNAUTHORIZED));
    }
    let Some(first) = parse(first, cwd)? else {
        return Ok(say(report(prompt)));
    };
    let Some(index) = conversation.step.checked_sub(1) else {
        return Ok(first);
    };
    match steps.nth(index) {
        None => Ok(say("Done.")),
        Some(line) => parse(line, cwd)?.with_context(|| format!("unknown step {line:?}")),
    }
}

/// The step, or `None` where the line does not begin with a word of the language.
fn parse(line: &str, cwd: &str) -> Result<Option<Step>> {
    let (word, rest) = split_word(line.trim());
    Ok(Some(match word {
        "SAY" | "JSON" | "LOGIN" => say(rest),
        "SLOW" => {
            let (ms, text) = split_word(rest);
            let ms = ms.parse().with_context(|| format!("SLOW wants milliseconds: {line:?}"))?;
            Step::Say(Speech { text: text.to_owned(), per_word: Duration::from_millis(ms), ..Speech::default() })
        }
        "HOLD" => {
            let (name, text) = split_word(rest);
            if name.is_empty() {
                bail!("HOLD wants a name: {line:?}");
            }
            Step::Say(Speech { text: text.to_owned(), hold: Some(name.to_owned()), ..Speech::default() })
        }
        "SHELL" => function("exec_command", json!({"cmd": rest, "yield_time_ms": 10_000})),
        "ESCALATE" => function(
            "exec_command",
            json!({
                "cmd": rest,
                "yield_time_ms": 10_000,
                "sandbox_permissions": "require_escalated",
                "justification": format!("May I run {rest:?} outside the sandbox?"),
            }),
        ),
        "PATCH" => {
            let (path, text) = split_word(rest);
            if path.is_empty() {
                bail!("PATCH wants a path: {line:?}");
            }
            Step::Call(Call::Custom { name: "apply_patch", input: add_file(path, text) })
        }
        "PLAN" => say(format!("Here is the plan.\n<proposed_plan>\n{}\n</proposed_plan>", rest.replace(" / ", "\n"))),
        "ASK" => function("request_user_input", question(rest, false)),
        "ASK_SECRET" => function("request_user_input", question(rest, true)),
        "PERMS" => {
            let path = if rest.is_empty() { cwd } else { rest };
            function(
                "request_permissions",
                json!({
                    "reason": "need to write",
                    "permissions": {"file_system": {"write": [path]}},
                }),
            )
        }
        "FAIL" => Step::Fail(
            rest.parse()
                .ok()
                .filter(|status: &StatusCode| status.is_client_error() || status.is_server_error())
                .with_context(|| format!("FAIL wants an HTTP error status: {line:?}"))?,
        ),
        "LIMIT" => Step::Limit(rest.parse().with_context(|| format!("LIMIT wants seconds: {line:?}"))?),
        "CUT" => Step::Cut,
        "HANG" => Step::Hang,
        _ => return Ok(None),
    }))
}

fn split_word(text: &str) -> (&str, &str) {
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

fn say(text: impl Into<String>) -> Step {
    Step::Say(Speech { text: text.into(), ..Speech::default() })
}

fn function(name: &'static str, arguments: Value) -> Step {
    Step::Call(Call::Function { name, arguments })
}

fn question(text: &str, secret: bool) -> Value {
    json!({"questions": [{
        "id": "q1",
        "header": "Choice",
        "question": text,
        "isSecret": secret,
        "options": [
            {"label": "Yes (Recommended)", "description": "go on"},
            {"label": "No", "description": "leave it"},
        ],
    }]})
}

fn add_file(path: &str, text: &str) -> String {
    // `split` and not `lines`: the grammar of the tool wants at least one added line.
    let added: String = text.split('\n').map(|line| format!("+{line}\n")).collect();
    format!("*** Begin Patch\n*** Add File: {path}\n{added}*** End Patch\n")
}

fn report(prompt: &str) -> String {
    let start: String = prompt.chars().take(60).collect();
    format!(
        "Thank you, I took care of this request: \"{start}\". \
         Everything went well and nothing is left to do."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(parts: &[&str]) -> Value {
        let content: Vec<_> = parts.iter().map(|text| json!({"type": "input_text", "text": text})).collect();
        json!({"type": "message", "role": "user", "content": content})
    }

    #[test]
    fn the_newest_prompt_and_the_outputs_after_it_choose_the_step() {
        let output = json!({"type": "function_call_output", "call_id": "c", "output": "x"});
        let body = json!({"input": [
            user(&["# AGENTS.md instructions for /w\n\n<INSTRUCTIONS>\nx\n</INSTRUCTIONS>",
                   "<environment_context>\n  <cwd>/w</cwd>\n</environment_context>"]),
            user(&["SHELL true"]), output, user(&["<b>SAY</b>"]),
            user(&["SHELL a ;; SHELL b ;; SAY c"]), output,
            user(&["<turn_aborted>\nx\n</turn_aborted>"]), output,
        ]});
        let read = Conversation::read(&body);
        assert_eq!(read.user_messages, ["SHELL true", "<b>SAY</b>", "SHELL a ;; SHELL b ;; SAY c"]);
        assert_eq!(read.cwd.as_deref(), Some("/w"));
        assert_eq!(due(&read).unwrap(), say("c"));
    }

    #[test]
    fn a_script_that_ran_out_is_done_and_a_mistake_is_an_error() {
        let at = |prompt: &str, step| due(&Conversation { user_messages: vec![prompt.to_owned()], step, ..Conversation::default() });
        assert_eq!(at("SHELL ls", 1).unwrap(), say("Done."));
        assert_eq!(at("please fix it", 0).unwrap(), say(report("please fix it")));
        assert_eq!(at("LOGIN x", 0).unwrap(), Step::Fail(StatusCode::UNAUTHORIZED));
        for wrong in ["SLOW x y", "FAIL 200", "FAIL", "HOLD", "PATCH"] {
            assert!(at(wrong, 0).is_err(), "{wrong}");
        }
        assert!(at("SHELL ls ;; what", 1).is_err());
    }

    #[test]
    fn text_is_kept_as_it_is() {
        let json = r#"{"a": "b  c"}"#;
        assert_eq!(parse(&format!("JSON {json}"), "/").unwrap(), Some(say(json)));
        assert!(add_file("a.txt", "one\ntwo").contains("a.txt\n+one\n+two\n*** End"));
    }
}
