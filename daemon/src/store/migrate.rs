//! Brings a database to the newest shape, file by file, in order. Files are never edited after release.

use super::StoreError;
use rusqlite::Connection;
use rusqlite_migration::{M, Migrations};
use std::path::Path;

const STEPS: &[M<'static>] = &[M::up(include_str!("migrations/0001_first.sql"))];

/// Refuses a database that is newer than this program, and leaves it untouched.
pub(super) fn to_newest(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    Migrations::from_slice(STEPS).to_latest(connection).map_err(|error| match error {
        rusqlite_migration::Error::MigrationDefinition(_) => StoreError::Newer { path: path.to_path_buf() },
        rusqlite_migration::Error::RusqliteError { err, .. } => damaged_or(err, path),
        other => StoreError::Unwritable(other.to_string()),
    })
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
