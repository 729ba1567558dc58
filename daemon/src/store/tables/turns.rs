//! Turns as we know them: who they belong to, how they stand, when they were last heard of.

use crate::store::{StoreError, Tx, WriteTx, from_json, to_json};
use common::{
    ids::*,
    safe::SafeText,
    time::{Millis, Timestamp},
};
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnStatus {
    Running,
    Completed,
    Failed,
    Interrupted,
    #[serde(rename = "unknown_after_app_server_exit")]
    Unknown,
}

impl TurnStatus {
    pub fn word(self) -> &'static str {
        match self {
            TurnStatus::Running => "running",
            TurnStatus::Completed => "completed",
            TurnStatus::Failed => "failed",
            TurnStatus::Interrupted => "interrupted",
            TurnStatus::Unknown => "unknown_after_app_server_exit",
        }
    }

    fn from_word(word: &str) -> TurnStatus {
        match word {
            "running" => TurnStatus::Running,
            "completed" => TurnStatus::Completed,
            "failed" => TurnStatus::Failed,
            "interrupted" => TurnStatus::Interrupted,
            _ => TurnStatus::Unknown,
        }
    }
}

/// Total tokens of the thread as the app-server last counted them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Tokens {
    pub total_tokens: i64,
    pub input_tokens: i64,
    pub output_tokens: i64,
}

#[derive(Debug, Clone)]
pub struct TurnRow {
    pub id: TurnId,
    pub thread: ThreadId,
    pub operation: OperationId,
    pub generation: Generation,
    pub status: TurnStatus,
    pub error: Option<SafeText>,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub heard: Timestamp,
    /// When the watchdog reported that nothing came for too long; cleared by the next sign of life.
    pub stalled: Option<Timestamp>,
    pub tokens: Option<Tokens>,
}

const COLUMNS: &str = "id, thread_id, operation_id, generation, status, error, started_at, ended_at, heard_at, stalled_at, tokens";

fn row(r: &Row<'_>) -> rusqlite::Result<TurnRow> {
    Ok(TurnRow {
        id: TurnId::new(r.get::<_, String>(0)?),
        thread: ThreadId::new(r.get::<_, String>(1)?),
        operation: OperationId::new(r.get::<_, String>(2)?),
        generation: Generation(r.get(3)?),
        status: TurnStatus::from_word(&r.get::<_, String>(4)?),
        error: r.get::<_, Option<String>>(5)?.map(|text| from_json(&text)).transpose()?,
        started: Timestamp(r.get(6)?),
        ended: r.get::<_, Option<i64>>(7)?.map(Timestamp),
        heard: Timestamp(r.get(8)?),
        stalled: r.get::<_, Option<i64>>(9)?.map(Timestamp),
        tokens: r.get::<_, Option<String>>(10)?.map(|text| from_json(&text)).transpose()?,
    })
}

pub fn by_id(tx: &impl Tx, id: &TurnId) -> Result<Option<TurnRow>, StoreError> {
    let mut statement = tx.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM turns WHERE id = ?1"))?;
    Ok(statement.query_row([id.as_str()], row).optional()?)
}

/// The newest turn of a thread that is known here.
pub fn newest_of(tx: &impl Tx, thread: &ThreadId) -> Result<Option<TurnRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM turns WHERE thread_id = ?1 ORDER BY started_at DESC, id DESC LIMIT 1");
    Ok(tx.sql().prepare_cached(&sql)?.query_row([thread.as_str()], row).optional()?)
}

/// Turns of a thread that belong to other operations.
pub fn of_others(tx: &impl Tx, thread: &ThreadId, operation: &OperationId) -> Result<HashSet<TurnId>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT id FROM turns WHERE thread_id = ?1 AND operation_id <> ?2")?;
    let ids = statement.query_map([thread.as_str(), operation.as_str()], |r| Ok(TurnId::new(r.get::<_, String>(0)?)))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

pub fn running(tx: &impl Tx) -> Result<Vec<TurnRow>, StoreError> {
    let mut statement = tx.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM turns WHERE status = 'running' ORDER BY started_at"))?;
    Ok(statement.query_map([], row)?.collect::<rusqlite::Result<_>>()?)
}

/// Running turns last heard of before `heard_before` and not yet reported.
pub fn silent(tx: &impl Tx, heard_before: Timestamp) -> Result<Vec<TurnRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM turns WHERE status = 'running' AND stalled_at IS NULL AND heard_at <= ?1");
    let mut statement = tx.sql().prepare_cached(&sql)?;
    Ok(statement.query_map([heard_before.0], row)?.collect::<rusqlite::Result<_>>()?)
}

/// When the watchdog must look next, given how long a turn may be silent.
pub fn next_wake(tx: &impl Tx, silence_ms_max: Millis) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT min(heard_at) FROM turns WHERE status = 'running' AND stalled_at IS NULL")?;
    Ok(statement.query_row([], |r| r.get::<_, Option<i64>>(0))?.map(|heard| Timestamp(heard) + silence_ms_max))
}

pub fn put(tx: &WriteTx<'_>, turn: &TurnRow) -> Result<(), StoreError> {
    let mut statement = tx.sql().prepare_cached(
        "INSERT INTO turns (id, thread_id, operation_id, generation, status, error, started_at, ended_at, heard_at, stalled_at, tokens) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) \
         ON CONFLICT (id) DO UPDATE SET operation_id = ?3, generation = ?4, status = ?5, error = ?6, ended_at = ?8, heard_at = ?9, stalled_at = ?10, tokens = ?11",
    )?;
    statement.execute(params![
        turn.id.as_str(),
        turn.thread.as_str(),
        turn.operation.as_str(),
        turn.generation.0,
        turn.status.word(),
        turn.error.as_ref().map(to_json).transpose()?,
        turn.started.0,
        turn.ended.map(|t| t.0),
        turn.heard.0,
        turn.stalled.map(|t| t.0),
        turn.tokens.as_ref().map(to_json).transpose()?,
    ])?;
    Ok(())
}
