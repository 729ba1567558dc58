//! Commit, then act. One thread owns the writing connection and applies one cause after the other, each in one
//! transaction; after the commit it moves the head, and whoever waits looks again.

mod apply;
mod cause;
mod child;
mod clock_set;
mod interactions;
mod live;
mod queue;
mod recover;
mod submit;
#[cfg(test)]
mod tests;
pub mod timers;
mod trouble;

pub use apply::Rules;
pub use cause::{Applied, Cause, Done, EngineError, NewOperation, PausedProject, Submitted};
pub use live::{Live, Piece};
pub use trouble::Trouble;

use crate::{
    clock::{Clock, Lead},
    store::WriteTx,
};
use common::ids::Cursor;
use rusqlite::Connection;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot, watch};

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

type Job = (Cause, oneshot::Sender<Result<Applied, EngineError>>);

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
        self.jobs.send((cause, reply)).await.map_err(|_| EngineError::Stopping)?;
        answer.await.map_err(|_| EngineError::Stopping)?
    }

    /// Changes with every commit.
    pub fn head(&self) -> watch::Receiver<Head> {
        self.head.clone()
    }
}

struct Writer {
    connection: Connection,
    clock: Clock,
    lead: Lead,
    rules: Rules,
    live: Arc<Live>,
    trouble: Arc<Trouble>,
    head: watch::Sender<Head>,
}

impl Writer {
    /// A panic here ends the process: half-applied memory must not outlive it, and the next start is a tested path.
    fn run(mut self, mut inbox: mpsc::Receiver<Job>) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while let Some((cause, reply)) = inbox.blocking_recv() {
                // Whoever asked may be gone; the change stands all the same.
                let applied = self.one(cause);
                if let Err(EngineError::Store(error)) = &applied {
                    self.trouble.refused(error);
                }
                drop(reply.send(applied));
            }
        }));
        if outcome.is_err() {
            tracing::error!("the writer panicked; ending the process so that the next start recovers");
            std::process::abort();
        }
    }

    fn one(&mut self, cause: Cause) -> Result<Applied, EngineError> {
        let name = cause.name();
        let reading = self.clock.read();
        let now = reading.wall;
        let tx = WriteTx::begin(&mut self.connection)?;
        let set_by = self.lead.set_by(reading);
        if let Some(by) = set_by {
            clock_set::moved(&tx, by)?;
        }
        // The timer may not get to its tick before this commit hides the moment that it waited for.
        let woken = self.head.borrow().wake.is_some_and(|at| at <= Instant::now());
        let applied = apply::apply(&tx, cause, now, woken, &self.rules, &self.live)?;
        let (wake, app_server) = apply::outlook(&tx, now, &self.rules)?;
        let wait_ms = wake.map(|at| u64::try_from((at - now).0).unwrap_or(0));
        let wake = wait_ms.map(|wait| Instant::now() + Duration::from_millis(wait));
        let changes = tx.has_changes();
        fail::fail_point!("commit.before", |_| std::process::abort());
        tx.commit()?;
        if changes {
            self.trouble.taken();
        }
        if let Some(by) = set_by {
            tracing::warn!(by_ms = by.0, "the clock was set, or the machine slept; limits keep what was left of them");
            self.lead = Lead::of(reading);
        }
        fail::fail_point!("commit.after", |_| std::process::abort());
        tracing::debug!(cause = name, cursor = applied.cursor.0, "applied");
        self.head.send_modify(|head| *head = Head { commits: head.commits + 1, cursor: applied.cursor, wake, app_server });
        Ok(applied)
    }
}
