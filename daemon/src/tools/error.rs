//! A no that a caller can act on: code, sentence, safe details. The one place where the errors of other layers
//! become answers.

use crate::{engine::EngineError, projects::Denied, store::StoreError};
use common::{
    error::{ErrorBody, ErrorCode, Retry},
    safe::{AgentSafe, Redactor, SafeMap, SafeText},
};
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub struct ToolError {
    pub code: ErrorCode,
    pub message: SafeText,
    pub details: SafeMap,
}

impl ToolError {
    pub fn new(code: ErrorCode, message: &str) -> ToolError {
        ToolError { code, message: Redactor.text(message), details: SafeMap::default() }
    }

    pub fn invalid(message: &str) -> ToolError {
        ToolError::new(ErrorCode::InvalidArgument, message)
    }

    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl AgentSafe) -> ToolError {
        self.details = self.details.with(key, value);
        self
    }

    /// A fault of ours: the caller gets a number, the log gets the rest.
    pub fn internal(error: &dyn std::fmt::Display) -> ToolError {
        let incident = uuid::Uuid::now_v7().simple().to_string();
        tracing::error!(incident, %error, "internal fault");
        ToolError::new(
            ErrorCode::Internal,
            &format!("could not answer because of a fault in the daemon; `codexcp logs` has it under incident {incident}"),
        )
        .with("incident", Redactor.text(&incident))
    }

    pub fn payload(&self) -> Value {
        let body = ErrorBody {
            code: self.code,
            message: self.message.clone(),
            details: self.details.clone(),
            retryable: self.code.retry() == Retry::Later,
        };
        json!({"ok": false, "error": body})
    }
}

impl From<EngineError> for ToolError {
    fn from(error: EngineError) -> ToolError {
        match error {
            EngineError::Rejected { code, message, details } => ToolError { code, message, details },
            EngineError::Store(error) => error.into(),
            EngineError::Stopping => {
                ToolError::new(ErrorCode::DaemonStarting, "the daemon is stopping; send the same call again in a moment")
            }
        }
    }
}

impl From<StoreError> for ToolError {
    fn from(error: StoreError) -> ToolError {
        match error {
            StoreError::Full | StoreError::Unwritable(_) | StoreError::Newer { .. } | StoreError::Damaged { .. } => {
                ToolError::new(ErrorCode::StateUnavailable, &format!("nothing was accepted: {error}"))
            }
            StoreError::Locked | StoreError::Pool(_) => {
                ToolError::new(ErrorCode::StateBusy, "the state database is busy; send the same call again")
            }
            StoreError::Sqlite(_) | StoreError::Row(_) => ToolError::internal(&error),
        }
    }
}

impl From<Denied> for ToolError {
    fn from(denied: Denied) -> ToolError {
        let error = ToolError { code: ErrorCode::InvalidArgument, message: denied.sentence(), details: SafeMap::default() };
        if denied.is_forbidden() { error.with("reason", "not_allowed") } else { error }
    }
}
