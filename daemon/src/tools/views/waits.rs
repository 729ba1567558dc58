//! Why work stands still, in a sentence for whoever waits for it: what it waits for and, where somebody can do something,
//! what. Decides nothing.

use crate::{
    clock::iso,
    store::{
        StoreError, Tx,
        tables::{app_server, operations::OperationRow, pauses, schedule as live},
    },
};
use common::{
    ids::OperationId,
    safe::{Redactor, SafeText},
    time::Timestamp,
};
use domain::{
    operation::{Operation, QueuedReason},
    schedule::{self, Blocked},
    supervise::Server,
};

/// As `because`, of a row alone.
pub(crate) fn of(tx: &impl Tx, row: &OperationRow, limits: schedule::Limits, now: Timestamp) -> Result<Option<SafeText>, StoreError> {
    let blocked = match &row.state {
        Operation::Ended { .. } => return Ok(None),
        Operation::Queued { .. } => {
            let plan = schedule::plan(&live::around(tx, row)?, limits, &pauses::all(tx)?, now);
            plan.into_iter().find(|(id, _)| *id == row.id).and_then(|(_, blocked)| blocked)
        }
        _ => None,
    };
    Ok(because(row, blocked.as_ref(), &app_server::get(tx)?.state))
}

/// `None`: it is at work or has ended, or it starts in a moment.
pub(crate) fn because(row: &OperationRow, blocked: Option<&Blocked>, server: &Server) -> Option<SafeText> {
    match &row.state {
        Operation::Running { .. } | Operation::Following { .. } | Operation::Ended { .. } => None,
        Operation::Queued { reason, .. } => match blocked {
            Some(blocked) => Some(of_schedule(blocked, *reason, server)),
            None => of_codex(*reason, server),
        },
        Operation::CreatingThread { .. }
        | Operation::MovingThread { .. }
        | Operation::StartingTurn { .. }
        | Operation::Accepted { .. }
        | Operation::Unresolved { .. }
        | Operation::Steering { .. }
        | Operation::SteerUnresolved { .. } => of_server(server),
    }
}

fn of_schedule(blocked: &Blocked, reason: QueuedReason, server: &Server) -> SafeText {
    let behind = |id: &OperationId, why: &str| Redactor.text(&format!("operation {} {why}", id.short()));
    match blocked {
        Blocked::Thread(holder) => behind(holder, "comes first on the same thread"),
        Blocked::Lock { holder, .. } => behind(holder, "writes in the same place first"),
        Blocked::After(first) => behind(first, "must complete first"),
        Blocked::NotBefore(at) => {
            of_codex(reason, server).unwrap_or_else(|| Redactor.text(&format!("it is not to start before {}", iso(*at))))
        }
        Blocked::Paused => SafeText::fixed("the queue is paused; `codexcp queue resume` lets it go on"),
        Blocked::RateLimited(until) => Redactor
            .text(&format!("the provider's limit is used up; it goes on at {}, or at once with `codexcp queue resume`", iso(*until))),
        Blocked::Backpressure => SafeText::fixed("codex has not begun yet what it was asked before; this goes on by itself"),
        Blocked::GlobalSlots => SafeText::fixed("as many turns run as limits.turns_active_max allows"),
        Blocked::ProjectSlots => SafeText::fixed("as many turns run in this project as limits.turns_active_per_project_max allows"),
        Blocked::AgentSlots => SafeText::fixed("as many turns of this agent run as limits.turns_active_per_agent_max allows"),
        Blocked::LastSlot => SafeText::fixed("it is heavy, and the last free turn is kept for lighter work for ten minutes"),
    }
}

fn of_codex(reason: QueuedReason, server: &Server) -> Option<SafeText> {
    match reason {
        QueuedReason::Waiting | QueuedReason::AppServerNotReady => of_server(server),
        QueuedReason::ThreadHeldElsewhere => {
            Some(SafeText::fixed("another codex has the thread open; close it there, and this goes on by itself"))
        }
        QueuedReason::ThreadBusy => Some(SafeText::fixed("a turn that is not ours runs on the thread; this goes on when it has ended")),
    }
}

/// Nothing while it starts for the first time: that takes a second.
fn of_server(server: &Server) -> Option<SafeText> {
    match server {
        Server::Stopped | Server::Ready { .. } | Server::Starting { why: None, .. } => None,
        Server::Starting { why: Some(why), .. } | Server::BackingOff { why, .. } => {
            Some(Redactor.text(&format!("{}. It is tried again by itself; `codexcp doctor` says more", why.as_str())))
        }
    }
}
