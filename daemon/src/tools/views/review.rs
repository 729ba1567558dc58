//! A review as callers see it (BEHAVIOUR 13): a workflow of one operation, computed from that.

use super::{
    asked, interaction,
    operation::{self, OperationView},
    turn, when, when_opt,
    workflow::{Extent, WorkflowView, of_operation},
};
use crate::{
    projects::Policy,
    store::{
        StoreError, Tx,
        tables::{
            events::{self, EventRow},
            operations::{self, OperationRow, OperationType},
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
    operation::{Operation, Outcome},
    review, schedule,
};
use std::path::Path;

agent_safe! {
    pub struct Findings {
        pub summary: SafeText,
        pub findings: Vec<Finding>,
    }

    pub struct Finding {
        /// 0 is the gravest.
        pub priority: Option<u8>,
        pub title: SafeText,
        pub path: PathRef,
        pub line_start: Option<u32>,
        pub line_end: Option<u32>,
        pub body: SafeText,
    }
}

const EVENTS_MAX: u32 = 20;

pub(crate) struct Parts {
    operation: operation::Parts,
    /// Whole: the report of the view may be shortened.
    report: Option<String>,
    events: Vec<EventRow>,
}

/// The two ids are one number.
pub(crate) fn workflow_of(operation: &OperationId) -> WorkflowId {
    WorkflowId::new(format!("wf_{}", operation.as_str().replace('-', "")))
}

/// The review with this id, if it is one.
pub(crate) fn by_id(tx: &impl Tx, id: &WorkflowId) -> Result<Option<OperationRow>, StoreError> {
    let Some(number) = id.as_str().strip_prefix("wf_").and_then(|text| uuid::Uuid::parse_str(text).ok()) else { return Ok(None) };
    let row = operations::by_id(tx, &OperationId::new(number.to_string()))?;
    Ok(row.filter(|row| row.spec.operation_type == OperationType::ReviewStart))
}

pub(crate) fn read(tx: &impl Tx, row: OperationRow, extent: Extent, limits: schedule::Limits, now: Timestamp) -> Result<Parts, StoreError> {
    let events = if extent.events { events::newest_of_one(tx, &row.id, EVENTS_MAX)? } else { Vec::new() };
    let operation = operation::read(tx, row, of_operation(extent), limits, now)?;
    let report = operation.report().map(str::to_owned);
    Ok(Parts { operation, report, events })
}

pub(crate) fn view(parts: &Parts, extent: Extent, policy: &Policy, now: Timestamp) -> WorkflowView {
    let row = &parts.operation.row;
    let mut step = operation::view(&parts.operation, of_operation(extent), policy, now);
    step.workflow_id = Some(workflow_of(&row.id));
    let final_report = step.final_report.clone();
    let phase = phase(&row.state, &step);
    let (next, poll) = advice(phase, &step);
    WorkflowView {
        workflow_id: workflow_of(&row.id),
        workflow_kind: "code_review",
        phase,
        status: phase,
        project_id: row.spec.project_id.clone(),
        chat_id: row.thread.clone(),
        thread_id: row.thread.clone(),
        current_operation_id: (!row.state.is_ended()).then(|| row.id.clone()),
        client_request_id: row.request_key.clone(),
        last_error: operation::last_error(&row.state),
        created_at: when(row.created),
        updated_at: when(row.updated),
        completed_at: when_opt(row.ended),
        latest_report_hash: step.latest_report_hash.clone(),
        review_source_thread_id: row.spec.review.as_ref().and_then(|review| review.source.clone()),
        review_thread_id: row.thread.clone(),
        review_turn_id: row.turn.clone(),
        review_operation_id: Some(row.id.clone()),
        review_target: row.spec.review.as_ref().map(|review| asked::target(&review.target, row.prompt_chars)),
        review_delivery: row.spec.review.as_ref().map(|review| if review.inline { "inline" } else { "detached" }),
        review_findings: parts.report.as_deref().map(|text| findings(text, policy)),
        review_turn: step.turn_status.clone(),
        pending_interactions: parts.operation.pending().map(interaction::view).collect(),
        final_report,
        events: parts.events.iter().map(|event| turn::progress(event, extent.chars_max)).collect(),
        cursor: parts.operation.head,
        source: "storage",
        next_recommended_action: next,
        recommended_poll_after_seconds: poll,
        poll_recommended: poll > 0,
        review_operation: Some(step),
        plan_turn_id: None,
        execution_turn_id: None,
        plan_operation_id: None,
        execution_operation_id: None,
        latest_plan_item_id: None,
        latest_plan_hash: None,
        latest_plan: None,
        plans: Vec::new(),
        workflow_observation: None,
        plan_operation: None,
        execution_operation: None,
        plan_turn: None,
        execution_turn: None,
        thread_goal: None,
        start_operation: None,
        approve_operation: None,
        adopted_plan: None,
        execution_client_request_id: None,
        idempotent: None,
        idempotency_scope: None,
    }
}

/// BEHAVIOUR 6.3.
fn phase(state: &Operation, step: &OperationView) -> &'static str {
    match state {
        Operation::Queued { .. } => "queued",
        Operation::CreatingThread { .. } => "starting_thread",
        Operation::Running { .. } if step.status.starts_with("waiting_") => step.status,
        Operation::Running { .. } => "reviewing",
        Operation::Ended { outcome: Outcome::Completed, .. } => "completed",
        Operation::Ended { outcome: Outcome::Unknown, .. } => "orphaned",
        Operation::Ended { .. } => "failed",
        _ => "starting_review",
    }
}

/// BEHAVIOUR 13.
fn advice(phase: &'static str, step: &OperationView) -> (&'static str, u32) {
    match phase {
        "completed" => ("read_review_report", 0),
        "failed" | "orphaned" => ("inspect_diagnostics", 0),
        "waiting_for_approval" | "waiting_for_user_input" => ("answer_pending_interaction", 15),
        "queued" if step.next_recommended_action.starts_with("wait_for_") => match step.next_recommended_action {
            "wait_for_background_worker" => ("wait_for_worker_slot", 5),
            lock_or_slot => (lock_or_slot, 5),
        },
        "reviewing" => ("wait_review", 15),
        _ => ("wait_review", 5),
    }
}

fn findings(text: &str, policy: &Policy) -> Findings {
    let read = review::findings(text);
    let one = |finding: review::Finding| Finding {
        priority: finding.priority,
        title: Redactor.text(&finding.title),
        path: policy.shown(Path::new(&finding.path)),
        line_start: finding.lines.map(|(start, _)| start),
        line_end: finding.lines.map(|(_, end)| end),
        body: Redactor.text(&finding.body),
    };
    Findings { summary: Redactor.text(&read.summary), findings: read.findings.into_iter().map(one).collect() }
}
