//! Streams for whoever follows: one operation with its text as it is written, or the feed of events. NDJSON; a
//! follower that does not read is held up itself, nobody else.

use super::router::{Door, refuse};
use crate::{
    engine::Piece,
    store::tables::{events, operations},
    tools::{self, Standing, ToolError},
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use common::{
    ids::*,
    safe::Redactor,
    wire::{self, FollowLine},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{broadcast, mpsc};

#[derive(Deserialize)]
pub(super) struct After {
    #[serde(default)]
    after: i64,
    #[serde(default)]
    wait: u64,
}

/// One page of the feed, as `codex_get_events`.
pub(super) async fn events(State(door): State<Door>, Query(query): Query<After>, headers: HeaderMap) -> Response {
    let arguments = json!({"after_cursor": query.after, "max_seconds": query.wait.min(45)});
    match tools::call(door.cx(&headers, Standing::User), "codex_get_events", arguments).await {
        Ok(payload) => Json(payload).into_response(),
        Err(error) => refuse(&error),
    }
}

/// Lines waiting for a slow follower.
const LINES_WAITING_MAX: usize = 64;
const EVENTS_AT_ONCE: u32 = 100;

/// Everything about one operation after a cursor, until it has ended.
pub(super) async fn follow(State(door): State<Door>, Path(operation): Path<String>, Query(query): Query<After>) -> Response {
    let id = OperationId::new(operation);
    let wanted = id.clone();
    match door.reader.read(move |tx| operations::by_id(tx, &wanted)).await {
        Ok(Some(_)) => {}
        Ok(None) => return refuse(&ToolError::invalid("Codex operation was not found; `codexcp list` shows the ones there are")),
        Err(error) => return refuse(&error.into()),
    }
    let (lines, mut outbox) = mpsc::channel::<Bytes>(LINES_WAITING_MAX);
    tokio::spawn(feed(door, id, Cursor(query.after), lines));
    let stream = futures_util::stream::poll_fn(move |cx| outbox.poll_recv(cx).map(|line| line.map(Ok::<_, std::convert::Infallible>)));
    ([("content-type", "application/x-ndjson")], Body::from_stream(stream)).into_response()
}

async fn feed(door: Door, id: OperationId, mut cursor: Cursor, lines: mpsc::Sender<Bytes>) {
    let mut head = door.engine.head();
    let mut pieces = door.engine.live.follow();
    loop {
        head.borrow_and_update();
        let wanted = id.clone();
        let read = door.reader.read(move |tx| Ok((events::after(tx, cursor, &wanted, EVENTS_AT_ONCE)?, operations::by_id(tx, &wanted)?)));
        let Ok((rows, Some(row))) = read.await else { return };
        for event in &rows {
            cursor = event.cursor;
            let view = tools::event_view(event);
            if !send(&lines, &FollowLine::Event { event: view }).await {
                return;
            }
        }
        if rows.len() == EVENTS_AT_ONCE as usize {
            continue;
        }
        if row.state.is_ended() {
            return;
        }
        tokio::select! {
            changed = head.changed() => if changed.is_err() { return },
            piece = pieces.recv() => if !pass_on(&lines, &id, row.turn.as_ref(), piece).await { return },
            () = lines.closed() => return,
        }
    }
}

async fn pass_on(
    lines: &mpsc::Sender<Bytes>,
    id: &OperationId,
    turn: Option<&TurnId>,
    piece: Result<Piece, broadcast::error::RecvError>,
) -> bool {
    match piece {
        Ok(piece) if Some(&piece.turn) == turn => {
            // Pieces are cut anywhere, so a key may escape the redactor here; whole messages do not. Followers are this user.
            let text = Redactor.text(&piece.text).to_string();
            send(lines, &FollowLine::Delta { operation: id.to_string(), item: piece.item.to_string(), text }).await
        }
        Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => true,
        Err(broadcast::error::RecvError::Closed) => false,
    }
}

async fn send(lines: &mpsc::Sender<Bytes>, line: &FollowLine) -> bool {
    let Ok(mut text) = serde_json::to_vec(line).map(wire::one_line) else { return true };
    text.push(b'\n');
    lines.send(Bytes::from(text)).await.is_ok()
}
