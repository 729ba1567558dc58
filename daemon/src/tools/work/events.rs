//! The feed of events: from a cursor on, filtered, cut to a length. One feed for everybody who follows.

use crate::{
    store::{
        StoreError, Tx,
        tables::{
            events::{self, EventRow},
            history,
        },
    },
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
        /// Events up to this cursor may be missing, and some that you asked for are among them: they were cleared
        /// (history.days), or forgotten.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cleared_up_to: Option<Cursor>,
        /// Your cursor is of another database than this one: nothing here is newer than `cursor`, go on from there.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cursor_reset: Option<bool>,
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
        let asked = Cursor(input.after_cursor);
        let mut after = asked;
        loop {
            head.borrow_and_update();
            let (operation, types, limit) = (operation.clone(), input.types.clone(), input.limit);
            let read = cx.reader.read(move |tx| look(tx, after, operation.as_ref(), &types, limit));
            let Page { rows, looked_up_to, newest, cut } = read.await?;
            // Only another database has cursors that are still to come here: nothing would ever be heard.
            if asked > newest {
                return Ok(Output { cursor_reset: Some(true), ..page(&[], false, newest, None, 0) });
            }
            let cleared = Some(cut).filter(|cut| asked < *cut);
            let has_more = rows.len() > limit as usize || looked_up_to < newest;
            if !rows.is_empty() {
                let shown = &rows[..rows.len().min(limit as usize)];
                // With nothing more to come before the head, the next look starts there.
                let cursor = match shown.last() {
                    Some(last) if rows.len() > shown.len() => last.cursor,
                    Some(_) | None => looked_up_to,
                };
                return Ok(page(shown, has_more, cursor, cleared, input.max_chars));
            }
            // What was looked through once is not looked through again.
            after = looked_up_to;
            if looked_up_to < newest {
                continue;
            }
            if !matches!(tokio::time::timeout_at(deadline, head.changed()).await, Ok(Ok(()))) {
                return Ok(page(&[], false, newest, cleared, 0));
            }
        }
    }
}

/// What one look at the feed found.
struct Page {
    rows: Vec<EventRow>,
    /// There is nothing that fits between the last row and here, unless there are more than were wanted.
    looked_up_to: Cursor,
    newest: Cursor,
    cut: Cursor,
}

/// At most so many events are looked through in one snapshot: a filter may fit none of millions.
const LOOKED_THROUGH_MAX: i64 = 20_000;

/// One more than the limit shows that there are more.
fn look(tx: &impl Tx, after: Cursor, operation: Option<&OperationId>, types: &[String], limit: u32) -> Result<Page, StoreError> {
    let newest = events::head(tx)?;
    // Those of one operation are found by an index.
    let to = if operation.is_some() { newest } else { newest.min(Cursor(after.0.saturating_add(LOOKED_THROUGH_MAX))) };
    let rows = events::between(tx, after, to, operation, types, limit + 1)?;
    Ok(Page { rows, looked_up_to: to.max(after), newest, cut: history::cut(tx)? })
}

fn page(rows: &[EventRow], has_more: bool, cursor: Cursor, cleared_up_to: Option<Cursor>, chars_max: usize) -> Output {
    let events: Vec<_> = rows.iter().map(|row| view(row, chars_max)).collect();
    Output { returned_count: events.len(), events, has_more, cursor, cleared_up_to, cursor_reset: None }
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
