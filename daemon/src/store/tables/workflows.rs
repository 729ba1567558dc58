//! Plan workflows: the state of each, and which operations are its planning and its execution.

use crate::store::{StoreError, Tx, WriteTx, from_json, to_json};
use common::{ids::*, time::Timestamp};
use domain::workflow::Workflow;
use rusqlite::{OptionalExtension, Row, params};

#[derive(Debug, Clone)]
pub struct WorkflowRow {
    pub id: WorkflowId,
    pub request_key: RequestKey,
    pub request_digest: String,
    pub state: Workflow,
    /// The newest one.
    pub plan_operation: OperationId,
    pub execution: Option<OperationId>,
    pub created: Timestamp,
    pub updated: Timestamp,
    pub ended: Option<Timestamp>,
}

const COLUMNS: &str = "id, request_key, request_digest, state, plan_operation, execution, created_at, updated_at, ended_at";

fn row(r: &Row<'_>) -> rusqlite::Result<WorkflowRow> {
    let text = |n: usize| r.get::<_, String>(n);
    Ok(WorkflowRow {
        id: WorkflowId::new(text(0)?),
        request_key: RequestKey::new(text(1)?),
        request_digest: text(2)?,
        state: from_json(&text(3)?)?,
        plan_operation: OperationId::new(text(4)?),
        execution: r.get::<_, Option<String>>(5)?.map(OperationId::new),
        created: Timestamp(r.get(6)?),
        updated: Timestamp(r.get(7)?),
        ended: r.get::<_, Option<i64>>(8)?.map(Timestamp),
    })
}

fn one(tx: &impl Tx, column: &str, value: &str) -> Result<Option<WorkflowRow>, StoreError> {
    let mut statement = tx.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM workflows WHERE {column} = ?1"))?;
    Ok(statement.query_row([value], row).optional()?)
}

pub fn by_id(tx: &impl Tx, id: &WorkflowId) -> Result<Option<WorkflowRow>, StoreError> {
    one(tx, "id", id.as_str())
}

pub fn by_request_key(tx: &impl Tx, key: &RequestKey) -> Result<Option<WorkflowRow>, StoreError> {
    one(tx, "request_key", key.as_str())
}

/// Those whose plan waits for somebody's yes, the newest first.
pub fn planned(tx: &impl Tx, limit: u32) -> Result<Vec<WorkflowRow>, StoreError> {
    let mut statement =
        tx.sql().prepare_cached(&format!("SELECT {COLUMNS} FROM workflows WHERE tag = 'planned' ORDER BY updated_at DESC LIMIT ?1"))?;
    Ok(statement.query_map([limit], row)?.collect::<rusqlite::Result<_>>()?)
}

pub fn put(tx: &WriteTx<'_>, row: &WorkflowRow) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO workflows ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO UPDATE SET \
         state = ?4, plan_operation = ?5, execution = ?6, updated_at = ?8, ended_at = ?9"
    );
    tx.sql().prepare_cached(&sql)?.execute(params![
        row.id.as_str(),
        row.request_key.as_str(),
        row.request_digest,
        to_json(&row.state)?,
        row.plan_operation.as_str(),
        row.execution.as_ref().map(OperationId::as_str),
        row.created.0,
        row.updated.0,
        row.ended.map(|at| at.0),
    ])?;
    Ok(())
}
