//! Work: hand it in, look at it, wait for it, stop it.

mod ceiling;
mod continuation;
pub mod events;
mod fork;
mod input_items;
pub mod interrupt;
mod locks;
pub mod operation_status;
mod output_schema;
pub(super) mod place;
mod plan_mode;
pub mod submit;
pub mod turn_status;
pub mod wait;

use super::{Cx, ToolError};
use crate::store::{StoreError, Tx, tables::operations};
use common::ids::OperationId;

/// What people type: the whole id, or 4 or more characters of its start or end that fit one only (ARCHITECTURE 21.7).
fn named(tx: &impl Tx, text: &str) -> Result<Result<OperationId, ToolError>, StoreError> {
    const PART_CHARS_MIN: usize = 4;
    let part = text.trim().to_lowercase();
    if part.len() < PART_CHARS_MIN {
        return Ok(Err(no_operation()));
    }
    let mut hits = operations::ids_like(tx, &part)?;
    Ok(match (hits.pop(), hits.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(ToolError::invalid("argument operation_id: more than one operation fits; give more characters")),
        (None, _) => Err(no_operation()),
    })
}

/// As `named`, for tools that look at the operation later than that.
async fn operation_id(cx: &Cx, text: &str) -> Result<OperationId, ToolError> {
    let text = text.to_owned();
    cx.reader.read(move |tx| named(tx, &text)).await?
}

fn no_operation() -> ToolError {
    ToolError::invalid("Codex operation was not found; codex_get_queue_status and `codexcp list` show the ones there are")
}

/// An event as `codex_get_events` shows it, for the streams of the endpoint.
pub fn event_view(row: &crate::store::tables::events::EventRow) -> serde_json::Value {
    const TEXT_CHARS_MAX: usize = 4_000;
    serde_json::to_value(events::view(row, TEXT_CHARS_MAX)).unwrap_or_default()
}
