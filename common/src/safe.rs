//! What may leave the daemon, as types. `AgentSafe` is implemented for ids, numbers, our own words and
//! text that went through the `Redactor`; never for `String`, `PathBuf` or raw JSON, so a leak does not compile.
//! The only way to make a `SafeText` from outside text is here.

#[cfg(feature = "redact")]
use crate::redact::{self, Signs};
use crate::{error::ErrorCode, ids::*, time::*};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// May appear in a tool's output or in a log line.
pub trait AgentSafe: Serialize {}

macro_rules! safe_types {
    ($($t:ty),* $(,)?) => { $(impl AgentSafe for $t {})* };
}

safe_types!(
    bool,
    u8,
    u16,
    u32,
    u64,
    i64,
    usize,
    f64,
    &'static str,
    OperationId,
    WorkflowId,
    ThreadId,
    TurnId,
    ItemId,
    ActionId,
    InteractionId,
    RequestKey,
    ProjectId,
    Cursor,
    Generation,
    Timestamp,
    Millis,
    SafeText,
    PathRef,
    SafeJson,
    SafeMap,
    ErrorCode,
    crate::error::ErrorBody,
);
impl<T: AgentSafe> AgentSafe for Option<T> {}
impl<T: AgentSafe> AgentSafe for Vec<T> {}
impl<T: AgentSafe> AgentSafe for Box<T> {}
impl<K: AgentSafe, T: AgentSafe> AgentSafe for BTreeMap<K, T> {}

/// Defines an output struct or enum, camelCase on the wire, and demands `AgentSafe` of every field.
#[macro_export]
macro_rules! agent_safe {
    ($($(#[$meta:meta])* $vis:vis struct $name:ident { $($(#[$fmeta:meta])* $fvis:vis $field:ident : $ty:ty),* $(,)? })*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, serde::Serialize, schemars::JsonSchema)]
        #[serde(rename_all = "camelCase")]
        $vis struct $name { $($(#[$fmeta])* $fvis $field: $ty),* }
        impl $crate::safe::AgentSafe for $name {}
        const _: () = {
            const fn demand<T: $crate::safe::AgentSafe>() {}
            $(demand::<$ty>();)*
        };
    )*};
}

/// Text that has been through the redactor, or was written by us.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct SafeText(Cow<'static, str>);

impl SafeText {
    /// Our own words need no redaction.
    pub const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first `chars_max` characters; the flag says whether anything was cut.
    pub fn truncated(&self, chars_max: usize) -> (SafeText, bool) {
        match self.0.char_indices().nth(chars_max) {
            None => (self.clone(), false),
            Some((cut, _)) => (SafeText(Cow::Owned(format!("{}...", self.0[..cut].trim_end()))), true),
        }
    }
}

impl std::fmt::Display for SafeText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// JSON whose every string went through the redactor.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct SafeJson(serde_json::Value);

impl SafeJson {
    pub fn as_value(&self) -> &serde_json::Value {
        &self.0
    }
}

/// Named safe values, for the `details` of errors.
#[derive(Debug, Clone, Default, PartialEq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct SafeMap(BTreeMap<&'static str, serde_json::Value>);

impl SafeMap {
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl AgentSafe) -> Self {
        // A value that does not serialise has no place in an error either.
        self.0.insert(key, serde_json::to_value(value).unwrap_or(serde_json::Value::Null));
        self
    }
}

/// A place on disk as others may see it: the name of the allowed root or project and the rest below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct PathRef(String);

impl PathRef {
    /// `below` is relative to a root called `root`; neither names where the root lies.
    pub fn new(root: &str, below: &std::path::Path) -> Self {
        // Shown one way on every system.
        let below = below.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
        Self(if below.is_empty() { root.to_owned() } else { format!("{root}/{below}") })
    }

    /// A path under no known root shows its last component only.
    pub fn outside(path: &std::path::Path) -> Self {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        Self(format!("[outside]/{}", name.unwrap_or_default()))
    }
}

/// Something that is used, never shown.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// At the point of use only.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> std::fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a caller wants codex to be told. Shows its length, never its text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prompt(String);

impl Prompt {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// At the point of use only: the request to the app-server, the fingerprint, the store.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }
}

impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[prompt of {} characters]", self.chars())
    }
}

/// Turns outside text into text that may leave: keys, tokens and passwords are masked, everything else stays as it is,
/// code and paths included (docs/security.md, "What is stored, and what is shown").
#[cfg(feature = "redact")]
#[derive(Debug, Clone, Copy, Default)]
pub struct Redactor;

#[cfg(feature = "redact")]
impl Redactor {
    pub fn text(&self, text: &str) -> SafeText {
        SafeText(Cow::Owned(masked(text, Signs::All)))
    }

    /// What a person decides on: only keys of known shapes are masked, nothing that could be a part of what is decided.
    pub fn decided_on(&self, text: &str) -> SafeText {
        SafeText(Cow::Owned(masked(text, Signs::ShapesOnly)))
    }

    /// Every string inside, keys of objects included; a string is judged by the key that it stands under too.
    pub fn json(&self, value: &serde_json::Value) -> SafeJson {
        SafeJson(json(value, Signs::All))
    }

    /// As `decided_on`.
    pub fn json_decided_on(&self, value: &serde_json::Value) -> SafeJson {
        SafeJson(json(value, Signs::ShapesOnly))
    }
}

#[cfg(feature = "redact")]
fn masked(text: &str, signs: Signs) -> String {
    redact::masked(text, signs).unwrap_or_else(|| text.to_owned())
}

#[cfg(feature = "redact")]
fn json(value: &serde_json::Value, signs: Signs) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(text) => Value::String(masked(text, signs)),
        Value::Array(all) => Value::Array(all.iter().map(|one| json(one, signs)).collect()),
        Value::Object(map) => {
            let entry = |key: &String, value: &Value| match value {
                Value::String(text) if signs == Signs::All && redact::is_secret_by_name(key, text) => {
                    Value::String(redact::MASK.to_owned())
                }
                value => json(value, signs),
            };
            Value::Object(map.iter().map(|(key, value)| (masked(key, signs), entry(key, value))).collect())
        }
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "redact")]
    #[test]
    fn keys_and_tokens_are_masked_wherever_they_stand() {
        let redact = |text: &str| Redactor.text(text).to_string();
        assert_eq!(redact("key sk-abcDEF0123456789xyz end"), "key [redacted-secret] end");
        assert_eq!(redact("Authorization: Bearer abc123def456"), "Authorization: Bearer [redacted-secret]");
        assert_eq!(redact("OPENAI_API_KEY=abcd1234efgh"), "OPENAI_API_KEY=[redacted-secret]");
        assert_eq!(redact(r#"{"password": "hunter2hunter2"}"#), r#"{"password": "[redacted-secret]"}"#);
        let shown = Redactor.json(&serde_json::json!({"password": "hunter2hunter2", "name": "hunter2hunter2"}));
        assert_eq!(shown.as_value(), &serde_json::json!({"password": "[redacted-secret]", "name": "hunter2hunter2"}));
    }

    #[cfg(feature = "redact")]
    #[test]
    fn paths_routes_and_ordinary_words_stay_as_they_are() {
        for text in ["/home/me/src/main.rs", "GET /api/v1/users", "sk-learn", "tokens: 1200", "a token of 3 words", "ünï — ✓"] {
            assert_eq!(Redactor.text(text).as_str(), text);
        }
    }

    #[test]
    fn a_prompt_and_a_secret_do_not_show_in_debug_output() {
        assert_eq!(format!("{:?} {:?}", Prompt::new("tell me"), Secret::new("x")), "[prompt of 7 characters] [secret]");
    }
}
