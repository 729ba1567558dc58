//! The one feed: append-only, gap-free. One writer means that commit order is key order, so "after cursor n"
//! never misses a row. A body is already made of what may leave.

use crate::store::{StoreError, Tx, WriteTx, from_json, to_json};
use common::{ids::*, safe::AgentSafe, time::Timestamp};
use rusqlite::{Row, params};

#[derive(Debug, Clone)]
pub struct EventRow {
    pub cursor: Cursor,
    pub at: Timestamp,
    pub kind: String,
    /// The progress category of BEHAVIOUR 11, where it is one.
    pub category: Option<String>,
    pub operation: Option<OperationId>,
    pub thread: Option<ThreadId>,
    pub turn: Option<TurnId>,
    pub interaction: Option<InteractionId>,
    pub actor: String,
    pub body: serde_json::Value,
}

/// What an event is about; the body comes separately so that its type is checked.
#[derive(Debug, Clone, Default)]
pub struct About {
    pub operation: Option<OperationId>,
    pub thread: Option<ThreadId>,
    pub turn: Option<TurnId>,
    pub interaction: Option<InteractionId>,
    pub category: Option<&'static str>,
}

const COLUMNS: &str = "cursor, at, kind, category, operation_id, thread_id, turn_id, interaction_id, actor, body";

fn row(r: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        cursor: Cursor(r.get(0)?),
        at: Timestamp(r.get(1)?),
        kind: r.get(2)?,
        category: r.get(3)?,
        operation: r.get::<_, Option<String>>(4)?.map(OperationId::new),
        thread: r.get::<_, Option<String>>(5)?.map(ThreadId::new),
        turn: r.get::<_, Option<String>>(6)?.map(TurnId::new),
        interaction: r.get::<_, Option<String>>(7)?.map(InteractionId::new),
        actor: r.get(8)?,
        body: from_json(&r.get::<_, String>(9)?)?,
    })
}

pub fn head(tx: &impl Tx) -> Result<Cursor, StoreError> {
    Ok(Cursor(tx.sql().prepare_cached("SELECT coalesce(max(cursor), 0) FROM events")?.query_row([], |r| r.get(0))?))
}

/// Oldest first, at most `limit`, newer than `after` and up to `to`; `kinds` empty: all.
pub fn between(
    tx: &impl Tx,
    after: Cursor,
    to: Cursor,
    operation: Option<&OperationId>,
    kinds: &[String],
    limit: u32,
) -> Result<Vec<EventRow>, StoreError> {
    let filter = match operation {
        Some(_) => "operation_id = ?2",
        None => "?2 IS NULL",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM events WHERE {filter} AND cursor > ?1 AND cursor <= ?5 \
         AND (?3 = '[]' OR kind IN (SELECT value FROM json_each(?3))) ORDER BY cursor LIMIT ?4"
    );
    let mut statement = tx.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![after.0, operation.map(OperationId::as_str), to_json(&kinds)?, limit, to.0], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// All kinds of one operation, oldest first, at most `limit`.
pub fn after(tx: &impl Tx, cursor: Cursor, operation: &OperationId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
    between(tx, cursor, Cursor(i64::MAX), Some(operation), &[], limit)
}

/// The newest progress of an operation, oldest first.
pub fn progress(tx: &impl Tx, operation: &OperationId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE operation_id = ?1 AND category IS NOT NULL ORDER BY cursor DESC LIMIT ?2");
    let mut statement = tx.sql().prepare_cached(&sql)?;
    let mut all: Vec<_> = statement.query_map(params![operation.as_str(), limit], row)?.collect::<rusqlite::Result<_>>()?;
    all.reverse();
    Ok(all)
}

/// The newest ones of an operation, oldest first.
pub fn newest_of_one(tx: &impl Tx, operation: &OperationId, limit: u32) -> Result<Vec<EventRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM events WHERE operation_id = ?1 ORDER BY cursor DESC LIMIT ?2");
    let mut statement = tx.sql().prepare_cached(&sql)?;
    let mut all: Vec<_> = statement.query_map(params![operation.as_str(), limit], row)?.collect::<rusqlite::Result<_>>()?;
    all.reverse();
    Ok(all)
}

/// The newest event of these operations after `cursor`, as (operation, cursor).
pub fn newest_of(tx: &impl Tx, operations: &[OperationId], cursor: Cursor) -> Result<Vec<(OperationId, Cursor)>, StoreError> {
    let mut statement = tx.sql().prepare_cached(
        "SELECT operation_id, max(cursor) FROM events WHERE operation_id IN (SELECT value FROM json_each(?1)) AND cursor > ?2 GROUP BY operation_id",
    )?;
    let rows = statement
        .query_map(params![to_json(&operations)?, cursor.0], |r| Ok((OperationId::new(r.get::<_, String>(0)?), Cursor(r.get(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn append(tx: &WriteTx<'_>, at: Timestamp, kind: &str, about: &About, actor: &str, body: &impl AgentSafe) -> Result<(), StoreError> {
    let mut statement = tx.sql().prepare_cached(
        "INSERT INTO events (at, kind, category, operation_id, thread_id, turn_id, interaction_id, actor, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        at.0,
        kind,
        about.category,
        about.operation.as_ref().map(OperationId::as_str),
        about.thread.as_ref().map(ThreadId::as_str),
        about.turn.as_ref().map(TurnId::as_str),
        about.interaction.as_ref().map(InteractionId::as_str),
        actor,
        to_json(body)?,
    ])?;
    Ok(())
}
