//! What people and other work do to the queue: pausing it, and waiting for each other. Starts nothing itself: that is
//! `apply.rs`, once the cause is applied.

use super::apply::Apply;
use crate::store::{
    StoreError,
    tables::{events::About, firsts, operations, pauses},
};
use common::{
    agent_safe,
    safe::{Redactor, SafeText},
};
use domain::operation::Event;

agent_safe! {
    /// Body of `queue.paused` and `queue.resumed`.
    struct QueueChanged { project: Option<SafeText> }
}

impl Apply<'_> {
    pub(super) fn pause(&self, project_key: Option<&str>) -> Result<(), StoreError> {
        pauses::pause(self.tx, project_key, self.now)?;
        self.queue_changed("queue.paused", project_key)
    }

    pub(super) fn resume(&self, project_key: Option<&str>) -> Result<(), StoreError> {
        pauses::resume(self.tx, project_key)?;
        self.may_grant();
        self.queue_changed("queue.resumed", project_key)
    }

    fn queue_changed(&self, kind: &str, project_key: Option<&str>) -> Result<(), StoreError> {
        self.event(kind, &About::default(), &QueueChanged { project: project_key.map(|key| Redactor.text(key)) })
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
