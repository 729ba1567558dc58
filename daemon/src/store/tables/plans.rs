//! Plans as codex wrote them down, whole. Those of a workflow are numbered; none is ever changed or dropped.

use crate::store::{StoreError, Tx, WriteTx, from_json, to_json};
use common::{ids::*, time::Timestamp};
use domain::workflow::plan::Quality;
use rusqlite::{OptionalExtension, Row, params};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanRow {
    pub turn: TurnId,
    pub item: ItemId,
    pub thread: ThreadId,
    /// Not yet redacted: what leaves goes through the redactor.
    pub text: String,
    pub hash: String,
    pub quality: Quality,
    /// The version of the workflow's plan that it is.
    pub version: Option<(WorkflowId, u32)>,
    pub at: Timestamp,
}

const COLUMNS: &str = "turn_id, item_id, thread_id, text, hash, quality, workflow_id, version, at";

fn row(r: &Row<'_>) -> rusqlite::Result<PlanRow> {
    let workflow = r.get::<_, Option<String>>(6)?.map(WorkflowId::new);
    Ok(PlanRow {
        turn: TurnId::new(r.get::<_, String>(0)?),
        item: ItemId::new(r.get::<_, String>(1)?),
        thread: ThreadId::new(r.get::<_, String>(2)?),
        text: r.get(3)?,
        hash: r.get(4)?,
        quality: from_json(&r.get::<_, String>(5)?)?,
        version: workflow.zip(r.get(7)?),
        at: Timestamp(r.get(8)?),
    })
}

/// A turn that plans again writes the same item again: the last one counts, until it is a version of a workflow's plan.
pub fn insert(tx: &WriteTx<'_>, plan: &PlanRow) -> Result<(), StoreError> {
    let sql = "INSERT INTO plans (turn_id, item_id, thread_id, text, hash, quality, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
        ON CONFLICT (turn_id, item_id) DO UPDATE SET text = ?4, hash = ?5, quality = ?6, at = ?7 WHERE version IS NULL AND hash <> ?5";
    tx.sql().prepare_cached(sql)?.execute(params![
        plan.turn.as_str(),
        plan.item.as_str(),
        plan.thread.as_str(),
        plan.text,
        plan.hash,
        to_json(&plan.quality)?,
        plan.at.0
    ])?;
    Ok(())
}

/// Makes it the next version of the workflow's plan, unless it is one of its versions already.
pub fn number(tx: &WriteTx<'_>, plan: &PlanRow, workflow: &WorkflowId) -> Result<u32, StoreError> {
    if let Some((_, version)) = plan.version.as_ref().filter(|(of, _)| of == workflow) {
        return Ok(*version);
    }
    let sql = "SELECT coalesce(max(version), 0) + 1 FROM plans WHERE workflow_id = ?1";
    let version: u32 = tx.sql().prepare_cached(sql)?.query_row([workflow.as_str()], |r| r.get(0))?;
    let sql = "UPDATE plans SET workflow_id = ?3, version = ?4 WHERE turn_id = ?1 AND item_id = ?2";
    tx.sql().prepare_cached(sql)?.execute(params![plan.turn.as_str(), plan.item.as_str(), workflow.as_str(), version])?;
    Ok(version)
}

/// The newest one of a turn.
pub fn of_turn(tx: &impl Tx, turn: &TurnId) -> Result<Option<PlanRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM plans WHERE turn_id = ?1 ORDER BY at DESC, item_id DESC LIMIT 1");
    Ok(tx.sql().prepare_cached(&sql)?.query_row([turn.as_str()], row).optional()?)
}

pub fn of_workflow(tx: &impl Tx, workflow: &WorkflowId) -> Result<Vec<PlanRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM plans WHERE workflow_id = ?1 ORDER BY version");
    Ok(tx.sql().prepare_cached(&sql)?.query_map([workflow.as_str()], row)?.collect::<rusqlite::Result<_>>()?)
}

/// Of all on the thread, whoever asked for it.
pub fn newest_on_thread(tx: &impl Tx, thread: &ThreadId) -> Result<Option<PlanRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM plans WHERE thread_id = ?1 ORDER BY at DESC LIMIT 1");
    Ok(tx.sql().prepare_cached(&sql)?.query_row([thread.as_str()], row).optional()?)
}

/// Plans on the thread that are of no workflow, newest first.
pub fn free_on_thread(tx: &impl Tx, thread: &ThreadId) -> Result<Vec<PlanRow>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM plans WHERE thread_id = ?1 AND workflow_id IS NULL ORDER BY at DESC LIMIT 20");
    Ok(tx.sql().prepare_cached(&sql)?.query_map([thread.as_str()], row)?.collect::<rusqlite::Result<_>>()?)
}
