//! The one app-server process that is ours: its state, and what the next daemon needs to find it again.

use crate::store::{StoreError, Tx, WriteTx, from_json, to_json};
use common::ids::Generation;
use domain::supervise::Server;
use rusqlite::params;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A process is ours only if pid *and* start time are the recorded ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pub pid: u32,
    /// Seconds since the epoch as the system counts them.
    pub started_s: u64,
    /// What tells its start whatever the clock says, where the system knows such a thing.
    #[serde(default)]
    pub start_mark: Option<String>,
    pub address: Address,
    pub codex_home: PathBuf,
    pub binary: PathBuf,
    /// Length and modification time of the binary: whether codex was updated since.
    pub binary_mark: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Address {
    Socket(PathBuf),
    Loopback {
        port: u16,
        token_file: PathBuf,
    },
    /// Lives and dies with the daemon's pipes; never adopted.
    Stdio,
}

#[derive(Debug, Clone)]
pub struct AppServerRow {
    pub state: Server,
    pub process: Option<Process>,
    /// Of the newest process; the next one gets one more.
    pub generation: Generation,
}

pub fn get(tx: &impl Tx) -> Result<AppServerRow, StoreError> {
    let mut statement = tx.sql().prepare_cached("SELECT state, process, generation FROM app_server WHERE one = 1")?;
    Ok(statement.query_row([], |r| {
        Ok(AppServerRow {
            state: from_json(&r.get::<_, String>(0)?)?,
            process: r.get::<_, Option<String>>(1)?.map(|text| from_json(&text)).transpose()?,
            generation: Generation(r.get(2)?),
        })
    })?)
}

pub fn put(tx: &WriteTx<'_>, row: &AppServerRow) -> Result<(), StoreError> {
    let process = row.process.as_ref().map(to_json).transpose()?;
    tx.sql().prepare_cached("UPDATE app_server SET state = ?1, process = ?2, generation = ?3 WHERE one = 1")?.execute(params![
        to_json(&row.state)?,
        process,
        row.generation.0
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_gave_up_is_tried_again() {
        let server: Server = serde_json::from_str(r#"{"state": "given_up", "why": "killed"}"#).unwrap();
        assert!(matches!(server.step(domain::supervise::Event::Woken, common::time::Timestamp(1)), Server::Starting { .. }));
    }
}
