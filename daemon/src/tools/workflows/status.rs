//! How a workflow stands: its phase, its plan, its operations. Reads only; a workflow is not moved by being looked at.

use super::stands;
use crate::{
    store::tables::goals,
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::{
            goal,
            workflow::{Extent, WorkflowView},
        },
    },
};
use common::{error::ErrorCode, ids::WorkflowId, safe::Redactor};
use serde::Deserialize;

pub struct WorkflowStatus;

#[derive(Deserialize)]
pub struct Input {
    workflow_id: String,
    last_messages: u32,
    message_max_chars: usize,
    include_events: bool,
    refresh_live_goal: bool,
}

impl Tool for WorkflowStatus {
    const NAME: &'static str = "codex_get_workflow_status";
    const ABOUT: &'static str = "How a workflow stands: phase, the plan with its versions, planning and execution, what waits for a person, \
        the final report. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract = Contract {
        group: "stable",
        role: "poll_status",
        next_tools: &["codex_approve_plan", "codex_revise_plan", "codex_wait"],
        bare: false,
    };
    const INPUT: &'static str = include_str!("status.input.json");
    type Input = Input;
    type Output = WorkflowView;

    async fn call(cx: &Cx, input: Input) -> Result<WorkflowView, ToolError> {
        let extent = Extent { messages: input.last_messages, chars_max: input.message_max_chars, events: input.include_events };
        let id = WorkflowId::new(input.workflow_id.trim());
        let mut view = stands(cx, id.clone(), extent).await?;
        if input.refresh_live_goal
            && let Some(thread) = view.thread_id.clone()
        {
            let live = cx.inventory.goal(&thread).await.map_err(|error| {
                ToolError::new(ErrorCode::AppServerUnavailable, "could not ask codex for the goal; call again without refresh_live_goal")
                    .with("reason", Redactor.text(&error.to_string()))
            })?;
            let row = cx.reader.peek(move |tx| goals::by_workflow(tx, &id)).await?;
            view.thread_goal = Some(goal::view(row.as_ref(), view.completed_at.is_some(), Some(&live)));
        }
        Ok(view)
    }
}
