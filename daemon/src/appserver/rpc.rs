//! Requests and their answers over one connection. Bounded in flight, each with a time limit (PROTOCOL 0.9, 2):
//! on overload some requests are never answered. Knows no method.

use super::{
    fence::Fences,
    translate::{self, ChildEvent},
};
use crate::engine::{Live, Piece};
use common::ids::{OperationId, ServerRequestId, ThreadId, TurnId};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{Semaphore, mpsc, oneshot};

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RpcError {
    /// The connection broke before an answer came: it may have arrived or not.
    #[error("the connection to the app-server broke")]
    Lost,
    /// No answer within the limit: it may have arrived or not.
    #[error("the app-server did not answer {method} within {limit:?}")]
    TimedOut { method: &'static str, limit: Duration },
    #[error("the app-server refused: {message}")]
    Refused { code: i64, message: String, data: Value },
}

/// What the reader passes on, in the order of the wire.
#[derive(Debug)]
pub enum Incoming {
    Event(ChildEvent),
    /// The answer to an operation's `turn/start`: in order with the events of that turn.
    TurnAccepted {
        operation: OperationId,
        turn: TurnId,
    },
}

/// Written, and gone before the answer: the narrowest place there is.
#[cfg(feature = "crash-points")]
#[expect(clippy::disallowed_methods, reason = "the process is about to die; the writer gets a moment first")]
fn crash_when_written() -> ! {
    tokio::task::block_in_place(|| std::thread::sleep(Duration::from_millis(2)));
    std::process::abort()
}

struct Waiter {
    reply: oneshot::Sender<Result<Value, RpcError>>,
    /// Whose `turn/start` this is.
    turn_of: Option<TurnAsked>,
}

/// The one request for a turn whose answer is empty (PROTOCOL 3).
const NAMES_NO_TURN: &str = "thread/compact/start";

/// Whose turn was asked for, and where.
#[derive(Debug, Clone)]
pub struct TurnAsked {
    pub operation: OperationId,
    pub thread: ThreadId,
}

pub struct Rpc {
    out: mpsc::Sender<String>,
    waiting: Mutex<HashMap<i64, Waiter>>,
    next: AtomicI64,
    slots: Semaphore,
    /// Asked for, and their turn not begun: the answer does not name it, so it is the next one on the thread.
    unnamed: Mutex<HashMap<ThreadId, OperationId>>,
    /// The provider's limit was used up when it was last told; an earlier link may have heard it.
    limited: AtomicBool,
    pub(super) fences: Fences,
}

impl Rpc {
    pub(super) fn new(out: mpsc::Sender<String>, in_flight_max: usize) -> Arc<Rpc> {
        Arc::new(Rpc {
            out,
            waiting: Mutex::default(),
            next: AtomicI64::new(1),
            slots: Semaphore::new(in_flight_max),
            unnamed: Mutex::default(),
            limited: AtomicBool::new(true),
            fences: Fences::default(),
        })
    }

    /// Waits for a slot, then for the answer.
    pub(super) async fn request(&self, method: &'static str, params: Value, limit: Duration) -> Result<Value, RpcError> {
        self.send_request(method, params, limit, None).await
    }

    /// As `request`; the turn it names is passed on in the order of the wire too.
    pub async fn request_turn(&self, method: &'static str, params: Value, limit: Duration, asked: TurnAsked) -> Result<Value, RpcError> {
        self.send_request(method, params, limit, Some(asked)).await
    }

    async fn send_request(
        &self,
        method: &'static str,
        params: Value,
        limit: Duration,
        turn_of: Option<TurnAsked>,
    ) -> Result<Value, RpcError> {
        let timed_out = |_| RpcError::TimedOut { method, limit };
        let until = tokio::time::Instant::now() + limit;
        let _slot = tokio::time::timeout_at(until, self.slots.acquire()).await.map_err(timed_out)?.map_err(|_| RpcError::Lost)?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (reply, answer) = oneshot::channel();
        if let Some(asked) = turn_of.as_ref().filter(|_| method == NAMES_NO_TURN) {
            self.unnamed().insert(asked.thread.clone(), asked.operation.clone());
        }
        self.waiting().insert(id, Waiter { reply, turn_of });
        let line = json!({"id": id, "method": method, "params": params}).to_string();
        if self.out.send(line).await.is_err() {
            self.waiting().remove(&id);
            return Err(RpcError::Lost);
        }
        fail::fail_point!("send.middle", self.awaits_turn(id), |_| crash_when_written());
        match tokio::time::timeout_at(until, answer).await {
            Ok(answer) => answer.unwrap_or(Err(RpcError::Lost)),
            Err(_) => {
                // A late answer must still be passed on in order, so a turn's waiter stays.
                if !self.awaits_turn(id) {
                    self.waiting().remove(&id);
                }
                Err(RpcError::TimedOut { method, limit })
            }
        }
    }

    pub(super) async fn notify(&self, method: &str) -> Result<(), RpcError> {
        self.out.send(json!({"method": method}).to_string()).await.map_err(|_| RpcError::Lost)
    }

    /// The answer to a request of the app-server: `{"result": ..}` or `{"error": ..}`.
    pub(super) async fn respond(&self, request: &ServerRequestId, body: &Value) -> Result<(), RpcError> {
        let mut line = body.clone();
        line["id"] = serde_json::from_str(request.as_str()).unwrap_or_default();
        self.out.send(line.to_string()).await.map_err(|_| RpcError::Lost)?;
        fail::fail_point!("answer.after", |_| crash_when_written());
        Ok(())
    }

    /// One line of the connection. Deltas go to whoever follows, at once; the rest is passed on in order.
    pub(super) fn heard(&self, line: &str, live: &Live) -> Option<Incoming> {
        let message: Value = match serde_json::from_str(line) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%error, bytes = line.len(), "line of the app-server is not JSON");
                return None;
            }
        };
        if message.get("method").is_none() {
            return self.answered(message);
        }
        match translate::translate(&message) {
            ChildEvent::Delta { turn, item, text, .. } => {
                live.sign_of_life(&turn);
                live.text(Piece { turn, item, text });
                None
            }
            ChildEvent::SignOfLife { turn, .. } => {
                live.sign_of_life(&turn);
                None
            }
            ChildEvent::Settings { thread, personality } => {
                self.fences.announced(&thread, personality.as_deref());
                None
            }
            // Told with each response of a model; of interest is that a limit is used up, and that it no longer is.
            ChildEvent::Limits { resets: None } if !self.limited.swap(false, Ordering::Relaxed) => None,
            ChildEvent::Nothing => None,
            ChildEvent::TurnStarted { thread, turn } => {
                self.unnamed().remove(&thread).map(|operation| Incoming::TurnAccepted { operation, turn })
            }
            event @ ChildEvent::Limits { .. } => {
                if matches!(event, ChildEvent::Limits { resets: Some(_) }) {
                    self.limited.store(true, Ordering::Relaxed);
                }
                Some(Incoming::Event(event))
            }
            event => {
                if let ChildEvent::TurnEnded { turn, .. } = &event {
                    live.forget(turn);
                }
                Some(Incoming::Event(event))
            }
        }
    }

    fn answered(&self, mut message: Value) -> Option<Incoming> {
        let waiter = self.waiting().remove(&message["id"].as_i64()?)?;
        let answer = match message.get_mut("error").map(Value::take) {
            Some(error) => Err(RpcError::Refused {
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
                data: error["data"].clone(),
            }),
            None => Ok(message["result"].take()),
        };
        let turn = answer.as_ref().ok().and_then(|result| result["turn"]["id"].as_str().map(TurnId::new));
        if let Some(asked) = waiter.turn_of.as_ref().filter(|_| answer.is_err()) {
            self.unnamed().remove(&asked.thread);
        }
        let accepted = waiter.turn_of.zip(turn).map(|(asked, turn)| Incoming::TurnAccepted { operation: asked.operation, turn });
        // Whoever asked may have given up.
        drop(waiter.reply.send(answer));
        accepted
    }

    fn awaits_turn(&self, id: i64) -> bool {
        self.waiting().get(&id).is_some_and(|waiter| waiter.turn_of.is_some())
    }

    /// The connection is over: nobody waits on.
    pub(super) fn close(&self) {
        self.slots.close();
        self.fences.close();
        for (_, waiter) in self.waiting().drain() {
            drop(waiter.reply.send(Err(RpcError::Lost)));
        }
    }

    fn unnamed(&self) -> MutexGuard<'_, HashMap<ThreadId, OperationId>> {
        self.unnamed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<i64, Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
