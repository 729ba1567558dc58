//! One at a time on a thread: whoever begins a turn on it, or whoever lets it go. Decides nothing.

use common::ids::ThreadId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OwnedMutexGuard;

type Gate = Arc<tokio::sync::Mutex<()>>;

/// Bounded by how many hold and wait: a gate that nobody has is dropped with the next one that is asked for.
#[derive(Default)]
pub(super) struct Held(Mutex<HashMap<ThreadId, Gate>>);

impl Held {
    pub(super) async fn hold(&self, thread: &ThreadId) -> OwnedMutexGuard<()> {
        self.gate(thread).lock_owned().await
    }

    /// `None`: somebody holds it.
    pub(super) fn try_hold(&self, thread: &ThreadId) -> Option<OwnedMutexGuard<()>> {
        self.gate(thread).try_lock_owned().ok()
    }

    fn gate(&self, thread: &ThreadId) -> Gate {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, gate| Arc::strong_count(gate) > 1);
        all.entry(thread.clone()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_is_held_by_one_and_is_nothing_once_it_is_let_go() {
        let held = Held::default();
        let (one, other) = (ThreadId::new("one"), ThreadId::new("other"));
        let first = held.hold(&one).await;
        assert!(held.try_hold(&one).is_none() && held.try_hold(&other).is_some());
        drop(first);
        assert!(held.try_hold(&one).is_some());
        drop(held.try_hold(&other));
        assert!(held.0.lock().unwrap().len() <= 1);
    }
}
