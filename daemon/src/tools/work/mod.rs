//! Work: hand it in, look at it, wait for it, stop it.

pub mod events;
pub mod interrupt;
pub mod operation_status;
pub mod submit;
pub mod turn_status;
pub mod wait;

use super::{Cx, ToolError};
use crate::store::tables::operations;
use common::ids::OperationId;

/// What people type: the whole id, or 4 or more characters of its start or end that fit one only (ARCHITECTURE 21.7).
async fn operation_id(cx: &Cx, text: &str) -> Result<OperationId, ToolError> {
    const PART_CHARS_MIN: usize = 4;
    let id = OperationId::new(text.trim().to_lowercase());
    if id.as_str().len() < PART_CHARS_MIN {
        return Err(no_operation());
    }
    let part = id.clone();
    let mut hits = cx.reader.read(move |tx| operations::ids_like(tx, part.as_str())).await?;
    match (hits.pop(), hits.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(ToolError::invalid("argument operation_id: more than one operation fits; give more characters")),
        (None, _) => Err(no_operation()),
    }
}

fn no_operation() -> ToolError {
    ToolError::invalid("Codex operation was not found; codex_get_queue_status and `codexcp list` show the ones there are")
}

/// An event as `codex_get_events` shows it, for the streams of the endpoint.
pub fn event_view(row: &crate::store::tables::events::EventRow) -> serde_json::Value {
    const TEXT_CHARS_MAX: usize = 4_000;
    serde_json::to_value(events::view(row, TEXT_CHARS_MAX)).unwrap_or_default()
}
