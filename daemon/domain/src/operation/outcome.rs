//! How an operation ended, and how that follows from the end of its turn and from who wanted it to stop.

use super::{Stop, TurnEnd};
use common::{error::ErrorCode, ids::OperationId, safe::SafeText};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Completed,
    Failed {
        code: ErrorCode,
        message: SafeText,
    },
    Interrupted {
        by: InterruptedBy,
    },
    /// Ended before the model saw anything.
    Cancelled,
    /// Queued after other work, which did not complete.
    NotRun {
        first: OperationId,
    },
    /// Nothing that could tell can be read any more.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterruptedBy {
    Caller,
    TurnLimit,
    /// It gave no sign of life.
    Stalled,
    /// The app-server process ended while the turn ran.
    AppServerExit,
    /// On whatever account, and codex did not end the commands that the turn had started.
    CommandsLeft,
    /// Somebody else: another client of the thread, or a declined approval that ends the turn.
    Elsewhere,
}

pub(super) fn cancelled(stop: Stop) -> Outcome {
    match stop {
        Stop::ByLimit => Outcome::Interrupted { by: InterruptedBy::TurnLimit },
        Stop::Stalled => Outcome::Interrupted { by: InterruptedBy::Stalled },
        Stop::NotAsked | Stop::ByCaller => Outcome::Cancelled,
    }
}

pub(super) fn outcome(end: TurnEnd, stop: Stop) -> Outcome {
    match end {
        TurnEnd::Completed => Outcome::Completed,
        TurnEnd::Failed { code, message } => Outcome::Failed { code, message },
        TurnEnd::Interrupted { process_gone } => Outcome::Interrupted {
            by: match (stop, process_gone) {
                (Stop::ByLimit, _) => InterruptedBy::TurnLimit,
                (Stop::Stalled, _) => InterruptedBy::Stalled,
                (Stop::ByCaller, _) => InterruptedBy::Caller,
                (Stop::NotAsked, true) => InterruptedBy::AppServerExit,
                (Stop::NotAsked, false) => InterruptedBy::Elsewhere,
            },
        },
    }
}

/// A turn that ended before our message was in it ran nothing for us.
pub(super) fn outcome_unseen(end: TurnEnd, stop: Stop) -> Outcome {
    match end {
        TurnEnd::Completed => Outcome::Failed {
            code: ErrorCode::SendFailed,
            message: SafeText::fixed(
                "codex ended the turn without taking the prompt: a UserPromptSubmit hook refused it; see the hooks of this project",
            ),
        },
        TurnEnd::Failed { .. } | TurnEnd::Interrupted { .. } => outcome(end, stop),
    }
}
