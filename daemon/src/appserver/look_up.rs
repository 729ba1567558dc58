//! Was our message taken, and what became of it? `thread/resume` first: without it nothing is heard of the thread
//! (PROTOCOL 5). A living process is believed to know nothing of the message only behind a fence (ADR 0007).
//! Gives no model anything.

use super::{
    fence,
    link::Link,
    refusal,
    rpc::RpcError,
    translate::{ChildEvent, End, Marker, ThreadStatus, translate},
};
use crate::{engine::Done, store::tables::messages::MessageRow};
use common::{ids::*, time::Timestamp};
use domain::operation::{Finding, Refusal};
use serde_json::{Value, json};
use std::{collections::HashSet, path::Path};

/// Entries a page. All pages are read: an absence that is not the whole truth would send a prompt again.
const PAGE: u32 = 50;
/// A million entries: no thread has more, and a list that never ends must not be kept in memory.
const PAGES_MAX: u32 = 20_000;

pub struct Question<'a> {
    pub thread: &'a ThreadId,
    /// Known once the message was seen.
    pub turn: Option<&'a TurnId>,
    pub mark: Mark<'a>,
    /// The process that was asked to run it is not the one that is asked now.
    pub process_gone: bool,
    /// The newest turn of the thread before ours was sent, where that is known.
    pub before: Option<Option<TurnId>>,
}

/// By what our turn is known.
pub enum Mark<'a> {
    Message(&'a ClientMessageId),
    /// Where codex takes no message of ours: an item of this kind that came after this turn, in none of these.
    Item {
        marker: Marker,
        after: Option<TurnId>,
        others: HashSet<TurnId>,
    },
}

impl Mark<'_> {
    fn is_in(&self, entry: &Value) -> bool {
        let item = &entry["item"];
        match self {
            Mark::Message(client) => item["type"] == "userMessage" && item["clientId"] == client.as_str(),
            Mark::Item { marker, others, .. } => {
                let anothers = entry["turnId"].as_str().is_some_and(|turn| others.contains(&TurnId::new(turn)));
                item["type"] == marker.item() && !anothers
            }
        }
    }

    /// Everything older was there before.
    fn ends_at(&self, entry: &Value) -> bool {
        matches!(self, Mark::Item { after: Some(turn), .. } if entry["turnId"] == turn.as_str())
    }
}

pub async fn look_up(link: &Link, question: &Question<'_>) -> Done {
    match answer(link, question).await {
        Ok(done) => done,
        Err(RpcError::Lost | RpcError::TimedOut { .. }) => Done::Lost,
        Err(refused) => {
            tracing::warn!(thread = %question.thread, %refused, "look-up refused");
            match refusal::classify(&refused) {
                Some(Refusal::NotReady | Refusal::HeldElsewhere | Refusal::ThreadBusy) => Done::Later,
                _ => found(Finding::Unreadable),
            }
        }
    }
}

async fn answer(link: &Link, question: &Question<'_>) -> Result<Done, RpcError> {
    let status = match resume(link, question.thread, None).await {
        Ok(status) => status,
        Err(refused) if refusal::is_no_rollout(&refused) => return Ok(found(Finding::NoRollout)),
        // Left by a process that died before it wrote a line. One that lives may write it in the next moment.
        Err(refused) if question.process_gone && refusal::is_empty_rollout(&refused) => return Ok(found(Finding::NoRollout)),
        // Another codex has it open. What our process did before it ended is on disk and can be read all the same; nothing of
        // ours goes on there, so nothing need be heard (FAULTS A13).
        Err(refused) if question.process_gone && refusal::classify(&refused) == Some(Refusal::HeldElsewhere) => ThreadStatus::NotLoaded,
        Err(other) => return Err(other),
    };
    let turn = match question.turn {
        Some(turn) => Some(turn.clone()),
        None => turn_of_message(link, question.thread, &question.mark).await?,
    };
    let turn = match turn {
        Some(turn) => turn,
        None if status == ThreadStatus::Active => return Ok(found(Finding::ActiveUnlisted)),
        // A new process has no queue: what is not on disk is nowhere. But a message is in the history a moment before it is
        // listed.
        None if question.process_gone => {
            return Ok(found(match remnant(link, question).await? {
                Some(turn) => Finding::Remnant { turn },
                None => Finding::Absent,
            }));
        }
        None => {
            fence::worked_off(link, question.thread).await?;
            if fence::has_turn(link, question.thread).await? {
                return Ok(found(Finding::ActiveUnlisted));
            }
            match turn_of_message(link, question.thread, &question.mark).await? {
                Some(turn) => turn,
                None => return Ok(found(Finding::Absent)),
            }
        }
    };
    let missed = items_of(link, question.thread, &turn).await?;
    // The end is read after the items: what it says then covers them all.
    let end = match (end_of(link, question.thread, &turn).await?, &question.mark) {
        (Some(end), _) => end,
        // A review is listed once it has ended; until then only the turn inside it is.
        (None, Mark::Item { marker: Marker::Review, .. }) => question.process_gone.then_some(End::Interrupted),
        (None, Mark::Item { marker: Marker::Compaction, .. } | Mark::Message(_)) => return Ok(found(Finding::Unreadable)),
    };
    let end = end.map(|end| end.known(question.process_gone));
    Ok(Done::LookedUp { finding: Finding::Turn { turn, end }, missed })
}

fn found(finding: Finding) -> Done {
    Done::LookedUp { finding, missed: Vec::new() }
}

/// Loads or joins the thread and subscribes to it. Pending approvals are sent again after this (PROTOCOL 9).
/// One that is loaded here keeps what it may touch; one that comes from disk may read, until a turn of ours widens that.
/// `folder`: where the next turn works, if that is known; else the thread's own.
pub(super) async fn resume(link: &Link, thread: &ThreadId, folder: Option<&Path>) -> Result<ThreadStatus, RpcError> {
    let read = match link.request("thread/read", json!({"threadId": thread})).await {
        Ok(read) => read,
        // One that is not there is told so by the resume.
        Err(error) if matches!(refusal::classify(&error), Some(Refusal::Final { .. } | Refusal::ThreadGone)) => Value::Null,
        Err(error) => return Err(error),
    };
    let mut params = json!({"threadId": thread, "excludeTurns": true});
    // A turn may run on one that is loaded: nothing is asked of it but to be heard.
    if ThreadStatus::of(&read["thread"]["status"]) == ThreadStatus::NotLoaded {
        let profiles = link.profiles(folder.or(read["thread"]["cwd"].as_str().map(Path::new))).await?;
        (params["permissions"], params["config"]) = (json!(profiles.read_only), profiles.config);
    }
    let result = link.request("thread/resume", params).await?;
    link.subscribe(thread);
    Ok(ThreadStatus::of(&result["thread"]["status"]))
}

/// The model that the thread's next turn would use.
pub(super) async fn model(link: &Link, thread: &ThreadId) -> Result<Option<String>, RpcError> {
    let result = link.request("thread/resume", json!({"threadId": thread, "excludeTurns": true})).await?;
    Ok(result["model"].as_str().map(str::to_owned))
}

async fn turn_of_message(link: &Link, thread: &ThreadId, mark: &Mark<'_>) -> Result<Option<TurnId>, RpcError> {
    let mut cursor = Value::Null;
    for _ in 0..PAGES_MAX {
        let params = json!({"threadId": thread, "sortDirection": "desc", "limit": PAGE, "cursor": cursor});
        let page = match link.request("thread/items/list", params).await {
            Ok(page) => page,
            // A thread that is not yet on disk has no items to list.
            Err(RpcError::Refused { code: -32601, .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        for entry in page["data"].as_array().into_iter().flatten() {
            if mark.ends_at(entry) {
                return Ok(None);
            }
            if mark.is_in(entry) {
                return Ok(entry["turnId"].as_str().map(TurnId::new));
            }
        }
        match next(&page, &cursor)? {
            Some(next) => cursor = next,
            None => return Ok(None),
        }
    }
    Err(endless())
}

async fn items_of(link: &Link, thread: &ThreadId, turn: &TurnId) -> Result<Vec<ChildEvent>, RpcError> {
    let mut events = Vec::new();
    let mut cursor = Value::Null;
    for _ in 0..PAGES_MAX {
        let params = json!({"threadId": thread, "turnId": turn, "limit": PAGE, "cursor": cursor});
        let page = link.request("thread/items/list", params).await?;
        for entry in page["data"].as_array().into_iter().flatten() {
            // Only whole items are listed with a time of completion.
            if entry["completedAtMs"].is_null() && entry["item"]["completedAtMs"].is_null() {
                continue;
            }
            let line = json!({"method": "item/completed", "params": {"threadId": thread, "turnId": turn, "item": entry["item"]}});
            events.push(translate(&line));
        }
        match next(&page, &cursor)? {
            Some(next) => cursor = next,
            None => return Ok(events),
        }
    }
    Err(endless())
}

/// The last thing that the model said in a turn. A thread need not be loaded for that.
pub(super) async fn last_message(link: &Link, thread: &ThreadId, turn: &TurnId) -> Result<Option<MessageRow>, RpcError> {
    let events = items_of(link, thread, turn).await?;
    let said = events.into_iter().rev().find_map(|event| match event {
        ChildEvent::AgentMessage { item, text, .. } => Some((item, text)),
        _ => None,
    });
    Ok(said.map(|(item, text)| MessageRow { item, ordinal: 1, text, at: Timestamp::default() }))
}

/// `None`: the turn is not listed. `Some(None)`: it runs.
async fn end_of(link: &Link, thread: &ThreadId, turn: &TurnId) -> Result<Option<Option<End>>, RpcError> {
    let mut cursor = Value::Null;
    for _ in 0..PAGES_MAX {
        let params = json!({"threadId": thread, "limit": PAGE, "itemsView": "notLoaded", "cursor": cursor});
        let page = link.request("thread/turns/list", params).await?;
        if let Some(found) = page["data"].as_array().into_iter().flatten().find(|one| one["id"] == turn.as_str()) {
            return Ok(Some(End::of(found)));
        }
        match next(&page, &cursor)? {
            Some(next) => cursor = next,
            None => return Ok(None),
        }
    }
    Err(endless())
}

/// A turn that a process left which died between writing our message for the model and listing it: the newest one, newer
/// than any before we sent, interrupted and without items. Only our own thread is known to have had none before.
async fn remnant(link: &Link, question: &Question<'_>) -> Result<Option<TurnId>, RpcError> {
    let (Mark::Message(_), Some(before)) = (&question.mark, &question.before) else { return Ok(None) };
    let params = json!({"threadId": question.thread, "limit": 1, "itemsView": "full"});
    let page = match link.request("thread/turns/list", params).await {
        Err(RpcError::Refused { message, .. }) if message.contains("not materialized") => return Ok(None),
        page => page?,
    };
    let newest = &page["data"][0];
    let is_empty = newest["items"].as_array().is_some_and(Vec::is_empty);
    let turn = newest["id"].as_str().map(TurnId::new).filter(|turn| before.as_ref() != Some(turn));
    Ok(turn.filter(|_| newest["status"] == "interrupted" && is_empty))
}

/// Takes the turn and what came after it out of the history. Done when it is listed no more, whoever did it.
pub(super) async fn revert(link: &Link, thread: &ThreadId, turn: &TurnId) -> Done {
    if !link.is_subscribed(thread)
        && let Err(error) = resume(link, thread, None).await
    {
        return not_reverted(&error);
    }
    match newest_turn(link, thread).await {
        Ok(newest) if newest.as_ref() != Some(turn) => return Done::Reverted,
        Ok(_) => {}
        Err(RpcError::Lost | RpcError::TimedOut { .. }) => return Done::Lost,
        Err(_) => return Done::Later,
    }
    match link.request("thread/revert", json!({"threadId": thread, "beforeTurnId": turn})).await {
        Ok(_) => match newest_turn(link, thread).await {
            Ok(newest) if newest.as_ref() != Some(turn) => Done::Reverted,
            Ok(_) | Err(_) => Done::Later,
        },
        Err(error) => not_reverted(&error),
    }
}

/// What passes is waited for.
fn not_reverted(error: &RpcError) -> Done {
    match refusal::classify(error) {
        None => Done::Lost,
        Some(Refusal::NotReady | Refusal::HeldElsewhere | Refusal::ThreadBusy) => Done::Later,
        Some(refusal) => Done::Refused(refusal),
    }
}

/// The newest turn that a thread has.
pub(super) async fn newest_turn(link: &Link, thread: &ThreadId) -> Result<Option<TurnId>, RpcError> {
    match link.request("thread/turns/list", json!({"threadId": thread, "limit": 1, "itemsView": "notLoaded"})).await {
        Ok(page) => Ok(page["data"][0]["id"].as_str().map(TurnId::new)),
        // One that is not on disk yet has none (PROTOCOL 3).
        Err(RpcError::Refused { message, .. }) if message.contains("not materialized") => Ok(None),
        Err(other) => Err(other),
    }
}

/// The turn that works for this one: a review has one inside, and that is what can be interrupted. Among the newest only.
pub(super) async fn turn_inside(link: &Link, thread: &ThreadId, turn: &TurnId) -> Result<Option<TurnId>, RpcError> {
    let page = link.request("thread/turns/list", json!({"threadId": thread, "limit": PAGE, "itemsView": "notLoaded"})).await?;
    let inside = |one: &&Value| one["rootTurnId"] == turn.as_str() && one["id"] != turn.as_str() && one["status"] == "inProgress";
    let found = page["data"].as_array().into_iter().flatten().find(inside);
    Ok(found.and_then(|one| one["id"].as_str()).map(TurnId::new))
}

/// The cursor of the next page, if there is one. A page that leads to itself would be read for ever.
fn next(page: &Value, cursor: &Value) -> Result<Option<Value>, RpcError> {
    match &page["nextCursor"] {
        Value::Null => Ok(None),
        same if same == cursor => Err(endless()),
        next => Ok(Some(next.clone())),
    }
}

/// Read as `Unreadable`: what is only half read proves nothing.
fn endless() -> RpcError {
    RpcError::Refused { code: 0, message: "its list of pages does not end".to_owned(), data: Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_leads_to_itself_is_unreadable_and_not_read_for_ever() {
        let page = |cursor: Value| json!({"data": [], "nextCursor": cursor});
        assert_eq!(next(&page(json!("b")), &json!("a")), Ok(Some(json!("b"))));
        assert_eq!(next(&page(Value::Null), &json!("a")), Ok(None));
        assert_eq!(next(&json!([]), &json!("a")), Ok(None));
        assert!(next(&page(json!("a")), &json!("a")).is_err());
    }
}
