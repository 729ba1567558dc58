//! What can happen to an operation, and the words in which it is told. Decides nothing.

use super::{Outcome, Stop};
use common::{
    error::ErrorCode,
    ids::{OperationId, ThreadId, TurnId},
    safe::SafeText,
};
use serde::{Deserialize, Serialize};

/// How a turn ended, as the app-server or its files say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TurnEnd {
    Completed,
    Failed {
        #[serde(default = "send_failed")]
        code: ErrorCode,
        message: SafeText,
    },
    /// `process_gone`: the process that ran it is not the one that tells us.
    Interrupted {
        process_gone: bool,
    },
}

/// States of before there were kinds of failures.
fn send_failed() -> ErrorCode {
    ErrorCode::SendFailed
}

/// Why the app-server did not take a request. Each of these proves that nothing was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    NotReady,
    HeldElsewhere,
    ThreadBusy,
    ThreadGone,
    Final { code: ErrorCode, message: SafeText },
}

/// What a look-up saw, after `thread/resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finding {
    /// Our message is in this turn; `end` where the turn is over.
    Turn { turn: TurnId, end: Option<TurnEnd> },
    /// The thread works on something and our message is not listed (yet).
    ActiveUnlisted,
    /// Idle, and our message is not there: it was never given to the model.
    Absent,
    /// As `Absent`, but the process that was asked died and left this turn, newer than any before, interrupted and without
    /// items: our message may be in its history all the same (measured with codex 0.169.0 and 0.171.0).
    Remnant { turn: TurnId },
    /// The thread was never written to disk, so no turn was ever sent to it.
    NoRollout,
    /// The history cannot be read and will not be readable later.
    Unreadable,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The schedule gives a slot.
    Granted,
    ThreadCreated {
        thread: ThreadId,
    },
    /// The thread was put away, or taken out again.
    ThreadMoved,
    /// The message for a turn that runs is about to be written to the app-server.
    Sending,
    /// The operation whose turn this message goes into has ended.
    TargetEnded {
        outcome: Outcome,
    },
    TurnAccepted {
        turn: TurnId,
    },
    /// The `userMessage` item with our id is complete: the durable proof (PROTOCOL 0.2).
    MessageSeen {
        turn: TurnId,
    },
    TurnEnded {
        turn: TurnId,
        end: TurnEnd,
    },
    Refused(Refusal),
    /// The other side went away, or did not answer in time: the request may have arrived or not.
    ServerLost,
    LookedUp(Finding),
    /// The turn that was left behind is out of the history.
    Reverted,
    /// What an interrupted turn left running has ended.
    Cleaned,
    /// The thread became idle.
    ThreadIdle,
    StopAsked(Stop),
    /// The app-server says that no such turn is active.
    InterruptRefused,
    /// Other work that had to complete first did not.
    FirstFailed {
        first: OperationId,
    },
}

impl Event {
    pub fn name(&self) -> &'static str {
        match self {
            Event::Granted => "granted",
            Event::ThreadCreated { .. } => "thread created",
            Event::ThreadMoved => "thread moved",
            Event::Sending => "sending",
            Event::TargetEnded { .. } => "target ended",
            Event::TurnAccepted { .. } => "turn accepted",
            Event::MessageSeen { .. } => "message seen",
            Event::TurnEnded { .. } => "turn ended",
            Event::Refused(_) => "refused",
            Event::ServerLost => "server lost",
            Event::LookedUp(_) => "looked up",
            Event::Reverted => "reverted",
            Event::Cleaned => "cleaned",
            Event::ThreadIdle => "thread idle",
            Event::StopAsked(_) => "stop asked",
            Event::InterruptRefused => "interrupt refused",
            Event::FirstFailed { .. } => "first failed",
        }
    }
}
