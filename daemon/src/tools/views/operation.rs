//! An operation as callers see it (BEHAVIOUR 10.1): computed from its state and what belongs to it. A block that has
//! nothing to say is left out, so that a finished status stays small (ARCHITECTURE 21.3).

pub(crate) use super::words::{approval_word, priority_word, sandbox_word};
use super::{
    asked,
    interaction::{self, InteractionView},
    report::{self, FinalReport},
    turn, waits, when, when_opt,
};
use crate::{
    projects::Policy,
    store::{
        StoreError, Tx,
        tables::{
            app_server, events,
            events::EventRow,
            interactions,
            interactions::InteractionRow,
            messages,
            messages::MessageRow,
            operations,
            operations::{OperationRow, OperationType},
            pauses, schedule as live, turns,
            turns::TurnRow,
        },
    },
};
use common::{
    agent_safe,
    ids::*,
    safe::{PathRef, Redactor, SafeText},
    time::Timestamp,
};
use domain::{
    advice,
    operation::{Asks, Operation, Outcome},
    schedule::{self, Blocked},
    supervise::Server,
};

use std::path::Path;

agent_safe! {
    pub struct OperationView {
        pub operation_id: OperationId,
        pub client_request_id: RequestKey,
        pub operation_type: &'static str,
        pub status: &'static str,
        pub phase: &'static str,
        pub project_id: ProjectId,
        pub chat_id: Option<ThreadId>,
        pub thread_id: Option<ThreadId>,
        pub turn_id: Option<TurnId>,
        pub workflow_id: Option<WorkflowId>,
        pub cwd: PathRef,
        pub attempt_count: i64,
        pub max_attempts: u8,
        pub next_attempt_at: Option<SafeText>,
        pub created_at: SafeText,
        pub updated_at: SafeText,
        pub started_at: Option<SafeText>,
        pub completed_at: Option<SafeText>,
        pub last_error: Option<SafeText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub last_error_code: Option<&'static str>,
        pub app_server_generation: Option<Generation>,
        pub request_summary: RequestSummary,
        pub operation_source: &'static str,
        pub lease_state: Lease,
        pub queue_state: Queue,
        /// Why it stands still, where it does, and what can be done about that.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub waits_because: Option<SafeText>,
        pub slot_state: Slot,
        pub resource_lock_state: Locks,
        pub dedup_state: Dedup,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub output_schema_state: Option<asked::Schema>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub fork_state: Option<asked::ForkState>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub steer_state: Option<asked::SteerState>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub review_state: Option<asked::ReviewState>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub input_item_state: Option<asked::InputItemState>,
        /// Where a new chat goes on on the thread of the same work, finished before.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub deduplicated: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub dedup_action: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub original_operation_type: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub existing_operation_id: Option<OperationId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub existing_thread_id: Option<ThreadId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub similarity: Option<f64>,
        pub reconciliation_state: Reconciliation,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub turn_status: Option<TurnBrief>,
        pub latest_messages: Vec<turn::MessageView>,
        pub pending_interactions: Vec<InteractionView>,
        pub source: &'static str,
        pub operation_row_age_seconds: i64,
        pub staleness_seconds: i64,
        pub staleness_meaning: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub progress_events: Option<Vec<turn::ProgressView>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub progress_event_count: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub latest_progress_at: Option<SafeText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub token_usage: Option<turn::TokenBands>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub final_report: Option<FinalReport>,
        pub latest_report_hash: Option<SafeText>,
        /// Its texts and events were cleared: it is too long ago (history.days), or somebody had it forgotten. The hash of its
        /// report stays; `final_report` is there where codex's own thread still has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub report_cleared: Option<bool>,
        /// Read this before `codex_wait`: what happens after it is not missed.
        pub cursor: Cursor,
        pub next_recommended_action: &'static str,
        pub recommended_poll_after_seconds: u32,
        pub poll_recommended: bool,
        /// On the answer to a submit: the same request was accepted before.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub idempotent: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub idempotency_scope: Option<&'static str>,
        /// On the answer to a submit: live work that reads much like this one. A hint, never a refusal.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub similar_operations: Vec<Similar>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub events: Option<Vec<turn::ProgressView>>,
        pub status_contract: Contract,
    }

    pub struct Similar { pub operation_id: OperationId, pub similarity_percent: u8 }

    pub struct Contract { pub version: &'static str, pub surface: &'static str }

    pub struct RequestSummary {
        pub operation_type: &'static str,
        pub project_ref: SafeText,
        pub message_summary: MessageSummary,
        pub runtime_policy: RuntimePolicy,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub resource_keys: Vec<SafeText>,
    }

    pub struct MessageSummary { pub chars: i64, pub sha256: SafeText, pub truncated: bool }

    pub struct RuntimePolicy {
        pub sandbox: Option<&'static str>,
        pub approval_policy: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub mode: Option<&'static str>,
        /// What was asked for, where planning needs something else.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub requested_sandbox: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub requested_approval_policy: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub adjustment_reason: Option<&'static str>,
    }

    pub struct Lease { pub state: &'static str }

    pub struct Queue {
        pub queue_status: &'static str,
        pub queued_reason: Option<&'static str>,
        pub priority: &'static str,
        pub agent_id: Option<SafeText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub position: Option<usize>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub blocked_by: Option<OperationId>,
    }

    pub struct Slot { pub claimed: bool }

    pub struct Locks { pub locks: Vec<PathRef> }

    pub struct Dedup {
        pub state: &'static str,
        pub deduplicated: bool,
    }

    pub struct Reconciliation { pub trusted_terminal: bool, pub terminal_evidence_source: Option<&'static str>, pub status_corrected: bool }

    pub struct TurnBrief {
        pub turn_id: TurnId,
        pub status: &'static str,
        pub started_at: SafeText,
        pub completed_at: Option<SafeText>,
        pub last_error: Option<SafeText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub stalled_at: Option<SafeText>,
    }
}

/// How much of the texts is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) messages: u32,
    pub(crate) message_chars_max: usize,
    pub(crate) progress: u32,
    pub(crate) progress_chars_max: usize,
    /// Its place in the queue, however long that is: a long one takes milliseconds to put in order.
    pub(crate) place_in_long_queue: bool,
}

impl Extent {
    /// For answers that only acknowledge.
    pub(crate) const BRIEF: Extent =
        Extent { messages: 1, message_chars_max: 8_000, progress: 0, progress_chars_max: 200, place_in_long_queue: false };
}

/// With more waiting, an answer that only acknowledges says no place.
const QUEUE_LOOKED_THROUGH_MAX: u32 = 100;

/// Everything an operation's view is made of, read in one snapshot.
pub(crate) struct Parts {
    pub(crate) row: OperationRow,
    turn: Option<TurnRow>,
    messages: Vec<MessageRow>,
    pending: Vec<InteractionRow>,
    progress: Vec<EventRow>,
    place: Option<(Option<usize>, Option<Blocked>)>,
    server: Server,
    pub(crate) head: Cursor,
}

impl Parts {
    /// The last word of work that completed, whole.
    pub(crate) fn report(&self) -> Option<&str> {
        let completed = matches!(self.row.state, Operation::Ended { outcome: Outcome::Completed, .. });
        self.messages.last().filter(|_| completed).map(|message| message.text.as_str())
    }

    /// The turn whose report was taken away, and what it hashed to: codex may still have it, unless it cannot even be started.
    pub(crate) fn cleared_report(&self) -> Option<(ThreadId, TurnId, String)> {
        let can_be_asked = !matches!(self.server, Server::BackingOff { .. });
        let row = self.row.cleared.and(Some(&self.row)).filter(|_| can_be_asked)?;
        Some((row.thread.clone()?, row.turn.clone()?, row.report_hash.clone()?))
    }

    /// As codex has it.
    pub(crate) fn put_report_back(&mut self, message: MessageRow) {
        self.messages = vec![message];
    }

    pub(crate) fn pending(&self) -> impl Iterator<Item = &InteractionRow> {
        self.pending.iter().filter(|one| one.state.is_pending())
    }
}

pub(crate) fn read(tx: &impl Tx, row: OperationRow, extent: Extent, limits: schedule::Limits, now: Timestamp) -> Result<Parts, StoreError> {
    let turn = row.turn.as_ref().map(|id| turns::by_id(tx, id)).transpose()?.flatten();
    let messages = row.turn.as_ref().map(|id| messages::newest(tx, id, extent.messages)).transpose()?.unwrap_or_default();
    // A message in a turn of another operation shows what happens to that.
    let of = operations::of_its_turn(tx, &row)?;
    let progress = if extent.progress > 0 { events::progress(tx, &of, extent.progress)? } else { Vec::new() };
    let queued = matches!(row.state, Operation::Queued { .. });
    let place = if queued {
        // Whoever submits does not wait while a long queue is put in order.
        let whole = extent.place_in_long_queue || !live::is_long(tx, QUEUE_LOOKED_THROUGH_MAX)?;
        let around = if whole { live::live(tx)? } else { live::around(tx, &row)? };
        let plan = schedule::plan(&around, limits, &pauses::all(tx)?, now);
        let found = plan.into_iter().enumerate().find(|(_, (id, _))| *id == row.id);
        found.map(|(n, (_, blocked))| (whole.then_some(n + 1), blocked))
    } else {
        None
    };
    let server = app_server::get(tx)?.state;
    Ok(Parts { server, turn, messages, pending: interactions::open(tx, Some(&of))?, progress, place, head: events::head(tx)?, row })
}

pub(crate) fn view(parts: &Parts, extent: Extent, policy: &Policy, now: Timestamp) -> OperationView {
    let Parts { row, .. } = parts;
    let waits_for = parts.pending.iter().find(|one| one.state.is_pending()).map(InteractionRow::kind);
    let blocked = parts.place.as_ref().and_then(|(_, blocked)| blocked.as_ref());
    let advice = advice::operation(&row.state, waits_for, blocked);
    let ended = row.state.is_ended();
    let completed = matches!(row.state, Operation::Ended { outcome: Outcome::Completed, .. });
    let report = parts.messages.last().filter(|_| completed);
    let mut final_report = report.map(|message| report::report(&message.text, row, extent.message_chars_max));
    if let (Some(shown), Some(_)) = (&mut final_report, row.cleared) {
        shown.source = "codex_thread";
    }
    let with_progress = extent.progress > 0 && parts.turn.is_some();
    let age = (now - row.updated).0.max(0) / 1000;
    OperationView {
        operation_id: row.id.clone(),
        client_request_id: row.request_key.clone(),
        operation_type: row.spec.operation_type.word(),
        status: advice.status,
        phase: advice.status,
        project_id: row.spec.project_id.clone(),
        chat_id: row.thread.clone(),
        thread_id: row.thread.clone(),
        turn_id: row.turn.clone(),
        workflow_id: row.spec.workflow.clone(),
        cwd: policy.shown(&row.spec.cwd),
        attempt_count: row.attempts,
        max_attempts: domain::retry::SENDS_MAX,
        next_attempt_at: when_opt(next_attempt(row, blocked, now)),
        created_at: when(row.created),
        updated_at: when(row.updated),
        started_at: when_opt(row.started),
        completed_at: when_opt(row.ended),
        last_error: last_error(&row.state),
        last_error_code: last_error_code(&row.state),
        app_server_generation: row.generation,
        request_summary: summary(row),
        operation_source: "durable_queue",
        lease_state: Lease { state: "none" },
        queue_state: queue(parts, advice.status, blocked),
        waits_because: waits::because(row, blocked, &parts.server),
        slot_state: Slot { claimed: row.state.holds_slot() },
        resource_lock_state: Locks { locks: locks(row, policy) },
        output_schema_state: asked::output_schema(row, final_report.as_ref()),
        fork_state: asked::fork(row),
        steer_state: asked::steer(row),
        review_state: asked::review(row),
        input_item_state: asked::input_items(row, policy),
        dedup_state: Dedup {
            state: if row.spec.continues.is_some() { "duplicate_continuation" } else { "new" },
            deduplicated: row.spec.continues.is_some(),
        },
        deduplicated: row.spec.continues.as_ref().map(|_| true),
        dedup_action: row.spec.continues.as_ref().map(|_| "continued_existing_chat"),
        original_operation_type: row.spec.continues.as_ref().map(|_| OperationType::StartChat.word()),
        existing_operation_id: row.spec.continues.clone(),
        existing_thread_id: row.spec.continues.as_ref().and(row.thread.clone()),
        similarity: row.spec.continues.as_ref().map(|_| 1.0),
        reconciliation_state: Reconciliation {
            trusted_terminal: ended && advice.status != "unknown_after_app_server_exit",
            terminal_evidence_source: ended.then_some("app_server"),
            status_corrected: false,
        },
        turn_status: parts.turn.as_ref().map(brief),
        // The report is the last message: it is not shown twice.
        latest_messages: if report.is_some() { Vec::new() } else { turn::messages(&parts.messages, extent.message_chars_max) },
        pending_interactions: parts.pending.iter().filter(|one| one.state.is_pending()).map(interaction::view).collect(),
        source: if ended { "storage" } else { "live" },
        operation_row_age_seconds: age,
        staleness_seconds: age,
        staleness_meaning: "operation_row_age",
        latest_progress_at: parts.progress.last().filter(|_| with_progress).map(|event| when(event.at)),
        progress_event_count: with_progress.then_some(parts.progress.len()),
        progress_events: with_progress
            .then(|| parts.progress.iter().map(|event| turn::progress(event, extent.progress_chars_max)).collect()),
        token_usage: parts.turn.as_ref().and_then(|turn| turn.tokens).map(turn::bands),
        latest_report_hash: report
            .map(|message| report::hash(&message.text))
            .or(row.report_hash.as_deref().map(|hash| Redactor.text(hash))),
        report_cleared: row.cleared.map(|_| true),
        final_report,
        cursor: parts.head,
        next_recommended_action: match (completed, row.asks()) {
            (true, Asks::Thread) => "read_forked_thread",
            (true, Asks::Move(_)) => "read_thread_status",
            _ => advice.next,
        },
        recommended_poll_after_seconds: advice.poll_seconds,
        poll_recommended: advice.poll,
        idempotent: None,
        idempotency_scope: None,
        similar_operations: Vec::new(),
        events: None,
        status_contract: Contract { version: "status-v2", surface: "operation_status" },
    }
}

pub(crate) fn agent(row: &OperationRow) -> Option<SafeText> {
    row.spec.agent_id.as_deref().map(|id| Redactor.text(id))
}

/// The paths it holds now, as they are shown to others.
fn locks(row: &OperationRow, policy: &Policy) -> Vec<PathRef> {
    let held = row.spec.writes.iter().filter(|_| row.state.holds_slot());
    held.map(|path| policy.shown(Path::new(path.as_str()))).collect()
}

fn next_attempt(row: &OperationRow, blocked: Option<&Blocked>, now: Timestamp) -> Option<Timestamp> {
    let Operation::Queued { not_before, .. } = &row.state else { return None };
    let reset = match blocked {
        Some(Blocked::RateLimited(until)) => Some(*until),
        _ => None,
    };
    Some(*not_before).max(row.spec.not_before).max(reset).filter(|at| *at > now)
}

pub(crate) fn last_error(state: &Operation) -> Option<SafeText> {
    let Operation::Ended { outcome, .. } = state else { return None };
    match outcome {
        Outcome::Failed { message, .. } => Some(message.clone()),
        other => advice::why_ended(other).map(|text| Redactor.text(text)),
    }
}

fn last_error_code(state: &Operation) -> Option<&'static str> {
    let Operation::Ended { outcome, .. } = state else { return None };
    match outcome {
        Outcome::Failed { code, .. } => Some(code.as_str()),
        Outcome::Unknown => Some(common::error::ErrorCode::OutcomeUnknown.as_str()),
        _ => None,
    }
}

fn summary(row: &OperationRow) -> RequestSummary {
    RequestSummary {
        operation_type: row.spec.operation_type.word(),
        project_ref: Redactor.text(row.spec.project_id.as_str()),
        message_summary: MessageSummary {
            chars: row.prompt_chars,
            sha256: Redactor.text(row.prompt_digest.get(..16).unwrap_or_default()),
            truncated: true,
        },
        runtime_policy: RuntimePolicy {
            sandbox: row.spec.sandbox.map(sandbox_word),
            approval_policy: row.spec.approval.map(approval_word),
            mode: row.spec.mode.map(operations::Mode::word),
            requested_sandbox: row.spec.adjusted.and_then(|asked| asked.sandbox).map(sandbox_word),
            requested_approval_policy: row.spec.adjusted.and_then(|asked| asked.approval).map(approval_word),
            adjustment_reason: row.spec.adjusted.map(|asked| adjustment_reason(&asked, &row.spec)),
        },
        resource_keys: row.spec.resource_keys.iter().map(|key| Redactor.text(key)).collect(),
    }
}

/// BEHAVIOUR 7.2.
fn adjustment_reason(asked: &operations::Adjusted, given: &operations::Spec) -> &'static str {
    match (asked.sandbox != given.sandbox, asked.approval != given.approval) {
        (true, true) => "plan_mode_uses_configured_runtime_policy",
        (false, _) => "plan_mode_uses_configured_approval_policy",
        (true, false) if given.sandbox == Some(operations::Sandbox::DangerFullAccess) => "plan_mode_uses_configured_sandbox_floor",
        (true, false) => "plan_mode_requires_workspace_write",
    }
}

/// BEHAVIOUR 6.3.
pub(crate) fn queue_status(state: &Operation, status: &'static str) -> &'static str {
    match state {
        Operation::Queued { .. } => "queued",
        Operation::Running { .. } | Operation::Following { .. } => "running",
        Operation::Ended { .. } => status,
        _ => "scheduled",
    }
}

fn queue(parts: &Parts, status: &'static str, blocked: Option<&Blocked>) -> Queue {
    let row = &parts.row;
    Queue {
        queue_status: queue_status(&row.state, status),
        queued_reason: advice::queued_reason(&row.state, blocked),
        priority: priority_word(row.spec.priority),
        agent_id: agent(row),
        position: parts.place.as_ref().and_then(|(place, _)| *place),
        blocked_by: advice::blocked_by(blocked).cloned(),
    }
}

fn brief(turn: &TurnRow) -> TurnBrief {
    TurnBrief {
        turn_id: turn.id.clone(),
        status: turn.status.word(),
        started_at: when(turn.started),
        completed_at: when_opt(turn.ended),
        last_error: turn.error.clone(),
        stalled_at: when_opt(turn.stalled),
    }
}
