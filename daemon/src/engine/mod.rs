//! Commit, then act. One thread owns the writing connection and applies one cause after the other. Those that wait
//! together share a transaction; after the commit it moves the head, and whoever waits looks again.

mod apply;
mod approval_rules;
mod cause;
mod changes;
mod child;
mod clock_set;
mod goals;
mod history;
mod interactions;
mod live;
mod queue;
mod recover;
mod steer;
mod submit;
#[cfg(test)]
pub(crate) mod tests;
pub mod timers;
mod trouble;
mod workflow;
mod writer;

pub use apply::Rules;
pub use cause::{Applied, Cause, Changed, Done, EngineError, NewOperation, PausedProject, Submitted, Tidy, WorkflowChange};
pub use live::{Live, Piece};
pub use trouble::Trouble;

use crate::clock::{Clock, Lead};
use common::ids::Cursor;
use rusqlite::Connection;
use std::{sync::Arc, time::Instant};
use tokio::sync::{mpsc, oneshot, watch};
use writer::Writer;

/// Causes waiting for the writer. A full queue makes the sender wait: nothing is dropped.
const CAUSES_WAITING_MAX: usize = 256;

/// What a commit tells the world.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// Counts commits: changes even where no event was written.
    pub commits: u64,
    pub cursor: Cursor,
    /// When a `Tick` is due, by the steady clock: setting the other one makes it neither early nor late.
    pub wake: Option<Instant>,
    /// The recorded process of the app-server: who descends from it is known by this (`ipc/peer.rs`).
    pub app_server: Option<u32>,
}

type Reply = oneshot::Sender<Result<Applied, EngineError>>;

enum Job {
    Apply(Cause, Reply),
    /// Fold the log of the database and cut it.
    Settle(oneshot::Sender<bool>),
}

#[derive(Clone)]
pub struct Engine {
    jobs: mpsc::Sender<Job>,
    head: watch::Receiver<Head>,
    pub live: Arc<Live>,
    pub trouble: Arc<Trouble>,
    pub clock: Clock,
}

impl Engine {
    /// Starts the writer thread. It ends when the last `Engine` is dropped.
    pub fn start(connection: Connection, clock: Clock, rules: Rules) -> std::io::Result<(Engine, std::thread::JoinHandle<()>)> {
        let (jobs, inbox) = mpsc::channel(CAUSES_WAITING_MAX);
        let (head_sender, head) = watch::channel(Head::default());
        let (live, trouble) = (Arc::new(Live::default()), Arc::new(Trouble::default()));
        let lead = Lead::of(clock.read());
        let writer =
            Writer { lead, connection, clock: clock.clone(), rules, live: live.clone(), trouble: trouble.clone(), head: head_sender };
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || writer.run(inbox))?;
        Ok((Engine { jobs, head, live, trouble, clock }, thread))
    }

    /// Applies one cause. When this returns `Ok`, it is durable.
    pub async fn apply(&self, cause: Cause) -> Result<Applied, EngineError> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Apply(cause, reply)).await.map_err(|_| EngineError::Stopping)?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// Cuts the log of the database. `false`: somebody reads it now, and it is for another time.
    pub async fn settle(&self) -> bool {
        let (reply, tried) = oneshot::channel();
        self.jobs.send(Job::Settle(reply)).await.is_ok() && tried.await.unwrap_or_default()
    }

    /// Changes with every commit.
    pub fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }
}
