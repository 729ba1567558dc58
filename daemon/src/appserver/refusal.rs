//! What a refusal of the app-server means. Its codes do not classify, its words do (PROTOCOL 2): here is the only
//! place that reads them.

use super::{failure, rpc::RpcError};
use common::{error::ErrorCode, safe::Redactor};
use domain::operation::Refusal;

/// `None`: no refusal, but silence; it may have arrived or not.
pub(super) fn classify(error: &RpcError) -> Option<Refusal> {
    let RpcError::Refused { code, message, data } = error else { return None };
    let says = |words: &str| message.contains(words);
    let failed = |code, message: String| Refusal::Final { code, message: Redactor.text(&message).truncated(2_000).0 };
    Some(if data["reason"] == "serverShuttingDown" || *code == -32001 {
        Refusal::NotReady
    } else if says("already has an active writer") {
        Refusal::HeldElsewhere
    } else if is_no_rollout(error) || is_empty_rollout(error) || says("thread not found") || says("thread not loaded") {
        Refusal::ThreadGone
    } else if says("is archived") {
        failed(ErrorCode::ThreadNotFound, "could not continue the thread: it is archived; unarchive it first".to_owned())
    } else if data["input_error_code"] == "input_too_large" {
        failed(ErrorCode::InvalidArgument, "could not send the prompt: it is longer than codex takes (1 048 576 characters)".to_owned())
    } else {
        let hint = if failure::is_of_the_sandbox(message) { format!("; {}", failure::SANDBOX_HINT) } else { String::new() };
        failed(ErrorCode::SendFailed, format!("codex refused the request: {message}{hint}"))
    })
}

/// Written by `thread/resume` and others for a thread that was never put on disk.
pub(super) fn is_no_rollout(error: &RpcError) -> bool {
    matches!(error, RpcError::Refused { message, .. } if message.contains("no rollout found"))
}

/// A record that its process made and was killed before it wrote the first line: nothing of the thread is on disk, and
/// a message that is not on disk was not given to the model (PROTOCOL 6).
pub(super) fn is_empty_rollout(error: &RpcError) -> bool {
    matches!(error, RpcError::Refused { message, .. } if message.contains("rollout at ") && message.ends_with(" is empty"))
}

/// A loaded thread does not have the profile that a turn selects.
pub(super) fn is_unknown_profile(error: &RpcError) -> bool {
    let says = |message: &str| message.contains("refers to undefined profile") || message.contains("requires a `[permissions]` table");
    matches!(error, RpcError::Refused { message, .. } if says(message))
}

pub(super) fn is_no_active_turn(error: &RpcError) -> bool {
    matches!(error, RpcError::Refused { message, .. } if message.contains("no active turn") || message.contains("expected active turn id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn refused(message: &str, data: Value) -> Option<Refusal> {
        classify(&RpcError::Refused { code: -32600, message: message.to_owned(), data })
    }

    #[test]
    fn refusals_that_prove_nothing_ran_are_told_apart_by_their_words() {
        assert_eq!(refused("x", json!({"reason": "serverShuttingDown"})), Some(Refusal::NotReady));
        assert_eq!(refused("thread 1 already has an active writer", Value::Null), Some(Refusal::HeldElsewhere));
        assert_eq!(refused("no rollout found for thread id 1", Value::Null), Some(Refusal::ThreadGone));
        let empty = "failed to read thread: failed to read session metadata a.jsonl: rollout at a.jsonl is empty";
        assert_eq!(refused(empty, Value::Null), Some(Refusal::ThreadGone));
        assert!(matches!(refused("Invalid request: x", Value::Null), Some(Refusal::Final { code: ErrorCode::SendFailed, .. })));
        assert_eq!(classify(&RpcError::Lost), None);
    }
}
