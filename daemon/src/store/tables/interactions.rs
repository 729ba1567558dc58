//! Questions of the app-server, what was answered, and by which process they were asked.

use super::events::About;
use crate::store::{StoreError, Tx, WriteTx, from_json, to_json};
use common::{ids::*, time::Timestamp};
use domain::interaction::{Interaction, Kind};
use rusqlite::{OptionalExtension, Row, params};

#[derive(Debug, Clone)]
pub struct InteractionRow {
    pub id: InteractionId,
    pub operation: Option<OperationId>,
    pub thread: Option<ThreadId>,
    pub turn: Option<TurnId>,
    pub item: Option<ItemId>,
    pub generation: Generation,
    pub request: ServerRequestId,
    pub method: String,
    /// As the app-server sent it; what leaves goes through the redactor.
    pub params: serde_json::Value,
    /// The result to send; cleared of secrets once it was delivered.
    pub response: Option<serde_json::Value>,
    /// Of the answer that was given: the same one again is no other.
    pub answer_digest: Option<String>,
    pub state: Interaction,
    pub created: Timestamp,
    pub settled: Option<Timestamp>,
}

impl InteractionRow {
    pub fn kind(&self) -> Kind {
        Kind::of_method(&self.method)
    }

    /// What is answered to it must not be written down.
    pub fn asks_secret(&self) -> bool {
        self.params["questions"].as_array().into_iter().flatten().any(|question| question["isSecret"] == true)
    }

    /// Where an event about it belongs.
    pub fn about(&self) -> About {
        About {
            operation: self.operation.clone(),
            thread: self.thread.clone(),
            turn: self.turn.clone(),
            interaction: Some(self.id.clone()),
            category: None,
        }
    }
}

const COLUMNS: &str = "id, operation_id, thread_id, turn_id, item_id, generation, request, method, params, response, state, created_at, settled_at, answer_digest";

fn row(r: &Row<'_>) -> rusqlite::Result<InteractionRow> {
    Ok(InteractionRow {
        id: InteractionId::new(r.get::<_, String>(0)?),
        operation: r.get::<_, Option<String>>(1)?.map(OperationId::new),
        thread: r.get::<_, Option<String>>(2)?.map(ThreadId::new),
        turn: r.get::<_, Option<String>>(3)?.map(TurnId::new),
        item: r.get::<_, Option<String>>(4)?.map(ItemId::new),
        generation: Generation(r.get(5)?),
        request: ServerRequestId::new(r.get::<_, String>(6)?),
        method: r.get(7)?,
        params: from_json(&r.get::<_, String>(8)?)?,
        response: r.get::<_, Option<String>>(9)?.map(|text| from_json(&text)).transpose()?,
        state: from_json(&r.get::<_, String>(10)?)?,
        created: Timestamp(r.get(11)?),
        settled: r.get::<_, Option<i64>>(12)?.map(Timestamp),
        answer_digest: r.get(13)?,
    })
}

pub fn by_id(tx: &impl Tx, id: &InteractionId) -> Result<Option<InteractionRow>, StoreError> {
    let mut statement = tx.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM interactions WHERE id = ?1"))?;
    Ok(statement.query_row([id.as_str()], row).optional()?)
}

pub fn by_request(tx: &impl Tx, generation: Generation, request: &ServerRequestId) -> Result<Option<InteractionRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM interactions WHERE generation = ?1 AND request = ?2");
    Ok(tx.sql().prepare_cached(&sql)?.query_row(params![generation.0, request.as_str()], row).optional()?)
}

/// Not settled yet, oldest first; of one operation or of all.
pub fn open(tx: &impl Tx, operation: Option<&OperationId>) -> Result<Vec<InteractionRow>, StoreError> {
    let sql =
        format!("SELECT {COLUMNS} FROM interactions WHERE tag <> 'settled' AND (?1 IS NULL OR operation_id = ?1) ORDER BY created_at, id");
    let mut statement = tx.sql().prepare_cached(&sql)?;
    Ok(statement.query_map([operation.map(OperationId::as_str)], row)?.collect::<rusqlite::Result<_>>()?)
}

/// Newest first, all states.
pub fn newest(tx: &impl Tx, limit: u32) -> Result<Vec<InteractionRow>, StoreError> {
    let mut statement = tx.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM interactions ORDER BY created_at DESC LIMIT ?1"))?;
    Ok(statement.query_map([limit], row)?.collect::<rusqlite::Result<_>>()?)
}

pub fn over_time(tx: &impl Tx, now: Timestamp) -> Result<Vec<InteractionRow>, StoreError> {
    let mut statement = tx.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM interactions WHERE wake_at <= ?1"))?;
    Ok(statement.query_map([now.0], row)?.collect::<rusqlite::Result<_>>()?)
}

pub fn next_wake(tx: &impl Tx) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT min(wake_at) FROM interactions WHERE wake_at IS NOT NULL")?;
    Ok(statement.query_row([], |r| r.get::<_, Option<i64>>(0))?.map(Timestamp))
}

pub fn put(tx: &WriteTx<'_>, one: &InteractionRow) -> Result<(), StoreError> {
    let mut statement = tx.sql().prepare_cached(
        "INSERT INTO interactions (id, operation_id, thread_id, turn_id, item_id, generation, request, method, kind, params, response, state, wake_at, created_at, settled_at, answer_digest) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16) \
         ON CONFLICT (id) DO UPDATE SET params = ?10, response = ?11, state = ?12, wake_at = ?13, settled_at = ?15, answer_digest = ?16",
    )?;
    statement.execute(params![
        one.id.as_str(),
        one.operation.as_ref().map(OperationId::as_str),
        one.thread.as_ref().map(ThreadId::as_str),
        one.turn.as_ref().map(TurnId::as_str),
        one.item.as_ref().map(ItemId::as_str),
        one.generation.0,
        one.request.as_str(),
        one.method,
        one.kind().word(),
        to_json(&one.params)?,
        one.response.as_ref().map(to_json).transpose()?,
        to_json(&one.state)?,
        one.state.wake_at().map(|t| t.0),
        one.created.0,
        one.settled.map(|t| t.0),
        one.answer_digest,
    ])?;
    Ok(())
}
