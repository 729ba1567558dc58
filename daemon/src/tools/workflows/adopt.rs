//! Let another plan of the thread take the place of the workflow's own: one that somebody had codex write there meanwhile,
//! or an earlier version.

use super::stands;
use crate::{
    engine::{Cause, WorkflowChange},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::workflow::{Extent, WorkflowView},
    },
};
use common::ids::*;
use serde::Deserialize;

pub struct AdoptPlan;

#[derive(Deserialize)]
pub struct Input {
    workflow_id: String,
    candidate_turn_id: String,
    candidate_plan_hash: String,
    message_max_chars: usize,
}

impl Tool for AdoptPlan {
    const NAME: &'static str = "codex_adopt_workflow_plan";
    const ABOUT: &'static str = "Make a plan of another turn of the thread, or an earlier version, the plan of the workflow. \
        candidatePlans and plans of codex_get_workflow_status name them with their hashes.";
    const ACCESS: Access = Access::Control;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "workflow", next_tools: &["codex_get_workflow_status", "codex_approve_plan"], bare: false };
    const INPUT: &'static str = include_str!("adopt.input.json");
    type Input = Input;
    type Output = WorkflowView;

    async fn call(cx: &Cx, input: Input) -> Result<WorkflowView, ToolError> {
        let id = WorkflowId::new(input.workflow_id.trim());
        let change =
            WorkflowChange::Adopt { id: id.clone(), turn: TurnId::new(input.candidate_turn_id.trim()), hash: input.candidate_plan_hash };
        let applied = cx.engine.apply(Cause::Workflow(Box::new(change))).await?;
        let idempotent = applied.workflow.is_some_and(|changed| changed.idempotent);
        let view = stands(cx, id, Extent { messages: 1, chars_max: input.message_max_chars, events: false }).await?;
        let adopted_plan = view.latest_plan.clone();
        Ok(WorkflowView { adopted_plan, idempotent: Some(idempotent), idempotency_scope: idempotent.then_some("adopt_plan"), ..view })
    }
}
