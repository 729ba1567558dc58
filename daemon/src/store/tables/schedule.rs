//! What the schedule asks of the store: the live operations as it sees them, and the places that are given to new ones.
//! Read with each commit that frees something, so it costs the same however much has ended.

use super::{
    firsts,
    operations::{HOLDS_SLOT, OperationRow, Spec},
};
use crate::store::{StoreError, Tx, WriteTx, from_json};
use common::{
    ids::{OperationId, ThreadId},
    time::Timestamp,
};
use domain::schedule::{Cost, Live, Priority, Stage, Turns};
use rusqlite::{Row, params};

/// In the order of `live_row`.
const COLUMNS: &str = "id, accepted, rank, thread_id, project_key, agent_id, cost, project_turn, agent_turn, writes, starts_at";

fn live_row(r: &Row<'_>) -> rusqlite::Result<Live> {
    let text = |n: usize| r.get::<_, String>(n);
    Ok(Live {
        operation: OperationId::new(text(0)?),
        accepted: r.get(1)?,
        priority: match r.get(2)? {
            0 => Priority::High,
            2 => Priority::Low,
            _ => Priority::Normal,
        },
        thread: r.get::<_, Option<String>>(3)?.map(ThreadId::new),
        project: text(4)?,
        agent: r.get(5)?,
        cost: match r.get_ref(6)?.as_str()? {
            "light" => Cost::Light,
            "heavy" => Cost::Heavy,
            _ => Cost::Normal,
        },
        turns: Turns { of_project: r.get(7)?, of_agent: r.get(8)? },
        writes: match r.get_ref(9)?.as_str()? {
            "[]" => Vec::new(),
            paths => from_json(paths)?,
        },
        stage: match r.get::<_, Option<i64>>(11)? {
            Some(at) => Stage::Queued { not_before: Timestamp(at), starts: r.get::<_, Option<i64>>(10)?.map(Timestamp), after: None },
            None if r.get(13)? => Stage::Moving,
            None => Stage::Active { asking: r.get(12)? },
        },
    })
}

fn active_sql() -> String {
    let asking = "tag IN ('creating_thread', 'starting_turn')";
    format!(
        "SELECT {COLUMNS}, NULL, {asking}, 0 FROM operations WHERE {HOLDS_SLOT} \
         UNION ALL SELECT {COLUMNS}, NULL, 0, 1 FROM operations WHERE tag = 'moving_thread'"
    )
}

fn queued_sql() -> String {
    format!("SELECT {COLUMNS}, coalesce(wake_at, 0), 0, 0 FROM operations WHERE tag = 'queued'")
}

fn read(tx: &impl Tx, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Live>, StoreError> {
    let mut statement = tx.sql().prepare_cached(sql)?;
    let mut all: Vec<Live> = statement.query_map(values, live_row)?.collect::<rusqlite::Result<_>>()?;
    // Few wait for others, so it is not asked row by row.
    let mut firsts = firsts::waited_for(tx)?;
    for one in &mut all {
        if let Stage::Queued { after, .. } = &mut one.stage {
            *after = firsts.remove(&one.operation);
        }
    }
    Ok(all)
}

/// Every live operation.
pub fn live(tx: &impl Tx) -> Result<Vec<Live>, StoreError> {
    read(tx, &format!("{} UNION ALL {}", active_sql(), queued_sql()), [])
}

/// Whoever is at work, this one, and whoever waits for the same thread: enough to say why it waits, but for paths that
/// are kept for others.
pub fn around(tx: &impl Tx, row: &OperationRow) -> Result<Vec<Live>, StoreError> {
    let sql = format!("{} UNION ALL {} AND (accepted = ?1 OR thread_id = ?2)", active_sql(), queued_sql());
    read(tx, &sql, params![row.accepted, row.thread.as_ref().map(ThreadId::as_str)])
}

/// Whether more than so many are queued.
pub fn is_long(tx: &impl Tx, queued_max: u32) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM operations WHERE tag = 'queued' LIMIT ?1)";
    let count: i64 = tx.sql().prepare_cached(sql)?.query_row([i64::from(queued_max) + 1], |r| r.get(0))?;
    Ok(count > i64::from(queued_max))
}

pub fn active_count(tx: &impl Tx) -> Result<usize, StoreError> {
    let sql = format!("SELECT count(*) FROM operations WHERE {HOLDS_SLOT}");
    let count: i64 = tx.sql().prepare_cached(&sql)?.query_row([], |r| r.get(0))?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Places for a new operation, behind the last of its project and of its agent that come before it anyway.
pub fn next_turns(tx: &WriteTx<'_>, spec: &Spec, project_key: &str) -> Result<Turns, StoreError> {
    let served: i64 = tx.sql().prepare_cached("SELECT served FROM schedule")?.query_row([], |r| r.get(0))?;
    let (mut last, mut served) = (Turns::default(), Turns { of_project: served, of_agent: 0 });
    // One look into the index for each rank.
    let last_of_project = "SELECT coalesce(max(project_turn), 0) FROM operations WHERE tag <> 'ended' AND project_key = ?1 AND rank = ?2";
    let last_of_agent =
        "SELECT coalesce(max(agent_turn), 0) FROM operations WHERE tag <> 'ended' AND project_key = ?1 AND rank = ?2 AND agent_id IS ?3";
    let next_of_agents = "SELECT coalesce(min(agent_turn), 0) FROM operations WHERE tag = 'queued' AND project_key = ?1 AND rank = ?2";
    for rank in 0..=spec.priority.rank() {
        let of_rank: i64 = tx.sql().prepare_cached(last_of_project)?.query_row(params![project_key, rank], |r| r.get(0))?;
        last.of_project = last.of_project.max(of_rank);
        let of_rank: i64 = tx.sql().prepare_cached(last_of_agent)?.query_row(params![project_key, rank, spec.agent_id], |r| r.get(0))?;
        last.of_agent = last.of_agent.max(of_rank);
        let of_rank: i64 = tx.sql().prepare_cached(next_of_agents)?.query_row(params![project_key, rank], |r| r.get(0))?;
        served.of_agent = served.of_agent.max(of_rank);
    }
    Ok(Turns::next(served, last, spec.cost))
}

/// The operation is about to leave the queue: whoever comes now comes after the place at which its project stands. That
/// is the first of its row and not its own: one that passes others which are held up must not put newcomers behind those.
pub fn serve(tx: &WriteTx<'_>, id: &OperationId) -> Result<(), StoreError> {
    let sql = "UPDATE schedule SET served = max(served, (SELECT min(project_turn) FROM operations WHERE tag = 'queued' \
               AND project_key = (SELECT project_key FROM operations WHERE id = ?1)))";
    tx.sql().prepare_cached(sql)?.execute([id.as_str()])?;
    Ok(())
}
