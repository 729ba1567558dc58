//! The stdio shim: copies lines between an MCP client and the daemon, and knows nothing of what they say but their
//! `id` and `method`. When the daemon goes away it reconnects, replays the stored `initialize` and sends the lines
//! that have no answer yet again; the instance nonce makes that safe (ARCHITECTURE 14).
//! Prints nothing but MCP on stdout.

use crate::{
    autostart, environment,
    stdio::{self, Answers, Lines},
};
use common::{
    client::{Caller, ClientError, Upgraded},
    place::Place,
    wire,
};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use std::{
    collections::{HashMap, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    io::Write,
    process::ExitCode,
    time::Duration,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};

/// Without a daemon for this long, what waits is answered with a retryable error.
const DAEMON_WAIT_MAX: Duration = Duration::from_secs(30);
/// Lines taken while nobody is there to answer, and how long they are together; the rest waits in the pipe.
const WAITING_MAX: usize = 64;
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// After the client closed its end, answers under way may still come.
const DRAIN_MAX: Duration = Duration::from_secs(5);

pub fn main_impl() -> ExitCode {
    if let Some(word) = std::env::args().nth(1) {
        return words(&word);
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        return ExitCode::FAILURE;
    };
    let code = match runtime.block_on(run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "codex-control-plane-mcp: {error}"));
            ExitCode::FAILURE
        }
    };
    // A read of stdin cannot be cancelled; the process ends all the same.
    runtime.shutdown_background();
    code
}

fn words(word: &str) -> ExitCode {
    let about = concat!(
        "codex-control-plane-mcp ",
        env!("CARGO_PKG_VERSION"),
        "\nAn MCP server on stdio; an MCP client starts it. It takes no arguments; see `codexcp --help`."
    );
    drop(writeln!(std::io::stderr(), "{about}"));
    if matches!(word, "--version" | "-V" | "--help" | "-h") { ExitCode::SUCCESS } else { ExitCode::from(2) }
}

/// What the shim needs to know of a line.
#[derive(Deserialize)]
pub struct Head<'a> {
    #[serde(borrow)]
    pub id: Option<&'a RawValue>,
    pub method: Option<std::borrow::Cow<'a, str>>,
}

/// A request without an answer yet.
struct Waiting {
    id: String,
    line: Vec<u8>,
    /// How often its id was used before.
    used: u32,
}

/// How often each id was used in this session, of the newest ids.
#[derive(Default)]
struct Uses {
    of: HashMap<u64, u32>,
    order: VecDeque<u64>,
}

/// A client that counts its calls uses none twice; who uses few again and again stays far below.
const IDS_KEPT_MAX: usize = 65_536;

impl Uses {
    fn next(&mut self, id: &str) -> u32 {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        let key = hasher.finish();
        match self.of.get_mut(&key) {
            Some(used) => {
                *used += 1;
                *used
            }
            None => {
                if self.order.len() >= IDS_KEPT_MAX
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.of.remove(&oldest);
                }
                self.order.push_back(key);
                self.of.insert(key, 0);
                0
            }
        }
    }
}

struct Session {
    place: Place,
    caller: Caller,
    /// The client's `initialize`, for every connection after the first.
    initialize: Option<Vec<u8>>,
    initialized: bool,
    waiting: VecDeque<Waiting>,
    /// What else came while there was no daemon.
    early: VecDeque<Vec<u8>>,
    uses: Uses,
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let place = Place::from_environment()?;
    let instance = uuid::Uuid::now_v7().simple().to_string();
    let caller = Caller { program: "shim", instance, environment: environment::digest() };
    let (mut lines, mut client) = stdio::ends()?;
    let mut session = Session {
        place,
        caller,
        initialize: None,
        initialized: false,
        waiting: VecDeque::new(),
        early: VecDeque::new(),
        uses: Uses::default(),
    };
    loop {
        match session.connect_beside(&mut lines).await {
            Ok(stream) => {
                if session.relay(stream, &mut lines, &mut client).await? == End::Client {
                    return Ok(());
                }
            }
            Err(why) => {
                // Nobody there: what waits is told so, and what comes meanwhile too, until one is there again.
                session.give_up(&why, &mut lines, &mut client).await?;
                match lines.next().await {
                    Some(line) => session.take_early(line),
                    None => return Ok(()),
                }
            }
        }
    }
}

#[derive(PartialEq, Eq)]
enum End {
    Client,
    Daemon,
}

async fn connect(place: &Place, caller: &Caller) -> Result<Upgraded, String> {
    let until = tokio::time::Instant::now() + DAEMON_WAIT_MAX;
    let mut pause = Duration::from_millis(20);
    loop {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        let opened = if autostart::wanted() {
            // A start that hangs takes no longer than the rest of the wait (FAULTS A14).
            match tokio::time::timeout(left, autostart::connect(place, caller)).await {
                Ok(Err(error)) if error.is_final() => return Err(error.to_string()),
                Ok(other) => other.map_err(|e| e.to_string()),
                Err(_) => Err(format!("a daemon was not ready within {DAEMON_WAIT_MAX:?}; `codexcp doctor` says more")),
            }
        } else {
            autostart::wait_for(place, caller, left).await.map_err(|e| e.to_string())
        };
        let failed = match opened {
            Ok(connection) => match connection.upgrade().await {
                Ok(stream) => return Ok(stream),
                // A clear no will not change by asking again.
                Err(error @ (ClientError::Version { .. } | ClientError::Refused(_))) => return Err(error.to_string()),
                Err(error) => error.to_string(),
            },
            Err(error) => error,
        };
        if tokio::time::Instant::now() + pause >= until {
            return Err(failed);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

impl Session {
    /// What the client says meanwhile is taken: its wait begins with its words, not with the end of ours.
    async fn connect_beside(&mut self, lines: &mut Lines) -> Result<Upgraded, String> {
        let (place, caller) = (self.place.clone(), self.caller.clone());
        let connected = connect(&place, &caller);
        tokio::pin!(connected);
        let mut closed = false;
        loop {
            tokio::select! {
                result = &mut connected => return result,
                line = lines.next(), if !closed && self.has_room() => match line {
                    Some(line) => self.take_early(line),
                    None => closed = true,
                },
            }
        }
    }

    fn has_room(&self) -> bool {
        let bytes: usize = self.waiting.iter().map(|one| one.line.len()).chain(self.early.iter().map(Vec::len)).sum();
        self.waiting.len() + self.early.len() < WAITING_MAX && bytes < WAITING_BYTES_MAX
    }

    /// A request waits for its answer; whatever else it is, a bad line too, is the daemon's to judge.
    fn take_early(&mut self, line: Vec<u8>) {
        let waiting = self.waiting.len();
        let noted = self.note(&line);
        if noted.is_none() && self.waiting.len() == waiting {
            self.early.push_back(line);
        }
    }

    async fn relay(&mut self, stream: Upgraded, lines: &mut Lines, client: &mut Answers) -> std::io::Result<End> {
        let (read, mut write) = tokio::io::split(stream);
        let mut answers = BufReader::new(read);
        // `hidden`: its answer was given long ago, so the next line of the daemon with this id is not for the client.
        let (mut outbox, mut hidden) = self.replay();
        outbox.extend(self.early.drain(..));
        let mut written = 0;
        let mut answer = Vec::new();
        loop {
            let front = outbox.front().map_or(&[][..], |line: &Vec<u8>| &line[written..]);
            tokio::select! {
                // Beside reading, not before it: the daemon takes no more lines while its answers are not taken.
                sent = write.write(front), if !outbox.is_empty() => match sent {
                    Ok(n) if n > 0 => {
                        written += n;
                        if outbox.front().is_some_and(|line| line.len() == written) {
                            outbox.pop_front();
                            written = 0;
                        }
                    }
                    _ => return Ok(End::Daemon),
                },
                line = lines.next(), if outbox.is_empty() => match line {
                    Some(line) => {
                        let used = self.note(&line);
                        outbox.extend(wire::reused(used.as_ref()));
                        outbox.push_back(line);
                    }
                    None => {
                        self.drain(answers, answer, write, lines, client).await?;
                        return Ok(End::Client);
                    }
                },
                read = answers.read_until(b'\n', &mut answer) => match read {
                    Ok(n) if n > 0 && answer.ends_with(b"\n") => {
                        let line = std::mem::take(&mut answer);
                        let id = id_of_answer(&line);
                        if id.is_some() && id == hidden {
                            hidden = None;
                        } else {
                            self.waiting.retain(|one| Some(&one.id) != id.as_ref());
                            client.tell(&line, lines).await?;
                        }
                    }
                    // Half a line is no answer: the daemon is gone, and the whole one comes from the next.
                    _ => return Ok(End::Daemon),
                },
            }
        }
    }

    fn waits_for_handshake(&self) -> bool {
        self.waiting.iter().any(|one| self.initialize.as_ref() == Some(&one.line))
    }

    /// For a new connection: the handshake of the client, then what it still waits for; and the id of the handshake.
    fn replay(&self) -> (VecDeque<Vec<u8>>, Option<String>) {
        let mut outbox = VecDeque::new();
        let mut hidden = None;
        if let Some(initialize) = self.initialize.as_ref().filter(|_| self.initialized && !self.waits_for_handshake()) {
            hidden = head_of(initialize).and_then(|head| head.id.map(|id| id.get().to_owned()));
            outbox.push_back(initialize.clone());
            outbox.push_back(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n".to_vec());
        }
        for one in &self.waiting {
            outbox.extend(wire::reused(Some(&(one.id.clone(), one.used))));
            outbox.push_back(one.line.clone());
        }
        (outbox, hidden)
    }

    /// Remembers what must be sent again when the daemon goes away before it answered. Of a request, its id and how often
    /// that was used before: the same id again is another call, unless it is the shim that sends it again.
    fn note(&mut self, line: &[u8]) -> Option<(String, u32)> {
        let head = head_of(line)?;
        let method = head.method.as_deref().map(str::to_owned);
        let id = head.id.map(|id| id.get().to_owned());
        match (method.as_deref(), id) {
            (Some("initialize"), Some(id)) => {
                self.initialize = Some(line.to_vec());
                self.waiting.push_back(Waiting { id, line: line.to_vec(), used: 0 });
            }
            (Some("notifications/initialized"), _) => self.initialized = true,
            (Some("notifications/cancelled"), None) => {
                let cancelled = serde_json::from_slice::<Value>(line).ok().map(|line| line["params"]["requestId"].to_string());
                self.waiting.retain(|one| Some(&one.id) != cancelled.as_ref());
            }
            (Some(_), Some(id)) => {
                let used = self.uses.next(&id);
                self.waiting.push_back(Waiting { id: id.clone(), line: line.to_vec(), used });
                return Some((id, used));
            }
            _ => {}
        }
        None
    }

    async fn give_up(&mut self, why: &str, lines: &mut Lines, client: &mut Answers) -> std::io::Result<()> {
        for one in self.waiting.drain(..) {
            let id: Value = serde_json::from_str(&one.id).unwrap_or_default();
            let message = format!("could not reach the daemon: {why}; then send the same call again");
            let line = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32000, "message": message, "data": {"code": "DAEMON_STARTING", "retryable": true, "retryAfterMs": 2000}}});
            client.tell(format!("{line}\n").as_bytes(), lines).await?;
        }
        Ok(())
    }

    /// The client closed its end: what is under way may still be answered.
    async fn drain(
        &mut self,
        mut answers: BufReader<ReadHalf<Upgraded>>,
        mut answer: Vec<u8>,
        mut write: WriteHalf<Upgraded>,
        lines: &mut Lines,
        client: &mut Answers,
    ) -> std::io::Result<()> {
        // The daemon then ends the connection when it has answered.
        drop(write.shutdown().await);
        let until = tokio::time::Instant::now() + DRAIN_MAX;
        while !self.waiting.is_empty() {
            match tokio::time::timeout_at(until, answers.read_until(b'\n', &mut answer)).await {
                Ok(Ok(n)) if n > 0 => {
                    let line = std::mem::take(&mut answer);
                    let id = id_of_answer(&line);
                    self.waiting.retain(|one| Some(&one.id) != id.as_ref());
                    client.tell(&line, lines).await?;
                }
                _ => break,
            }
        }
        Ok(())
    }
}

/// `None` where it is not one JSON object, or too long to be sent again.
pub fn head_of(line: &[u8]) -> Option<Head<'_>> {
    // Longer lines are refused by the daemon with their id; they are not kept to be sent again.
    if line.len() > wire::LINE_BYTES_MAX { None } else { serde_json::from_slice(line).ok() }
}

/// Of an answer, not of a notification or a request of the daemon.
pub fn id_of_answer(line: &[u8]) -> Option<String> {
    let head = head_of(line)?;
    head.method.is_none().then_some(head.id?.get().to_owned())
}
