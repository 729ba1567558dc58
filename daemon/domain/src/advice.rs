//! What a caller is told about a state: status word, next action, when to look again (BEHAVIOUR 6.1, 10.3).
//! Computed from states each time, never stored.

use common::ids::OperationId;

use crate::{
    interaction::Kind,
    operation::{InterruptedBy, Operation, Outcome, QueuedReason},
    schedule::Blocked,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advice {
    pub status: &'static str,
    pub next: &'static str,
    pub poll_seconds: u32,
    pub poll: bool,
}

/// `waits_for`: the kind of the oldest pending interaction of the operation.
pub fn operation(state: &Operation, waits_for: Option<Kind>, blocked: Option<&Blocked>) -> Advice {
    let advice = |status, next, poll_seconds| Advice { status, next, poll_seconds, poll: poll_seconds > 0 };
    match (state, waits_for) {
        (Operation::Queued { .. }, _) => match blocked {
            Some(Blocked::Lock { .. }) => advice("queued", "wait_for_resource_lock", 2),
            Some(Blocked::Backpressure) => advice("queued", "inspect_worker_health", 2),
            Some(Blocked::Thread(_) | Blocked::GlobalSlots | Blocked::ProjectSlots | Blocked::AgentSlots | Blocked::LastSlot) => {
                advice("queued", "wait_for_worker_slot", 2)
            }
            Some(Blocked::NotBefore(_) | Blocked::After(_) | Blocked::Paused | Blocked::RateLimited(_)) | None => {
                advice("queued", "wait_for_background_worker", 2)
            }
        },
        (Operation::CreatingThread { .. } | Operation::MovingThread { .. }, _) => advice("starting_thread", "poll_operation_status", 2),
        (
            Operation::StartingTurn { .. }
            | Operation::Accepted { .. }
            | Operation::Unresolved { .. }
            | Operation::Steering { .. }
            | Operation::SteerUnresolved { .. },
            _,
        ) => advice("starting_turn", "poll_operation_status", 2),
        (Operation::Running { .. } | Operation::Following { .. }, Some(Kind::UserInput | Kind::Elicitation)) => {
            advice("waiting_for_user_input", "answer_pending_interaction", 10)
        }
        (Operation::Running { .. } | Operation::Following { .. }, Some(Kind::Approval | Kind::Permissions)) => {
            advice("waiting_for_approval", "answer_pending_interaction", 10)
        }
        (Operation::Running { .. } | Operation::Following { .. }, Some(Kind::Unknown) | None) => advice("running", "poll_turn_status", 15),
        (Operation::Ended { outcome, .. }, _) => advice(outcome_word(outcome), outcome_next(outcome), 0),
    }
}

pub fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "completed",
        Outcome::Failed { .. } => "failed",
        Outcome::Interrupted { .. } => "interrupted",
        Outcome::Cancelled | Outcome::NotRun { .. } => "cancelled",
        Outcome::Unknown => "unknown_after_app_server_exit",
    }
}

fn outcome_next(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Completed => "read_final_report",
        Outcome::Failed { .. } | Outcome::Interrupted { .. } | Outcome::Cancelled | Outcome::NotRun { .. } | Outcome::Unknown => {
            "inspect_diagnostics"
        }
    }
}

/// The sentence shown as `lastError` of an operation that did not complete.
pub fn why_ended(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Completed => None,
        Outcome::Failed { message, .. } => Some(message.as_str()),
        Outcome::Interrupted { by: InterruptedBy::Caller } => Some("interrupted on request; send a new message to go on"),
        Outcome::Interrupted { by: InterruptedBy::TurnLimit } => {
            Some("interrupted: turn_seconds_max has passed; raise it or send a new message to go on")
        }
        Outcome::Interrupted { by: InterruptedBy::Stalled } => {
            Some("interrupted: the turn gave no sign of life for watchdog.silence_seconds_max; send a new message to go on")
        }
        Outcome::Interrupted { by: InterruptedBy::AppServerExit } => Some(
            "interrupted: the codex app-server ended while the turn ran (app_server_exit); it may have run in part, so it was not sent again",
        ),
        Outcome::Interrupted { by: InterruptedBy::CommandsLeft } => Some(
            "interrupted, but codex did not end the commands that the turn had started, and they may still run; look for them before you work there",
        ),
        Outcome::Interrupted { by: InterruptedBy::Elsewhere } => {
            Some("interrupted by another client of the thread, or by an answer that ends the turn")
        }
        Outcome::Cancelled => Some("cancelled before the model saw anything"),
        Outcome::NotRun { .. } => {
            Some("cancelled: an operation that it waited for did not complete; hand it in again once that is settled")
        }
        Outcome::Unknown => Some(
            "what became of the turn is not known: the history of its thread cannot be read; look at the project before sending it again",
        ),
    }
}

/// The contract's word for why an operation waits; nothing where it does not.
pub fn queued_reason(state: &Operation, blocked: Option<&Blocked>) -> Option<&'static str> {
    let reason = match state {
        Operation::Queued { reason, .. } => *reason,
        Operation::CreatingThread { .. }
        | Operation::MovingThread { .. }
        | Operation::StartingTurn { .. }
        | Operation::Accepted { .. }
        | Operation::Running { .. }
        | Operation::Unresolved { .. }
        | Operation::Steering { .. }
        | Operation::SteerUnresolved { .. }
        | Operation::Following { .. }
        | Operation::Ended { .. } => return None,
    };
    Some(match (reason, blocked) {
        (_, Some(Blocked::Thread(_))) => "thread_slot_limit",
        (_, Some(Blocked::GlobalSlots | Blocked::LastSlot)) => "global_slot_limit",
        (_, Some(Blocked::ProjectSlots)) => "project_slot_limit",
        (_, Some(Blocked::AgentSlots)) => "agent_slot_limit",
        (_, Some(Blocked::Lock { .. })) => "resource_lock_conflict",
        (_, Some(Blocked::After(_))) => "waiting_for_dependency",
        (_, Some(Blocked::Backpressure)) => "app_server_backpressure",
        (_, Some(Blocked::Paused)) => "queue_paused",
        (_, Some(Blocked::RateLimited(_))) => "rate_limited",
        (QueuedReason::Waiting, Some(Blocked::NotBefore(_))) => "not_before",
        (QueuedReason::Waiting, None) => "waiting_for_worker",
        (QueuedReason::AppServerNotReady, Some(Blocked::NotBefore(_)) | None) => "app_server_not_ready",
        (QueuedReason::ThreadHeldElsewhere, Some(Blocked::NotBefore(_)) | None) => "thread_held_elsewhere",
        (QueuedReason::ThreadBusy, Some(Blocked::NotBefore(_)) | None) => "thread_busy",
    })
}

/// Of `Blocked`, the operation that must end first.
pub fn blocked_by(blocked: Option<&Blocked>) -> Option<&OperationId> {
    match blocked {
        Some(Blocked::Thread(holder) | Blocked::Lock { holder, .. } | Blocked::After(holder)) => Some(holder),
        Some(
            Blocked::Backpressure
            | Blocked::GlobalSlots
            | Blocked::ProjectSlots
            | Blocked::AgentSlots
            | Blocked::LastSlot
            | Blocked::NotBefore(_)
            | Blocked::Paused
            | Blocked::RateLimited(_),
        )
        | None => None,
    }
}
