//! What the app-server sends: bytes on its pipes (`frames`) or in a websocket (`websocket`), through the link to events;
//! and those events applied by the engine and shown by the tools (`events`). No line may break the link, stop the
//! engine or make a tool fail.

use super::{
    super::world::{GENERATION, OPERATION, THREAD, TURN, World},
    Reads,
};
use common::ids::*;
use daemon::{
    appserver::{
        TurnAsked,
        link::{self, Frames, Link},
        rpc::Incoming,
        translate::ChildEvent,
    },
    engine::Cause,
    tools,
};
use serde_json::json;
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    runtime::Runtime,
    sync::mpsc,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Pipes,
    Websocket,
    Engine,
}

struct Lines {
    runtime: Runtime,
    world: World,
    way: Way,
    read: u32,
}

const PIPE_BYTES: usize = 64 * 1024;
const REQUEST_MAX: Duration = Duration::from_secs(5);
const HELLO: &[u8] = b"{\"id\":1,\"result\":{\"userAgent\":\"codex-control-plane/0.169.0 (x)\"}}\n";
const LAST: &[u8] =
    b"\n{\"method\":\"turn/completed\",\"params\":{\"threadId\":\"the last\",\"turn\":{\"id\":\"one\",\"status\":\"completed\"}}}\n";

pub(super) fn pipes() -> anyhow::Result<Box<dyn Reads>> {
    start(Way::Pipes)
}

pub(super) fn websocket() -> anyhow::Result<Box<dyn Reads>> {
    start(Way::Websocket)
}

pub(super) fn engine() -> anyhow::Result<Box<dyn Reads>> {
    start(Way::Engine)
}

fn start(way: Way) -> anyhow::Result<Box<dyn Reads>> {
    let runtime = super::runtime()?;
    let world = runtime.block_on(World::new(false))?;
    Ok(Box::new(Lines { runtime, world, way, read: 0 }))
}

impl Reads for Lines {
    fn read(&mut self, input: &[u8]) -> Result<(), String> {
        self.world.pass();
        self.read += 1;
        let world = &self.world;
        let (way, look) = (self.way, self.read.is_multiple_of(16));
        self.runtime.block_on(async {
            let heard = match way {
                Way::Websocket => over_websocket(world, input).await?,
                Way::Pipes | Way::Engine => over_pipes(world, input).await?,
            };
            if way != Way::Engine {
                return Ok(());
            }
            for one in heard {
                let cause = match one {
                    Incoming::Event(event) => Cause::Child { generation: GENERATION, event },
                    Incoming::TurnAccepted { operation, turn } => Cause::TurnAccepted { generation: GENERATION, operation, turn },
                };
                world.apply(cause).await?;
            }
            if look { shown(world).await } else { Ok(()) }
        })
    }
}

async fn over_pipes(world: &World, input: &[u8]) -> Result<Vec<Incoming>, String> {
    let (theirs, ours) = tokio::io::duplex(PIPE_BYTES);
    let (read, write) = tokio::io::split(ours);
    let (heard, ()) = tokio::join!(hear(world, link::lines(read, write)), speak(theirs, input));
    let heard = heard?;
    let is_last = |one: &Incoming| matches!(one, Incoming::Event(ChildEvent::TurnEnded { thread, .. }) if thread.as_str() == "the last");
    if heard.last().is_some_and(is_last) { Ok(heard) } else { Err("a line after the input was not heard".to_owned()) }
}

/// The app-server: answers the handshake, then says what it has to say, and is gone.
async fn speak(stream: impl AsyncRead + AsyncWrite, input: &[u8]) {
    let (read, mut write) = tokio::io::split(stream);
    let mut read = BufReader::new(read);
    let mut line = String::new();
    // The daemon may be gone at any moment; what it heard is judged elsewhere.
    drop(read.read_line(&mut line).await);
    drop(write.write_all(HELLO).await);
    // `initialized`, and the request that is open while the input is read.
    for _ in 0..2 {
        drop(read.read_line(&mut line).await);
    }
    for part in [input, LAST] {
        drop(write.write_all(part).await);
    }
    drop(write.shutdown().await);
}

/// All that comes of a connection, with one `turn/start` open on it as request 2.
async fn hear(world: &World, frames: Frames) -> Result<Vec<Incoming>, String> {
    let (link, mut incoming) = Link::establish(frames, GENERATION, 64, REQUEST_MAX, Default::default(), world.engine.live.clone())
        .await
        .map_err(|e| format!("no link: {e}"))?;
    let asking = async {
        let turn = TurnAsked { operation: OperationId::new(OPERATION), thread: ThreadId::new(THREAD) };
        let asked = link.rpc.request_turn("turn/start", json!({}), REQUEST_MAX, turn).await;
        if let Err(error) = &asked { error.to_string() } else { String::new() }
    };
    let hearing = async {
        let mut all = Vec::new();
        while let Some(one) = incoming.recv().await {
            if let Incoming::Event(event) = &one {
                serde_json::to_string(event).map_err(|e| format!("an event cannot be written: {e}"))?;
            }
            all.push(one);
        }
        Ok(all)
    };
    tokio::join!(asking, hearing).1
}

async fn over_websocket(world: &World, input: &[u8]) -> Result<Vec<Incoming>, String> {
    let (theirs, ours) = tokio::io::duplex(PIPE_BYTES);
    let socket = WebSocketStream::from_raw_socket(ours, Role::Client, Some(link::websocket_config())).await;
    let Frames { mut inbox, out } = link::frames(socket);
    // The handshake is not the question here, so the lines go on to a link that believes it had one.
    let (lines, relayed) = mpsc::unbounded_channel();
    let (relay_out, mut asked) = mpsc::channel::<String>(8);
    let relaying = async {
        // `initialize` is answered, `initialized` and `turn/start` are only heard.
        drop(asked.recv().await);
        drop(lines.send(String::from_utf8_lossy(HELLO).into_owned()));
        drop(asked.recv().await);
        drop(asked.recv().await);
        while let Some(line) = inbox.recv().await {
            drop(lines.send(line));
        }
        drop(lines);
        drop(out);
    };
    let speaking = async {
        let (mut read, mut write) = tokio::io::split(theirs);
        let sinking = async { drop(tokio::io::copy(&mut read, &mut tokio::io::sink()).await) };
        let writing = async {
            drop(write.write_all(input).await);
            drop(write.shutdown().await);
        };
        tokio::join!(sinking, writing)
    };
    let frames = Frames { inbox: relayed, out: relay_out };
    tokio::join!(hear(world, frames), relaying, speaking).0
}

/// What was heard, as callers read it.
async fn shown(world: &World) -> Result<(), String> {
    let calls = [
        (
            "codex_get_operation_status",
            json!({"operation_id": OPERATION, "last_messages": 20, "progress_events": 20, "include_events": true}),
        ),
        ("codex_get_turn_status", json!({"turn_id": TURN, "thread_id": THREAD, "last_messages": 20, "progress_events": 20})),
        ("codex_list_pending_interactions", json!({"limit": 50})),
        ("codex_get_events", json!({"limit": 500})),
        ("codex_get_queue_status", json!({})),
        ("codex_health_summary", json!({})),
        ("codex_get_app_server_status", json!({})),
    ];
    for (name, arguments) in calls {
        match tools::call(world.cx(), name, arguments).await {
            Ok(payload) => drop(serde_json::to_vec(&payload).map_err(|e| format!("{name} cannot be written: {e}"))?),
            Err(error) if error.code == common::error::ErrorCode::TurnNotFound => {}
            Err(error) => return Err(format!("{name} failed: {}", error.payload())),
        }
    }
    Ok(())
}
