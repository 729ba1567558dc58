//! The thread that owns the writing connection: takes the causes that wait, applies them one after the other in one
//! transaction, commits, answers, and moves the head. Decides nothing about them.

use super::{Applied, Cause, Connection, EngineError, Head, Job, Live, Reply, Rules, Trouble, apply, clock_set};
use crate::{
    clock::{Clock, Lead},
    store::{self, WriteTx},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// Causes in one commit. More would make the first of them wait for the last.
const CAUSES_TOGETHER_MAX: usize = 64;

/// What each cause came to, and the new head if anything was committed.
type Committed = (Vec<Result<Applied, EngineError>>, Option<Head>);

pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) clock: Clock,
    pub(super) lead: Lead,
    pub(super) rules: Rules,
    pub(super) live: Arc<Live>,
    pub(super) trouble: Arc<Trouble>,
    pub(super) head: watch::Sender<Head>,
}

impl Writer {
    /// A panic here ends the process: half-applied memory must not outlive it, and the next start is a tested path.
    pub(super) fn run(mut self, mut inbox: mpsc::Receiver<Job>) {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            while let Some(first) = inbox.blocking_recv() {
                let (mut causes, mut settle, mut next) = (Vec::new(), None, Some(first));
                while let Some(job) = next.take() {
                    match job {
                        Job::Apply(cause, reply) => causes.push((cause, reply)),
                        Job::Settle(reply) => settle = Some(reply),
                    }
                    if causes.len() < CAUSES_TOGETHER_MAX && settle.is_none() {
                        next = inbox.try_recv().ok();
                    }
                }
                if !causes.is_empty() {
                    self.take(causes);
                }
                if let Some(reply) = settle {
                    // Whoever asked may be gone.
                    let _unheard = reply.send(self.settle());
                }
            }
        }));
        if outcome.is_err() {
            tracing::error!("the writer panicked; ending the process so that the next start recovers");
            std::process::abort();
        }
    }

    /// Those that came while the last commit was under way share the next one. Where that fails, each is taken by itself,
    /// so that one which does not fit takes no other with it.
    fn take(&mut self, jobs: Vec<(Cause, Reply)>) {
        if jobs.len() > 1
            && let Ok(done) = self.commit(jobs.iter().map(|(cause, _)| cause.clone()).collect())
        {
            self.tell(jobs.into_iter().map(|(_, reply)| reply), done);
            return;
        }
        for (cause, reply) in jobs {
            match self.commit(vec![cause]) {
                Ok(done) => self.tell([reply], done),
                Err(error) => {
                    if let EngineError::Store(error) = &error {
                        self.trouble.refused(error);
                    }
                    drop(reply.send(Err(error)));
                }
            }
        }
    }

    fn settle(&self) -> bool {
        store::settle(&self.connection).unwrap_or_else(|error| {
            tracing::warn!(%error, "the log of the database could not be cut");
            false
        })
    }

    /// Whoever waits for an answer first: moving the head wakes everybody else.
    fn tell(&self, replies: impl IntoIterator<Item = Reply>, (answers, head): Committed) {
        // Whoever asked may be gone; the change stands all the same.
        replies.into_iter().zip(answers).for_each(|(reply, answer)| drop(reply.send(answer)));
        if let Some(head) = head {
            self.head.send_replace(head);
        }
    }

    /// Each cause whole or, where it is turned down, not at all; all of them durable when this returns. `Err`: nothing
    /// happened.
    fn commit(&mut self, causes: Vec<Cause>) -> Result<Committed, EngineError> {
        let reading = self.clock.read();
        let now = reading.wall;
        let tx = WriteTx::begin(&mut self.connection)?;
        let set_by = self.lead.set_by(reading);
        if let Some(by) = set_by {
            clock_set::moved(&tx, by)?;
        }
        // The timer may not get to its tick before this commit hides the moment that it waited for.
        let woken = self.head.borrow().wake.is_some_and(|at| at <= Instant::now());
        let (mut answers, mut cursor) = (Vec::with_capacity(causes.len()), None);
        for cause in causes {
            let (name, before) = (cause.name(), tx.changes());
            match apply::apply(&tx, cause, now, woken, &self.rules, &self.live) {
                Ok(applied) => {
                    tracing::debug!(cause = name, cursor = applied.cursor.0, "applied");
                    cursor = Some(applied.cursor);
                    answers.push(Ok(applied));
                }
                // Turned down before it wrote anything.
                Err(no @ EngineError::Rejected { .. }) if tx.changes() == before => answers.push(Err(no)),
                Err(error) => return Err(error),
            }
        }
        let Some(cursor) = cursor else { return Ok((answers, None)) };
        let (wake, app_server) = apply::outlook(&tx, now, &self.rules)?;
        let wait_ms = wake.map(|at| u64::try_from((at - now).0).unwrap_or(0));
        let wake = wait_ms.map(|wait| Instant::now() + Duration::from_millis(wait));
        let changes = tx.changes() > 0;
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
        let commits = self.head.borrow().commits + 1;
        Ok((answers, Some(Head { commits, cursor, wake, app_server })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{
            Engine,
            tests::{self, new_operation},
        },
        store::open_for_writing,
    };
    use common::{error::ErrorCode, ids::*, time::Millis};
    use domain::{operation::Target, schedule::Limits};

    const RULES: Rules = Rules {
        limits: Limits { turns_active_max: 1, turns_per_project_max: 1, turns_per_agent_max: 1, asking_max: 64 },
        operations_live_max: 100,
        silence_max: Millis(1_000),
        ..tests::RULES
    };

    fn submit(n: u32, id: &str, request: &str) -> Cause {
        let mut new = new_operation(n, Target::NewThread, None);
        (new.id, new.request_key, new.request_digest) = (OperationId::new(id), RequestKey::new(request), id.to_owned());
        Cause::Submit(Box::new(new))
    }

    #[tokio::test]
    async fn causes_that_wait_share_a_commit_and_one_that_is_turned_down_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite3");
        let (engine, _writer) = Engine::start(open_for_writing(&path).unwrap(), Clock::System, RULES).unwrap();
        // Nobody can write while this lives, so all that is handed in waits.
        let busy = Connection::open(&path).unwrap();
        busy.execute_batch("BEGIN IMMEDIATE").unwrap();
        let all = ["a", "b", "other than a", "c", "d"];
        let mut handed_in = Vec::new();
        for (n, id) in (1..).zip(all) {
            let (engine, request) = (engine.clone(), id.trim_start_matches("other than ").to_owned());
            handed_in.push(tokio::spawn(async move { engine.apply(submit(n, id, &request)).await }));
        }
        tokio::task::yield_now().await;
        busy.execute_batch("COMMIT").unwrap();
        let mut answers = Vec::new();
        for one in handed_in {
            answers.push(one.await.unwrap());
        }
        assert!(matches!(&answers[2], Err(EngineError::Rejected { code: ErrorCode::IdempotencyConflict, .. })), "{answers:?}");
        let accepted = answers.iter().flatten().filter_map(|applied| applied.submitted.as_ref()).count();
        assert_eq!(accepted, 4, "{answers:?}");
        let stored: i64 = busy.query_row("SELECT count(*) FROM operations", [], |row| row.get(0)).unwrap();
        assert_eq!(stored, 4);
        assert!(engine.head().borrow().commits < 4, "each had a commit of its own");
    }
}
