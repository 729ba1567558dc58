//! Approve the plan of a workflow: it is executed, once, however many approve it.

use super::{existing, stands};
use crate::{
    engine::{Cause, WorkflowChange},
    store::tables::plans,
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::workflow::{Extent, WorkflowView},
        work::submit,
    },
};
use common::ids::*;
use serde::Deserialize;

const MESSAGE: &str = "Implement the plan.";

pub struct ApprovePlan;

#[derive(Deserialize)]
pub struct Input {
    workflow_id: String,
    client_request_id: Option<String>,
    message: Option<String>,
    output_schema: Option<serde_json::Value>,
    approval_policy: Option<String>,
    sandbox: Option<String>,
    timeout_seconds: Option<i64>,
    turn_seconds_max: Option<i64>,
    plan_hash: Option<String>,
    first_message_max_chars: usize,
    /// Added by the table: digest of the arguments as given.
    request_digest: String,
}

impl Tool for ApprovePlan {
    const NAME: &'static str = "codex_approve_plan";
    const ABOUT: &'static str = "Approve the plan of a workflow: codex executes it on the same thread, with the sandbox and approvals named here. \
        A second approval changes nothing and answers with the same execution.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "workflow", next_tools: &["codex_get_workflow_status", "codex_wait"], bare: false };
    const INPUT: &'static str = include_str!("approve.input.json");
    type Input = Input;
    type Output = WorkflowView;

    async fn call(cx: &Cx, input: Input) -> Result<WorkflowView, ToolError> {
        let chars_max = input.first_message_max_chars;
        let work = submit::Input {
            client_request_id: input.client_request_id,
            message: input.message,
            output_schema: input.output_schema,
            approval_policy: input.approval_policy,
            sandbox: input.sandbox,
            timeout_seconds: input.timeout_seconds,
            turn_seconds_max: input.turn_seconds_max,
            request_digest: input.request_digest,
            ..submit::Input::default()
        };
        let (_, idempotent) = hand_in(cx, &input.workflow_id, input.plan_hash.as_deref(), &work).await?;
        let extent = Extent { messages: 1, chars_max, events: false };
        let view = stands(cx, WorkflowId::new(input.workflow_id.trim()), extent).await?;
        let approve_operation = view.execution_operation.clone();
        Ok(WorkflowView { approve_operation, idempotent: Some(idempotent), idempotency_scope: idempotent.then_some("approve"), ..view })
    }
}

/// The one way in for an execution, whichever tool was called: its operation, and whether it was there before.
///
/// `plan_hash`: of the plan that the caller has read.
pub(in crate::tools) async fn hand_in(
    cx: &Cx,
    workflow: &str,
    plan_hash: Option<&str>,
    input: &submit::Input,
) -> Result<(OperationId, bool), ToolError> {
    let (row, planning) = existing(cx, workflow).await?;
    let id = row.id.clone();
    if let Some(execution) = row.execution {
        return Ok((execution, true));
    }
    // Without a thread there is no plan either.
    let Some(thread) = planning.thread.clone() else {
        return Err(ToolError::invalid("the workflow has no completed plan yet; wait for the planning turn to end")
            .with("workflowId", id)
            .with("phase", row.state.phase()));
    };
    let (wanted, on, version) = (id.clone(), thread.clone(), row.state.version());
    let read = cx.reader.peek(move |tx| Ok((plans::of_workflow(tx, &wanted)?, plans::newest_on_thread(tx, &on)?)));
    let (plans, newest) = read.await?;
    let plan = plans.into_iter().find(|plan| plan.version.as_ref().map(|(_, n)| *n) == version);
    if let Some(seen) = plan_hash
        && plan.as_ref().is_none_or(|plan| plan.hash != seen)
    {
        let sentence = "argument plan_hash: the workflow has another plan now; read it with codex_get_workflow_status first";
        return Err(ToolError::invalid(sentence).with("workflowId", id));
    }
    let given = input.client_request_id.as_deref().map(str::trim).filter(|key| !key.is_empty());
    let key = given.map_or_else(|| format!("workflow:{id}:execute"), str::to_owned);
    let message = input.message.clone().filter(|text| !text.trim().is_empty()).unwrap_or_else(|| MESSAGE.to_owned());
    // Codex takes the newest plan on its thread for the plan: where that is another one, it is told which one was meant.
    let message = match &plan {
        Some(plan) if newest.is_some_and(|newest| newest.turn != plan.turn) => {
            format!("{message}\n\nThe plan that was approved, whatever else was planned here:\n\n{}", plan.text)
        }
        _ => message,
    };
    // Of an approval; a submit names its own.
    let as_planned = input.operation_type.is_empty();
    let execution = submit::Input {
        operation_type: "execute_plan".to_owned(),
        chat_id: Some(thread.as_str().to_owned()),
        message: Some(message),
        client_request_id: input.client_request_id.clone(),
        output_schema: input.output_schema.clone(),
        approval_policy: input.approval_policy.clone(),
        sandbox: input.sandbox.clone(),
        model: input.model.clone().or_else(|| planning.spec.model.clone()),
        agent_id: input.agent_id.clone().or_else(|| planning.spec.agent_id.clone()),
        priority: if as_planned { planning.spec.priority } else { input.priority },
        estimated_cost_class: if as_planned { planning.spec.cost } else { input.estimated_cost_class },
        resource_keys: input.resource_keys.clone(),
        thread_mode: input.thread_mode.clone(),
        dedup_policy: input.dedup_policy.clone(),
        cwd: input.cwd.clone(),
        title: input.title.clone(),
        input_items: input.input_items.clone(),
        fork_config: input.fork_config.clone(),
        ephemeral: input.ephemeral,
        allow_historical_continuation: input.allow_historical_continuation,
        not_before: input.not_before.clone(),
        depends_on: input.depends_on.clone(),
        timeout_seconds: input.timeout_seconds,
        turn_seconds_max: input.turn_seconds_max,
        request_digest: input.request_digest.clone(),
        workflow: Some(id.clone()),
        plan: plan.map(|plan| plan.text),
        ..submit::Input::default()
    };
    let execution = submit::new_operation(cx, execution, RequestKey::new(key)).await?;
    let applied = cx.engine.apply(Cause::Workflow(Box::new(WorkflowChange::Approve { id: id.clone(), version, execution }))).await?;
    let idempotent = applied.workflow.is_none_or(|changed| changed.idempotent);
    let (row, _) = existing(cx, id.as_str()).await?;
    let execution = row.execution.ok_or_else(|| ToolError::internal(&"an approval left no execution"))?;
    Ok((execution, idempotent))
}
