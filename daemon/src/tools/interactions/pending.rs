//! What codex waits for a person to say.

use crate::{
    store::tables::{
        interactions::{self, InteractionRow},
        operations, workflows,
    },
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::{
            interaction::{self, InteractionView},
            review,
        },
    },
};
use common::{agent_safe, ids::*};
use serde::Deserialize;

pub struct ListPending;

#[derive(Deserialize)]
pub struct Input {
    thread_id: Option<String>,
    turn_id: Option<String>,
    operation_id: Option<String>,
    workflow_id: Option<String>,
    status: Option<String>,
    limit: usize,
}

agent_safe! {
    pub struct Output {
        pub interactions: Vec<InteractionView>,
        pub returned_count: usize,
        pub operation_id: Option<OperationId>,
        pub workflow_id: Option<WorkflowId>,
        pub thread_id: Option<ThreadId>,
        pub turn_id: Option<TurnId>,
    }
}

/// Settled ones are looked for among this many newest.
const SETTLED_MAX: u32 = 1_000;

impl Tool for ListPending {
    const NAME: &'static str = "codex_list_pending_interactions";
    const ABOUT: &'static str = "Approvals, permissions and questions that codex waits for, with what may be answered. Filter by operation, thread or turn. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract = Contract {
        group: "stable",
        role: "read_only",
        next_tools: &["codex_answer_pending_interaction", "codex_get_operation_status"],
        bare: false,
    };
    const INPUT: &'static str = include_str!("pending.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let workflow = input.workflow_id.as_deref().map(WorkflowId::new);
        let of = workflow.clone();
        let operation = input.operation_id.as_deref().map(OperationId::new);
        let (wanted, only_open) = (operation.clone(), input.status.as_deref() == Some("pending"));
        let read = cx.reader.read(move |tx| {
            let operation = match &wanted {
                Some(id) => match operations::by_id(tx, id)? {
                    Some(row) => Some(operations::of_its_turn(tx, &row)?),
                    None => return Ok(None),
                },
                None => None,
            };
            let steps = match &of {
                Some(id) => match workflows::by_id(tx, id)? {
                    Some(row) => Some([Some(row.plan_operation), row.execution]),
                    None => match review::by_id(tx, id)? {
                        Some(row) => Some([Some(row.id), None]),
                        None => return Ok(None),
                    },
                },
                None => None,
            };
            let rows = if only_open { interactions::open(tx, None)? } else { interactions::newest(tx, SETTLED_MAX)? };
            Ok(Some((rows, operation, steps)))
        });
        let read = read.await?;
        let (rows, of_operation, steps) =
            read.ok_or_else(|| ToolError::invalid("could not find the operation or the workflow; check its id"))?;
        let thread = input.thread_id.map(ThreadId::new);
        let turn = input.turn_id.map(TurnId::new);
        let fits = |row: &&InteractionRow| {
            input.status.as_deref().is_none_or(|status| status == row.state.word())
                && (of_operation.is_none() || row.operation == of_operation)
                && steps.as_ref().is_none_or(|steps| row.operation.is_some() && steps.contains(&row.operation))
                && (thread.is_none() || row.thread == thread)
                && (turn.is_none() || row.turn == turn)
        };
        let interactions: Vec<_> = rows.iter().filter(fits).take(input.limit).map(interaction::view).collect();
        Ok(Output {
            returned_count: interactions.len(),
            interactions,
            operation_id: operation,
            workflow_id: workflow,
            thread_id: thread,
            turn_id: turn,
        })
    }
}
