//! What is taken away of operations that ended: their events, messages, plans, questions and texts. The small row stays for
//! as long as the database: ids, digests, outcome, hashes, so that a request that comes again years later is still known.
//! Decides nothing: which operations, and when, is said by whoever calls.

use super::messages;
use crate::store::{StoreError, Tx, WriteTx};
use common::{ids::*, time::Timestamp};
use rusqlite::params;

/// How much of an operation is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// What is long or was asked for in words.
    Long,
    /// Every word that a person, a program or the model wrote: names and reasons too.
    EveryWord,
}

/// A plan that somebody may still approve is kept with all that belongs to it, and so is what works on one.
const IS_OF_A_LIVE_WORKFLOW: &str = "EXISTS (SELECT 1 FROM workflows WHERE workflows.id = operations.spec ->> '$.workflow' AND \
     workflows.tag IN ('planning', 'planned', 'executing'))";

/// Ended before that moment and not cleared yet, the longest ended first.
pub fn kept(tx: &impl Tx, before: Timestamp, limit: u32) -> Result<Vec<OperationId>, StoreError> {
    let sql = format!(
        "SELECT id FROM operations WHERE tag = 'ended' AND cleared_at IS NULL AND ended_at < ?1 AND NOT {IS_OF_A_LIVE_WORKFLOW} \
         ORDER BY ended_at LIMIT ?2"
    );
    let mut statement = tx.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![before.0, limit], |r| Ok(OperationId::new(r.get::<_, String>(0)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// All that ended before that moment, cleared or not, in the order of acceptance after this place. Of a plan that waits for
/// somebody nothing.
pub fn ended(tx: &impl Tx, before: Timestamp, after: i64, limit: u32) -> Result<Vec<(i64, OperationId)>, StoreError> {
    let sql = format!(
        "SELECT accepted, id FROM operations WHERE tag = 'ended' AND ended_at < ?1 AND accepted > ?3 AND NOT {IS_OF_A_LIVE_WORKFLOW} \
         ORDER BY accepted LIMIT ?2"
    );
    let mut statement = tx.sql().prepare_cached(&sql)?;
    let rows = statement.query_map(params![before.0, limit, after], |r| Ok((r.get(0)?, OperationId::new(r.get::<_, String>(1)?))))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Looks through all operations: asked only by somebody who wants one forgotten.
pub fn of_workflow(tx: &impl Tx, workflow: &WorkflowId) -> Result<Vec<OperationId>, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT id FROM operations WHERE spec ->> '$.workflow' = ?1")?;
    Ok(statement.query_map([workflow.as_str()], |r| Ok(OperationId::new(r.get::<_, String>(0)?)))?.collect::<rusqlite::Result<_>>()?)
}

/// Takes the texts, and keeps the row. The hash of its report stays, where it has one.
pub fn clear(tx: &WriteTx<'_>, id: &OperationId, now: Timestamp, extent: Extent) -> Result<(), StoreError> {
    let report = report_hash(tx, id)?;
    let one = |sql: &str| tx.sql().prepare_cached(sql)?.execute([id.as_str()]);
    one("DELETE FROM messages WHERE turn_id IN (SELECT id FROM turns WHERE operation_id = ?1)")?;
    one("UPDATE plans SET text = '' WHERE turn_id IN (SELECT id FROM turns WHERE operation_id = ?1)")?;
    one("UPDATE interactions SET params = '{}', response = NULL WHERE operation_id = ?1 AND tag = 'settled'")?;
    let (last, head) = (last_event(tx, id)?, super::events::head(tx)?);
    // The newest of all stays, as the place that the next one is counted from.
    one("DELETE FROM events WHERE operation_id = ?1 AND cursor < (SELECT max(cursor) FROM events)")?;
    if let Some(last) = last {
        tx.sql().prepare_cached("UPDATE events SET body = '{}' WHERE cursor = ?1 AND cursor = ?2")?.execute([last.0, head.0])?;
        raise_cut(tx, last.min(Cursor(head.0 - 1)))?;
    }
    // One that is still to be written to its thread is needed for that.
    one("UPDATE goals SET wanted = json_set(wanted, '$.objective', '', '$.end_objective', NULL) \
         WHERE state ->> '$.state' <> 'finishing' AND workflow_id IN \
         (SELECT workflows.id FROM workflows JOIN operations ON operations.spec ->> '$.workflow' = workflows.id \
          WHERE operations.id = ?1 AND workflows.tag = 'ended')")?;
    if extent == Extent::EveryWord {
        one("UPDATE turns SET error = NULL WHERE operation_id = ?1")?;
        one("UPDATE operations SET spec = json_replace(spec, '$.title', NULL, '$.review.target.title', NULL), \
             state = json_replace(state, '$.outcome.message', 'forgotten') WHERE id = ?1")?;
        one("UPDATE workflows SET state = json_replace(state, '$.why', 'forgotten', '$.end.why', 'forgotten') \
             WHERE id = (SELECT spec ->> '$.workflow' FROM operations WHERE id = ?1)")?;
    }
    let spec = "json_remove(json_set(spec, '$.output_schema', NULL), '$.images', '$.fork.config')";
    let sql = format!(
        "UPDATE operations SET cleared_at = ?2, report_hash = coalesce(?3, report_hash), prompt = NULL, spec = {spec} WHERE id = ?1"
    );
    tx.sql().prepare_cached(&sql)?.execute(params![id.as_str(), now.0, report])?;
    Ok(())
}

/// Takes the texts of work that ended without success before that moment. How many.
pub fn clear_prompts(tx: &WriteTx<'_>, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
    let sql = "UPDATE operations SET prompt = NULL WHERE id IN \
        (SELECT id FROM operations WHERE tag = 'ended' AND prompt IS NOT NULL AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)";
    Ok(tx.sql().prepare_cached(sql)?.execute(params![before.0, limit])?)
}

/// Drops events that belong to no operation. How many.
pub fn drop_events_of_nobody(tx: &WriteTx<'_>, before: Timestamp, limit: u32) -> Result<usize, StoreError> {
    let first =
        "SELECT cursor FROM events WHERE operation_id IS NULL AND cursor < (SELECT max(cursor) FROM events) ORDER BY cursor LIMIT ?1";
    let sql = format!("SELECT max(cursor) FROM (SELECT cursor, at FROM events WHERE cursor IN ({first})) WHERE at < ?2");
    let last: Option<i64> = tx.sql().prepare_cached(&sql)?.query_row(params![limit, before.0], |r| r.get(0))?;
    let Some(last) = last else { return Ok(0) };
    raise_cut(tx, Cursor(last))?;
    let sql = format!("DELETE FROM events WHERE cursor IN ({first}) AND at < ?2");
    Ok(tx.sql().prepare_cached(&sql)?.execute(params![limit, before.0])?)
}

/// Up to here events may be missing from the feed.
pub fn cut(tx: &impl Tx) -> Result<Cursor, StoreError> {
    Ok(Cursor(tx.sql().prepare_cached("SELECT cut FROM history")?.query_row([], |r| r.get(0))?))
}

/// What the rows take, in bytes; pages that were given back and wait to be used again do not count.
pub fn bytes(tx: &impl Tx) -> Result<u64, StoreError> {
    let number = |name: &str| tx.sql().pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (pages, free, size) = (number("page_count")?, number("freelist_count")?, number("page_size")?);
    Ok(u64::try_from((pages - free).saturating_mul(size)).unwrap_or(0))
}

fn raise_cut(tx: &WriteTx<'_>, to: Cursor) -> Result<(), StoreError> {
    tx.sql().prepare_cached("UPDATE history SET cut = max(cut, ?1)")?.execute([to.0])?;
    Ok(())
}

fn last_event(tx: &impl Tx, id: &OperationId) -> Result<Option<Cursor>, StoreError> {
    let sql = "SELECT max(cursor) FROM events WHERE operation_id = ?1";
    Ok(tx.sql().prepare_cached(sql)?.query_row([id.as_str()], |r| r.get::<_, Option<i64>>(0))?.map(Cursor))
}

/// Of the last message of its own turn, where it completed.
fn report_hash(tx: &impl Tx, id: &OperationId) -> Result<Option<String>, StoreError> {
    let sql = "SELECT text FROM messages WHERE turn_id IN (SELECT turn_id FROM operations WHERE id = ?1 AND target_turn IS NULL \
        AND state ->> '$.outcome.outcome' = 'completed') ORDER BY ordinal DESC LIMIT 1";
    let mut statement = tx.sql().prepare_cached(sql)?;
    let mut rows = statement.query([id.as_str()])?;
    Ok(match rows.next()? {
        Some(row) => Some(messages::hash(&row.get::<_, String>(0)?)),
        None => None,
    })
}
