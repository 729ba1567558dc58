//! The feed of events: from a cursor on, filtered, cut to a length. One feed for everybody who follows.

use crate::{
    store::tables::events::{self, EventRow},
    tools::{Access, Contract, Cx, Tool, ToolError, views::when},
};
use common::{
    agent_safe,
    ids::*,
    safe::{Redactor, SafeJson, SafeText},
};
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

pub struct GetEvents;

#[derive(Deserialize)]
pub struct Input {
    after_cursor: i64,
    operation_id: Option<String>,
    types: Vec<String>,
    limit: u32,
    max_chars: usize,
    max_seconds: u64,
}

agent_safe! {
    pub struct Output {
        pub events: Vec<EventView>,
        pub returned_count: usize,
        pub has_more: bool,
        /// Give it as after_cursor of the next call.
        pub cursor: Cursor,
    }

    pub struct EventView {
        pub cursor: Cursor,
        pub at: SafeText,
        #[serde(rename = "type")]
        pub kind: SafeText,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub category: Option<SafeText>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub operation_id: Option<OperationId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub thread_id: Option<ThreadId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub turn_id: Option<TurnId>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub interaction_id: Option<InteractionId>,
        pub actor: SafeText,
        pub body: SafeJson,
        pub truncated: bool,
    }
}

impl Tool for GetEvents {
    const NAME: &'static str = "codex_get_events";
    const ABOUT: &'static str = "What happened, in order, after a cursor: operations, turns, messages, progress, interactions, app-server. Can wait for the first event.";
    const ACCESS: Access = Access::Read;
    const CONTRACT: Contract =
        Contract { group: "stable", role: "read_only", next_tools: &["codex_wait", "codex_get_operation_status"], bare: false };
    const INPUT: &'static str = include_str!("events.input.json");
    type Input = Input;
    type Output = Output;

    async fn call(cx: &Cx, input: Input) -> Result<Output, ToolError> {
        let operation = match &input.operation_id {
            Some(text) => Some(super::operation_id(cx, text).await?),
            None => None,
        };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(input.max_seconds);
        let mut head = cx.engine.head();
        loop {
            head.borrow_and_update();
            let (after, operation, types, limit) = (Cursor(input.after_cursor), operation.clone(), input.types.clone(), input.limit);
            let read = cx.reader.read(move |tx| Ok((events::after(tx, after, operation.as_ref(), &types, limit + 1)?, events::head(tx)?)));
            let (mut rows, newest) = read.await?;
            let has_more = rows.len() > limit as usize;
            rows.truncate(limit as usize);
            let done = !rows.is_empty() || !matches!(tokio::time::timeout_at(deadline, head.changed()).await, Ok(Ok(())));
            if done {
                // With nothing more to come before the head, the next look starts there.
                let cursor = match rows.last() {
                    Some(last) if has_more => last.cursor,
                    Some(_) | None => newest.max(after),
                };
                let events: Vec<_> = rows.iter().map(|row| view(row, input.max_chars)).collect();
                return Ok(Output { returned_count: events.len(), events, has_more, cursor });
            }
        }
    }
}

pub(crate) fn view(row: &EventRow, chars_max: usize) -> EventView {
    let mut body = row.body.clone();
    let truncated = cut(&mut body, chars_max);
    EventView {
        cursor: row.cursor,
        at: when(row.at),
        kind: Redactor.text(&row.kind),
        category: row.category.as_deref().map(|c| Redactor.text(c)),
        operation_id: row.operation.clone(),
        thread_id: row.thread.clone(),
        turn_id: row.turn.clone(),
        interaction_id: row.interaction.clone(),
        actor: Redactor.text(&row.actor),
        body: Redactor.json(&body),
        truncated,
    }
}

fn cut(value: &mut Value, chars_max: usize) -> bool {
    match value {
        Value::String(text) => match text.char_indices().nth(chars_max) {
            Some((end, _)) => {
                text.truncate(end);
                true
            }
            None => false,
        },
        // Every part is cut, not only the first that is too long.
        Value::Object(map) => map.values_mut().map(|value| cut(value, chars_max)).filter(|cut| *cut).count() > 0,
        Value::Array(all) => all.iter_mut().map(|value| cut(value, chars_max)).filter(|cut| *cut).count() > 0,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
