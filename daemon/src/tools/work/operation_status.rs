//! How one operation stands, and its report once it has ended.

use crate::{
    store::tables::{events, messages, operations},
    tools::{
        Access, Contract, Cx, Tool, ToolError,
        views::{
            operation::{self, Extent, OperationView},
            turn,
        },
    },
};
use common::ids::Cursor;
use serde::Deserialize;

pub struct OperationStatus;

#[derive(Deserialize)]
pub struct Input {
    operation_id: String,
    last_messages: u32,
    message_max_chars: usize,
    progress_events: u32,
    progress_max_chars: usize,
    include_events: bool,
}

impl Tool for OperationStatus {
    const NAME: &'static str = "codex_get_operation_status";
    const ABOUT: &'static str = "How an operation stands: status, progress, pending interactions, final report. Reads only. Of work that ended long ago it reads the report from codex's own thread. To wait for a change use codex_wait.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "poll_status", next_tools: &["codex_wait", "codex_list_pending_interactions"], bare: false };
    const INPUT: &'static str = include_str!("operation_status.input.json");
    type Input = Input;
    type Output = OperationView;

    async fn call(cx: &Cx, input: Input) -> Result<OperationView, ToolError> {
        let extent = Extent {
            messages: input.last_messages,
            message_chars_max: input.message_max_chars,
            progress: input.progress_events,
            progress_chars_max: input.progress_max_chars,
            place_in_long_queue: true,
        };
        let (limits, now) = (cx.config.limits, cx.engine.clock.now());
        let read = cx.reader.peek(move |tx| {
            let id = match super::named(tx, &input.operation_id)? {
                Ok(id) => id,
                Err(no) => return Ok(Err(no)),
            };
            let Some(row) = operations::by_id(tx, &id)? else { return Ok(Err(super::no_operation())) };
            let events = if input.include_events { Some(events::after(tx, Cursor(0), &id, 50)?) } else { None };
            Ok(Ok((operation::read(tx, row, extent, limits, now)?, events)))
        });
        let (mut parts, events) = read.await??;
        if let Some((thread, turn, hash)) = parts.cleared_report()
            && let Some(message) = cx.inventory.report(&thread, &turn).await
            && messages::hash(&message.text) == hash
        {
            parts.put_report_back(message);
        }
        Ok(OperationView {
            events: events.map(|events| events.iter().map(|event| turn::progress(event, input.progress_max_chars)).collect()),
            ..operation::view(&parts, extent, &cx.policy, now)
        })
    }
}
