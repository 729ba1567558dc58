//! Brings a database to the newest shape, file by file, in order. Files are never edited after release.

use super::StoreError;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use std::path::Path;

const STEPS: &[M<'static>] = &[M::up(include_str!("migrations/0001_first.sql")), M::up(include_str!("migrations/0002_workflows.sql"))];

/// Refuses a database that is newer than this program, and leaves it untouched.
pub(super) fn to_newest(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    Migrations::from_slice(STEPS).to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::MigrationDefinition(_) => StoreError::Newer { path: path.to_path_buf() },
        rusqlite_migration::Error::RusqliteError { err, .. } => damaged_or(err, path),
        other => StoreError::Unwritable(other.to_string()),
    })
}

/// Before anything is changed, and in a way that cannot change anything: a newer or a damaged file stays as it is.
pub(super) fn look_first(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(|e| damaged_or(e, path))?;
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|e| damaged_or(e, path))?;
    if usize::try_from(version).is_ok_and(|version| version > STEPS.len()) {
        return Err(StoreError::Newer { path: path.to_path_buf() });
    }
    Ok(connection)
}

pub(super) fn damaged_or(error: rusqlite::Error, path: &Path) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path: path.to_path_buf() },
        _ => StoreError::from(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_are_valid() {
        assert!(Migrations::from_slice(STEPS).validate().is_ok());
    }
}
