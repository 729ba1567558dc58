//! Effects: a row is there from the decision until the answer.

use crate::store::{StoreError, Tx, WriteTx, from_json, to_json};
use common::{
    ids::{EffectId, OperationId},
    time::Timestamp,
};
use domain::effect::Effect;
use rusqlite::{Row, params};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectRow {
    pub id: EffectId,
    pub operation: Option<OperationId>,
    pub effect: Effect,
    pub due: Timestamp,
    pub created: Timestamp,
}

fn row(r: &Row<'_>) -> rusqlite::Result<EffectRow> {
    Ok(EffectRow {
        id: EffectId(r.get(0)?),
        operation: r.get::<_, Option<String>>(1)?.map(OperationId::new),
        effect: from_json(&r.get::<_, String>(2)?)?,
        due: Timestamp(r.get(3)?),
        created: Timestamp(r.get(4)?),
    })
}

pub fn all(tx: &impl Tx) -> Result<Vec<EffectRow>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT id, operation_id, body, due_at, created_at FROM effects ORDER BY id")?;
    Ok(statement.query_map([], row)?.collect::<rusqlite::Result<_>>()?)
}

pub fn exists(tx: &impl Tx, id: EffectId) -> Result<bool, StoreError> {
    Ok(tx.sql().prepare_cached("SELECT 1 FROM effects WHERE id = ?1")?.exists([id.0])?)
}

pub fn next_wake(tx: &impl Tx, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT min(due_at) FROM effects WHERE due_at > ?1")?;
    Ok(statement.query_row([now.0], |r| r.get::<_, Option<i64>>(0))?.map(Timestamp))
}

pub fn insert(
    tx: &WriteTx<'_>,
    operation: Option<&OperationId>,
    effect: &Effect,
    due: Timestamp,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = tx.sql().prepare_cached("INSERT INTO effects (operation_id, body, due_at, created_at) VALUES (?1, ?2, ?3, ?4)")?;
    statement.execute(params![operation.map(OperationId::as_str), to_json(effect)?, due.0, now.0])?;
    Ok(())
}

pub fn postpone(tx: &WriteTx<'_>, id: EffectId, due: Timestamp) -> Result<(), StoreError> {
    tx.sql().prepare_cached("UPDATE effects SET due_at = ?2 WHERE id = ?1")?.execute(params![id.0, due.0])?;
    Ok(())
}

pub fn delete(tx: &WriteTx<'_>, id: EffectId) -> Result<(), StoreError> {
    tx.sql().prepare_cached("DELETE FROM effects WHERE id = ?1")?.execute([id.0])?;
    Ok(())
}

/// What an operation asked for before its state changed no longer matters. Answers to interactions stay.
pub fn delete_of_operation(tx: &WriteTx<'_>, operation: &OperationId) -> Result<(), StoreError> {
    let sql = "DELETE FROM effects WHERE operation_id = ?1 AND body ->> '$.effect' <> 'answer'";
    tx.sql().prepare_cached(sql)?.execute([operation.as_str()])?;
    Ok(())
}

/// Of one kind: an operation asks for a thing once, newer wishes replace older ones.
pub fn delete_of_kind(tx: &WriteTx<'_>, operation: &OperationId, kind: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM effects WHERE operation_id = ?1 AND body ->> '$.effect' = ?2";
    tx.sql().prepare_cached(sql)?.execute([operation.as_str(), kind])?;
    Ok(())
}
