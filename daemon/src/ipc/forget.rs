//! `codexcp forget`: every word of work that has ended is taken away, here and, where that is asked for, in codex. Ids,
//! digests and outcomes stay, so that a request that comes again never runs again. Touches nothing that has not ended.

use super::router::Door;
use crate::{
    appserver::RpcError,
    clock,
    engine::Cause,
    store::{
        StoreError, Tx,
        tables::{history, operations, workflows},
    },
    tools::ToolError,
};
use common::ids::{OperationId, ThreadId, WorkflowId};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf};

pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) before: String,
    /// The threads of codex too.
    pub(super) in_codex: bool,
    /// Where the answer before said that there is more.
    pub(super) after: i64,
}

/// Operations of one answer; the caller asks again for more.
const AT_ONCE: u32 = 200;
/// Operations in one commit: others wait for it.
const BITE: usize = 10;

pub(super) async fn forget(door: &Door, wanted: &Wanted) -> Result<Value, ToolError> {
    // What belongs together is forgotten together or not at all.
    let (ids, more_after, bite) = if wanted.before.is_empty() {
        let ids = named(door, &wanted.id).await?;
        let all = ids.len();
        (ids, None, all)
    } else {
        let (before, after) = (moment(&wanted.before)?, wanted.after);
        let page = door.reader.read(move |tx| history::ended(tx, before, after, AT_ONCE)).await?;
        let more_after = page.last().map(|(accepted, _)| *accepted).filter(|_| page.len() == AT_ONCE as usize);
        (page.into_iter().map(|(_, id)| id).collect(), more_after, BITE)
    };
    for bite in ids.chunks(bite) {
        door.engine.apply(Cause::Forget { operations: bite.to_vec() }).await?;
    }
    let threads = if wanted.in_codex { Some(in_codex(door, &ids).await?) } else { None };
    // What was deleted stands in the log of the database until that is cut.
    let overwritten = more_after.is_some() || door.engine.settle().await;
    Ok(json!({"forgotten": ids, "moreAfter": more_after, "codex": threads, "overwritten": overwritten, "copies": copies(door)}))
}

/// One operation. Of a workflow: all that belongs to it, since each part tells of the others.
async fn named(door: &Door, part: &str) -> Result<Vec<OperationId>, ToolError> {
    let part = part.trim().to_lowercase();
    let read = door.reader.read(move |tx| {
        let workflow = match workflows::by_id(tx, &WorkflowId::new(&part))? {
            Some(row) => Some(row.id),
            None => match operations::ids_like(tx, &part)?.as_slice() {
                [only] if part.len() >= 4 => match operations::by_id(tx, only)?.and_then(|row| row.spec.workflow) {
                    Some(workflow) => Some(workflow),
                    None => return Ok(vec![only.clone()]),
                },
                _ => None,
            },
        };
        workflow.map_or(Ok(Vec::new()), |workflow| history::of_workflow(tx, &workflow))
    });
    let ids = read.await?;
    if ids.is_empty() {
        return Err(ToolError::invalid("no operation, or more than one, fits this id; `codexcp list --all` shows them"));
    }
    Ok(ids)
}

/// A day begins at midnight UTC.
fn moment(text: &str) -> Result<common::time::Timestamp, ToolError> {
    clock::parse(text)
        .or_else(|| clock::parse(&format!("{}T00:00:00Z", text.trim())))
        .ok_or_else(|| ToolError::invalid("before: not a time; write it like 2026-11-30 (midnight UTC) or 2026-11-30T08:00:00Z"))
}

/// A thread that live work is on stays: it is still needed.
async fn in_codex(door: &Door, ids: &[OperationId]) -> Result<Value, ToolError> {
    let wanted = ids.to_vec();
    let (idle, busy) = door.reader.read(move |tx| threads_of(tx, &wanted)).await?;
    let (mut deleted, mut absent, mut kept) = (0, 0, Vec::new());
    for thread in busy {
        kept.push(json!({"threadId": thread, "why": "work that has not ended is on it"}));
    }
    for thread in idle {
        match door.inventory.delete(&thread).await {
            Ok(true) => deleted += 1,
            Ok(false) => absent += 1,
            Err(error @ RpcError::Lost) => {
                return Err(ToolError::invalid(&format!(
                    "the words here are forgotten, but codex could not be asked to delete its thread ({error}); `codexcp doctor` says why; then forget again"
                )));
            }
            Err(error) => kept.push(json!({"threadId": thread, "why": error.to_string()})),
        }
    }
    Ok(json!({"deleted": deleted, "absent": absent, "kept": kept}))
}

/// Those nobody is on, and those somebody is.
fn threads_of(tx: &impl Tx, ids: &[OperationId]) -> Result<(BTreeSet<ThreadId>, BTreeSet<ThreadId>), StoreError> {
    let (mut idle, mut busy) = (BTreeSet::new(), BTreeSet::new());
    for id in ids {
        if let Some(thread) = operations::by_id(tx, id)?.and_then(|row| row.thread) {
            let of = if operations::lives_on_thread(tx, &thread)? { &mut busy } else { &mut idle };
            of.insert(thread);
        }
    }
    Ok((idle, busy))
}

/// Files beside the database that begin with its name: somebody put it aside there, or made a copy. The daemon makes none.
fn copies(door: &Door) -> Vec<PathBuf> {
    let live = door.place.state_file();
    let name = |path: &std::path::Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let ours = ["", "-wal", "-shm"].map(|end| format!("{}{end}", name(&live)));
    let beside = std::fs::read_dir(&door.place.home).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let is_copy = |path: &PathBuf| name(path).starts_with(&ours[0]) && !ours.contains(&name(path));
    beside.filter(is_copy).take(100).collect()
}
