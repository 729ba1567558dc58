//! The bodies of requests: read whole, within a time limit, and within what all connections together may take. Knows
//! nothing of what is in them.

use super::router::refuse;
use crate::tools::ToolError;
use axum::{
    body::{Body, HttpBody, to_bytes},
    extract::Request,
    middleware::Next,
    response::Response,
};
use common::{error::ErrorCode, wire::BODY_BYTES_MAX};
use std::{sync::LazyLock, time::Duration};
use tokio::sync::Semaphore;

/// Of all bodies that are under way; a request holds its share until it is answered.
const BODIES_BYTES_MAX: usize = 8 * BODY_BYTES_MAX;
static ROOM: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(BODIES_BYTES_MAX));
/// For the room, and then for the body: each is there at once unless somebody floods us or stops in the middle.
const BODY_WAIT_MAX: Duration = Duration::from_secs(30);

pub(super) async fn whole(request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    if body.is_end_stream() {
        return next.run(Request::from_parts(head, body)).await;
    }
    // Without a length it may become as long as any.
    let bytes = body.size_hint().upper().unwrap_or(u64::MAX).min(BODY_BYTES_MAX as u64);
    let share = ROOM.acquire_many(u32::try_from(bytes).unwrap_or(u32::MAX));
    let Ok(Ok(_share)) = tokio::time::timeout(BODY_WAIT_MAX, share).await else {
        return refuse(&ToolError::new(ErrorCode::Busy, "too many long requests are under way; send the same one again in a moment"));
    };
    match tokio::time::timeout(BODY_WAIT_MAX, to_bytes(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => next.run(Request::from_parts(head, Body::from(body))).await,
        Ok(Err(_)) => {
            let message =
                format!("the body is longer than {BODY_BYTES_MAX} bytes or was cut off; put long text into a file of the project");
            refuse(&ToolError::invalid(&message))
        }
        Err(_) => refuse(&ToolError::invalid(&format!("the body did not come within {BODY_WAIT_MAX:?}; send it whole"))),
    }
}
