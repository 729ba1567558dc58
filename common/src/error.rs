//! The closed table of error codes: code, HTTP status, retry rule, one sentence.
//! Each has a heading in `docs/errors.md` (a test compares). A code is never reused for something else.

use crate::safe::SafeText;
use serde::{Deserialize, Serialize};

/// What a caller may do with the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call will fail the same way.
    Never,
    /// The same call, with the same `client_request_id`, may succeed later.
    Later,
}

macro_rules! codes {
    ($($code:ident $text:literal $status:literal $retry:ident $about:literal)*) => {
        /// Every code a tool can answer with. The names of the predecessor's contract are kept (BEHAVIOUR 25).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
        pub enum ErrorCode {
            $(#[doc = $about] #[serde(rename = $text)] $code,)*
        }

        impl ErrorCode {
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$code),*];

            pub fn as_str(self) -> &'static str {
                match self { $(ErrorCode::$code => $text),* }
            }

            /// The status of `POST /v1/tools/{name}`.
            pub fn http_status(self) -> u16 {
                match self { $(ErrorCode::$code => $status),* }
            }

            pub fn retry(self) -> Retry {
                match self { $(ErrorCode::$code => Retry::$retry),* }
            }

            pub fn about(self) -> &'static str {
                match self { $(ErrorCode::$code => $about),* }
            }
        }
    };
}

codes! {
    InvalidArgument "INVALID_ARGUMENT" 400 Never "An argument is missing, unknown, of the wrong type, outside its bounds or outside the allowed roots."
    IdempotencyConflict "IDEMPOTENCY_CONFLICT" 409 Never "This client_request_id was used before with other arguments."
    ProjectNotFound "CODEX_PROJECT_NOT_FOUND" 404 Never "No project has this id, name or path."
    ThreadNotFound "CODEX_THREAD_NOT_FOUND" 404 Never "No thread has this id."
    TurnNotFound "CODEX_TURN_NOT_FOUND" 404 Never "No turn has this id."
    TranscriptNotFound "CODEX_TRANSCRIPT_NOT_FOUND" 404 Later "The thread is known but its history cannot be read yet."
    DuplicatePromptActive "CODEX_DUPLICATE_PROMPT_ACTIVE" 409 Never "The same prompt is already at work in this project."
    Busy "CODEX_BUSY" 429 Later "The thread, the queue or the connection is full; work already accepted goes on."
    StateBusy "CODEX_STATE_BUSY" 503 Later "The state database did not take the change in time."
    StateUnavailable "CODEX_STATE_UNAVAILABLE" 503 Later "The state database refuses to store; nothing was accepted."
    Timeout "CODEX_TIMEOUT" 504 Later "The app-server did not answer within the limit."
    AppServerUnavailable "CODEX_APP_SERVER_UNAVAILABLE" 503 Later "The codex app-server is not running and could not be started."
    SendFailed "CODEX_SEND_FAILED" 502 Never "The app-server refused the request."
    LoginNeeded "CODEX_LOGIN_NEEDED" 401 Never "Codex has no login that its provider takes."
    ModelNotFound "CODEX_MODEL_NOT_FOUND" 404 Never "The provider has no such model or address."
    ContextFull "CODEX_CONTEXT_FULL" 413 Never "The thread is longer than the model takes."
    LimitReached "CODEX_LIMIT_REACHED" 429 Later "The usage limit of the provider is used up."
    ProviderUnavailable "CODEX_PROVIDER_UNAVAILABLE" 503 Later "The provider is out of order or overloaded."
    InteractionNotFound "CODEX_PENDING_INTERACTION_NOT_FOUND" 404 Never "No interaction has this id."
    InteractionUnavailable "CODEX_PENDING_INTERACTION_UNAVAILABLE" 409 Never "The interaction is no longer waiting for an answer."
    InternalStateRead "CODEX_INTERNAL_STATE_READ_ERROR" 502 Later "Codex's own files could not be read."
    OutcomeUnknown "OUTCOME_UNKNOWN" 409 Never "It may have happened; do not send it again."
    DaemonStarting "DAEMON_STARTING" 503 Later "The daemon is coming up or not reachable yet."
    Refused "CODEXCP_REFUSED" 403 Never "This caller may not do this."
    Internal "CODEXCP_INTERNAL" 500 Never "A fault inside the daemon; the incident number leads to the log."
}

/// What a refused call answers with. `details` holds safe values only.
#[derive(Debug, Clone, Serialize, schemars::JsonSchema)]
pub struct ErrorBody {
    pub code: ErrorCode,
    pub message: SafeText,
    pub details: crate::safe::SafeMap,
    pub retryable: bool,
}
