//! Plan workflows: start one, read how it stands, approve, revise or replace its plan. And reviews.

pub mod adopt;
pub mod approve;
pub mod execute;
pub mod revise;
pub mod start_plan;
pub mod start_review;
pub mod status;

use super::{
    Cx, ToolError,
    views::{
        review,
        workflow::{self, WorkflowView},
    },
};
use crate::store::tables::{
    operations::{self, OperationRow},
    workflows::{self, WorkflowRow},
};
use common::ids::*;

/// How much of texts is shown where the call names no limit.
const CHARS_MAX: usize = 8_000;

/// The workflow and its newest planning operation.
async fn existing(cx: &Cx, id: &str) -> Result<(WorkflowRow, OperationRow), ToolError> {
    let id = WorkflowId::new(id.trim());
    let read = cx.reader.peek(move |tx| {
        let Some(row) = workflows::by_id(tx, &id)? else { return Ok(None) };
        let planning = operations::by_id(tx, &row.plan_operation)?;
        Ok(planning.map(|planning| (row, planning)))
    });
    read.await?.ok_or_else(no_workflow)
}

fn no_workflow() -> ToolError {
    ToolError::invalid("Codex workflow was not found; name one that codex_start_plan_workflow or codex_start_review_workflow made")
}

enum Parts {
    Plan(Box<workflow::Parts>),
    Review(Box<review::Parts>),
}

/// How it stands now, as the answer to a change of it.
async fn stands(cx: &Cx, id: WorkflowId, extent: workflow::Extent) -> Result<WorkflowView, ToolError> {
    let (limits, now) = (cx.config.limits, cx.engine.clock.now());
    let read = cx.reader.peek(move |tx| match (workflows::by_id(tx, &id)?, review::by_id(tx, &id)?) {
        (Some(row), _) => workflow::read(tx, row, extent, limits, now).map(|parts| Some(Parts::Plan(Box::new(parts)))),
        (None, Some(row)) => review::read(tx, row, extent, limits, now).map(|parts| Some(Parts::Review(Box::new(parts)))),
        (None, None) => Ok(None),
    });
    Ok(match read.await?.ok_or_else(no_workflow)? {
        Parts::Plan(parts) => workflow::view(&parts, extent, &cx.policy, now),
        Parts::Review(parts) => review::view(&parts, extent, &cx.policy, now),
    })
}
