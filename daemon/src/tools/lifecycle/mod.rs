//! What is done to whole threads: put away, taken out, shortened. Each is an operation underneath, known to callers of the
//! contract as an action.

pub mod archive;
pub mod compact;
pub mod compaction_status;
pub mod unarchive;

use super::{
    Cx, ToolError,
    views::action::{self, ActionView},
    work::submit,
};
use crate::store::tables::operations;
use common::{error::ErrorCode, ids::*};
use domain::operation::{Operation, Outcome};
use serde::Deserialize;
use std::time::Duration;

/// No call answers later than 45 s (ARCHITECTURE 21.8).
const WAIT_MAX: Duration = Duration::from_secs(40);

#[derive(Deserialize)]
pub struct Input {
    thread_id: String,
    timeout_seconds: Option<u64>,
    /// Added by the table: digest of the arguments as given.
    request_digest: String,
}

async fn hand_in(cx: &Cx, operation_type: &str, input: Input) -> Result<OperationId, ToolError> {
    let wanted = submit::Input {
        operation_type: operation_type.to_owned(),
        thread_id: Some(input.thread_id),
        request_digest: input.request_digest,
        ..submit::Input::default()
    };
    Ok(submit::hand_in(cx, wanted).await?.0.operation)
}

/// Until it has ended or the caller's patience has: it goes on all the same.
async fn moved(cx: &Cx, operation_type: &str, input: Input) -> Result<ActionView, ToolError> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(input.timeout_seconds.unwrap_or(30)).min(WAIT_MAX);
    let id = hand_in(cx, operation_type, input).await?;
    let mut head = cx.engine.head();
    loop {
        head.borrow_and_update();
        let parts = read(cx, id.clone(), 0).await?;
        match &parts.row.state {
            Operation::Ended { outcome: Outcome::Failed { code, message }, .. } => {
                return Err(ToolError::new(*code, message.as_str()).with("actionId", action::id_of(&id)));
            }
            Operation::Ended { .. } => return Ok(action::view(&parts)),
            _ => {}
        }
        if !matches!(tokio::time::timeout_at(deadline, head.changed()).await, Ok(Ok(()))) {
            return Ok(action::view(&parts));
        }
    }
}

async fn read(cx: &Cx, id: OperationId, events_max: u32) -> Result<action::Parts, ToolError> {
    let read = cx.reader.peek(move |tx| match operations::by_id(tx, &id)? {
        Some(row) if action::is_one(&row) => action::read(tx, row, events_max).map(Some),
        _ => Ok(None),
    });
    read.await?
        .ok_or_else(|| ToolError::new(ErrorCode::InvalidArgument, "no action has this id; name one that a thread tool answered with"))
}
