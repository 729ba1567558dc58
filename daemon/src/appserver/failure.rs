//! Why a provider did not finish a turn, and what a person can do about it (PROTOCOL 4). Kinds that are not known stay
//! as they were said.

use common::{
    error::ErrorCode,
    safe::{Redactor, SafeText},
};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    NoLogin,
    /// The model or the address of the provider.
    NotFound,
    ContextFull,
    Limit,
    Overload,
    /// Of tokens, as codex's configuration sets it.
    Budget,
    /// The provider's rules of use.
    Policy,
    Denials,
    Sandbox,
    /// A variable that codex's configuration names is not in its environment.
    Variable,
    Other,
}

impl Kind {
    /// What a program branches on.
    pub fn code(self) -> ErrorCode {
        match self {
            Kind::NoLogin => ErrorCode::LoginNeeded,
            Kind::NotFound => ErrorCode::ModelNotFound,
            Kind::ContextFull => ErrorCode::ContextFull,
            Kind::Limit => ErrorCode::LimitReached,
            Kind::Overload => ErrorCode::ProviderUnavailable,
            Kind::Budget | Kind::Policy | Kind::Denials | Kind::Sandbox | Kind::Variable | Kind::Other => ErrorCode::SendFailed,
        }
    }

    fn hint(self) -> Option<&'static str> {
        match self {
            Kind::NoLogin => Some("codex has no login that its provider takes: run `codex login` and hand the task in again"),
            Kind::NotFound => Some("the provider has no such model or address: check the model that was asked for and codex's config.toml"),
            Kind::ContextFull => Some("the thread is longer than the model takes: go on in a new one"),
            Kind::Limit => Some("the limit of the provider is reached: wait until it is reset, then send the message again on this thread"),
            Kind::Overload => Some("the provider is out of order or overloaded: send the message again on this thread later"),
            Kind::Budget => Some("the budget of tokens is used up: raise it in codex's configuration, or go on in a new thread"),
            Kind::Policy => Some("the provider does not do this by its rules of use: ask for it in another way"),
            Kind::Denials => {
                Some("codex stopped after too many refused requests: look at what it wanted to do, then go on with clearer words")
            }
            Kind::Sandbox => Some(SANDBOX_HINT),
            Kind::Variable => Some(
                "name the variable in app_server.environment of config.toml, set it where the daemon is started, and run `codexcp daemon restart`",
            ),
            Kind::Other => None,
        }
    }
}

/// Codex's sandbox on Linux is bubblewrap, which some containers do not let run.
pub(super) const SANDBOX_HINT: &str = "codex's sandbox does not work here: install bubblewrap or allow user namespaces; `policy.hide_home = false` \
    in config.toml runs turns without hiding this home, as codex alone would";

pub(super) fn is_of_the_sandbox(message: &str) -> bool {
    message.contains("fs sandbox helper failed") || message.contains("bubblewrap is unavailable") || message.contains("bwrap:")
}

/// Of a whole `TurnError`.
pub(super) fn kind_of(error: &Value) -> Kind {
    match (kind(&error["codexErrorInfo"]), error["message"].as_str().unwrap_or_default()) {
        (Kind::Other, message) if is_of_the_sandbox(message) => Kind::Sandbox,
        (Kind::Other, message) if message.contains("Missing environment variable") => Kind::Variable,
        (kind, _) => kind,
    }
}

/// `codexErrorInfo`: a word, or an object with one key that may hold a status of HTTP.
fn kind(info: &Value) -> Kind {
    let status = info.as_object().into_iter().flat_map(|kinds| kinds.values()).find_map(|kind| kind["httpStatusCode"].as_u64());
    match (info.as_str(), status) {
        (Some("unauthorized"), _) | (_, Some(401)) => Kind::NoLogin,
        (Some("modelNotFound"), _) | (_, Some(404)) => Kind::NotFound,
        (Some("contextWindowExceeded"), _) => Kind::ContextFull,
        (Some("rateLimitExceeded" | "usageLimitExceeded"), _) | (_, Some(429)) => Kind::Limit,
        (Some("sessionBudgetExceeded"), _) => Kind::Budget,
        (Some("bioPolicy" | "cyberPolicy" | "misalignmentPolicyViolation"), _) => Kind::Policy,
        (Some("tooManyDenials"), _) => Kind::Denials,
        (Some("sandboxError"), _) => Kind::Sandbox,
        (Some("internalServerError" | "serverOverloaded" | "flexUnavailable" | "policyCapacityUnavailable"), _) | (_, Some(500..=599)) => {
            Kind::Overload
        }
        _ => Kind::Other,
    }
}

/// The sentence of a `TurnError`.
pub(super) fn sentence(error: &Value) -> SafeText {
    let message = error["message"].as_str().unwrap_or("the app-server gave no reason");
    let details = error["additionalDetails"].as_str().map(|d| format!(": {d}")).unwrap_or_default();
    Redactor.text(&format!("{message}{details}")).truncated(2_000).0
}

pub(super) fn with_hint(error: &Value, kind: Kind) -> SafeText {
    let sentence = sentence(error);
    match kind.hint() {
        Some(hint) => Redactor.text(&format!("{sentence}; {hint}")),
        None => sentence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_kind_of_failure_says_what_can_be_done() {
        let said = |info: Value| {
            let kind = kind(&info);
            (kind, with_hint(&json!({"message": "no"}), kind).to_string())
        };
        for (info, expected, words) in [
            (json!("unauthorized"), Kind::NoLogin, "run `codex login`"),
            (json!({"httpConnectionFailed": {"httpStatusCode": 401}}), Kind::NoLogin, "run `codex login`"),
            (json!({"httpConnectionFailed": {"httpStatusCode": 404}}), Kind::NotFound, "check the model"),
            (json!("contextWindowExceeded"), Kind::ContextFull, "a new one"),
            (json!("rateLimitExceeded"), Kind::Limit, "wait until"),
            (json!("usageLimitExceeded"), Kind::Limit, "wait until"),
            (json!({"responseTooManyFailedAttempts": {"httpStatusCode": 429}}), Kind::Limit, "wait until"),
            (json!("internalServerError"), Kind::Overload, "later"),
            (json!("modelNotFound"), Kind::NotFound, "check the model"),
            (json!("flexUnavailable"), Kind::Overload, "later"),
            (json!("policyCapacityUnavailable"), Kind::Overload, "later"),
            (json!("sessionBudgetExceeded"), Kind::Budget, "a new thread"),
            (json!("bioPolicy"), Kind::Policy, "in another way"),
            (json!("sandboxError"), Kind::Sandbox, "user namespaces"),
        ] {
            let (kind, sentence) = said(info);
            assert_eq!(kind, expected);
            assert!(sentence.starts_with("no; ") && sentence.contains(words), "{sentence}");
        }
        let missing = json!({"codexErrorInfo": "other", "message": "Missing environment variable: `ACME_MODEL_KEY`."});
        assert_eq!(kind_of(&missing), Kind::Variable);
        for info in [json!("other"), json!({"x": {"httpStatusCode": null}}), Value::Null] {
            assert_eq!(said(info), (Kind::Other, "no".to_owned()));
        }
    }
}
