//! The usage limit of the provider's account: when it is reset, as the provider says, and until when work waits.

use crate::store::{StoreError, Tx, WriteTx};
use common::time::{Millis, Timestamp};
use rusqlite::params;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProviderLimit {
    /// Of the window that is used up. The provider's clock is not ours: it may lie behind us before it is true.
    pub resets: Option<Timestamp>,
    /// Met so often without one that came through in between.
    pub strikes: u8,
    /// Nothing new starts before this, and then one at a time, until one has come through.
    pub until: Option<Timestamp>,
}

impl ProviderLimit {
    /// A turn was refused for it. Whatever the provider says of the reset, the wait grows with each in a row.
    pub fn met(self, now: Timestamp) -> ProviderLimit {
        const HOLD_MS: i64 = 15_000;
        const HOLD_MS_MAX: i64 = 30 * 60_000;
        let strikes = self.strikes.saturating_add(1);
        let hold = Millis((HOLD_MS << (strikes - 1).min(16)).min(HOLD_MS_MAX));
        let until = self.resets.map_or(now + hold, |resets| resets.max(now + hold));
        ProviderLimit { strikes, until: Some(until), ..self }
    }
}

pub fn get(tx: &impl Tx) -> Result<ProviderLimit, StoreError> {
    let row = tx.sql().prepare_cached("SELECT resets_at, strikes, hold_until FROM provider_limit")?.query_row([], |r| {
        let moment = |n: usize| Ok::<_, rusqlite::Error>(r.get::<_, Option<i64>>(n)?.map(Timestamp));
        Ok(ProviderLimit { resets: moment(0)?, strikes: r.get(1)?, until: moment(2)? })
    })?;
    Ok(row)
}

pub fn put(tx: &WriteTx<'_>, limit: ProviderLimit) -> Result<(), StoreError> {
    let sql = "UPDATE provider_limit SET resets_at = ?1, strikes = ?2, hold_until = ?3";
    tx.sql().prepare_cached(sql)?.execute(params![limit.resets.map(|at| at.0), limit.strikes, limit.until.map(|at| at.0)])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_whatever_the_provider_says_of_the_reset() {
        let now = Timestamp(1_000_000);
        let past = ProviderLimit { resets: Some(Timestamp(1)), ..ProviderLimit::default() };
        let mut limit = past;
        let mut waits = Vec::new();
        for _ in 0..20 {
            limit = limit.met(now);
            waits.push((limit.until.unwrap() - now).0);
        }
        assert_eq!(&waits[..3], [15_000, 30_000, 60_000]);
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]) && waits[19] == 1_800_000);
        let later = ProviderLimit { resets: Some(now + Millis(3_600_000)), ..ProviderLimit::default() };
        assert_eq!(later.met(now).until, Some(now + Millis(3_600_000)));
    }
}
