//! An action on a thread as callers of the contract see it (BEHAVIOUR 16): an operation by another name.

use super::{operation, turn, when, when_opt};
use crate::store::{
    StoreError, Tx,
    tables::{
        events::{self, EventRow},
        interactions,
        operations::{self, OperationRow, OperationType},
        turns::{self, TurnRow, TurnStatus},
    },
};
use common::{agent_safe, ids::*, safe::SafeText};
use domain::operation::{Operation, Outcome};

agent_safe! {
    pub struct ActionView {
        pub action_id: ActionId,
        pub action_type: &'static str,
        /// For codex_wait and codex_get_operation_status.
        pub operation_id: OperationId,
        pub thread_id: Option<ThreadId>,
        pub project_id: ProjectId,
        pub status: &'static str,
        pub created_at: SafeText,
        pub updated_at: SafeText,
        pub completed_at: Option<SafeText>,
        pub last_error: Option<SafeText>,
        pub app_server_generation: Option<Generation>,
        pub target_turn_id: Option<TurnId>,
        pub thread_state: ThreadState,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub events: Vec<turn::ProgressView>,
        pub next_recommended_action: &'static str,
        pub recommended_poll_after_seconds: u32,
        pub poll_recommended: bool,
    }

    pub struct ThreadState {
        pub known: bool,
        pub thread_id: Option<ThreadId>,
        pub project_id: ProjectId,
        /// As we left it; codex itself may have moved it since.
        pub archived: bool,
        pub latest_turn_id: Option<TurnId>,
        pub latest_turn_status: Option<&'static str>,
        pub active_turn_id: Option<TurnId>,
        pub pending_interaction_count: usize,
        pub source: &'static str,
    }
}

pub(crate) struct Parts {
    pub(crate) row: OperationRow,
    latest: Option<TurnRow>,
    moved_last: Option<OperationType>,
    pending: usize,
    events: Vec<EventRow>,
}

pub(crate) fn read(tx: &impl Tx, row: OperationRow, events_max: u32) -> Result<Parts, StoreError> {
    let of_thread = |thread: &ThreadId| Ok::<_, StoreError>((turns::newest_of(tx, thread)?, operations::moved_last(tx, thread)?));
    let (latest, moved_last) = row.thread.as_ref().map(of_thread).transpose()?.unwrap_or_default();
    let open = interactions::open(tx, None)?;
    let pending = open.iter().filter(|one| one.state.is_pending() && one.thread == row.thread).count();
    let events = if events_max > 0 { events::newest_of_one(tx, &row.id, events_max)? } else { Vec::new() };
    Ok(Parts { latest, moved_last, pending, events, row })
}

pub(crate) fn view(parts: &Parts) -> ActionView {
    let row = &parts.row;
    let status = status(row);
    let (next, poll) = match status {
        "completed" => ("read_thread_status", 0),
        "starting" | "running" => ("poll_thread_compaction", 5),
        _ => ("inspect_diagnostics", 0),
    };
    let active = parts.latest.as_ref().filter(|turn| turn.status == TurnStatus::Running);
    ActionView {
        action_id: id_of(&row.id),
        action_type: match row.spec.operation_type {
            OperationType::ArchiveThread => "archive",
            OperationType::UnarchiveThread => "unarchive",
            _ => "compact",
        },
        operation_id: row.id.clone(),
        thread_id: row.thread.clone(),
        project_id: row.spec.project_id.clone(),
        status,
        created_at: when(row.created),
        updated_at: when(row.updated),
        completed_at: when_opt(row.ended),
        last_error: operation::last_error(&row.state),
        app_server_generation: row.generation,
        target_turn_id: row.turn.clone(),
        thread_state: ThreadState {
            known: true,
            thread_id: row.thread.clone(),
            project_id: row.spec.project_id.clone(),
            archived: parts.moved_last == Some(OperationType::ArchiveThread),
            latest_turn_id: parts.latest.as_ref().map(|turn| turn.id.clone()),
            latest_turn_status: parts.latest.as_ref().map(|turn| turn.status.word()),
            active_turn_id: active.map(|turn| turn.id.clone()),
            pending_interaction_count: parts.pending,
            source: "storage",
        },
        events: parts.events.iter().map(|event| turn::progress(event, 400)).collect(),
        next_recommended_action: next,
        recommended_poll_after_seconds: poll,
        poll_recommended: poll > 0,
    }
}

/// BEHAVIOUR 6.3.
fn status(row: &OperationRow) -> &'static str {
    match &row.state {
        Operation::Ended { outcome: Outcome::Completed, .. } => "completed",
        Operation::Ended { outcome: Outcome::Unknown, .. } => "unknown_after_app_server_exit",
        Operation::Ended { .. } => "failed",
        Operation::Running { .. } => "running",
        _ => "starting",
    }
}

pub(crate) fn is_one(row: &OperationRow) -> bool {
    let kind = row.spec.operation_type;
    matches!(kind, OperationType::ArchiveThread | OperationType::UnarchiveThread | OperationType::CompactThread)
}

/// The two ids are one number.
pub(crate) fn id_of(operation: &OperationId) -> ActionId {
    ActionId::new(format!("tla_{}", operation.as_str().replace('-', "")))
}

pub(crate) fn operation_of(action: &str) -> Option<OperationId> {
    let id = uuid::Uuid::parse_str(action.strip_prefix("tla_")?).ok()?;
    Some(OperationId::new(id.to_string()))
}
