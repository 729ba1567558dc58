//! Plays `codex app-server --listen unix://…`: answers at once, in the order in which the real one does, and writes
//! down when each request came in. A prompt that begins with HOLD gets a turn that never ends. Keeps no threads and
//! ends with its connection.

use crate::machine::monotonic_ns;
use anyhow::Context;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{io::Write, path::PathBuf};
use tokio::net::UnixListener;
use tokio_tungstenite::tungstenite::Message;

/// In CODEX_HOME: a line a request, `nanoseconds method`.
pub const REQUESTS: &str = "requests";
/// A report is as long as this.
pub const REPORT_BYTES: usize = 2_000;

/// The whole program, where this one was called `app-server`.
pub fn main() -> anyhow::Result<()> {
    let address = std::env::args().find_map(|argument| argument.strip_prefix("unix://").map(PathBuf::from));
    let address = address.context("the scripted codex listens on a unix socket only")?;
    let home = std::env::vars_os().find_map(|(name, value)| (name == "CODEX_HOME").then_some(value)).context("no CODEX_HOME")?;
    let log = std::fs::File::options().create(true).append(true).open(PathBuf::from(home).join(REQUESTS))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(address, log))
}

async fn serve(address: PathBuf, mut log: std::fs::File) -> anyhow::Result<()> {
    // A socket of an earlier one.
    drop(std::fs::remove_file(&address));
    let listener = UnixListener::bind(&address)?;
    let (stream, _) = listener.accept().await?;
    let mut socket = tokio_tungstenite::accept_async(stream).await?;
    let mut fake = Fake::default();
    while let Some(Ok(frame)) = socket.next().await {
        let at = monotonic_ns();
        let Message::Text(text) = frame else { continue };
        let request: Value = serde_json::from_str(text.as_str())?;
        if let Some(method) = request["method"].as_str() {
            writeln!(log, "{at} {method}")?;
        }
        for line in fake.answer(&request) {
            socket.feed(Message::text(line.to_string())).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

#[derive(Default)]
struct Fake {
    made: u64,
}

impl Fake {
    fn answer(&mut self, request: &Value) -> Vec<Value> {
        let reply = |result: Value| vec![json!({"id": request["id"], "result": result})];
        let thread = &request["params"]["threadId"];
        match request["method"].as_str() {
            Some("initialize") => reply(json!({"userAgent": "bench/0.169.0 (Linux) unknown"})),
            Some("thread/start") => reply(json!({"thread": {"id": self.id(), "status": {"type": "idle"}}})),
            Some("thread/resume") => reply(json!({"thread": {"id": thread, "status": {"type": "idle"}}})),
            Some("turn/start") => self.turn(request),
            // What tells that a thread is idle: its turns here are over before anybody can ask.
            Some("turn/steer") => vec![json!({"id": request["id"], "error": {"code": -32600, "message": "no active turn to steer"}})],
            Some(_) if request.get("id").is_some() => reply(json!({})),
            _ => Vec::new(),
        }
    }

    fn turn(&mut self, request: &Value) -> Vec<Value> {
        let params = &request["params"];
        let (thread, turn) = (params["threadId"].clone(), self.id());
        let said = |method: &str, more: Value| {
            let mut params = json!({"threadId": thread, "turnId": turn});
            if let (Value::Object(params), Value::Object(more)) = (&mut params, more) {
                params.extend(more);
            }
            json!({"method": method, "params": params})
        };
        let user = json!({"type": "userMessage", "id": self.id(), "clientId": params["clientUserMessageId"]});
        let report = json!({"type": "agentMessage", "id": format!("msg_{}", self.id().replace('-', "")), "text": report(self.made)});
        let mut all = vec![
            json!({"id": request["id"], "result": {"turn": {"id": turn, "status": "inProgress"}}}),
            said("thread/status/changed", json!({"status": {"type": "active", "activeFlags": []}})),
            said("turn/started", json!({"turn": {"id": turn, "status": "inProgress"}})),
            said("item/started", json!({"item": user})),
            said("item/completed", json!({"item": user})),
        ];
        if params["input"][0]["text"].as_str().is_some_and(|text| text.starts_with("HOLD")) {
            return all;
        }
        let tokens = json!({"total": {"totalTokens": 6950, "inputTokens": 6930, "outputTokens": 20}});
        all.push(said("item/started", json!({"item": report})));
        all.push(said("item/completed", json!({"item": report})));
        all.push(said("thread/tokenUsage/updated", json!({"tokenUsage": tokens})));
        all.push(said("thread/status/changed", json!({"status": {"type": "idle"}})));
        all.push(said("turn/completed", json!({"turn": {"id": turn, "status": "completed"}})));
        all
    }

    /// As long as codex's own, and different in every process.
    fn id(&mut self) -> String {
        self.made += 1;
        uuid::Uuid::now_v7().to_string()
    }
}

/// Words, not one letter again and again.
pub fn report(seed: u64) -> String {
    crate::client::prompt(usize::try_from(seed).unwrap_or(0), REPORT_BYTES)
}
