//! The one SQLite file. Only here is SQL known; nothing here decides what a row should become.

mod migrate;
pub mod reader;
pub mod tables;
pub mod writer;

pub use reader::{ReadTx, Reader};
pub use writer::{WriteTx, check, open_for_writing, settle};

use rusqlite::{Connection, ErrorCode, config::DbConfig};

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the state database is full or its disk is; free some space, accepted work is kept")]
    Full,
    #[error("the state database is locked by another program; close it and try again")]
    Locked,
    #[error(
        "the state database {path} was written by a newer version; install that version, or move the file and those beside it that \
         begin with its name aside and start again"
    )]
    Newer { path: std::path::PathBuf },
    #[error(
        "the state database {path} is damaged or not a database; move the file and those beside it that begin with its name aside \
         and start again, or restore a copy of it"
    )]
    Damaged { path: std::path::PathBuf },
    #[error("the state database cannot be written: {0}; check that its disk is well and writable and that the file belongs to you")]
    Unwritable(String),
    #[error("the state database refused: {0}")]
    Sqlite(rusqlite::Error),
    #[error("a stored row cannot be read: {0}")]
    Row(serde_json::Error),
    #[error("no reader was free in time; try again")]
    Pool(r2d2::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure) => {
                StoreError::Unwritable(error.to_string())
            }
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path: "state.sqlite3".into() },
            _ => StoreError::Sqlite(error),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        StoreError::Row(error)
    }
}

/// Something rows can be read through: a reader's snapshot or the writer's transaction.
pub trait Tx {
    fn sql(&self) -> &Connection;
}

/// Statements are kept and run again as they were planned. SQLite would plan them anew with each number that is given for
/// a LIMIT, and that takes longer than the query.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(64);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn to_json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    Ok(serde_json::to_string(value)?)
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite3");
        drop(open_for_writing(&path).unwrap());
        let reader = Reader::open(&path).unwrap();
        let tried = reader.read(|tx| Ok(tx.sql().execute("DELETE FROM events", [])?)).await;
        assert!(tried.is_err());
    }

    #[test]
    fn a_newer_database_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite3");
        open_for_writing(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
        assert!(matches!(open_for_writing(&path), Err(StoreError::Newer { .. })));
        let kept: i64 = Connection::open(&path).unwrap().pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(kept, 999);
    }

    #[test]
    fn what_is_no_database_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite3");
        let text = "this is a letter, not a database ".repeat(100);
        std::fs::write(&path, &text).unwrap();
        let refused = open_for_writing(&path).map(drop).unwrap_err();
        assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
