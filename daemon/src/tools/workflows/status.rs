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
use common::ids::WorkflowId;
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
            let live = cx.inventory.goal(&thread).await;
            let row = cx.reader.peek(move |tx| goals::by_workflow(tx, &id)).await?;
            let shown = goal::view(row.as_ref(), view.completed_at.is_some(), live.as_ref().ok());
            // The rest of the answer is as good as ever.
            view.thread_goal = Some(match live {
                Ok(_) => shown,
                Err(error) => goal::not_shown(shown, &error.to_string()),
            });
        }
        Ok(view)
    }
}
