//! Has a thread worked off all it was asked before us? Only then does "not found" mean "never given to the model".
//! Asks nothing that a model or a user could notice.
//!
//! Measured with codex 0.169.0 (ADR 0007): the answer to `thread/resume` says `idle`, and the message is not listed, while
//! the `turn/start` of a killed client still waits in the thread's own queue; in 14 of 25 trials its turn began afterwards.
//! That queue is first in, first out, and a changed setting passes through it too and is then announced.

use super::{link::Link, rpc::RpcError};
use common::ids::{ThreadId, TurnId};
use serde_json::json;
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::oneshot;

/// Values of a setting that codex keeps and announces but no longer heeds. Two, so that the second is always a change,
/// and only a change is announced.
const BEFORE: &str = "friendly";
const PASSED: &str = "none";

/// An id that no turn has.
const NO_TURN: &str = "none";

/// The first value is announced within milliseconds; where it is that of the thread already, it never is.
const FIRST_MAX: Duration = Duration::from_secs(1);

/// Who waits for which value on which thread.
#[derive(Default)]
pub(super) struct Fences(Mutex<HashMap<ThreadId, (&'static str, oneshot::Sender<()>)>>);

impl Fences {
    fn put_up(&self, thread: &ThreadId, value: &'static str) -> oneshot::Receiver<()> {
        let (passed, wait) = oneshot::channel();
        // One look-up at a time works on a thread; an older one that gave up is replaced.
        self.all().insert(thread.clone(), (value, passed));
        wait
    }

    /// The app-server announced the settings of a thread.
    pub(super) fn announced(&self, thread: &ThreadId, personality: Option<&str>) {
        let mut all = self.all();
        if all.get(thread).is_some_and(|(value, _)| Some(*value) == personality)
            && let Some((_, passed)) = all.remove(thread)
        {
            // Whoever waited may have given up: then nobody is told.
            passed.send(()).unwrap_or_default();
        }
    }

    pub(super) fn close(&self) {
        self.all().clear();
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ThreadId, (&'static str, oneshot::Sender<()>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns once the thread, which must be subscribed to, has worked off what came before.
/// Errors: it does not within the limit for requests (it may be held up by a server of its own), or the link is lost.
pub(super) async fn worked_off(link: &Link, thread: &ThreadId) -> Result<(), RpcError> {
    link.after_calm().await;
    let update = async |personality| link.request("thread/settings/update", json!({"threadId": thread, "personality": personality})).await;
    // Two changes that the thread works off together are announced as one, or, where they end as they began, not at all.
    let first = link.rpc.fences.put_up(thread, BEFORE);
    update(BEFORE).await?;
    if let Ok(Err(_closed)) = tokio::time::timeout(FIRST_MAX, first).await {
        return Err(RpcError::Lost);
    }
    let passed = link.rpc.fences.put_up(thread, PASSED);
    update(PASSED).await?;
    match tokio::time::timeout(link.request_max, passed).await {
        Ok(passed) => passed.map_err(|_| RpcError::Lost),
        Err(_) => Err(RpcError::TimedOut { method: "thread/settings/update", limit: link.request_max }),
    }
}

/// Whether a turn is under way, from the thread itself: its listed status lags behind.
/// A steer to a turn that does not exist reaches no model; its refusal tells (PROTOCOL 4).
pub(super) async fn has_turn(link: &Link, thread: &ThreadId) -> Result<bool, RpcError> {
    let steer = json!({"threadId": thread, "expectedTurnId": NO_TURN, "input": [{"type": "text", "text": "."}]});
    match link.request("turn/steer", steer).await {
        Err(RpcError::Refused { message, .. }) if message.contains("no active turn") => Ok(false),
        Err(RpcError::Refused { message, .. }) if message.contains("expected active turn id") || message.contains("cannot steer") => {
            Ok(true)
        }
        Err(other) => Err(other),
        Ok(_) => Ok(true),
    }
}

/// Its name, where nothing else tells it: the same refusal says which turn it found.
pub(super) async fn active_turn(link: &Link, thread: &ThreadId) -> Option<TurnId> {
    let steer = json!({"threadId": thread, "expectedTurnId": NO_TURN, "input": [{"type": "text", "text": "."}]});
    match link.request("turn/steer", steer).await {
        Err(RpcError::Refused { message, .. }) => found_in(&message),
        Ok(_) | Err(_) => None,
    }
}

fn found_in(message: &str) -> Option<TurnId> {
    let (_, found) = message.split_once("but found ")?;
    Some(TurnId::new(found.trim().trim_matches('`'))).filter(|turn| !turn.as_str().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_turn_that_runs() {
        // Seen with codex 0.169.0, with and without the marks.
        assert_eq!(found_in("expected active turn id `none` but found `01a2`"), Some(TurnId::new("01a2")));
        assert_eq!(found_in("expected active turn id none but found 01a2"), Some(TurnId::new("01a2")));
        assert_eq!(found_in("no active turn to steer"), None);
    }

    #[tokio::test]
    async fn only_the_second_value_passes_and_only_on_its_own_thread() {
        let (fences, one, other) = (Fences::default(), ThreadId::new("one"), ThreadId::new("other"));
        let mut wait = fences.put_up(&one, PASSED);
        fences.announced(&one, Some(BEFORE));
        fences.announced(&one, None);
        fences.announced(&other, Some(PASSED));
        assert!(wait.try_recv().is_err());
        fences.announced(&one, Some(PASSED));
        wait.await.unwrap();
        let lost = fences.put_up(&one, PASSED);
        fences.close();
        assert!(lost.await.is_err());
    }
}
