//! Start a plan workflow: codex plans, somebody approves, codex executes. Workflow and planning are stored together.

use super::{CHARS_MAX, stands};
use crate::{
    engine::{Cause, WorkflowChange},
    store::tables::workflows,
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::workflow::{Extent, WorkflowView},
        work::submit,
    },
};
use common::ids::*;
use domain::workflow::goal::{AtEnd, Wanted};
use serde::Deserialize;

pub struct StartPlan;

#[derive(Deserialize)]
pub struct Input {
    project_id: String,
    message: String,
    title: Option<String>,
    cwd: Option<String>,
    model: Option<String>,
    sandbox: Option<String>,
    approval_policy: Option<String>,
    client_request_id: Option<String>,
    goal: Option<String>,
    goal_token_budget: Option<u32>,
    goal_completion_action: Option<String>,
    goal_completion_objective: Option<String>,
    timeout_seconds: Option<i64>,
    turn_seconds_max: Option<i64>,
    /// Added by the table: digest of the arguments as given.
    request_digest: String,
}

impl Tool for StartPlan {
    const NAME: &'static str = "codex_start_plan_workflow";
    const ABOUT: &'static str = "Let codex plan before it works: a planning turn, then a plan that somebody approves (codex_approve_plan) or \
        sends back with comments (codex_revise_plan), then its execution. Answers at once; give a client_request_id of your own, and wait with codex_wait for \
        currentOperationId.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "workflow", next_tools: &["codex_get_workflow_status", "codex_approve_plan"], bare: false };
    const INPUT: &'static str = include_str!("start_plan.input.json");
    type Input = Input;
    type Output = WorkflowView;

    async fn call(cx: &Cx, input: Input) -> Result<WorkflowView, ToolError> {
        let goal = wanted(&input)?;
        let key = submit::request_key(cx, input.client_request_id.as_deref());
        // Before everything else: a repeated call is answered even if its project is gone by now. Another call with its id is
        // refused where it is stored.
        let wanted = key.clone();
        let earlier = cx.reader.peek(move |tx| workflows::by_request_key(tx, &wanted)).await?;
        if let Some(same) = earlier.filter(|earlier| earlier.request_digest == input.request_digest) {
            return started(cx, same.id, true).await;
        }
        let id = WorkflowId::new(format!("wf_{}", uuid::Uuid::now_v7().simple()));
        let digest = input.request_digest.clone();
        let planning = submit::Input {
            operation_type: "start_chat".to_owned(),
            project_id: Some(input.project_id),
            message: Some(input.message),
            title: input.title,
            cwd: input.cwd,
            model: input.model,
            sandbox: input.sandbox,
            approval_policy: input.approval_policy,
            collaboration_mode: Some("plan".to_owned()),
            timeout_seconds: input.timeout_seconds,
            turn_seconds_max: input.turn_seconds_max,
            request_digest: input.request_digest,
            workflow: Some(id.clone()),
            ..submit::Input::default()
        };
        let planning = submit::new_operation(cx, planning, RequestKey::new(format!("workflow:{id}:plan"))).await?;
        let change = WorkflowChange::Start { id, request_key: key, request_digest: digest, planning, goal };
        let applied = cx.engine.apply(Cause::Workflow(Box::new(change))).await?;
        let changed = applied.workflow.ok_or_else(|| ToolError::internal(&"a start left no workflow"))?;
        started(cx, changed.workflow, changed.idempotent).await
    }
}

/// Never without a budget: a goal without one would have no end if somebody makes it active.
fn wanted(input: &Input) -> Result<Option<Wanted>, ToolError> {
    const CHARS_MAX: usize = 20_000;
    const BUDGET: u32 = 1_000_000;
    let text = |value: &Option<String>| value.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let (objective, end_objective) = (text(&input.goal), text(&input.goal_completion_objective));
    if [&objective, &end_objective].into_iter().flatten().any(|text| text.chars().count() > CHARS_MAX) {
        return Err(ToolError::invalid("arguments goal and goal_completion_objective: longer than 20000 characters"));
    }
    let Some(objective) = objective else {
        return match (input.goal_token_budget, end_objective) {
            (None, None) => Ok(None),
            _ => Err(ToolError::invalid("argument goal: say the goal that the budget or the completion is for")),
        };
    };
    let at_end = match input.goal_completion_action.as_deref() {
        Some("set_complete") => AtEnd::SetComplete,
        Some("leave") => AtEnd::Leave,
        _ => AtEnd::Clear,
    };
    Ok(Some(Wanted { objective, token_budget: input.goal_token_budget.unwrap_or(BUDGET), at_end, end_objective }))
}

async fn started(cx: &Cx, id: WorkflowId, idempotent: bool) -> Result<WorkflowView, ToolError> {
    let extent = Extent { messages: 1, chars_max: CHARS_MAX, events: false };
    let view = stands(cx, id, extent).await?;
    let start_operation = view.plan_operation.clone();
    Ok(WorkflowView { start_operation, idempotent: Some(idempotent), idempotency_scope: idempotent.then_some("start"), ..view })
}
