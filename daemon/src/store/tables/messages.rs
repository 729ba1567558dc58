//! Assistant messages, whole, as `item/completed` carried them. Deltas never come here.

use crate::store::{StoreError, Tx, WriteTx};
use common::{
    ids::{ItemId, TurnId},
    time::Timestamp,
};
use rusqlite::params;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    pub item: ItemId,
    pub ordinal: i64,
    /// Not yet redacted: what leaves goes through the redactor.
    pub text: String,
    pub at: Timestamp,
}

/// Changes whenever the text does.
pub fn hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Oldest first; the last one of an ended turn is its report.
pub fn newest(tx: &impl Tx, turn: &TurnId, limit: u32) -> Result<Vec<MessageRow>, StoreError> {
    let mut statement =
        tx.sql().prepare_cached("SELECT item_id, ordinal, text, at FROM messages WHERE turn_id = ?1 ORDER BY ordinal DESC LIMIT ?2")?;
    let rows = statement.query_map(params![turn.as_str(), limit], |r| {
        Ok(MessageRow { item: ItemId::new(r.get::<_, String>(0)?), ordinal: r.get(1)?, text: r.get(2)?, at: Timestamp(r.get(3)?) })
    })?;
    let mut all: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    all.reverse();
    Ok(all)
}

/// Says whether it is new: the same item read again from disk changes nothing.
pub fn insert(tx: &WriteTx<'_>, turn: &TurnId, item: &ItemId, text: &str, at: Timestamp) -> Result<bool, StoreError> {
    let mut statement = tx.sql().prepare_cached(
        "INSERT INTO messages (turn_id, item_id, ordinal, text, at) \
         VALUES (?1, ?2, (SELECT coalesce(max(ordinal), 0) + 1 FROM messages WHERE turn_id = ?1), ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    Ok(statement.execute(params![turn.as_str(), item.as_str(), text, at.0])? == 1)
}

/// Puts a turn's messages into the order in which the app-server lists them; what is not listed came later.
pub fn put_in_order(tx: &WriteTx<'_>, turn: &TurnId, listed: &[ItemId]) -> Result<(), StoreError> {
    let count = i64::try_from(listed.len()).unwrap_or(i64::MAX);
    tx.sql().prepare_cached("UPDATE messages SET ordinal = ordinal + ?2 WHERE turn_id = ?1")?.execute(params![turn.as_str(), count])?;
    let mut place = tx.sql().prepare_cached("UPDATE messages SET ordinal = ?3 WHERE turn_id = ?1 AND item_id = ?2")?;
    for (at, item) in (1_i64..).zip(listed) {
        place.execute(params![turn.as_str(), item.as_str(), at])?;
    }
    Ok(())
}
