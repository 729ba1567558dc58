//! One connection to the app-server: handshake, reader, writer, and which threads it is subscribed to.
//! Over a private unix socket or loopback in websocket frames (PROTOCOL 9), or over pipes line by line.

use super::{
    held::Held,
    leftovers::Leftovers,
    profile::{Guard, Profiles},
    refusal,
    rpc::{Incoming, Rpc, RpcError},
};
use crate::engine::Live;
use common::{
    codex,
    ids::{Generation, ThreadId},
    safe::Redactor,
};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader},
    sync::{Notify, mpsc},
    time::Instant,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, protocol::WebSocketConfig},
};

/// Items can be whole files.
const FRAME_BYTES_MAX: usize = 256 * 1024 * 1024;
const HANDSHAKE_MAX: Duration = Duration::from_secs(30);
/// Frames waiting to be written. More would only hide that the other side does not read.
const FRAMES_WAITING_MAX: usize = 128;
/// What a client wrote before it died was read by the app-server this long after the next one connected. Nothing tells;
/// it has been readable since before that, so this is the longest a busy machine lets a ready thread wait.
const CALM: Duration = Duration::from_millis(500);

pub struct Link {
    pub generation: Generation,
    pub rpc: Arc<Rpc>,
    /// With the moment of its last use.
    subscribed: Mutex<HashMap<ThreadId, Instant>>,
    /// Which threads are subscribed to has changed.
    changed: Notify,
    /// What the app-server says it is, e.g. `0.169.0`; `None` where it cannot be read.
    pub version: Option<String>,
    pub request_max: Duration,
    guard: Arc<Guard>,
    pub(super) leftovers: Leftovers,
    pub(super) held: Held,
    calm: Instant,
}

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("could not connect to the app-server: {0}")]
    Connect(String),
    #[error("the app-server did not complete the handshake: {0}; check that codex.binary_path leads to codex 0.169.0 or newer")]
    Handshake(#[from] RpcError),
    #[error("{}", codex::too_old(found))]
    TooOld { found: String },
}

/// The two directions of a connection, as lines of JSON.
pub struct Frames {
    pub inbox: mpsc::UnboundedReceiver<String>,
    pub out: mpsc::Sender<String>,
}

/// Lines over pipes.
pub fn lines(read: impl AsyncRead + Send + Unpin + 'static, mut write: impl AsyncWrite + Send + Unpin + 'static) -> Frames {
    let (out, mut outbox) = mpsc::channel::<String>(FRAMES_WAITING_MAX);
    // Unbounded: a reader that stops is cut off by the app-server (PROTOCOL 9), and only whole items stay queued.
    let (sender, inbox) = mpsc::unbounded_channel();
    let reading = async move {
        let mut read = BufReader::new(read);
        let mut line = Vec::new();
        let line_bytes_max = u64::try_from(FRAME_BYTES_MAX).unwrap_or(u64::MAX);
        while let Ok(1..) = (&mut read).take(line_bytes_max + 1).read_until(b'\n', &mut line).await {
            if line.len() > FRAME_BYTES_MAX {
                tracing::error!(limit = FRAME_BYTES_MAX, "the app-server wrote a line without end; the connection is given up");
                return;
            }
            // One bad byte must not cost the connection, and with it every turn.
            let text =
                String::from_utf8(std::mem::take(&mut line)).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned());
            if sender.send(text).is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some(mut line) = outbox.recv().await {
            line.push('\n');
            if write.write_all(line.as_bytes()).await.is_err() || write.flush().await.is_err() {
                return;
            }
        }
    };
    spawn_both(reading, writing);
    Frames { inbox, out }
}

/// What a websocket of the app-server may carry.
pub fn websocket_config() -> WebSocketConfig {
    WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX)).max_frame_size(Some(FRAME_BYTES_MAX))
}

/// Text frames of a websocket.
pub fn frames<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(socket: WebSocketStream<S>) -> Frames {
    let (out, mut outbox) = mpsc::channel::<String>(FRAMES_WAITING_MAX);
    let (sender, inbox) = mpsc::unbounded_channel();
    let (mut sink, mut stream) = socket.split();
    let reading = async move {
        while let Some(Ok(frame)) = stream.next().await {
            let tungstenite::Message::Text(text) = frame else { continue };
            if sender.send(text.as_str().to_owned()).is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some(line) = outbox.recv().await {
            if sink.send(tungstenite::Message::text(line)).await.is_err() {
                return;
            }
        }
    };
    spawn_both(reading, writing);
    Frames { inbox, out }
}

/// A connection that is no longer read counts as lost, and what was sent over it is looked up: nothing that still waits may be
/// written after that (FAULTS A19). One that cannot be written to is still read, for what came before.
fn spawn_both(reading: impl Future<Output = ()> + Send + 'static, writing: impl Future<Output = ()> + Send + 'static) {
    let writer = tokio::spawn(writing);
    tokio::spawn(async move {
        reading.await;
        writer.abort();
    });
}

impl Link {
    /// Handshake, then reads until the connection ends. Events go to the engine in order.
    pub async fn establish(
        frames: Frames,
        generation: Generation,
        in_flight_max: usize,
        request_max: Duration,
        guard: Arc<Guard>,
        live: Arc<Live>,
    ) -> Result<(Arc<Link>, mpsc::UnboundedReceiver<Incoming>), LinkError> {
        let Frames { mut inbox, out } = frames;
        let rpc = Rpc::new(out, in_flight_max);
        let (sender, incoming) = mpsc::unbounded_channel();
        let calm = Instant::now() + CALM;
        let reader = rpc.clone();
        tokio::spawn(async move {
            while let Some(line) = inbox.recv().await {
                if let Some(one) = reader.heard(&line, &live)
                    && sender.send(one).is_err()
                {
                    break;
                }
            }
            reader.close();
        });
        let hello = rpc.request("initialize", hello(), HANDSHAKE_MAX).await?;
        let version = version_of(&hello);
        if let Some(found) = &version
            && codex::numbers(found).map(codex::standing) == Some(codex::Standing::TooOld)
        {
            return Err(LinkError::TooOld { found: Redactor.text(found).to_string() });
        }
        rpc.notify("initialized").await?;
        let link = Link {
            generation,
            rpc,
            subscribed: Mutex::default(),
            changed: Notify::new(),
            version,
            request_max,
            guard,
            leftovers: Leftovers::default(),
            held: Held::default(),
            calm,
        };
        Ok((Arc::new(link), incoming))
    }

    /// Returns once whatever an earlier connection was sent has been read.
    pub(super) async fn after_calm(&self) {
        tokio::time::sleep_until(self.calm).await;
    }

    pub fn is_subscribed(&self, thread: &ThreadId) -> bool {
        self.subscriptions().contains_key(thread)
    }

    /// Heard from now on, and used now.
    pub(super) fn subscribe(&self, thread: &ThreadId) {
        self.subscriptions().insert(thread.clone(), Instant::now());
        self.changed.notify_one();
    }

    /// Something happened on it: its rest begins anew.
    pub(super) fn touch(&self, thread: &ThreadId) {
        if let Some(used) = self.subscriptions().get_mut(thread) {
            *used = Instant::now();
        }
    }

    /// Those that were not used for so long, and the ones unused longest above so many.
    pub(super) fn rested(&self, rest: Duration, kept_max: usize) -> Vec<ThreadId> {
        let mut all: Vec<_> = self.subscriptions().iter().map(|(thread, used)| (*used, thread.clone())).collect();
        all.sort_by_key(|(used, _)| *used);
        let too_many = all.len().saturating_sub(kept_max);
        let rested = all.into_iter().enumerate().filter(|(n, (used, _))| *n < too_many || used.elapsed() >= rest);
        rested.map(|(_, (_, thread))| thread).collect()
    }

    /// Returns when a thread may have rested for so long.
    pub(super) async fn somebody_rested(&self, rest: Duration) {
        loop {
            let first = self.subscriptions().values().min().map(|used| *used + rest);
            match first {
                Some(at) if at <= Instant::now() => return,
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => return,
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// The app-server unloaded the thread: the next use resumes it.
    pub(super) fn unsubscribe(&self, thread: &ThreadId) {
        self.subscriptions().remove(thread);
    }

    /// Lets the thread go: with nobody else there and no turn, the app-server unloads it a moment later.
    pub(super) async fn leave(&self, thread: &ThreadId) -> Result<(), RpcError> {
        match self.request("thread/unsubscribe", json!({"threadId": thread})).await {
            // Whoever deleted it need not have been us.
            Err(error) if refusal::classify(&error) != Some(domain::operation::Refusal::ThreadGone) => return Err(error),
            Ok(_) | Err(_) => self.unsubscribe(thread),
        }
        Ok(())
    }

    fn subscriptions(&self) -> MutexGuard<'_, HashMap<ThreadId, Instant>> {
        self.subscribed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Under what permissions turns in this folder run.
    pub(super) async fn profiles(&self, folder: Option<&Path>) -> Result<Profiles, RpcError> {
        let settings = match self.request("config/read", json!({"cwd": folder, "includeLayers": false})).await {
            Ok(mut read) => read["config"].take(),
            Err(error) if matches!(refusal::classify(&error), Some(domain::operation::Refusal::NotReady)) => return Err(error),
            // A configuration that codex itself does not read: it goes by its defaults, and so do we.
            Err(RpcError::Refused { message, .. }) => {
                tracing::warn!(why = %Redactor.text(&message), "codex could not read its configuration for the folder");
                Value::Null
            }
            Err(other) => return Err(other),
        };
        Ok(self.guard.profiles(&settings, folder))
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
    codex::numbers(version).map(|_| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_byte_that_is_not_utf_8_costs_its_line_and_not_the_connection() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let (read, write) = tokio::io::split(ours);
        let mut frames = lines(read, write);
        theirs.write_all(b"{\"a\":\"\xff\"}\n\xff\n{}").await.unwrap();
        theirs.shutdown().await.unwrap();
        let mut heard = Vec::new();
        while let Some(line) = frames.inbox.recv().await {
            heard.push(line);
        }
        assert_eq!(heard, ["{\"a\":\"\u{fffd}\"}\n", "\u{fffd}\n", "{}"]);
    }

    #[tokio::test]
    async fn what_waits_to_be_written_is_not_when_the_other_end_is_no_longer_read() {
        let (read, theirs) = tokio::io::duplex(16);
        // It takes little, so lines wait.
        let (mut heard, write) = tokio::io::duplex(4);
        let frames = lines(read, write);
        for _ in 0..8 {
            frames.out.send("turn/start".to_owned()).await.unwrap();
        }
        tokio::task::yield_now().await;
        drop(theirs);
        frames.out.closed().await;
        let mut text = String::new();
        heard.read_to_string(&mut text).await.unwrap();
        assert!(text.len() <= 8, "{text}");
    }

    #[test]
    fn the_version_is_read_from_the_user_agent() {
        let hello = json!({"userAgent": "codex-control-plane/0.169.0 (Debian 12; x86_64) unknown"});
        assert_eq!(version_of(&hello).as_deref(), Some("0.169.0"));
        assert_eq!(version_of(&json!({"userAgent": "something else"})), None);
    }
}
