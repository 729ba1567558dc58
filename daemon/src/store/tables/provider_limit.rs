//! The usage limit of the provider's account: when it is reset, and whether work waits for that.

use crate::store::{StoreError, Tx, WriteTx};
use common::time::Timestamp;
use rusqlite::params;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProviderLimit {
    pub resets: Option<Timestamp>,
    pub holds: bool,
}

impl ProviderLimit {
    /// Nothing new starts before this.
    pub fn holds_until(&self) -> Option<Timestamp> {
        self.resets.filter(|_| self.holds)
    }
}

pub fn get(tx: &impl Tx) -> Result<ProviderLimit, StoreError> {
    let row = tx
        .sql()
        .prepare_cached("SELECT resets_at, holds FROM provider_limit")?
        .query_row([], |r| Ok(ProviderLimit { resets: r.get::<_, Option<i64>>(0)?.map(Timestamp), holds: r.get(1)? }))?;
    Ok(row)
}

pub fn put(tx: &WriteTx<'_>, limit: ProviderLimit) -> Result<(), StoreError> {
    let sql = "UPDATE provider_limit SET resets_at = ?1, holds = ?2";
    tx.sql().prepare_cached(sql)?.execute(params![limit.resets.map(|at| at.0), limit.holds])?;
    Ok(())
}
