//! Stop work: a queued operation is cancelled, a running turn is interrupted. Safe to repeat.

use crate::{
    engine::Cause,
    store::tables::{
        operations::{self, OperationRow},
        workflows,
    },
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::{
            operation::{self, Extent, OperationView},
            review,
        },
    },
};
use common::{agent_safe, error::ErrorCode, ids::*};
use domain::operation::Stop;
use serde::Deserialize;
use std::time::Duration;

pub struct InterruptTurn;

#[derive(Deserialize)]
pub struct Input {
    thread_id: Option<String>,
    turn_id: Option<String>,
    operation_id: Option<String>,
    workflow_id: Option<String>,
    timeout_seconds: Option<u64>,
}

agent_safe! {
    pub struct Output {
        /// The work has ended, or codex was told to end it.
        pub interrupted: bool,
        /// False: codex has not confirmed yet; look at the status.
        pub confirmed: bool,
        pub operation_id: OperationId,
        pub workflow_id: Option<WorkflowId>,
        pub thread_id: Option<ThreadId>,
        pub turn_id: Option<TurnId>,
        pub interrupted_target: Target,
        pub status: &'static str,
        /// As codex_get_operation_status answers.
        #[schemars(with = "crate::tools::views::Anything")]
        pub operation: OperationView,
        pub next_recommended_action: &'static str,
        pub poll_recommended: bool,
        pub recommended_poll_after_seconds: u32,
    }

    pub struct Target { pub source: &'static str, pub operation_id: OperationId, pub thread_id: Option<ThreadId>, pub turn_id: Option<TurnId> }
}

impl Tool for InterruptTurn {
    const NAME: &'static str = "codex_interrupt_turn";
    const ABOUT: &'static str = "Stop an operation: queued work is cancelled, a running turn is interrupted. By operation_id, workflow_id, turn_id or thread_id. Safe to repeat.";
    const ACCESS: Access = Access::Control;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "lifecycle", next_tools: &["codex_get_operation_status", "codex_get_turn_status"], bare: false };
    const INPUT: &'static str = include_str!("interrupt.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        /// No call answers later than 45 s (ARCHITECTURE 21.8).
        const WAIT_MAX: Duration = Duration::from_secs(40);
        let (row, source) = target(cx, &input).await?;
        let mut head = cx.engine.head();
        cx.engine.apply(Cause::Stop { operation: row.id.clone(), stop: Stop::ByCaller }).await?;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(input.timeout_seconds.unwrap_or(30)).min(WAIT_MAX);
        loop {
            head.borrow_and_update();
            let output = look(cx, &row.id, source).await?;
            if output.confirmed || !matches!(tokio::time::timeout_at(deadline, head.changed()).await, Ok(Ok(()))) {
                return Ok(output);
            }
        }
    }
}

async fn target(cx: &Cx, input: &Input) -> Result<(OperationRow, &'static str), ToolError> {
    if let Some(id) = input.workflow_id.as_deref().map(WorkflowId::new) {
        let read = cx.reader.read(move |tx| {
            let Some(row) = workflows::by_id(tx, &id)? else { return review::by_id(tx, &id) };
            let newest = row.execution.unwrap_or(row.plan_operation);
            operations::by_id(tx, row.state.current().unwrap_or(&newest))
        });
        let row = read.await?.ok_or_else(|| ToolError::invalid("argument workflow_id: Codex workflow was not found"))?;
        return Ok((row, "workflow"));
    }
    if let Some(text) = &input.operation_id {
        let id = super::operation_id(cx, text).await?;
        let row = cx.reader.read(move |tx| operations::by_id(tx, &id)).await?;
        return row.map(|row| (row, "operation")).ok_or_else(super::no_operation);
    }
    if let Some(turn) = input.turn_id.as_deref().map(TurnId::new) {
        let wanted = turn.clone();
        let row = cx.reader.read(move |tx| operations::by_turn(tx, &wanted)).await?;
        return row
            .map(|row| (row, "turn"))
            .ok_or_else(|| ToolError::new(ErrorCode::TurnNotFound, "no operation of ours has this turn").with("turnId", turn));
    }
    let Some(thread) = input.thread_id.as_deref().map(ThreadId::new) else {
        return Err(ToolError::invalid("name what to stop: operation_id, workflow_id, turn_id or thread_id"));
    };
    let wanted = thread.clone();
    let row = cx.reader.read(move |tx| operations::holder_of_thread(tx, &wanted)).await?;
    row.map(|row| (row, "thread"))
        .ok_or_else(|| ToolError::invalid("no operation of ours is at work on this thread").with("threadId", thread))
}

async fn look(cx: &Cx, id: &OperationId, source: &'static str) -> Result<Output, ToolError> {
    let (limits, now, id) = (cx.config.limits, cx.engine.clock.now(), id.clone());
    let read = cx.reader.read(move |tx| match operations::by_id(tx, &id)? {
        Some(row) => operation::read(tx, row, Extent::BRIEF, limits, now).map(Some),
        None => Ok(None),
    });
    let parts = read.await?.ok_or_else(super::no_operation)?;
    let row = &parts.row;
    let view = operation::view(&parts, Extent::BRIEF, &cx.policy, now);
    Ok(Output {
        interrupted: true,
        confirmed: row.state.is_ended(),
        operation_id: row.id.clone(),
        workflow_id: row.spec.workflow.clone(),
        thread_id: row.thread.clone(),
        turn_id: row.turn.clone(),
        interrupted_target: Target { source, operation_id: row.id.clone(), thread_id: row.thread.clone(), turn_id: row.turn.clone() },
        status: view.status,
        next_recommended_action: view.next_recommended_action,
        poll_recommended: view.poll_recommended,
        recommended_poll_after_seconds: view.recommended_poll_after_seconds,
        operation: view,
    })
}
