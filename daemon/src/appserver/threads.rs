//! What is asked of a thread that has a turn under way, or none: to take one more message, to be put away, to be taken out.

use super::{
    effects::Runner,
    fence,
    link::Link,
    look_up::{self, Mark, Question},
    params, refusal,
    rpc::RpcError,
    translate::ThreadStatus,
};
use crate::{
    engine::{Cause, Done},
    store::tables::{
        operations::{self, After, OperationRow},
        turns,
    },
};
use common::{error::ErrorCode, ids::*, safe::SafeText};
use domain::operation::{Finding, Move, Operation, Refusal};
use serde_json::{Value, json};
use std::time::Duration;

impl Runner {
    /// It is on record that it may have arrived before it is written: it must not be written twice.
    pub(super) async fn steer(&self, link: &Link, operation: &OperationRow, thread: &ThreadId, turn: &TurnId) -> Done {
        // Only a subscriber hears the message come up in the turn.
        if !link.is_subscribed(thread)
            && let Err(error) = look_up::resume(link, thread, None).await
        {
            return refusal::classify(&error).map_or(Done::Later, Done::Refused);
        }
        let Some(prompt) = &operation.prompt else { return Done::Later };
        fail::fail_point!("steer.sending", |_| std::process::abort());
        if self.engine.apply(Cause::Sending { operation: operation.id.clone(), after: None }).await.is_err() {
            return Done::Later;
        }
        let id = operation.id.clone();
        let may_send = match self.reader.peek(move |tx| operations::by_id(tx, &id)).await {
            Ok(row) => row.is_some_and(|row| matches!(row.state, Operation::Steering { sent: true, .. })),
            Err(_) => return Done::Later,
        };
        if !may_send {
            return Done::Sent;
        }
        let params = params::turn_steer(operation, thread, turn, prompt.expose());
        let limit = Duration::from_millis(u64::try_from(operation.spec.request_ms_max.0).unwrap_or(0));
        fail::fail_point!("steer.before", |_| std::process::abort());
        let sent = link.rpc.request("turn/steer", params, limit).await;
        fail::fail_point!("steer.after", |_| std::process::abort());
        match sent {
            Ok(_) => Done::Sent,
            Err(error) if refusal::is_no_active_turn(&error) => Done::Refused(Refusal::ThreadGone),
            Err(error) => refusal::classify(&error).map_or(Done::Lost, Done::Refused),
        }
    }

    pub(super) async fn look_up(&self, link: &Link, operation: &OperationRow, thread: &ThreadId, turn: Option<&TurnId>) -> Done {
        let of_turn = operation.clone();
        let owner = self.reader.peek(move |tx| match of_turn.spec.target_turn() {
            Some(turn) => operations::by_turn(tx, turn),
            None => Ok(Some(of_turn)),
        });
        let Ok(owner) = owner.await else { return Done::Later };
        let process_gone = operation.generation.is_some_and(|ran_in| ran_in < link.generation);
        if owner.is_some_and(|owner| owner.spec.fork.is_some_and(|fork| fork.ephemeral)) {
            return in_memory(link, thread, turn.or(operation.turn.as_ref()).cloned(), process_gone).await;
        }
        let before = match &operation.after {
            Some(After(turn)) => Some(turn.clone()),
            // Its own thread had none; on another one nothing was sent before that was on record.
            None => operation.spec.own_thread().then_some(None),
        };
        let mark = match (operation.spec.marker(), operation.after.clone()) {
            (None, _) => Mark::Message(&operation.client_message),
            // It was not asked for yet.
            (Some(_), None) => return Done::LookedUp { finding: Finding::Absent, missed: Vec::new() },
            (Some(marker), Some(After(after))) => {
                let (id, of) = (operation.id.clone(), thread.clone());
                let Ok(others) = self.reader.peek(move |tx| turns::of_others(tx, &of, &id)).await else { return Done::Later };
                Mark::Item { marker, after, others }
            }
        };
        look_up::look_up(link, &Question { thread, turn, mark, process_gone, before }).await
    }
}

/// Of a thread that is kept in memory only nothing can be read back, and no other connection can join it. A turn that
/// still runs is stopped, since nobody would hear what becomes of it, and holds what it holds until it has ended.
async fn in_memory(link: &Link, thread: &ThreadId, turn: Option<TurnId>, process_gone: bool) -> Done {
    let unreadable = Done::LookedUp { finding: Finding::Unreadable, missed: Vec::new() };
    if process_gone {
        return unreadable;
    }
    match link.request("thread/read", json!({"threadId": thread})).await {
        Ok(result) if ThreadStatus::of(&result["thread"]["status"]) == ThreadStatus::Active => {
            let turn = match turn {
                Some(turn) => Some(turn),
                None => fence::active_turn(link, thread).await,
            };
            if let Some(turn) = turn
                && let Err(error) = link.request("turn/interrupt", json!({"threadId": thread, "turnId": turn})).await
            {
                tracing::warn!(%thread, %error, "could not stop a turn that nobody hears");
            }
            Done::Later
        }
        Ok(_) | Err(RpcError::Refused { .. }) => unreadable,
        Err(RpcError::Lost | RpcError::TimedOut { .. }) => Done::Lost,
    }
}

/// Asking twice does no harm: what is refused because it is so already is done.
pub(super) async fn move_thread(link: &Link, thread: &ThreadId, to: Move) -> Done {
    // It would cut off the turn of whoever works there.
    if to == Move::Archive && is_active(link, thread).await {
        let message = SafeText::fixed("the thread is in use: a turn runs on it that is not ours; wait for its end");
        return Done::Refused(Refusal::Final { code: ErrorCode::Busy, message });
    }
    let method = match to {
        Move::Archive => "thread/archive",
        Move::Unarchive => "thread/unarchive",
    };
    match link.request(method, json!({"threadId": thread})).await {
        Ok(_) => {
            link.unsubscribe(thread);
            Done::ThreadMoved
        }
        Err(error @ RpcError::Refused { .. }) => match is_archived(link, thread).await {
            Ok(Some(archived)) if archived == (to == Move::Archive) => Done::ThreadMoved,
            Ok(None) => Done::Refused(Refusal::ThreadGone),
            Ok(Some(_)) | Err(_) => refusal::classify(&error).map_or(Done::Lost, |refusal| match refusal {
                // Its record is there, and in the way is something else.
                Refusal::ThreadGone => Done::Refused(Refusal::Final {
                    code: ErrorCode::SendFailed,
                    message: SafeText::fixed("codex could not move the thread; call again, and see `codexcp doctor` if that fails too"),
                }),
                other => Done::Refused(other),
            }),
        },
        Err(RpcError::Lost | RpcError::TimedOut { .. }) => Done::Lost,
    }
}

async fn is_active(link: &Link, thread: &ThreadId) -> bool {
    let read = link.request("thread/read", json!({"threadId": thread})).await;
    read.is_ok_and(|result| ThreadStatus::of(&result["thread"]["status"]) == ThreadStatus::Active)
}

/// From where its record lies (PROTOCOL 3).
pub(super) fn in_archive(thread: &Value) -> bool {
    thread["path"].as_str().is_some_and(|path| path.contains("archived_sessions"))
}

/// `None`: codex has no record of it.
async fn is_archived(link: &Link, thread: &ThreadId) -> Result<Option<bool>, RpcError> {
    match link.request("thread/read", json!({"threadId": thread})).await {
        Ok(result) => Ok(Some(in_archive(&result["thread"]))),
        Err(RpcError::Refused { .. }) => Ok(None),
        Err(lost) => Err(lost),
    }
}
