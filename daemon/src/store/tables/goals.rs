//! Goals of workflows: what is wanted of each, how it stands, and on which thread.

use crate::store::{StoreError, Tx, WriteTx, from_json, to_json};
use common::{
    ids::{ThreadId, WorkflowId},
    time::Timestamp,
};
use domain::workflow::goal::{Goal, Wanted};
use rusqlite::{OptionalExtension, params};

#[derive(Debug, Clone)]
pub struct GoalRow {
    pub workflow: WorkflowId,
    pub wanted: Wanted,
    pub state: Goal,
    pub thread: Option<ThreadId>,
    /// When codex last showed it as it is here.
    pub synced: Option<Timestamp>,
}

pub fn by_workflow(tx: &impl Tx, id: &WorkflowId) -> Result<Option<GoalRow>, StoreError> {
    let mut statement =
        tx.sql().prepare_cached("SELECT workflow_id, wanted, state, thread_id, synced_at FROM goals WHERE workflow_id = ?1")?;
    let row = statement.query_row([id.as_str()], |r| {
        Ok(GoalRow {
            workflow: WorkflowId::new(r.get::<_, String>(0)?),
            wanted: from_json(&r.get::<_, String>(1)?)?,
            state: from_json(&r.get::<_, String>(2)?)?,
            thread: r.get::<_, Option<String>>(3)?.map(ThreadId::new),
            synced: r.get::<_, Option<i64>>(4)?.map(Timestamp),
        })
    });
    Ok(row.optional()?)
}

pub fn put(tx: &WriteTx<'_>, row: &GoalRow) -> Result<(), StoreError> {
    let sql = "INSERT INTO goals (workflow_id, wanted, state, thread_id, synced_at) VALUES (?1, ?2, ?3, ?4, ?5) \
               ON CONFLICT (workflow_id) DO UPDATE SET state = ?3, thread_id = ?4, synced_at = ?5";
    tx.sql().prepare_cached(sql)?.execute(params![
        row.workflow.as_str(),
        to_json(&row.wanted)?,
        to_json(&row.state)?,
        row.thread.as_ref().map(ThreadId::as_str),
        row.synced.map(|at| at.0),
    ])?;
    Ok(())
}
