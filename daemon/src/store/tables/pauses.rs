//! Where nothing new may start: everywhere, in projects by their key, or until the provider's limit is reset.

use super::provider_limit;
use crate::store::{StoreError, Tx, WriteTx};
use common::time::Timestamp;
use domain::schedule::Paused;
use rusqlite::params;

/// Stands for everywhere; no project has this key.
const EVERYWHERE: &str = "";

pub fn all(tx: &impl Tx) -> Result<Paused, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT project_key FROM pauses")?;
    let mut paused = Paused { until: provider_limit::get(tx)?.until, ..Paused::default() };
    for key in statement.query_map([], |r| r.get::<_, String>(0))? {
        match key? {
            key if key == EVERYWHERE => paused.all = true,
            key => drop(paused.projects.insert(key)),
        }
    }
    Ok(paused)
}

pub fn pause(tx: &WriteTx<'_>, project_key: Option<&str>, now: Timestamp) -> Result<(), StoreError> {
    let sql = "INSERT OR IGNORE INTO pauses (project_key, since) VALUES (?1, ?2)";
    tx.sql().prepare_cached(sql)?.execute(params![project_key.unwrap_or(EVERYWHERE), now.0])?;
    Ok(())
}

/// Everywhere: those of projects end too.
pub fn resume(tx: &WriteTx<'_>, project_key: Option<&str>) -> Result<(), StoreError> {
    match project_key {
        Some(key) => tx.sql().prepare_cached("DELETE FROM pauses WHERE project_key = ?1")?.execute([key])?,
        None => tx.sql().prepare_cached("DELETE FROM pauses")?.execute([])?,
    };
    Ok(())
}
