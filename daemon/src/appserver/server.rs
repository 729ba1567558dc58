//! The life of the one app-server: adopt the recorded one or start one, keep a link to it, report its end.
//! Decides nothing about when to try again: that is `domain/supervise.rs`, through the engine.

use super::{
    failure, find,
    link::{Link, LinkError},
    process,
    profile::Guard,
    rest,
    rpc::{Incoming, RpcError},
    start::{self, Log, StartError},
    translate::{ChildEvent, End, ThreadStatus},
};
use crate::{
    config::{self, Config, LinkKind},
    engine::{Cause, Engine, EngineError},
    store::{
        Reader, StoreError,
        tables::{
            app_server::{self, Address, AppServerRow, Process},
            operations, schedule,
        },
    },
};
use common::{
    ids::Generation,
    place::Place,
    safe::{Redactor, SafeText},
};
use domain::supervise::{self, Server};
use process_wrap::tokio::ChildWrapper;
use serde_json::json;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// How long a caller waits for a link before it is told that there is none.
const LINK_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a living process may refuse new connections before it counts as broken.
const RECONNECT_MAX: Duration = Duration::from_secs(5);
/// So long without a line, and it is asked whether it lives.
const PROBE_AFTER: Duration = Duration::from_secs(30);
/// For that answer, which takes a millisecond. A process that is stopped or stuck gives none, and nothing else would end it.
const PROBE_MAX: Duration = Duration::from_secs(30);
/// A connection can break a moment before its process is gone.
const SETTLES: Duration = Duration::from_millis(300);
/// Tries of what the store refuses although it is well, some six seconds.
const TRIES_MAX: u32 = 7;

/// The current link, for whoever needs one.
#[derive(Clone)]
pub struct Links {
    current: watch::Receiver<Option<Arc<Link>>>,
    engine: Engine,
    restarts: mpsc::Sender<(Generation, Restart)>,
}

/// How a process is asked to make room for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// It finishes its turns.
    Drain,
    Force,
}

impl Links {
    pub fn current(&self) -> Option<Arc<Link>> {
        self.current.borrow().clone()
    }

    pub fn watch(&self) -> watch::Receiver<Option<Arc<Link>>> {
        self.current.clone()
    }

    /// Asks the process of this generation, and no other, to make room; its end comes as any other.
    pub fn restart(&self, generation: Generation, how: Restart) {
        // Not taken: somebody has asked a moment ago, or the daemon is stopping.
        if let Err(error) = self.restarts.try_send((generation, how)) {
            tracing::debug!(%error, "a restart of the app-server is under way already");
        }
    }

    /// Asks for the app-server where it is not running, and waits for it.
    pub async fn wait(&self) -> Option<Arc<Link>> {
        if let Some(link) = self.current() {
            return Some(link);
        }
        self.engine.apply(Cause::Supervise(supervise::Event::Asked)).await.ok()?;
        let mut current = self.current.clone();
        let up = tokio::time::timeout(LINK_WAIT_MAX, current.wait_for(Option::is_some)).await;
        up.ok()?.ok()?.clone()
    }
}

pub struct Keeper {
    engine: Engine,
    reader: Reader,
    config: Arc<Config>,
    place: Place,
    guard: Arc<Guard>,
    current: watch::Sender<Option<Arc<Link>>>,
    restarts: tokio::sync::Mutex<mpsc::Receiver<(Generation, Restart)>>,
    /// The process that was told to finish what it does.
    drained: Mutex<Option<Generation>>,
}

/// A process and, where we started it, its handle and its log.
struct Running {
    process: Process,
    child: Option<Box<dyn ChildWrapper>>,
    log: Option<Log>,
}

impl Running {
    /// The sentence of a failure, with what the process said last where that is known.
    fn why(&self, error: &dyn std::fmt::Display) -> SafeText {
        let sentence = error.to_string();
        Redactor.text(&self.log.as_ref().map_or(sentence.clone(), |log| log.with_last_words(&sentence)))
    }

    /// With which status our child ended, if it did.
    async fn status(&mut self) -> Option<String> {
        let status = tokio::time::timeout(SETTLES, self.child.as_mut()?.wait()).await.ok()?;
        Some(status.map_or_else(|error| error.to_string(), |status| status.to_string()))
    }
}

fn ended(status: &str) -> SafeText {
    Redactor.text(&format!("the codex app-server process ended ({status})"))
}

/// What was asked of an earlier process is passed over.
async fn asked_for(restarts: &mut mpsc::Receiver<(Generation, Restart)>, generation: Generation) {
    while let Some((asked, _)) = restarts.recv().await {
        if asked == generation {
            return;
        }
    }
    std::future::pending().await
}

async fn probe(link: Arc<Link>, process: Process) {
    if let Err(RpcError::TimedOut { .. }) = link.rpc.request("thread/loaded/list", json!({}), PROBE_MAX).await {
        tracing::error!(pid = process.pid, "the app-server does not answer; it is ended, and another one is started");
        process::kill(&process).await;
    }
}

/// How a connection came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lost {
    Unasked,
    /// The process was told to end.
    Replaced,
}

impl Keeper {
    pub fn new(engine: Engine, reader: Reader, config: Arc<Config>, place: Place, guard: Arc<Guard>) -> (Keeper, Links) {
        let (current, watching) = watch::channel(None);
        let (restarts, asked) = mpsc::channel(1);
        let links = Links { current: watching, engine: engine.clone(), restarts };
        (
            Keeper { engine, reader, config, place, guard, current, restarts: tokio::sync::Mutex::new(asked), drained: Mutex::default() },
            links,
        )
    }

    /// Ends with the engine.
    pub async fn run(self) {
        if self.keep().await.is_none() {
            tracing::debug!("the app-server is no longer looked after");
        }
    }

    async fn keep(&self) -> Option<()> {
        let recorded = self.row().await;
        if let Some(process) = recorded.process {
            self.adopt(process, recorded.generation).await?;
        }
        let mut head = self.engine.head();
        loop {
            head.borrow_and_update();
            let row = self.row().await;
            match row.state {
                Server::Starting { .. } => self.start(Generation(row.generation.0 + 1)).await?,
                Server::Stopped | Server::Ready { .. } | Server::BackingOff { .. } => head.changed().await.ok()?,
            }
        }
    }

    /// Ours if pid, start time and CODEX_HOME are those we recorded; anything else recorded as ours is ended.
    async fn adopt(&self, process: Process, generation: Generation) -> Option<()> {
        let ours = process::is_alive(&process)
            && process.codex_home == self.config.codex_home
            && process.address != Address::Stdio
            && self.config.link != LinkKind::Stdio;
        if !ours {
            process::kill(&process).await;
            return self.apply(Cause::ProcessGone { generation, why: Some(SafeText::fixed("it ended while the daemon was away")) }).await;
        }
        self.serve(Running { process, child: None, log: None }, None, generation).await
    }

    async fn start(&self, generation: Generation) -> Option<()> {
        start::prepare(&self.config, &self.place).await;
        let mut started = match start::start(&self.config, &self.place, generation) {
            Ok(started) => started,
            Err(error) => return self.down(&error).await,
        };
        // Written down before anything is said to it: the next daemon must be able to find it.
        self.apply(Cause::Spawned { generation, process: started.process.clone() }).await?;
        let connected = {
            let mut restarts = self.restarts.lock().await;
            tokio::select! {
                connected = start::connect_new(&mut started) => connected,
                () = asked_for(&mut restarts, generation) => Err(StartError::Restarted),
            }
        };
        let running = Running { process: started.process, child: Some(started.child), log: Some(started.log) };
        match connected {
            Ok(frames) => self.serve(running, Some(frames), generation).await,
            Err(error) => {
                process::kill(&running.process).await;
                tracing::error!(%error, "could not start the app-server");
                self.apply(Cause::ProcessGone { generation, why: Some(running.why(&error)) }).await
            }
        }
    }

    async fn down(&self, error: &StartError) -> Option<()> {
        tracing::error!(%error, "could not start the app-server");
        self.apply(Cause::Supervise(supervise::Event::Down { why: Redactor.text(&error.to_string()) })).await
    }

    /// Connection after connection, until the process is gone.
    async fn serve(&self, mut running: Running, mut first: Option<super::link::Frames>, generation: Generation) -> Option<()> {
        let mut replaced = false;
        let why = loop {
            let frames = match first.take() {
                Some(frames) => Ok(frames),
                None => self.reconnect(&running.process).await,
            };
            let request_max = Duration::from_millis(u64::try_from(self.config.request_ms_max.0).unwrap_or(30_000));
            let link = match frames {
                Ok(frames) => {
                    Link::establish(
                        frames,
                        generation,
                        self.config.requests_in_flight_max,
                        request_max,
                        self.guard.clone(),
                        self.engine.live.clone(),
                    )
                    .await
                }
                Err(error) => Err(error),
            };
            match link {
                Ok((link, incoming)) => replaced |= self.follow(&running.process, link, incoming).await? == Lost::Replaced,
                Err(error) => {
                    let status = running.status().await;
                    process::kill(&running.process).await;
                    break match (&error, status) {
                        // That is all there is to say.
                        (LinkError::TooOld { .. }, _) => Redactor.text(&error.to_string()),
                        (LinkError::Handshake(_), Some(status)) => running.why(&StartError::EndedAtOnce(status)),
                        (LinkError::Connect(_), Some(status)) => ended(&status),
                        (LinkError::Connect(_) | LinkError::Handshake(_), None) => running.why(&error),
                    };
                }
            }
            if let Some(why) = self.is_gone(&mut running).await {
                break why;
            }
        };
        if let Some(mut child) = running.child.take() {
            // Reaped, so that it does not stay as a zombie.
            drop(tokio::time::timeout(Duration::from_secs(5), child.wait()).await);
        }
        self.apply(Cause::ProcessGone { generation, why: (!replaced).then_some(why) }).await
    }

    async fn reconnect(&self, process: &Process) -> Result<super::link::Frames, LinkError> {
        let until = tokio::time::Instant::now() + RECONNECT_MAX;
        loop {
            match start::connect(&process.address).await {
                Ok(frames) => return Ok(frames),
                Err(error) if tokio::time::Instant::now() > until || !process::is_alive(process) => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// One connection, from up to lost. Everything it said before it broke is applied first.
    async fn follow(&self, process: &Process, link: Arc<Link>, mut incoming: mpsc::UnboundedReceiver<Incoming>) -> Option<Lost> {
        let generation = link.generation;
        tracing::info!(generation = generation.0, pid = process.pid, version = link.version.as_deref(), "app-server linked");
        self.apply(Cause::LinkUp { generation, process: Some(process.clone()) }).await?;
        self.current.send_replace(Some(link.clone()));
        let mut head = self.engine.head();
        let (bounds, since) = (self.config.bounds, tokio::time::Instant::now());
        let mut heard = tokio::time::Instant::now();
        let mut lost = Lost::Unasked;
        // One that was adopted may be outdated from the first.
        let (mut look, mut without_login) = (true, false);
        let mut busy = heard;
        let mut beside = tokio::task::JoinSet::new();
        beside.spawn(rest::let_go(link.clone(), self.reader.clone()));
        head.mark_changed();
        let mut restarts = self.restarts.lock().await;
        loop {
            tokio::select! {
                Some((asked, how)) = restarts.recv() => if asked == generation {
                    tracing::info!(?how, "the app-server is restarted on request");
                    lost = Lost::Replaced;
                    match how {
                        Restart::Drain => self.drain(process, generation),
                        Restart::Force => process::kill(process).await,
                    }
                },
                one = incoming.recv() => match one {
                    Some(Incoming::Event(event)) => {
                        heard = tokio::time::Instant::now();
                        match &event {
                            ChildEvent::ThreadStatus { thread, status: ThreadStatus::NotLoaded } => link.unsubscribe(thread),
                            ChildEvent::TurnEnded { thread, end, .. } => {
                                link.touch(thread);
                                link.leftovers.remove(thread);
                                look = true;
                                without_login |= matches!(end, End::Failed { kind: failure::Kind::NoLogin, .. });
                            }
                            _ => {}
                        }
                        self.apply(Cause::Child { generation, event }).await?;
                    }
                    Some(Incoming::TurnAccepted { operation, turn }) => {
                        self.apply(Cause::TurnAccepted { generation, operation, turn }).await?;
                    }
                    None => break,
                },
                // A turn has ended: is there nothing left to do for a process that should make room for a new one?
                changed = head.changed(), if look => {
                    changed.ok()?;
                    start::keep_log_short(&self.place);
                    if self.is_idle().await {
                        look = false;
                        // It read the login when it started, and does not look again.
                        let worn = rest::worn(process, since.elapsed(), bounds);
                        if without_login || worn.is_some() || self.is_outdated(process) {
                            tracing::info!(without_login, worn, "the idle app-server is replaced: it has no login, is worn, or codex was updated");
                            lost = Lost::Replaced;
                            self.drain(process, generation);
                        }
                    }
                }
                // Silent, although there is work or may be: does it still live?
                () = tokio::time::sleep_until(heard + PROBE_AFTER) => {
                    heard = tokio::time::Instant::now();
                    if since.elapsed() > bounds.idle_max && heard.duration_since(busy) > bounds.idle_max && rest::is_unused(&link, &self.reader).await {
                        tracing::info!("the app-server was not needed for a while and is ended");
                        lost = Lost::Replaced;
                        self.drain(process, generation);
                    } else if self.has_work().await {
                        busy = heard;
                        // Beside the rest: whoever asks for a restart meanwhile is heard.
                        beside.spawn(probe(link.clone(), process.clone()));
                    }
                }
            }
        }
        tracing::info!(generation = generation.0, "app-server link lost");
        self.current.send_replace(None);
        self.apply(Cause::LinkLost { generation }).await?;
        Some(lost)
    }

    /// Once: told a second time it would end at once, with its turns (PROTOCOL 9).
    fn drain(&self, process: &Process, generation: Generation) {
        let mut drained = self.drained.lock().unwrap_or_else(PoisonError::into_inner);
        if *drained != Some(generation) {
            *drained = Some(generation);
            process::drain(process);
        }
    }

    fn is_outdated(&self, process: &Process) -> bool {
        let found = find::find_codex(self.config.codex_binary.as_deref(), config::variable("PATH").as_deref());
        found.is_ok_and(|found| found.mark != process.binary_mark)
    }

    async fn is_idle(&self) -> bool {
        self.reader.read(|tx| schedule::active_count(tx)).await.is_ok_and(|active| active == 0)
    }

    /// Whether work is under way or waits.
    async fn has_work(&self) -> bool {
        self.reader.read(|tx| Ok(operations::live_count(tx)? > 0)).await.unwrap_or(true)
    }

    /// How it ended, if it did.
    async fn is_gone(&self, running: &mut Running) -> Option<SafeText> {
        if running.child.is_none() {
            let gone = process::gone_within(&running.process, SETTLES).await;
            return gone.then(|| SafeText::fixed("the codex app-server process ended"));
        }
        match running.status().await {
            Some(status) => Some(ended(&status)),
            // Pipes cannot be connected to again.
            None if running.process.address == Address::Stdio => {
                process::kill(&running.process).await;
                Some(SafeText::fixed("the codex app-server closed its pipes"))
            }
            None => None,
        }
    }

    /// A read that fails once must not end the care for the app-server.
    async fn row(&self) -> AppServerRow {
        loop {
            match self.reader.read(|tx| app_server::get(tx)).await {
                Ok(row) => return row,
                Err(error) => {
                    tracing::error!(%error, "could not read the record of the app-server; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    /// `None`: the engine is stopping. What the store refuses is tried again: an ending is never dropped.
    async fn apply(&self, cause: Cause) -> Option<()> {
        let (mut wait, mut tries) = (Duration::from_millis(50), 0);
        loop {
            match self.engine.apply(cause.clone()).await {
                Ok(_) => return Some(()),
                Err(EngineError::Stopping) => return None,
                // The store is well and never takes this one. It must not keep back all that comes after it; what it would have
                // told is looked up (FAULTS A19).
                Err(EngineError::Store(error @ (StoreError::Sqlite(_) | StoreError::Row(_)))) if tries >= TRIES_MAX => {
                    tracing::error!(%error, cause = cause.name(), "what the app-server said cannot be stored and is left out; its work is looked up");
                    if let Cause::Child { generation, .. } = cause {
                        drop(self.engine.apply(Cause::LinkLost { generation }).await);
                    }
                    return Some(());
                }
                Err(error) => {
                    tracing::error!(%error, cause = cause.name(), "could not record what the app-server said; trying again");
                    tokio::time::sleep(wait).await;
                    tries += 1;
                    wait = (wait * 2).min(Duration::from_secs(10));
                }
            }
        }
    }
}
