//! Commands that the turns of a thread left running in the background: which there are, and their end. An interrupt does not
//! end them (seen with codex 0.169.0 and 0.171.0 outside the sandbox). Those that a command itself left behind are not
//! listed and not known here.

use super::{link::Link, process, rpc::RpcError};
use crate::engine::Done;
use common::ids::ThreadId;
use serde_json::{Value, json};
use std::time::Duration;

/// Between two looks at what was told to end; nothing announces it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Then it is asked anew; the domain has a limit for the whole.
const LOOKS_MAX: usize = 100;

pub(super) async fn listed(link: &Link, thread: &ThreadId) -> Result<Vec<Value>, RpcError> {
    match link.request("thread/backgroundTerminals/list", json!({"threadId": thread})).await {
        Ok(mut answer) => Ok(answer["data"].as_array_mut().map(std::mem::take).unwrap_or_default()),
        // A thread that is not loaded has none.
        Err(RpcError::Refused { .. }) => Ok(Vec::new()),
        Err(other) => Err(other),
    }
}

/// Done when the list is empty and the processes that it named are gone.
pub(super) async fn clean(link: &Link, thread: &ThreadId) -> Done {
    let mut pids = Vec::<(u32, Option<String>)>::new();
    for _ in 0..LOOKS_MAX {
        let Ok(all) = listed(link, thread).await else { return Done::Lost };
        for pid in all.iter().filter_map(|one| one["osPid"].as_u64().and_then(|pid| u32::try_from(pid).ok())) {
            if !pids.iter().any(|(known, _)| *known == pid) {
                pids.push((pid, process::start_mark(pid)));
            }
        }
        let alive = |(pid, mark): &(u32, Option<String>)| process::started_s(*pid).is_some() && process::start_mark(*pid) == *mark;
        if all.is_empty() && !pids.iter().any(alive) {
            return Done::Cleaned;
        }
        if !all.is_empty()
            && let Err(RpcError::Lost | RpcError::TimedOut { .. }) =
                link.request("thread/backgroundTerminals/clean", json!({"threadId": thread})).await
        {
            return Done::Lost;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Done::Later
}
