//! How one turn stands: messages, progress, what it waits for.

use crate::{
    store::tables::{events, interactions, messages, operations, turns},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::turn::{self, TurnParts, TurnView},
    },
};
use common::{error::ErrorCode, ids::*};
use serde::Deserialize;

pub struct TurnStatus;

#[derive(Deserialize)]
pub struct Input {
    turn_id: String,
    thread_id: Option<String>,
    last_messages: u32,
    message_max_chars: usize,
    progress_events: u32,
    progress_max_chars: usize,
}

impl Tool for TurnStatus {
    const NAME: &'static str = "codex_get_turn_status";
    const ABOUT: &'static str = "How a turn stands: messages, progress, pending interactions, final message. Reads only.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract =
        Contract { group: "compatibility", role: "poll_status", next_tools: &["codex_wait", "codex_interrupt_turn"], bare: false };
    const INPUT: &'static str = include_str!("turn_status.input.json");
    type Input = Input;
    type Output = TurnView;

    async fn call(cx: &Cx, input: Input) -> Result<TurnView, ToolError> {
        let id = TurnId::new(input.turn_id.trim());
        let wanted = id.clone();
        let read = cx.reader.read(move |tx| {
            let Some(turn) = turns::by_id(tx, &wanted)? else { return Ok(None) };
            let Some(operation) = operations::by_id(tx, &turn.operation)? else { return Ok(None) };
            let progress = if input.progress_events > 0 { events::progress(tx, &operation.id, input.progress_events)? } else { Vec::new() };
            Ok(Some(TurnParts {
                messages: messages::newest(tx, &wanted, input.last_messages)?,
                pending: interactions::open(tx, Some(&operation.id))?,
                progress,
                head: events::head(tx)?,
                turn,
                operation,
            }))
        });
        let parts = read.await?.filter(|parts| input.thread_id.as_deref().is_none_or(|thread| thread == parts.turn.thread.as_str()));
        let parts = parts.ok_or_else(|| {
            ToolError::new(
                ErrorCode::TurnNotFound,
                "no turn of ours has this id on this thread; codex_get_operation_status names the turn of an operation",
            )
            .with("turnId", id)
        })?;
        Ok(turn::view(&parts, input.message_max_chars, input.progress_max_chars, cx.engine.clock.now()))
    }
}
