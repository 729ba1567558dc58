//! Send a plan back with comments: codex plans again on the same thread, and the new plan is the next version.

use super::{existing, stands};
use crate::{
    engine::{Cause, WorkflowChange},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::{
            operation::{approval_word, sandbox_word},
            workflow::{Extent, WorkflowView},
        },
        work::submit,
    },
};
use domain::operation::{Operation, Outcome};
use serde::Deserialize;

pub struct RevisePlan;

#[derive(Deserialize)]
pub struct Input {
    workflow_id: String,
    comments: String,
    client_request_id: Option<String>,
    timeout_seconds: Option<i64>,
    message_max_chars: usize,
    /// Added by the table: digest of the arguments as given.
    request_digest: String,
}

impl Tool for RevisePlan {
    const NAME: &'static str = "codex_revise_plan";
    const ABOUT: &'static str = "Send the plan of a workflow back with comments: codex plans again, and every version is kept, each with its \
        difference from the one before. Answers at once.";
    const ACCESS: Access = Access::Submit;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "workflow", next_tools: &["codex_get_workflow_status", "codex_approve_plan"], bare: false };
    const INPUT: &'static str = include_str!("revise.input.json");
    type Input = Input;
    type Output = WorkflowView;

    async fn call(cx: &Cx, input: Input) -> Result<WorkflowView, ToolError> {
        let (row, planning) = existing(cx, &input.workflow_id).await?;
        // One that was called off before its first turn left nothing to go on with.
        let called_off = matches!(planning.state, Operation::Ended { outcome: Outcome::Cancelled | Outcome::NotRun { .. }, .. });
        let never_ran = called_off && planning.spec.own_thread();
        let Some(thread) = planning.thread.as_ref().filter(|_| !never_ran) else {
            return Err(ToolError::invalid("the workflow has no thread to go on with; start a new one").with("workflowId", row.id));
        };
        let key = submit::request_key(cx, input.client_request_id.as_deref());
        // As the planning before it; what was asked for then, so that its floor is found again.
        let asked = planning.spec.adjusted;
        let again = submit::Input {
            operation_type: "send_message".to_owned(),
            chat_id: Some(thread.as_str().to_owned()),
            message: Some(input.comments),
            client_request_id: input.client_request_id,
            collaboration_mode: Some("plan".to_owned()),
            dedup_policy: Some("idempotency_only".to_owned()),
            model: planning.spec.model.clone(),
            agent_id: planning.spec.agent_id.clone(),
            priority: planning.spec.priority,
            estimated_cost_class: planning.spec.cost,
            sandbox: asked.map_or(planning.spec.sandbox, |asked| asked.sandbox).map(|word| sandbox_word(word).to_owned()),
            approval_policy: asked.map_or(planning.spec.approval, |asked| asked.approval).map(|word| approval_word(word).to_owned()),
            timeout_seconds: input.timeout_seconds,
            turn_seconds_max: planning.spec.turn_ms_max.map(|limit| limit.0 / 1_000),
            request_digest: input.request_digest,
            workflow: Some(row.id.clone()),
            ..submit::Input::default()
        };
        let again = submit::new_operation(cx, again, key).await?;
        let applied = cx.engine.apply(Cause::Workflow(Box::new(WorkflowChange::Revise { id: row.id.clone(), planning: again }))).await?;
        let idempotent = applied.workflow.is_some_and(|changed| changed.idempotent);
        let view = stands(cx, row.id, Extent { messages: 1, chars_max: input.message_max_chars, events: false }).await?;
        Ok(WorkflowView { idempotent: Some(idempotent), idempotency_scope: idempotent.then_some("revise"), ..view })
    }
}
