//! What can be read off a state: its moment to wake, what it holds, its thread, turn and tag.
//! It must never change a state but for `with_since`; `step` does that.

use super::{Heard, Operation, Stop, Tries};
use common::{
    ids::{ThreadId, TurnId},
    time::{Millis, Timestamp},
};

impl Operation {
    /// The next moment at which something must happen without anybody asking.
    pub fn wake_at(&self, turn_ms_max: Option<Millis>) -> Option<Timestamp> {
        match self {
            Operation::Queued { not_before, .. } => Some(*not_before),
            Operation::Running { heard: Heard::Cleaning { until, .. }, .. } => Some(*until),
            Operation::Accepted { since, stop: Stop::NotAsked, .. } | Operation::Running { since, stop: Stop::NotAsked, .. } => {
                turn_ms_max.map(|limit| *since + limit)
            }
            Operation::Running { .. }
            | Operation::CreatingThread { .. }
            | Operation::MovingThread { .. }
            | Operation::StartingTurn { .. }
            | Operation::Accepted { .. }
            | Operation::Unresolved { .. }
            | Operation::Steering { .. }
            | Operation::SteerUnresolved { .. }
            | Operation::Following { .. }
            | Operation::Ended { .. } => None,
        }
    }

    /// With another moment at which the turn began to run: the limit on its life counts from there.
    pub fn with_since(self, change: impl FnOnce(Timestamp) -> Timestamp) -> Operation {
        match self {
            Operation::Running { thread, turn, since, stop, heard } => {
                Operation::Running { thread, turn, since: change(since), stop, heard }
            }
            Operation::Accepted { thread, turn, since, tries, stop } => {
                Operation::Accepted { thread, turn, since: change(since), tries, stop }
            }
            same @ (Operation::Queued { .. }
            | Operation::CreatingThread { .. }
            | Operation::MovingThread { .. }
            | Operation::StartingTurn { .. }
            | Operation::Unresolved { .. }
            | Operation::Steering { .. }
            | Operation::SteerUnresolved { .. }
            | Operation::Following { .. }
            | Operation::Ended { .. }) => same,
        }
    }

    /// Holds one of the slots for active turns. What goes into a turn of another operation shares its slot, and a thread
    /// that is moved has none.
    pub fn holds_slot(&self) -> bool {
        match self {
            Operation::CreatingThread { .. }
            | Operation::StartingTurn { .. }
            | Operation::Accepted { .. }
            | Operation::Running { .. }
            | Operation::Unresolved { .. } => true,
            Operation::Queued { .. }
            | Operation::MovingThread { .. }
            | Operation::Steering { .. }
            | Operation::SteerUnresolved { .. }
            | Operation::Following { .. }
            | Operation::Ended { .. } => false,
        }
    }

    /// The app-server has been asked and has not begun. The tags are those of `store/tables/schedule.rs`.
    pub fn is_asking(&self) -> bool {
        matches!(self, Operation::CreatingThread { .. } | Operation::StartingTurn { .. })
    }

    pub fn is_ended(&self) -> bool {
        matches!(self, Operation::Ended { .. })
    }

    pub fn tries(&self) -> Tries {
        match self {
            Operation::Queued { tries, .. }
            | Operation::CreatingThread { tries }
            | Operation::MovingThread { tries, .. }
            | Operation::StartingTurn { tries, .. }
            | Operation::Accepted { tries, .. }
            | Operation::Unresolved { tries, .. } => *tries,
            Operation::Running { .. }
            | Operation::Steering { .. }
            | Operation::SteerUnresolved { .. }
            | Operation::Following { .. }
            | Operation::Ended { .. } => Tries { sends: 1, refusals: 0 },
        }
    }

    /// The prompt may still have to be sent.
    pub fn needs_prompt(&self) -> bool {
        !matches!(self, Operation::Running { .. } | Operation::Following { .. } | Operation::Ended { .. })
    }

    pub fn thread(&self) -> Option<&ThreadId> {
        match self {
            Operation::Queued { target, .. } => target.thread(),
            Operation::MovingThread { thread, .. }
            | Operation::StartingTurn { thread, .. }
            | Operation::Accepted { thread, .. }
            | Operation::Running { thread, .. }
            | Operation::Unresolved { thread, .. }
            | Operation::Steering { thread, .. }
            | Operation::SteerUnresolved { thread, .. }
            | Operation::Following { thread, .. } => Some(thread),
            Operation::CreatingThread { .. } | Operation::Ended { .. } => None,
        }
    }

    pub fn turn(&self) -> Option<&TurnId> {
        match self {
            Operation::Accepted { turn, .. }
            | Operation::Running { turn, .. }
            | Operation::Steering { turn, .. }
            | Operation::SteerUnresolved { turn, .. }
            | Operation::Following { turn, .. } => Some(turn),
            Operation::Queued { .. }
            | Operation::CreatingThread { .. }
            | Operation::MovingThread { .. }
            | Operation::StartingTurn { .. }
            | Operation::Unresolved { .. }
            | Operation::Ended { .. } => None,
        }
    }

    /// The tag of the stored row.
    pub fn name(&self) -> &'static str {
        match self {
            Operation::Queued { .. } => "queued",
            Operation::CreatingThread { .. } => "creating_thread",
            Operation::MovingThread { .. } => "moving_thread",
            Operation::StartingTurn { .. } => "starting_turn",
            Operation::Accepted { .. } => "accepted",
            Operation::Running { .. } => "running",
            Operation::Unresolved { .. } => "unresolved",
            Operation::Steering { .. } => "steering",
            Operation::SteerUnresolved { .. } => "steer_unresolved",
            Operation::Following { .. } => "following",
            Operation::Ended { .. } => "ended",
        }
    }
}
