//! Read-only connections for everything that answers questions. A reader cannot write: the connection refuses.

use super::{StoreError, Tx};
use r2d2_sqlite::SqliteConnectionManager;
use rusqlite::{Connection, OpenFlags};
use std::{path::Path, sync::Arc, time::Duration};

/// Enough for two cores; a read takes well under a millisecond.
const READERS_MAX: u32 = 4;
/// One for each async thread.
const READERS_READY: u32 = 2;

#[derive(Clone)]
pub struct Reader(r2d2::Pool<SqliteConnectionManager>);

impl Reader {
    /// The file must exist: the writer opens first.
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let pool = SqliteConnectionManager::file(path).with_flags(flags).with_init(|connection| {
            connection.busy_timeout(Duration::from_secs(5))?;
            super::keep_plans(connection)?;
            connection.pragma_update(None, "query_only", "ON")
        });
        let pool = r2d2::Pool::builder()
            .max_size(READERS_MAX)
            .min_idle(Some(READERS_READY))
            // A connection to a file does not go stale. Looking whether it did would wake an idle daemon every 30 s.
            .test_on_check_out(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connection_timeout(Duration::from_secs(5))
            .build(pool)
            .map_err(StoreError::Pool)?;
        Ok(Reader(pool))
    }

    /// Runs `read` on one snapshot, here and now: for a few rows that an index leads to. To have it done by another thread
    /// costs more than such a read. Where no connection is free, it waits for one off the async threads.
    pub async fn peek<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self.0.try_get() {
            Some(mut connection) => {
                let snapshot = connection.transaction()?;
                read(&ReadTx(&snapshot))
            }
            None => self.read(read).await,
        }
    }

    /// Runs `read` on one snapshot, off the async threads.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ReadTx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let pool = Arc::new(self.0.clone());
        let joined = tokio::task::spawn_blocking(move || {
            let mut connection = pool.get().map_err(StoreError::Pool)?;
            let snapshot = connection.transaction()?;
            read(&ReadTx(&snapshot))
        });
        joined.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

pub struct ReadTx<'a>(&'a Connection);

impl Tx for ReadTx<'_> {
    fn sql(&self) -> &Connection {
        self.0
    }
}
