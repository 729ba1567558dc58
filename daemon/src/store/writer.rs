//! The one connection that writes, and its transactions. One thread owns it (`engine/`); WAL with
//! synchronous=FULL, so what was committed survives a power cut.

use super::{StoreError, Tx, migrate};
use rusqlite::{Connection, TransactionBehavior};
use std::path::Path;

/// Somebody else writes into our file: for so long it is waited for.
const BUSY_MAX: std::time::Duration = std::time::Duration::from_secs(5);

/// Creates the file (0600) where there is none. Errors name what to do; nothing is ever overwritten.
pub fn open_for_writing(path: &Path) -> Result<Connection, StoreError> {
    create_private(path).map_err(|e| StoreError::Unwritable(e.to_string()))?;
    migrate::look_first(path)?;
    let mut connection = Connection::open(path)?;
    pragmas(&connection).map_err(|e| migrate::damaged_or(e, path))?;
    migrate::to_newest(&mut connection, path)?;
    limit_pages(&connection)?;
    Ok(connection)
}

/// A disk with little room, for tests.
fn limit_pages(_connection: &Connection) -> rusqlite::Result<()> {
    fail::fail_point!("store.pages_max", |pages| {
        let pages: i64 = pages.and_then(|text| text.parse().ok()).unwrap_or_default();
        _connection.pragma_update(None, "max_page_count", pages)
    });
    Ok(())
}

/// Whether the file, if it is there, could be opened and is whole. Reads all of it, changes nothing.
pub fn check(path: &Path) -> Result<(), StoreError> {
    if !path.exists() {
        return Ok(());
    }
    let connection = migrate::look_first(path)?;
    let found = connection.pragma_query_value(None, "quick_check", |row| row.get::<_, String>(0));
    match found.map_err(|e| migrate::damaged_or(e, path))?.as_str() {
        "ok" => Ok(()),
        _ => Err(StoreError::Damaged { path: path.to_path_buf() }),
    }
}

fn pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // What is deleted is overwritten: who forgets something expects it gone from the file.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
    super::keep_plans(connection)?;
    if cfg!(target_os = "macos") {
        connection.pragma_update(None, "fullfsync", "ON")?;
    }
    Ok(())
}

fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Folds the log into the database and cuts it, so that nothing that was deleted stands there any more. `false`: somebody
/// reads, and it is for another time.
pub fn settle(connection: &Connection) -> Result<bool, StoreError> {
    connection.busy_timeout(std::time::Duration::from_millis(200))?;
    let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(BUSY_MAX)?;
    Ok(!busy?)
}

/// A transaction that may write. Dropped without `commit`: nothing happened.
pub struct WriteTx<'a> {
    transaction: rusqlite::Transaction<'a>,
    changes_before: u64,
}

impl<'a> WriteTx<'a> {
    pub fn begin(connection: &'a mut Connection) -> Result<WriteTx<'a>, StoreError> {
        let changes_before = connection.total_changes();
        Ok(WriteTx { transaction: connection.transaction_with_behavior(TransactionBehavior::Immediate)?, changes_before })
    }

    /// Rows written so far.
    pub fn changes(&self) -> u64 {
        self.transaction.total_changes() - self.changes_before
    }

    /// Durable when this returns.
    pub fn commit(self) -> Result<(), StoreError> {
        Ok(self.transaction.commit()?)
    }
}

impl Tx for WriteTx<'_> {
    fn sql(&self) -> &Connection {
        &self.transaction
    }
}
