//! One connection to the app-server: handshake, reader, writer, and which threads it is subscribed to.
//! Over a private unix socket or loopback in websocket frames (PROTOCOL 9), or over pipes line by line.

use super::rpc::{Incoming, Rpc, RpcError};
use crate::engine::Engine;
use common::{
    ids::{Generation, ThreadId},
    safe::Redactor,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    sync::mpsc,
};
use tokio_tungstenite::{WebSocketStream, tungstenite};

/// The oldest codex whose app-server we know (ARCHITECTURE 21.14).
const OLDEST: (u64, u64, u64) = (0, 169, 0);
const HANDSHAKE_MAX: Duration = Duration::from_secs(30);
/// Frames waiting to be written. More would only hide that the other side does not read.
const FRAMES_WAITING_MAX: usize = 128;

pub struct Link {
    pub generation: Generation,
    pub(super) rpc: Arc<Rpc>,
    subscribed: Mutex<HashSet<ThreadId>>,
    /// What the app-server says it is, e.g. `0.169.0`; `None` where it cannot be read.
    pub version: Option<String>,
    pub request_max: Duration,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("could not connect to the app-server: {0}")]
    Connect(String),
    #[error("the app-server did not complete the handshake: {0}")]
    Handshake(#[from] RpcError),
    #[error("codex {found} is too old; version 0.169.0 or newer is needed: npm install -g @openai/codex")]
    TooOld { found: String },
}

/// The two directions of a connection, as lines of JSON.
pub(super) struct Frames {
    pub(super) inbox: mpsc::UnboundedReceiver<String>,
    pub(super) out: mpsc::Sender<String>,
}

/// Lines over pipes.
pub(super) fn lines(read: impl AsyncRead + Send + Unpin + 'static, mut write: impl AsyncWrite + Send + Unpin + 'static) -> Frames {
    let (out, mut outbox) = mpsc::channel::<String>(FRAMES_WAITING_MAX);
    // Unbounded: a reader that stops is cut off by the app-server (PROTOCOL 9), and only whole items stay queued.
    let (sender, inbox) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut lines = BufReader::new(read).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(mut line) = outbox.recv().await {
            line.push('\n');
            if write.write_all(line.as_bytes()).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    });
    Frames { inbox, out }
}

/// Text frames of a websocket.
pub(super) fn frames<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(socket: WebSocketStream<S>) -> Frames {
    let (out, mut outbox) = mpsc::channel::<String>(FRAMES_WAITING_MAX);
    let (sender, inbox) = mpsc::unbounded_channel();
    let (mut sink, mut stream) = socket.split();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = stream.next().await {
            let tungstenite::Message::Text(text) = frame else { continue };
            if sender.send(text.as_str().to_owned()).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some(line) = outbox.recv().await {
            if sink.send(tungstenite::Message::text(line)).await.is_err() {
                return;
            }
        }
    });
    Frames { inbox, out }
}

impl Link {
    /// Handshake, then reads until the connection ends. Events go to the engine in order.
    pub(super) async fn establish(
        frames: Frames,
        generation: Generation,
        in_flight_max: usize,
        request_max: Duration,
        engine: &Engine,
    ) -> Result<(Arc<Link>, mpsc::UnboundedReceiver<Incoming>), LinkError> {
        let Frames { mut inbox, out } = frames;
        let rpc = Rpc::new(out, in_flight_max);
        let (sender, incoming) = mpsc::unbounded_channel();
        let reader = (rpc.clone(), engine.clone());
        tokio::spawn(async move {
            let (rpc, engine) = reader;
            while let Some(line) = inbox.recv().await {
                if let Some(one) = rpc.heard(&line, &engine.live, engine.clock.now())
                    && sender.send(one).is_err()
                {
                    break;
                }
            }
            rpc.close();
        });
        let hello = rpc.request("initialize", hello(), HANDSHAKE_MAX).await?;
        let version = version_of(&hello);
        if let Some(found) = &version
            && numbers(found).is_some_and(|found| found < OLDEST)
        {
            return Err(LinkError::TooOld { found: Redactor.text(found).to_string() });
        }
        rpc.notify("initialized").await?;
        let link = Link { generation, rpc, subscribed: Mutex::default(), version, request_max };
        Ok((Arc::new(link), incoming))
    }

    pub fn is_subscribed(&self, thread: &ThreadId) -> bool {
        self.subscriptions().contains(thread)
    }

    pub(super) fn subscribe(&self, thread: &ThreadId) {
        self.subscriptions().insert(thread.clone());
    }

    /// The app-server unloaded the thread: the next use resumes it.
    pub(super) fn unsubscribe(&self, thread: &ThreadId) {
        self.subscriptions().remove(thread);
    }

    fn subscriptions(&self) -> MutexGuard<'_, HashSet<ThreadId>> {
        self.subscribed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn request(&self, method: &'static str, params: Value) -> Result<Value, RpcError> {
        self.rpc.request(method, params, self.request_max).await
    }
}

fn hello() -> Value {
    json!({
        "clientInfo": {"name": "codex-control-plane", "title": "Codex Control Plane", "version": env!("CARGO_PKG_VERSION")},
        "capabilities": {"experimentalApi": true, "requestAttestation": false},
    })
}

/// `codex-control-plane/0.169.0 (...)`.
fn version_of(hello: &Value) -> Option<String> {
    let agent = hello["userAgent"].as_str()?;
    let version = agent.split_once('/')?.1.split_whitespace().next()?;
    numbers(version).map(|_| version.to_owned())
}

fn numbers(version: &str) -> Option<(u64, u64, u64)> {
    let mut parts = version.split(['.', '-', '+']).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_user_agent() {
        let hello = json!({"userAgent": "codex-control-plane/0.169.0 (Debian 12; x86_64) unknown"});
        assert_eq!(version_of(&hello).as_deref(), Some("0.169.0"));
        assert_eq!(version_of(&json!({"userAgent": "something else"})), None);
        assert!(numbers("0.168.9").is_some_and(|found| found < OLDEST));
        assert!(numbers("0.170.0-alpha.1").is_some_and(|found| found > OLDEST));
    }
}
