//! What people and other work do to the queue: pausing it, and waiting for each other. Starts nothing itself: that is
//! `apply.rs`, once the cause is applied.

use super::{apply::Apply, cause::PausedProject};
use crate::clock::iso;
use crate::store::{
    StoreError,
    tables::{
        events::About,
        firsts, operations, pauses,
        provider_limit::{self, ProviderLimit},
    },
};
use common::{
    agent_safe,
    ids::ProjectId,
    safe::{Redactor, SafeText},
    time::Timestamp,
};
use domain::operation::Event;

agent_safe! {
    /// Body of `queue.paused` and `queue.resumed`; no project: everywhere.
    struct QueueChanged { project_id: Option<ProjectId> }
    /// Body of `queue.rate_limited`.
    struct RateLimited { until: SafeText }
}

impl Apply<'_> {
    pub(super) fn pause(&self, project: Option<&PausedProject>) -> Result<(), StoreError> {
        pauses::pause(self.tx, project.map(|one| one.key.as_str()), self.now)?;
        self.queue_changed("queue.paused", project)
    }

    pub(super) fn resume(&self, project: Option<&PausedProject>) -> Result<(), StoreError> {
        pauses::resume(self.tx, project.map(|one| one.key.as_str()))?;
        if project.is_none() {
            // Whoever resumes everything may know of more credit.
            provider_limit::put(self.tx, ProviderLimit::default())?;
        }
        self.may_grant();
        self.queue_changed("queue.resumed", project)
    }

    /// When the provider's limit is reset, as it says. Without one it is not used up, or no longer.
    pub(super) fn limits_told(&self, resets: Option<Timestamp>) -> Result<(), StoreError> {
        let before = provider_limit::get(self.tx)?;
        if before.resets == resets {
            return Ok(());
        }
        // A reset that is said to be over ends no wait of ours: our clock may be ahead. One that is taken back does.
        let (strikes, until) = match resets {
            None => (0, None),
            Some(_) => (before.strikes, before.until),
        };
        provider_limit::put(self.tx, ProviderLimit { resets, strikes, until })?;
        self.may_grant();
        Ok(())
    }

    /// A turn was refused because of it: what is queued would be refused too. Those that ran beside it say nothing new.
    pub(super) fn limit_reached(&self) -> Result<(), StoreError> {
        let limit = provider_limit::get(self.tx)?;
        if !self.rules.waits_for_reset || limit.until.is_some_and(|until| until > self.now) {
            return Ok(());
        }
        let met = limit.met(self.now);
        provider_limit::put(self.tx, met)?;
        let until = met.until.unwrap_or(self.now);
        self.event("queue.rate_limited", &About::default(), &RateLimited { until: Redactor.text(&iso(until)) })
    }

    /// A turn came through after the wait: the others may follow.
    pub(super) fn limit_passed(&self) -> Result<(), StoreError> {
        let limit = provider_limit::get(self.tx)?;
        if limit.until.is_some_and(|until| until <= self.now) {
            provider_limit::put(self.tx, ProviderLimit { resets: limit.resets, ..ProviderLimit::default() })?;
            self.may_grant();
        }
        Ok(())
    }

    fn queue_changed(&self, kind: &str, project: Option<&PausedProject>) -> Result<(), StoreError> {
        self.event(kind, &About::default(), &QueueChanged { project_id: project.map(|one| one.id.clone()) })
    }

    /// What ended in this commit is waited for no more: after a success the others may run, after anything else they end
    /// too, and so on. A list, because a chain can be as long as the queue.
    pub(super) fn settle_waiting(&self) -> Result<(), StoreError> {
        loop {
            // Taken out before the step below adds to it.
            let next = self.over.borrow_mut().pop();
            let Some((first, completed)) = next else { return Ok(()) };
            firsts::forget(self.tx, &first)?;
            let waiting = firsts::waiting_for(self.tx, &first)?;
            firsts::done(self.tx, &first)?;
            for id in waiting {
                if !completed && let Some(row) = operations::by_id(self.tx, &id)? {
                    self.step(row, Event::FirstFailed { first: first.clone() })?;
                }
            }
        }
    }
}
