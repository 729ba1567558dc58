//! A workflow as callers see it (BEHAVIOUR 12.2): computed from its state, its plans and its operations.

use super::{
    asked, goal,
    interaction::{self, InteractionView},
    operation::{self, OperationView},
    report::FinalReport,
    review, turn, when, when_opt,
};
use crate::{
    projects::Policy,
    store::{
        StoreError, Tx,
        tables::{
            events::{self, EventRow},
            goals::{self, GoalRow},
            operations,
            plans::{self, PlanRow},
            workflows::WorkflowRow,
        },
    },
};
use common::{
    agent_safe,
    ids::*,
    safe::{Redactor, SafeText},
    time::Timestamp,
};
use domain::{
    schedule,
    workflow::{Workflow, plan::Quality},
};

agent_safe! {
    pub struct WorkflowView {
        pub workflow_id: WorkflowId,
        pub workflow_kind: &'static str,
        pub phase: &'static str,
        pub status: &'static str,
        pub project_id: ProjectId,
        pub chat_id: Option<ThreadId>,
        pub thread_id: Option<ThreadId>,
        pub plan_turn_id: Option<TurnId>,
        pub execution_turn_id: Option<TurnId>,
        pub current_operation_id: Option<OperationId>,
        pub plan_operation_id: Option<OperationId>,
        pub execution_operation_id: Option<OperationId>,
        pub client_request_id: RequestKey,
        pub last_error: Option<SafeText>,
        pub created_at: SafeText,
        pub updated_at: SafeText,
        pub completed_at: Option<SafeText>,
        pub latest_plan_item_id: Option<ItemId>,
        pub latest_plan_hash: Option<SafeText>,
        pub latest_report_hash: Option<SafeText>,
        /// The version that counts, or the newest one.
        pub latest_plan: Option<PlanView>,
        /// All versions, oldest first, each with its difference from the one before.
        pub plans: Vec<PlanVersion>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub workflow_observation: Option<Observation>,
        /// As codex_get_operation_status answers.
        #[schemars(with = "Option<super::Anything>")]
        pub plan_operation: Option<OperationView>,
        /// As codex_get_operation_status answers.
        #[schemars(with = "Option<super::Anything>")]
        pub execution_operation: Option<OperationView>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub plan_turn: Option<operation::TurnBrief>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub execution_turn: Option<operation::TurnBrief>,
        /// Of a review: what it looks at, and what it found.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub review_target: Option<asked::Target>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub review_delivery: Option<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub review_source_thread_id: Option<ThreadId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub review_thread_id: Option<ThreadId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub review_turn_id: Option<TurnId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub review_operation_id: Option<OperationId>,
        /// As codex_get_operation_status answers.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<super::Anything>")]
        pub review_operation: Option<OperationView>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub review_turn: Option<operation::TurnBrief>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub review_findings: Option<review::Findings>,
        /// On the answer to a start, an approval, an adoption.
        #[serde(skip_serializing_if = "Option::is_none")]
        /// As codex_get_operation_status answers.
        #[schemars(with = "Option<super::Anything>")]
        pub start_operation: Option<OperationView>,
        #[serde(skip_serializing_if = "Option::is_none")]
        /// As codex_get_operation_status answers.
        #[schemars(with = "Option<super::Anything>")]
        pub approve_operation: Option<OperationView>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub adopted_plan: Option<PlanView>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub thread_goal: Option<goal::GoalView>,
        pub execution_client_request_id: Option<RequestKey>,
        /// As codex_list_pending_interactions answers.
        #[schemars(with = "Vec<super::Anything>")]
        pub pending_interactions: Vec<InteractionView>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Option<super::Anything>")]
        pub final_report: Option<FinalReport>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        pub events: Vec<turn::ProgressView>,
        /// Read this before `codex_wait`: what happens after it is not missed.
        pub cursor: Cursor,
        pub source: &'static str,
        pub next_recommended_action: &'static str,
        pub recommended_poll_after_seconds: u32,
        pub poll_recommended: bool,
        /// On the answer to a change: it was so before.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub idempotent: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub idempotency_scope: Option<&'static str>,
    }

    pub struct PlanView {
        pub version: Option<u32>,
        pub turn_id: TurnId,
        pub item_id: ItemId,
        pub plan_hash: SafeText,
        pub status: &'static str,
        pub markdown: SafeText,
        pub truncated: bool,
        pub original_chars: usize,
        pub returned_chars: usize,
        pub plan_quality: &'static str,
        pub quality: &'static str,
        pub valid: bool,
        pub requires_review: bool,
        pub is_blocker: bool,
        pub created_at: SafeText,
    }

    pub struct PlanVersion {
        pub version: u32,
        pub turn_id: TurnId,
        pub plan_hash: SafeText,
        pub plan_quality: &'static str,
        pub created_at: SafeText,
        /// A unified diff from the version before.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub diff: Option<SafeText>,
    }

    pub struct Observation {
        pub available: bool,
        pub official_plan_turn_id: Option<TurnId>,
        pub recoverable_candidate_found: bool,
        pub candidate_plans: Vec<PlanView>,
    }
}

/// How much of the texts is wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) messages: u32,
    pub(crate) chars_max: usize,
    pub(crate) events: bool,
}

/// Everything a workflow's view is made of, read in one snapshot.
pub(crate) struct Parts {
    row: WorkflowRow,
    planning: operation::Parts,
    execution: Option<operation::Parts>,
    pub(crate) goal: Option<GoalRow>,
    plans: Vec<PlanRow>,
    candidates: Vec<PlanRow>,
    events: Vec<EventRow>,
}

const EVENTS_MAX: u32 = 20;

pub(crate) fn read(tx: &impl Tx, row: WorkflowRow, extent: Extent, limits: schedule::Limits, now: Timestamp) -> Result<Parts, StoreError> {
    let step = |id: &OperationId| match operations::by_id(tx, id)? {
        Some(row) => operation::read(tx, row, of_operation(extent), limits, now),
        // The table refers to it.
        None => Err(StoreError::Unwritable(format!("operation {id} of a workflow is missing"))),
    };
    let planning = step(&row.plan_operation)?;
    let execution = row.execution.as_ref().map(step).transpose()?;
    let plans = plans::of_workflow(tx, &row.id)?;
    let free = planning.row.thread.as_ref().map(|thread| plans::free_on_thread(tx, thread)).transpose()?.unwrap_or_default();
    let events = match extent.events {
        true => events::newest_of_one(tx, row.execution.as_ref().unwrap_or(&row.plan_operation), EVENTS_MAX)?,
        false => Vec::new(),
    };
    // What is older than the plan that counts was left behind on the way to it.
    let counts = row.state.version().and_then(|version| plan_of(&plans, version));
    let newer = |plan: &PlanRow| counts.is_none_or(|counts| plan.at > counts.at);
    let candidates =
        free.into_iter().filter(|plan| plan.quality == Quality::ValidPlan && Some(&plan.turn) != planning.row.turn.as_ref() && newer(plan));
    let goal = goals::by_workflow(tx, &row.id)?;
    Ok(Parts { candidates: candidates.collect(), goal, row, planning, execution, plans, events })
}

pub(super) fn of_operation(extent: Extent) -> operation::Extent {
    operation::Extent { messages: extent.messages, message_chars_max: extent.chars_max, ..operation::Extent::BRIEF }
}

pub(crate) fn view(parts: &Parts, extent: Extent, policy: &Policy, now: Timestamp) -> WorkflowView {
    let row = &parts.row;
    let of_operation = of_operation(extent);
    let mut planning = operation::view(&parts.planning, of_operation, policy, now);
    // What a planning turn says at its end is its plan, and stands there.
    planning.final_report = None;
    if planning.next_recommended_action == "read_final_report" {
        planning.next_recommended_action = "read_plan_artifact";
    }
    let mut execution = parts.execution.as_ref().map(|step| operation::view(step, of_operation, policy, now));
    let final_report = execution.as_mut().and_then(|view| view.final_report.take());
    let current = if parts.execution.is_some() { execution.as_ref() } else { Some(&planning) };
    let pending: Vec<_> = [Some(&parts.planning), parts.execution.as_ref()]
        .into_iter()
        .flatten()
        .flat_map(operation::Parts::pending)
        .map(interaction::view)
        .collect();
    let counts = row.state.version().and_then(|version| plan_of(&parts.plans, version)).or(parts.plans.last());
    let phase = phase(parts, current, !pending.is_empty());
    let (next, poll) = advice(phase, current);
    WorkflowView {
        workflow_id: row.id.clone(),
        workflow_kind: "plan_then_execute",
        phase,
        status: phase,
        project_id: parts.planning.row.spec.project_id.clone(),
        chat_id: parts.planning.row.thread.clone(),
        thread_id: parts.planning.row.thread.clone(),
        plan_turn_id: counts.map(|plan| plan.turn.clone()).or(parts.planning.row.turn.clone()),
        execution_turn_id: parts.execution.as_ref().and_then(|step| step.row.turn.clone()),
        current_operation_id: row.state.current().cloned(),
        plan_operation_id: Some(row.plan_operation.clone()),
        execution_operation_id: row.execution.clone(),
        client_request_id: row.request_key.clone(),
        last_error: row.state.why().cloned(),
        created_at: when(row.created),
        updated_at: when(row.updated),
        completed_at: when_opt(row.ended),
        latest_plan_item_id: counts.map(|plan| plan.item.clone()),
        latest_plan_hash: counts.map(|plan| Redactor.text(&plan.hash)),
        latest_report_hash: execution.as_ref().and_then(|view| view.latest_report_hash.clone()),
        latest_plan: counts.map(|plan| plan_view(plan, extent.chars_max)),
        plans: versions(&parts.plans, extent.chars_max),
        workflow_observation: Some(Observation {
            available: parts.planning.row.thread.is_some(),
            official_plan_turn_id: counts.map(|plan| plan.turn.clone()),
            recoverable_candidate_found: !parts.candidates.is_empty() && !row.state.has_begun_execution(),
            candidate_plans: parts.candidates.iter().map(|plan| plan_view(plan, extent.chars_max)).collect(),
        }),
        plan_turn: planning.turn_status.clone(),
        execution_turn: execution.as_ref().and_then(|view| view.turn_status.clone()),
        review_target: None,
        review_delivery: None,
        review_source_thread_id: None,
        review_thread_id: None,
        review_turn_id: None,
        review_operation_id: None,
        review_operation: None,
        review_turn: None,
        review_findings: None,
        thread_goal: Some(goal::view(parts.goal.as_ref(), matches!(row.state, Workflow::Ended { .. }), None)),
        start_operation: None,
        approve_operation: None,
        adopted_plan: None,
        execution_client_request_id: parts.execution.as_ref().map(|step| step.row.request_key.clone()),
        pending_interactions: pending,
        final_report,
        events: parts.events.iter().map(|event| turn::progress(event, extent.chars_max)).collect(),
        cursor: parts.planning.head,
        source: "storage",
        next_recommended_action: next,
        recommended_poll_after_seconds: poll,
        poll_recommended: poll > 0,
        plan_operation: Some(planning),
        execution_operation: execution,
        idempotent: None,
        idempotency_scope: None,
    }
}

fn plan_of(plans: &[PlanRow], version: u32) -> Option<&PlanRow> {
    plans.iter().find(|plan| plan.version.as_ref().is_some_and(|(_, of)| *of == version))
}

/// What waits for a person comes first; another valid plan on the thread before a plan that nobody approved yet.
fn phase(parts: &Parts, current: Option<&OperationView>, pending: bool) -> &'static str {
    let at_work = parts.row.state.current().and(current);
    match &parts.row.state {
        Workflow::Planning { .. } | Workflow::Executing { .. } if pending => {
            at_work.map(|view| view.status).filter(|status| status.starts_with("waiting_")).unwrap_or("waiting_for_approval")
        }
        Workflow::Planned { .. } | Workflow::NotPlanned { .. } if !parts.candidates.is_empty() => "plan_candidate_found",
        other => other.phase(),
    }
}

/// BEHAVIOUR 12.2.
fn advice(phase: &'static str, current: Option<&OperationView>) -> (&'static str, u32) {
    let waits =
        current.map(|view| view.next_recommended_action).filter(|next| matches!(*next, "wait_for_resource_lock" | "wait_for_worker_slot"));
    match phase {
        "planning" => (waits.unwrap_or("wait_plan"), 10),
        "executing" => (waits.unwrap_or("wait_execution"), 30),
        "waiting_for_approval" | "waiting_for_user_input" => ("answer_pending_interaction", 15),
        "plan_ready" => ("execute_plan", 0),
        "plan_needs_review" => ("review_plan", 0),
        "plan_candidate_found" => ("adopt_candidate_plan", 0),
        "completed" => ("read_final_report", 0),
        _ => ("inspect_diagnostics", 0),
    }
}

fn plan_view(plan: &PlanRow, chars_max: usize) -> PlanView {
    let (markdown, truncated) = Redactor.text(&plan.text).truncated(chars_max);
    PlanView {
        version: plan.version.as_ref().map(|(_, version)| *version),
        turn_id: plan.turn.clone(),
        item_id: plan.item.clone(),
        plan_hash: Redactor.text(&plan.hash),
        status: "completed",
        truncated,
        original_chars: plan.text.chars().count(),
        returned_chars: markdown.as_str().chars().count(),
        markdown,
        plan_quality: plan.quality.word(),
        quality: plan.quality.word(),
        valid: plan.quality == Quality::ValidPlan,
        requires_review: matches!(plan.quality, Quality::NeedsReview | Quality::Partial | Quality::Question),
        is_blocker: plan.quality == Quality::Blocker,
        created_at: when(plan.at),
    }
}

fn versions(plans: &[PlanRow], chars_max: usize) -> Vec<PlanVersion> {
    let before = std::iter::once(None).chain(plans.iter().map(Some));
    let all = plans.iter().zip(before).filter_map(|(plan, before)| {
        let diff = before.map(|before| {
            // Redacted first: with a sign before it a secret at the start of a line would not be known as one.
            let (before, now) = (Redactor.text(&before.text), Redactor.text(&plan.text));
            let diff = similar::TextDiff::from_lines(before.as_str(), now.as_str());
            Redactor.text(&diff.unified_diff().context_radius(2).to_string()).truncated(chars_max).0
        });
        let (_, version) = plan.version.as_ref()?;
        Some(PlanVersion {
            version: *version,
            turn_id: plan.turn.clone(),
            plan_hash: Redactor.text(&plan.hash),
            plan_quality: plan.quality.word(),
            created_at: when(plan.at),
            diff,
        })
    });
    all.collect()
}
