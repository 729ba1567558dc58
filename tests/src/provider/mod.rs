//! A scripted stand-in for the OpenAI Responses API, so that the real `codex app-server` runs
//! offline. The newest prompt of a request is the script; see [`script`] for the words.
//! It must never answer a request before that request is on record (in memory and in the log
//! file): tests count what the model was given, also after a crash of the client.
//! It must never reach or be reached from outside this machine.

mod script;
mod sse;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use script::{Conversation, Step};
use sse::Frame;

/// One request for a model response, recorded before it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Wall clock, milliseconds since 1970, to lay beside the logs of other processes.
    pub at_ms: u64,
    /// Empty where the client did not send it.
    pub thread_id: String,
    /// Empty where the client did not send it.
    pub turn_id: String,
    /// What codex makes the request for: `turn`, `compaction`, ... Empty where it did not say.
    pub request_kind: String,
    /// The newest real prompt in the input: the script.
    pub prompt: String,
    /// Which step of the script was due: 0 means that the model sees this prompt for the first
    /// time, unless the request is a retry.
    pub step: usize,
    /// Pictures in the input.
    #[serde(default)]
    pub images: usize,
    /// What the tools had printed since the newest prompt, in order.
    pub outputs: Vec<String>,
    /// All real prompts in the input, oldest first. What codex injects is not among them.
    pub user_messages: Vec<String>,
}

/// A running provider. Dropping it ends all answers in progress and closes the port.
pub struct Provider {
    port: u16,
    shared: Arc<Shared>,
    server: JoinHandle<io::Result<()>>,
    /// Never sent to: its end is the signal to shut down.
    closing: watch::Sender<()>,
}

struct Shared {
    records: watch::Sender<Vec<Record>>,
    released: watch::Sender<HashSet<String>>,
    log: Option<File>,
    closing: watch::Receiver<()>,
}

/// Starts a provider on a free port of 127.0.0.1.
///
/// # Errors
/// If the log file cannot be opened or the port cannot be bound.
pub async fn start(log: Option<PathBuf>) -> Result<Provider> {
    start_on(0, log).await
}

/// Starts a provider on this port, e.g. to come back where an earlier one was.
///
/// # Errors
/// As for [`start`].
pub async fn start_on(port: u16, log: Option<PathBuf>) -> Result<Provider> {
    let log = log
        .map(|path| {
            let opened = File::options().append(true).create(true).open(&path);
            opened.with_context(|| format!("log file {}", path.display()))
        })
        .transpose()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.with_context(|| format!("port {port}"))?;
    let port = listener.local_addr()?.port();
    let (closing, closed) = watch::channel(());
    let shared = Arc::new(Shared { records: watch::Sender::default(), released: watch::Sender::default(), log, closing: closed });
    let serve = axum::serve(listener, routes(Arc::clone(&shared)));
    let server = tokio::spawn(serve.with_graceful_shutdown(shared.closed()).into_future());
    Ok(Provider { port, shared, server, closing })
}

impl Provider {
    /// The `base_url` for the configuration of codex.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// All requests so far, in the order of their arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Record> {
        self.shared.records.borrow().clone()
    }

    /// The most pictures that were in one request.
    #[must_use]
    pub fn images(&self) -> usize {
        self.shared.records.borrow().iter().map(|record| record.images).max().unwrap_or_default()
    }

    /// What the tools of the newest request had printed, in order.
    pub fn outputs(&self) -> Vec<String> {
        self.shared.records.borrow().last().map(|record| record.outputs.clone()).unwrap_or_default()
    }

    /// Lets the `HOLD` of this name go on, now and whenever it comes up later.
    pub fn release(&self, name: &str) {
        self.shared.release(name);
    }

    /// Waits until the requests so far satisfy `what`.
    ///
    /// # Errors
    /// If they do not within `limit`; the error lists what did arrive.
    pub async fn wait_for(&self, what: impl Fn(&[Record]) -> bool, limit: Duration) -> Result<()> {
        let mut records = self.shared.records.subscribe();
        let seen = tokio::time::timeout(limit, records.wait_for(|records| what(records))).await.is_ok();
        if !seen {
            let got = self.requests();
            bail!("not seen within {limit:?}, the provider got {got:#?}");
        }
        Ok(())
    }

    /// Shuts down and waits until the port is closed and no answer is in progress any more.
    ///
    /// # Errors
    /// If the server had failed.
    pub async fn stop(self) -> Result<()> {
        drop(self.closing);
        self.server.await??;
        Ok(())
    }
}

impl Shared {
    /// Puts a request on record and returns its number.
    fn record(&self, record: Record) -> Result<usize> {
        let mut number = 0;
        let mut written = Ok(());
        // Written under the lock of the list, so that file and list have the same order.
        self.records.send_modify(|records| {
            written = self.write(&record);
            number = records.len();
            records.push(record);
        });
        written.map(|()| number)
    }

    fn write(&self, record: &Record) -> Result<()> {
        let Some(mut log) = self.log.as_ref() else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        // One unbuffered write: the line is with the kernel, whole, before the answer begins.
        log.write_all(&line).context("log file")
    }

    fn release(&self, name: &str) {
        self.released.send_modify(|names| {
            names.insert(name.to_owned());
        });
    }

    fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut closing = self.closing.clone();
        async move {
            // The only thing that ever changes here is that the sender goes away.
            let _ = closing.changed().await;
        }
    }

    fn stream(&self, frames: Vec<Frame>) -> Response {
        let events = sse::play(frames, self.released.subscribe()).take_until(self.closed());
        let kind = [(header::CONTENT_TYPE, "text/event-stream")];
        (kind, Body::from_stream(events)).into_response()
    }
}

fn routes(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/responses", post(respond))
        .route("/v1/models", get(models))
        .route("/control/log", get(control_log))
        .route("/control/release/{name}", post(control_release))
        // A long conversation or an image exceeds the 2 MB that axum allows by default.
        .layer(DefaultBodyLimit::disable())
        .with_state(shared)
}

async fn models() -> Json<Value> {
    // `data` is the name in the public API, `models` the one that codex reads.
    Json(json!({"object": "list", "data": [], "models": []}))
}

async fn control_log(State(shared): State<Arc<Shared>>) -> Json<Vec<Record>> {
    Json(shared.records.borrow().clone())
}

async fn control_release(State(shared): State<Arc<Shared>>, Path(name): Path<String>) -> StatusCode {
    shared.release(&name);
    StatusCode::NO_CONTENT
}

async fn respond(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    // Bytes and not `Json`: the size of the request is the input part of the usage figures.
    let input_tokens = sse::tokens(body.len());
    let body: Value = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &format!("not JSON: {error}")),
    };
    let conversation = Conversation { logged_in: headers.contains_key(header::AUTHORIZATION), ..Conversation::read(&body) };
    let record = Record::new(&body, &conversation);
    let at_ms = record.at_ms;
    let number = match shared.record(record) {
        Ok(number) => number,
        Err(error) => return failure(StatusCode::INTERNAL_SERVER_ERROR, &format!("{error:#}")),
    };
    // codex keys items by these ids and keeps them with the thread, so they must not come again
    // from a later provider.
    let id = format!("{at_ms}_{number}");
    match script::due(&conversation) {
        Ok(Step::Say(speech)) => shared.stream(sse::message(&id, speech, input_tokens)),
        Ok(Step::Call(call)) => shared.stream(sse::tool_call(&id, call, input_tokens)),
        Ok(Step::Cut) => shared.stream(sse::cut(&id)),
        Ok(Step::Fail(status)) => failure(status, &format!("scripted failure {status}")),
        Ok(Step::Limit(seconds)) => limit(at_ms / 1_000 + seconds),
        Ok(Step::Hang) => {
            shared.closed().await;
            failure(StatusCode::SERVICE_UNAVAILABLE, "the provider shuts down")
        }
        // 400 because codex shows its body and does not retry.
        Err(mistake) => failure(StatusCode::BAD_REQUEST, &format!("script: {mistake:#}")),
    }
}

/// As the provider of codex says that the account has used up what it may until then (seconds since 1970).
fn limit(resets_at_s: u64) -> Response {
    let body = json!({"error": {"type": "usage_limit_reached", "message": "no more", "plan_type": "pro", "resets_at": resets_at_s}});
    let headers = [
        ("x-codex-primary-used-percent", "100".to_owned()),
        ("x-codex-primary-window-minutes", "300".to_owned()),
        ("x-codex-primary-reset-at", resets_at_s.to_string()),
    ];
    (StatusCode::TOO_MANY_REQUESTS, headers, Json(body)).into_response()
}

fn failure(status: StatusCode, message: &str) -> Response {
    let error = json!({"error": {
        "message": message,
        "type": "scripted_provider",
        "code": status.as_u16(),
    }});
    (status, Json(error)).into_response()
}

impl Record {
    fn new(body: &Value, conversation: &Conversation) -> Self {
        let metadata = &body["client_metadata"];
        // The same ids and more come a second time, as JSON inside a string.
        let inner: Value = metadata["x-codex-turn-metadata"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        let field = |name: &str| {
            let found = metadata[name].as_str().or(inner[name].as_str());
            found.unwrap_or_default().to_owned()
        };
        Self {
            at_ms: now_ms(),
            thread_id: field("thread_id"),
            turn_id: field("turn_id"),
            request_kind: field("request_kind"),
            prompt: conversation.prompt().to_owned(),
            step: conversation.step,
            images: conversation.images,
            outputs: conversation.outputs.clone(),
            user_messages: conversation.user_messages.clone(),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a stand-in for a remote service has a clock of its own")]
fn now_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// The text of `$CODEX_HOME/config.toml` for codex to use this provider, without an account and
/// without attempts to reach the network.
#[must_use]
pub fn config_toml(base_url: &str) -> String {
    format!(
        r#"model = "gpt-5.5"
model_provider = "fake"
approval_policy = "on-request"
sandbox_mode = "workspace-write"
check_for_update_on_startup = false

[analytics]
enabled = false

[feedback]
enabled = false

[features]
plugins = false
apps = false
default_mode_request_user_input = true
request_permissions_tool = true

[model_providers.fake]
name = "fake"
base_url = "{base_url}"
wire_api = "responses"
requires_openai_auth = false
supports_websockets = false
request_max_retries = 0
stream_max_retries = 0
stream_idle_timeout_ms = 300000
"#
    )
}
