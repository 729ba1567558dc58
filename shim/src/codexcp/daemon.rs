//! Calls to the daemon: tools by name, admin questions, streams. Starts a daemon where there is none, and asks again
//! where that cannot do anything twice. Never changes an answer.

use super::exit::{Exit, Failure};
use crate::{
    autostart::{self, StartError},
    environment, holder,
};
use common::{
    client::{Caller, ClientError, Connection},
    place::Place,
    wire::Health,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;

/// A little more than the daemon ever takes for one call.
const CALL_MAX: Duration = Duration::from_secs(60);

/// A call that takes longer may be a wait, or the daemon hangs: it is asked something else then.
const LOOKED_AT_AFTER: Duration = Duration::from_secs(2);
/// For an answer that waits for nothing.
const ANSWERS_WAIT_MAX: Duration = Duration::from_secs(3);

/// What to do when a call cannot be made or its answer gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It might be done twice: give up.
    None,
    /// Again for a while, if there is a daemon or one may be started.
    Short,
    /// Again for longer, and wait for a daemon that somebody else starts.
    Long,
}

impl Patience {
    fn limit(self) -> Duration {
        match self {
            Patience::None => Duration::ZERO,
            Patience::Short => Duration::from_secs(5),
            Patience::Long => Duration::from_secs(30),
        }
    }

    fn covers(self, error: &StartError) -> bool {
        match error {
            // The one before is still on its way out.
            StartError::Ended(_) => error.is_held(),
            StartError::Client(ClientError::Broken(_)) => true,
            StartError::Client(ClientError::Absent) => self == Patience::Long,
            StartError::Client(_) | StartError::NoProgram | StartError::Spawn(_) | StartError::Home { .. } | StartError::BelowAppServer => {
                false
            }
        }
    }
}

pub(crate) struct Daemon {
    pub(crate) place: Place,
    caller: Caller,
}

impl Daemon {
    pub(crate) fn new(place: Place) -> Daemon {
        Daemon { place, caller: Caller { program: "codexcp", instance: String::new(), environment: environment::digest() } }
    }

    /// A tool by name. Only for calls that may be made twice.
    pub(crate) async fn tool(&self, name: &str, arguments: Value) -> Result<Value, Failure> {
        self.ask("POST", &format!("/v1/tools/{name}"), arguments, Patience::Short).await
    }

    /// A tool by name, with another patience.
    pub(crate) async fn tool_with(&self, patience: Patience, name: &str, arguments: Value) -> Result<Value, Failure> {
        self.ask("POST", &format!("/v1/tools/{name}"), arguments, patience).await
    }

    /// What only this command may ask.
    pub(crate) async fn admin(&self, what: &str, body: Value) -> Result<Value, Failure> {
        self.ask("POST", &format!("/v1/admin/{what}"), body, Patience::Short).await
    }

    pub(crate) async fn get(&self, patience: Patience, path: &str) -> Result<Value, Failure> {
        self.ask("GET", path, Value::Null, patience).await
    }

    /// How an operation stands, with at most this much of its messages and progress.
    pub(crate) async fn status(&self, id: &str, patience: Patience) -> Result<Value, Failure> {
        const CHARS_MAX: u32 = 200_000;
        let arguments = json!({"operation_id": id, "last_messages": 50, "message_max_chars": CHARS_MAX, "progress_events": 0});
        self.tool_with(patience, "codex_get_operation_status", arguments).await
    }

    /// Starts one where there is none, whatever `CODEXCP_AUTOSTART` says.
    pub(crate) async fn start(&self) -> Result<Health, Failure> {
        let connection = autostart::start_one(&self.place, &self.caller).await?;
        self.health(connection).await
    }

    /// The one that is there; never starts one.
    pub(crate) async fn present(&self) -> Result<Connection, ClientError> {
        autostart::reach(&self.place, &self.caller).await
    }

    /// Gives a call up when the daemon does not answer anything else either (FAULTS A15).
    async fn while_it_answers<T>(&self, call: impl Future<Output = Result<T, ClientError>>) -> Result<T, CallError> {
        tokio::pin!(call);
        loop {
            tokio::select! {
                answer = &mut call => return answer.map_err(CallError::Client),
                () = tokio::time::sleep(LOOKED_AT_AFTER) => {
                    // Where nobody holds the home a service manager has the socket and starts one: its end is told by the call.
                    if !self.answers().await && let Some(holder) = holder::of(&self.place) {
                        let words = holder.sentence("does not answer");
                        return Err(CallError::Hangs(Failure::new(Exit::Unreachable, words)));
                    }
                }
            }
        }
    }

    /// Whether a question that waits for nothing is answered. One that is gone is no longer the daemon that was asked.
    async fn answers(&self) -> bool {
        let asked = async {
            match Connection::open(&self.place, self.caller.clone()).await {
                Ok(mut connection) => connection.send("GET", "/v1/health", Vec::new(), CALL_MAX).await.is_ok(),
                Err(_) => true,
            }
        };
        tokio::time::timeout(ANSWERS_WAIT_MAX, asked).await.unwrap_or_default()
    }

    /// Of the daemon at the other end.
    pub(crate) async fn health(&self, mut connection: Connection) -> Result<Health, Failure> {
        let reply = self.while_it_answers(connection.send("GET", "/v1/health", Vec::new(), CALL_MAX)).await?;
        serde_json::from_value(read(&reply.body)?).map_err(|_| unreadable())
    }

    /// One question to the daemon at the other end, whatever becomes of the next one.
    pub(crate) async fn ask_once(&self, mut connection: Connection, path: &str, body: Value) -> Result<Value, Failure> {
        read(&self.while_it_answers(connection.send("POST", path, body.to_string().into_bytes(), CALL_MAX)).await?.body)
    }

    pub(crate) async fn open(&self, patience: Patience) -> Result<Connection, Failure> {
        let mut pauses = Pauses::new(patience);
        loop {
            let error = match autostart::connect(&self.place, &self.caller).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            if !patience.covers(&error) || !pauses.pause().await {
                return Err(error.into());
            }
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Value, patience: Patience) -> Result<Value, Failure> {
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let mut pauses = Pauses::new(patience);
        loop {
            let mut connection = self.open(patience).await?;
            let failure = match self.while_it_answers(connection.send(method, path, body.clone(), CALL_MAX)).await {
                Ok(reply) => match read(&reply.body) {
                    Err(failure) if failure.says_starting() => failure,
                    answer => return answer,
                },
                Err(CallError::Client(error @ ClientError::Broken(_))) => error.into(),
                Err(error) => return Err(error.into()),
            };
            if !pauses.pause().await {
                return Err(failure);
            }
        }
    }
}

enum CallError {
    Client(ClientError),
    /// Nobody answers.
    Hangs(Failure),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        match error {
            CallError::Client(error) => error.into(),
            CallError::Hangs(failure) => failure,
        }
    }
}

fn read(body: &[u8]) -> Result<Value, Failure> {
    let payload: Value = serde_json::from_slice(body).map_err(|_| unreadable())?;
    if payload["ok"] == json!(false) { Err(Failure::of_payload(payload)) } else { Ok(payload) }
}

fn unreadable() -> Failure {
    Failure::new(Exit::Failed, "the daemon's answer cannot be read; restart it with `codexcp daemon restart`")
}

/// Growing pauses within a limit.
struct Pauses {
    until: Instant,
    next: Duration,
}

impl Pauses {
    fn new(patience: Patience) -> Pauses {
        Pauses { until: Instant::now() + patience.limit(), next: Duration::from_millis(50) }
    }

    /// `false`: the limit is reached.
    async fn pause(&mut self) -> bool {
        if Instant::now() + self.next > self.until {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(Duration::from_secs(1));
        true
    }
}
