//! Operations: what was asked for, and the state of it. The prompt is a column of its own so that it can be
//! cleared once the work has ended well, while digest and length stay (ARCHITECTURE 21.16).

use crate::store::{StoreError, Tx, WriteTx, from_json, to_json};
use common::{ids::*, safe::Prompt, time::Timestamp};
use domain::{
    operation::{Asks, Move, Operation},
    schedule::Turns,
};
use rusqlite::{OptionalExtension, Row, params};

pub use super::spec::*;

#[derive(Debug, Clone)]
pub struct OperationRow {
    pub id: OperationId,
    pub accepted: i64,
    pub request_key: RequestKey,
    pub request_digest: String,
    pub spec: Spec,
    pub prompt: Option<Prompt>,
    pub prompt_digest: String,
    pub prompt_chars: i64,
    pub prompt_form: String,
    pub project_key: String,
    pub client_message: ClientMessageId,
    pub state: Operation,
    /// The last thread and turn known, kept beyond the end.
    pub thread: Option<ThreadId>,
    pub turn: Option<TurnId>,
    pub generation: Option<Generation>,
    /// Before what a review or a compaction begins with. `None`: it was not asked for yet.
    pub after: Option<After>,
    pub attempts: i64,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
    /// When its texts, events and messages were taken away. What it was asked and what became of it stays.
    pub cleared: Option<Timestamp>,
    /// Of the report that was taken away.
    pub report_hash: Option<String>,
}

/// The newest turn that its thread had, if it had any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After(pub Option<TurnId>);

impl OperationRow {
    /// Whether there is anything to say to codex. A fork alone makes a thread.
    pub fn has_message(&self) -> bool {
        self.prompt_chars > 0
    }

    pub fn is_bare_fork(&self) -> bool {
        self.spec.fork.is_some() && !self.has_message()
    }

    /// What codex is asked to do.
    pub fn asks(&self) -> Asks {
        match self.spec.operation_type {
            OperationType::ArchiveThread => Asks::Move(Move::Archive),
            OperationType::UnarchiveThread => Asks::Move(Move::Unarchive),
            OperationType::ForkThread if !self.has_message() => Asks::Thread,
            OperationType::StartChat
            | OperationType::SendMessage
            | OperationType::ExecutePlan
            | OperationType::ForkThread
            | OperationType::SteerTurn
            | OperationType::ReviewStart
            | OperationType::CompactThread => Asks::Turn,
        }
    }
}

const COLUMNS: &str = "id, accepted, request_key, request_digest, spec, prompt, prompt_digest, prompt_chars, prompt_form, \
     project_key, client_message, state, thread_id, turn_id, generation, attempts, created_at, updated_at, started_at, ended_at, after_turn, \
     cleared_at, report_hash";

fn row(r: &Row<'_>) -> rusqlite::Result<OperationRow> {
    let text = |n: usize| r.get::<_, String>(n);
    Ok(OperationRow {
        id: OperationId::new(text(0)?),
        accepted: r.get(1)?,
        request_key: RequestKey::new(text(2)?),
        request_digest: text(3)?,
        spec: from_json(&text(4)?)?,
        prompt: r.get::<_, Option<String>>(5)?.map(Prompt::new),
        prompt_digest: text(6)?,
        prompt_chars: r.get(7)?,
        prompt_form: text(8)?,
        project_key: text(9)?,
        client_message: ClientMessageId::new(text(10)?),
        state: from_json(&text(11)?)?,
        thread: r.get::<_, Option<String>>(12)?.map(ThreadId::new),
        turn: r.get::<_, Option<String>>(13)?.map(TurnId::new),
        generation: r.get::<_, Option<i64>>(14)?.map(Generation),
        attempts: r.get(15)?,
        created: Timestamp(r.get(16)?),
        updated: Timestamp(r.get(17)?),
        started: r.get::<_, Option<i64>>(18)?.map(Timestamp),
        ended: r.get::<_, Option<i64>>(19)?.map(Timestamp),
        after: r.get::<_, Option<String>>(20)?.map(|turn| After(Some(turn).filter(|turn| !turn.is_empty()).map(TurnId::new))),
        cleared: r.get::<_, Option<i64>>(21)?.map(Timestamp),
        report_hash: r.get(22)?,
    })
}

fn one(tx: &impl Tx, tail: &str, value: &str) -> Result<Option<OperationRow>, StoreError> {
    let mut statement = tx.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM operations WHERE {tail}"))?;
    Ok(statement.query_row([value], row).optional()?)
}

fn all(tx: &impl Tx, tail: &str, values: impl rusqlite::Params) -> Result<Vec<OperationRow>, StoreError> {
    let mut statement = tx.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM operations WHERE {tail}"))?;
    Ok(statement.query_map(values, row)?.collect::<rusqlite::Result<_>>()?)
}

pub fn by_id(tx: &impl Tx, id: &OperationId) -> Result<Option<OperationRow>, StoreError> {
    one(tx, "id = ?1", id.as_str())
}

pub fn by_request_key(tx: &impl Tx, key: &RequestKey) -> Result<Option<OperationRow>, StoreError> {
    one(tx, "request_key = ?1", key.as_str())
}

/// The operation whose turn this is.
pub fn by_turn(tx: &impl Tx, turn: &TurnId) -> Result<Option<OperationRow>, StoreError> {
    one(tx, "turn_id = ?1 AND target_turn IS NULL ORDER BY accepted DESC LIMIT 1", turn.as_str())
}

/// Under whose name the interactions and events of its turn are kept.
pub fn of_its_turn(tx: &impl Tx, row: &OperationRow) -> Result<OperationId, StoreError> {
    let owner = row.spec.target_turn().map(|turn| by_turn(tx, turn)).transpose()?.flatten();
    Ok(owner.map_or_else(|| row.id.clone(), |owner| owner.id))
}

/// Live operations whose message goes into this turn, or is in it.
pub fn steers_of(tx: &impl Tx, turn: &TurnId) -> Result<Vec<OperationRow>, StoreError> {
    all(tx, "target_turn = ?1 AND tag <> 'ended' ORDER BY accepted", [turn.as_str()])
}

/// Live operations whose message goes into a turn, or is in it. The sign keeps SQLite from going through the whole queue
/// for the sake of the order.
pub fn steers(tx: &impl Tx) -> Result<Vec<OperationRow>, StoreError> {
    all(tx, "target_turn IS NOT NULL AND tag <> 'ended' ORDER BY +accepted", [])
}

/// Whether anything that has not ended is about this thread.
pub fn is_in_use(tx: &impl Tx, thread: &ThreadId) -> Result<bool, StoreError> {
    Ok(tx.sql().prepare_cached("SELECT 1 FROM operations WHERE thread_id = ?1 AND tag <> 'ended'")?.exists([thread.as_str()])?)
}

/// The newest operation on a thread, whatever its state.
pub fn newest_on_thread(tx: &impl Tx, thread: &ThreadId) -> Result<Option<OperationRow>, StoreError> {
    one(tx, "thread_id = ?1 ORDER BY accepted DESC LIMIT 1", thread.as_str())
}

/// The one operation that holds the thread.
pub fn holder_of_thread(tx: &impl Tx, thread: &ThreadId) -> Result<Option<OperationRow>, StoreError> {
    let tags = "('moving_thread', 'starting_turn', 'accepted', 'running', 'unresolved')";
    one(tx, &format!("thread_id = ?1 AND tag IN {tags}"), thread.as_str())
}

pub fn by_client_message(tx: &impl Tx, id: &ClientMessageId) -> Result<Option<OperationRow>, StoreError> {
    one(tx, "client_message = ?1", id.as_str())
}

/// At most 50: the live operations of a project with exactly this prompt.
pub fn live_with_prompt(tx: &impl Tx, project_key: &str, form: &str) -> Result<Vec<OperationRow>, StoreError> {
    let tail = "project_key = ?1 AND prompt_form = ?2 AND tag <> 'ended' AND target_turn IS NULL ORDER BY updated_at DESC LIMIT 50";
    all(tx, tail, [project_key, form])
}

/// As `WHERE` clause: what holds a slot. The words of the index.
pub const HOLDS_SLOT: &str = "tag IN ('creating_thread', 'starting_turn', 'accepted', 'running', 'unresolved')";

/// Whether a thread was last put away or taken out, as far as we did it.
pub fn moved_last(tx: &impl Tx, thread: &ThreadId) -> Result<Option<OperationType>, StoreError> {
    let tail = "thread_id = ?1 AND spec ->> '$.operation_type' IN ('archive_thread', 'unarchive_thread') \
                AND state ->> '$.outcome.outcome' = 'completed' ORDER BY accepted DESC LIMIT 1";
    Ok(all(tx, tail, [thread.as_str()])?.pop().map(|row| row.spec.operation_type))
}

/// The newest that completed in a project with exactly this prompt, and left a thread to go on with: not a plan, nor a
/// copy in memory. Looks through all that has ended: it is asked only
/// for callers that want to go on from it.
pub fn completed_with_prompt(tx: &impl Tx, project_key: &str, form: &str) -> Result<Option<OperationRow>, StoreError> {
    let tail = "project_key = ?1 AND prompt_form = ?2 AND tag = 'ended' AND state ->> '$.outcome.outcome' = 'completed' \
                AND thread_id IS NOT NULL AND target_turn IS NULL AND spec ->> '$.workflow' IS NULL \
                AND spec ->> '$.mode' IS NOT 'plan' AND spec ->> '$.fork.ephemeral' IS NOT 1 ORDER BY accepted DESC LIMIT 1";
    Ok(all(tx, tail, [project_key, form])?.pop())
}

/// What holds a slot: at most as many as there are.
pub fn active(tx: &impl Tx) -> Result<Vec<OperationRow>, StoreError> {
    all(tx, &format!("{HOLDS_SLOT} ORDER BY accepted"), [])
}

/// Newest first; `id` may be the start or end of one (ids people type).
pub fn listed(tx: &impl Tx, live_only: bool, limit: u32) -> Result<Vec<OperationRow>, StoreError> {
    let filter = if live_only { "WHERE tag <> 'ended'" } else { "" };
    let sql = format!("SELECT {COLUMNS} FROM operations {filter} ORDER BY accepted DESC LIMIT ?1");
    let mut statement = tx.sql().prepare_cached(&sql)?;
    Ok(statement.query_map([limit], row)?.collect::<rusqlite::Result<_>>()?)
}

/// Ids that begin or end with this text, two at the most: enough to see that it is not unique. A whole id is found by
/// the index, as programs name them; a part, as people type it, among all.
pub fn ids_like(tx: &impl Tx, part: &str) -> Result<Vec<OperationId>, StoreError> {
    if tx.sql().prepare_cached("SELECT 1 FROM operations WHERE id = ?1")?.exists([part])? {
        return Ok(vec![OperationId::new(part)]);
    }
    let mut statement = tx
        .sql()
        .prepare_cached("SELECT id FROM operations WHERE substr(id, 1, length(?1)) = ?1 OR substr(id, -length(?1)) = ?1 LIMIT 2")?;
    Ok(statement.query_map([part], |r| Ok(OperationId::new(r.get::<_, String>(0)?)))?.collect::<rusqlite::Result<_>>()?)
}

pub fn live_count(tx: &impl Tx) -> Result<i64, StoreError> {
    Ok(tx.sql().prepare_cached("SELECT count(*) FROM operations WHERE tag <> 'ended'")?.query_row([], |r| r.get(0))?)
}

/// Whether so many live. There are no more of them than were accepted since the oldest; they are counted only where
/// that does not settle it.
pub fn is_full(tx: &impl Tx, live_max: i64) -> Result<bool, StoreError> {
    let sql =
        "SELECT coalesce((SELECT max(accepted) FROM operations) - (SELECT min(accepted) FROM operations WHERE tag <> 'ended') + 1, 0)";
    let at_most: i64 = tx.sql().prepare_cached(sql)?.query_row([], |r| r.get(0))?;
    Ok(at_most >= live_max && live_count(tx)? >= live_max)
}

/// Whether work that has not ended is on this thread, or is to come there.
pub fn lives_on_thread(tx: &impl Tx, thread: &ThreadId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM operations WHERE thread_id = ?1 AND tag <> 'ended')";
    Ok(tx.sql().prepare_cached(sql)?.query_row([thread.as_str()], |r| r.get(0))?)
}

/// Running operations whose time is up. Queued ones are the schedule's business.
pub fn over_time(tx: &impl Tx, now: Timestamp) -> Result<Vec<OperationId>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT id FROM operations WHERE wake_at <= ?1 AND tag IN ('accepted', 'running')")?;
    Ok(statement.query_map([now.0], |r| Ok(OperationId::new(r.get::<_, String>(0)?)))?.collect::<rusqlite::Result<_>>()?)
}

/// When the first running operation has had its time.
pub fn next_limit(tx: &impl Tx) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT min(wake_at) FROM operations WHERE tag IN ('accepted', 'running')")?;
    Ok(statement.query_row([], |r| r.get::<_, Option<i64>>(0))?.map(Timestamp))
}

/// The first moment after `now` at which a queued operation may start; one whose time has come waits for a slot, not for the clock.
pub fn next_start(tx: &impl Tx, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let first = |sql: &str| tx.sql().prepare_cached(sql)?.query_row([now.0], |r| r.get::<_, Option<i64>>(0));
    let again = first("SELECT min(wake_at) FROM operations WHERE wake_at > ?1 AND tag = 'queued'")?;
    let named = first("SELECT min(starts_at) FROM operations WHERE starts_at > ?1 AND tag = 'queued'")?;
    Ok([again, named].into_iter().flatten().min().map(Timestamp))
}

pub fn next_accepted(tx: &WriteTx<'_>) -> Result<i64, StoreError> {
    Ok(tx.sql().prepare_cached("SELECT coalesce(max(accepted), 0) + 1 FROM operations")?.query_row([], |r| r.get(0))?)
}

pub fn insert(tx: &WriteTx<'_>, new: &OperationRow, turns: Turns) -> Result<(), StoreError> {
    let mut statement = tx.sql().prepare_cached(
        "INSERT INTO operations (id, accepted, request_key, request_digest, spec, prompt, prompt_digest, prompt_chars, prompt_form, project_key, \
         client_message, state, tag, rank, thread_id, wake_at, created_at, updated_at, cost, agent_id, project_turn, agent_turn, writes, \
         starts_at, target_turn) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
    )?;
    statement.execute(params![
        new.id.as_str(),
        new.accepted,
        new.request_key.as_str(),
        new.request_digest,
        to_json(&new.spec)?,
        new.prompt.as_ref().map(Prompt::expose),
        new.prompt_digest,
        new.prompt_chars,
        new.prompt_form,
        new.project_key,
        new.client_message.as_str(),
        to_json(&new.state)?,
        new.state.name(),
        new.spec.priority.rank(),
        new.thread.as_ref().map(ThreadId::as_str),
        new.state.wake_at(new.spec.turn_ms_max).map(|t| t.0),
        new.created.0,
        new.spec.cost.word(),
        new.spec.agent_id,
        turns.of_project,
        turns.of_agent,
        to_json(&new.spec.writes)?,
        new.spec.not_before.map(|at| at.0),
        new.spec.target_turn().map(TurnId::as_str),
    ])?;
    Ok(())
}

/// Writes the state and the facts that follow from it. The caller decided; this only records.
pub fn update(tx: &WriteTx<'_>, row: &OperationRow) -> Result<(), StoreError> {
    let mut statement = tx.sql().prepare_cached(
        "UPDATE operations SET state = ?2, thread_id = ?3, turn_id = ?4, generation = ?5, wake_at = ?6, attempts = ?7, \
         updated_at = ?8, started_at = ?9, ended_at = ?10, prompt = ?11, tag = ?12, after_turn = ?13 WHERE id = ?1",
    )?;
    statement.execute(params![
        row.id.as_str(),
        to_json(&row.state)?,
        row.thread.as_ref().map(ThreadId::as_str),
        row.turn.as_ref().map(TurnId::as_str),
        row.generation.map(|g| g.0),
        row.state.wake_at(row.spec.turn_ms_max).map(|t| t.0),
        row.attempts,
        row.updated.0,
        row.started.map(|t| t.0),
        row.ended.map(|t| t.0),
        row.prompt.as_ref().map(Prompt::expose),
        row.state.name(),
        row.after.as_ref().map(|After(turn)| turn.as_ref().map_or("", TurnId::as_str)),
    ])?;
    Ok(())
}
