//! What people and other work do to the queue: pausing it, and waiting for each other. Starts nothing itself: that is
//! `apply.rs`, once the cause is applied.

use super::{apply::Apply, cause::PausedProject};
use crate::store::{
    StoreError,
    tables::{events::About, firsts, operations, pauses},
};
use common::{agent_safe, ids::ProjectId};
use domain::operation::Event;

agent_safe! {
    /// Body of `queue.paused` and `queue.resumed`; no project: everywhere.
    struct QueueChanged { project_id: Option<ProjectId> }
}

impl Apply<'_> {
    pub(super) fn pause(&self, project: Option<&PausedProject>) -> Result<(), StoreError> {
        pauses::pause(self.tx, project.map(|one| one.key.as_str()), self.now)?;
        self.queue_changed("queue.paused", project)
    }

    pub(super) fn resume(&self, project: Option<&PausedProject>) -> Result<(), StoreError> {
        pauses::resume(self.tx, project.map(|one| one.key.as_str()))?;
        self.may_grant();
        self.queue_changed("queue.resumed", project)
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
