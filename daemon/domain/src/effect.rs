//! What the world is asked to do. An effect is a row before it is tried; it never decides what its answer means.

use crate::operation::Move;
use common::ids::{InteractionId, ThreadId, TurnId, WorkflowId};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// `thread/start`. An unused thread is not even on disk (PROTOCOL 3), so it may be asked again.
    StartThread,
    /// `turn/start` with the operation's one client message id; `fresh` is a thread no turn was ever sent to.
    StartTurn { thread: ThreadId, fresh: bool },
    /// `turn/steer`, with the same id. It goes into the turn that runs and has none of its own.
    Steer { thread: ThreadId, turn: TurnId },
    /// `thread/archive` or `thread/unarchive`.
    MoveThread { thread: ThreadId, to: Move },
    /// `thread/resume`, then the status, then the newest items: was our message taken, and what became of it?
    LookUp { thread: ThreadId, turn: Option<TurnId> },
    /// `thread/revert`: takes out of the history a turn in which our message may stand without being listed.
    Revert { thread: ThreadId, turn: TurnId },
    /// `thread/backgroundTerminals/clean`: ends what an interrupted turn left running, and sees that it is gone.
    CleanTerminals { thread: ThreadId },
    /// `turn/interrupt`.
    Interrupt { thread: ThreadId, turn: TurnId },
    /// `thread/goal/get`, then `set` or `clear`, as the goal of a workflow wants it now.
    SyncGoal { workflow: WorkflowId },
    /// The response to a request of the app-server. A second one is ignored there (PROTOCOL 7).
    Answer { interaction: InteractionId },
}

/// What a crash in the middle of an effect leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Trying again does no harm.
    Repeatable,
    /// Never tried again blindly: it is looked up first.
    Once,
}

impl Effect {
    pub fn repeat(&self) -> Repeat {
        match self {
            Effect::StartTurn { .. } | Effect::Steer { .. } => Repeat::Once,
            Effect::StartThread
            | Effect::MoveThread { .. }
            | Effect::SyncGoal { .. }
            | Effect::LookUp { .. }
            | Effect::Revert { .. }
            | Effect::CleanTerminals { .. }
            | Effect::Interrupt { .. }
            | Effect::Answer { .. } => Repeat::Repeatable,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Effect::StartThread => "start_thread",
            Effect::StartTurn { .. } => "start_turn",
            Effect::Steer { .. } => "steer",
            Effect::MoveThread { .. } => "move_thread",
            Effect::LookUp { .. } => "look_up",
            Effect::Revert { .. } => "revert",
            Effect::CleanTerminals { .. } => "clean_terminals",
            Effect::Interrupt { .. } => "interrupt",
            Effect::SyncGoal { .. } => "sync_goal",
            Effect::Answer { .. } => "answer",
        }
    }
}
