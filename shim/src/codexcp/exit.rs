//! How a command ended: the exit codes, and which of them an error of the daemon stands for. The codes are promised
//! to scripts; a number never changes its meaning.

use super::ids;
use crate::{autostart::StartError, service::ServiceError};
use common::client::ClientError;
use serde_json::{Value, json};
use std::process::ExitCode;

/// The exit codes of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Success = 0,
    Failed = 1,
    Usage = 2,
    NotFound = 3,
    /// By a policy, or because it conflicts with what is there.
    Refused = 4,
    Unreachable = 5,
    NeedsInput = 6,
    TimedOut = 7,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

impl Exit {
    /// How an operation with this status ended.
    pub(crate) fn of_outcome(status: &str) -> Exit {
        if status == "completed" { Exit::Success } else { Exit::Failed }
    }

    fn of_error(code: &str, message: &str) -> Exit {
        match code {
            // The contract has no code of its own for an operation that is not there.
            "INVALID_ARGUMENT" if message.contains("operation was not found") || message.contains("no operation, or more than one") => {
                Exit::NotFound
            }
            "INVALID_ARGUMENT" => Exit::Usage,
            "CODEX_PROJECT_NOT_FOUND"
            | "CODEX_THREAD_NOT_FOUND"
            | "CODEX_TURN_NOT_FOUND"
            | "CODEX_TRANSCRIPT_NOT_FOUND"
            | "CODEX_PENDING_INTERACTION_NOT_FOUND" => Exit::NotFound,
            "CODEXCP_REFUSED" | "IDEMPOTENCY_CONFLICT" | "CODEX_DUPLICATE_PROMPT_ACTIVE" | "CODEX_PENDING_INTERACTION_UNAVAILABLE" => {
                Exit::Refused
            }
            "DAEMON_STARTING" => Exit::Unreachable,
            "CODEX_TIMEOUT" => Exit::TimedOut,
            _ => Exit::Failed,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Exit::Success => "OK",
            Exit::Failed => "FAILED",
            Exit::Usage => "USAGE",
            Exit::NotFound => "NOT_FOUND",
            Exit::Refused => "REFUSED",
            Exit::Unreachable => "DAEMON_UNREACHABLE",
            Exit::NeedsInput => "NEEDS_INPUT",
            Exit::TimedOut => "TIMED_OUT",
            Exit::Interrupted => "INTERRUPTED",
        }
    }
}

/// What the daemon's sentences name is for programs; a person has these commands for it.
const COMMANDS: &[(&str, &str)] = &[
    ("codex_get_queue_status", "`codexcp status`"),
    ("codex_get_app_server_status", "`codexcp doctor`"),
    ("codex_get_operation_status", "`codexcp show ID`"),
    ("codex_get_workflow_status", "`codexcp show ID`"),
    ("codex_list_pending_interactions", "`codexcp pending`"),
    ("codex_list_projects", "`codexcp config`"),
    ("codex_start_plan_workflow or codex_start_review_workflow", "`codexcp plan` or `codexcp review`"),
    ("codex_start_plan_workflow", "`codexcp plan`"),
    ("; tools/list has the schema", "; `codexcp help` shows what there is"),
];

fn for_people(sentence: &str) -> String {
    COMMANDS.iter().fold(sentence.to_owned(), |sentence, (tool, command)| sentence.replace(tool, command))
}

/// Why a command did not do what it was asked; the message ends in what to do.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    /// The answer of the daemon, where it gave one.
    payload: Option<Value>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into(), payload: None }
    }

    pub(crate) fn of_payload(payload: Value) -> Failure {
        let error = &payload["error"];
        let message = match (error["code"].as_str(), error["details"]["existingOperationId"].as_str()) {
            // The daemon's own sentence is for programs, which say it in another way.
            (Some("CODEX_DUPLICATE_PROMPT_ACTIVE"), Some(id)) => {
                let short = ids::short(id);
                format!(
                    "{short} has this task at work in this project already; follow it with `codexcp wait {short}`; `codexcp run --again` hands it in all the same"
                )
            }
            _ => for_people(error["message"].as_str().unwrap_or("the daemon gave no reason; see `codexcp logs`")),
        };
        let refused = payload["error"]["details"]["reason"] == "not_allowed";
        let exit = if refused { Exit::Refused } else { Exit::of_error(payload["error"]["code"].as_str().unwrap_or_default(), &message) };
        Failure { exit, message, payload: Some(payload) }
    }

    /// What `--json` shows: the daemon's own words, else the same shape.
    pub(crate) fn as_json(&self) -> Value {
        self.payload.clone().unwrap_or_else(|| json!({"ok": false, "error": {"code": self.exit.word(), "message": self.message}}))
    }

    /// The daemon is stopping or coming up; the same call may succeed in a moment.
    pub(crate) fn says_starting(&self) -> bool {
        self.payload.as_ref().is_some_and(|payload| payload["error"]["code"] == "DAEMON_STARTING")
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Failure {
        let exit = if matches!(error, ClientError::Refused(_)) { Exit::Refused } else { Exit::Unreachable };
        Failure::new(exit, error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Failure {
        match error {
            StartError::Client(error) => error.into(),
            StartError::BelowAppServer => Failure::new(Exit::Refused, error.to_string()),
            StartError::NoProgram | StartError::Spawn(_) | StartError::Ended(_) | StartError::Home { .. } => {
                Failure::new(Exit::Unreachable, error.to_string())
            }
        }
    }
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Failure {
        Failure::new(if error.is_refusal() { Exit::Refused } else { Exit::Failed }, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: &str, message: &str) -> Exit {
        Failure::of_payload(json!({"ok": false, "error": {"code": code, "message": message}})).exit
    }

    #[test]
    fn each_error_has_the_exit_code_that_scripts_expect() {
        assert_eq!(exit("CODEXCP_REFUSED", "no"), Exit::Refused);
        assert_eq!(exit("IDEMPOTENCY_CONFLICT", "no"), Exit::Refused);
        assert_eq!(exit("CODEX_DUPLICATE_PROMPT_ACTIVE", "no"), Exit::Refused);
        assert_eq!(exit("CODEX_THREAD_NOT_FOUND", "no"), Exit::NotFound);
        assert_eq!(exit("INVALID_ARGUMENT", "argument message: must not be blank"), Exit::Usage);
        assert_eq!(exit("INVALID_ARGUMENT", "Codex operation was not found; see"), Exit::NotFound);
        assert_eq!(exit("SOMETHING_NEW", "?"), Exit::Failed);
        assert_eq!(Exit::of_outcome("completed") as u8, 0);
        assert_eq!(Exit::of_outcome("cancelled") as u8, 1);
        assert_eq!(Exit::Interrupted as u8, 130);
    }

    #[test]
    fn a_failure_of_our_own_has_the_shape_of_the_daemons() {
        let shown = Failure::new(Exit::NotFound, "gone; look elsewhere").as_json();
        assert_eq!(shown, json!({"ok": false, "error": {"code": "NOT_FOUND", "message": "gone; look elsewhere"}}));
    }

    /// FAULTS E9.
    #[test]
    fn a_person_is_told_of_commands_and_a_program_of_tools() {
        let message = "Codex operation was not found; codex_get_queue_status and `codexcp list` show the ones there are";
        let failure = Failure::of_payload(json!({"ok": false, "error": {"code": "INVALID_ARGUMENT", "message": message}}));
        assert_eq!(failure.message, "Codex operation was not found; `codexcp status` and `codexcp list` show the ones there are");
        assert_eq!((failure.exit, &failure.as_json()["error"]["message"]), (Exit::NotFound, &json!(message)));
    }
}
