//! Which operations must complete before which. A row is there as long as somebody waits.

use crate::store::{StoreError, Tx, WriteTx};
use common::ids::OperationId;
use rusqlite::params;
use std::collections::HashMap;

pub fn insert(tx: &WriteTx<'_>, operation: &OperationId, first: &OperationId) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO operation_firsts (operation_id, first_id) VALUES (?1, ?2)";
    tx.sql().prepare_cached(sql)?.execute(params![operation.as_str(), first.as_str()])?;
    Ok(())
}

/// Of each operation that waits, one that it waits for.
pub fn waited_for(tx: &impl Tx) -> Result<HashMap<OperationId, OperationId>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT operation_id, min(first_id) FROM operation_firsts GROUP BY operation_id")?;
    let pair = |r: &rusqlite::Row<'_>| Ok((OperationId::new(r.get::<_, String>(0)?), OperationId::new(r.get::<_, String>(1)?)));
    Ok(statement.query_map([], pair)?.collect::<rusqlite::Result<_>>()?)
}

/// Who waits for this one.
pub fn waiting_for(tx: &impl Tx, first: &OperationId) -> Result<Vec<OperationId>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT operation_id FROM operation_firsts WHERE first_id = ?1")?;
    Ok(statement.query_map([first.as_str()], |r| Ok(OperationId::new(r.get::<_, String>(0)?)))?.collect::<rusqlite::Result<_>>()?)
}

/// It has ended: nobody waits for it any more.
pub fn done(tx: &WriteTx<'_>, first: &OperationId) -> Result<(), StoreError> {
    tx.sql().prepare_cached("DELETE FROM operation_firsts WHERE first_id = ?1")?.execute([first.as_str()])?;
    Ok(())
}

/// It has ended: it waits for nobody any more.
pub fn forget(tx: &WriteTx<'_>, operation: &OperationId) -> Result<(), StoreError> {
    tx.sql().prepare_cached("DELETE FROM operation_firsts WHERE operation_id = ?1")?.execute([operation.as_str()])?;
    Ok(())
}
