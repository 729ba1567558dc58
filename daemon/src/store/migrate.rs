//! Brings a database to the newest shape, file by file, in order. Files are never edited after release.

use super::StoreError;
use rusqlite::{Connection, OpenFlags};
use rusqlite_migration::{M, Migrations};
use std::path::Path;

const STEPS: &[M<'static>] = &[
    M::up(include_str!("migrations/0001_first.sql")),
    M::up(include_str!("migrations/0002_moments.sql")),
    M::up(include_str!("migrations/0003_workflows.sql")),
    M::up(include_str!("migrations/0004_steering.sql")).foreign_key_check(),
    M::up(include_str!("migrations/0005_goals.sql")),
    M::up(include_str!("migrations/0006_provider_limit.sql")),
    M::up(include_str!("migrations/0007_questions.sql")).foreign_key_check(),
    M::up(include_str!("migrations/0008_provider_holds.sql")),
    M::up(include_str!("migrations/0009_history.sql")),
];

/// Refuses a database that is newer than this program, and leaves it untouched.
pub(super) fn to_newest(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    // A table that others refer to can only be made anew while references are not followed; they are checked at the end.
    connection.pragma_update(None, "foreign_keys", false)?;
    let done = Migrations::from_slice(STEPS).to_latest(connection);
    connection.pragma_update(None, "foreign_keys", true)?;
    done.map_err(|error| match error {
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

    #[test]
    fn a_database_of_the_first_shape_keeps_what_is_in_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        Migrations::from_slice(&STEPS[..1]).to_latest(&mut connection).unwrap();
        let insert = "INSERT INTO operations (accepted, id, request_key, request_digest, spec, prompt_digest, prompt_chars, prompt_form, \
            project_key, client_message, state, tag, rank, cost, agent_id, project_turn, agent_turn, writes, created_at, updated_at, prompt) \
            VALUES (?1, ?2, ?2, '', ?3, '', 1, '', 'p', ?2, '{\"state\":\"queued\"}', 'queued', 1, 'normal', NULL, 1, 1, '[]', 1, 1, 'do it')";
        for (n, moment) in [(1, "77"), (2, "null")] {
            let spec = format!("{{\"priority\":\"normal\",\"cost\":\"normal\",\"agent_id\":null,\"not_before\":{moment}}}");
            connection.execute(insert, rusqlite::params![n, n.to_string(), spec]).unwrap();
        }
        let refers = "INSERT INTO turns (id, thread_id, operation_id, generation, status, started_at, heard_at) VALUES ('t', 'x', '1', 1, 'running', 1, 1)";
        connection.execute(refers, []).unwrap();
        connection.execute("INSERT INTO messages (turn_id, item_id, ordinal, text, at) VALUES ('t', 'i', 1, 'a report', 1)", []).unwrap();
        to_newest(&mut connection, Path::new("")).unwrap();
        let moments = "SELECT group_concat(coalesce(starts_at, 'none') || ' ' || coalesce(spec ->> '$.not_before', 'none') || ' ' || prompt) \
            FROM (SELECT * FROM operations ORDER BY accepted)";
        let of = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(of(moments), "77 77 do it,none none do it");
        assert_eq!(of("SELECT text FROM messages WHERE turn_id = 't' AND item_id = 'i'"), "a report");
        assert_eq!(of("SELECT operations.prompt FROM turns JOIN operations ON operations.id = operation_id"), "do it");
        assert!(connection.execute("DELETE FROM operations WHERE id = '1'", []).is_err(), "what others refer to stays");
        let broken = connection.execute("UPDATE operations SET starts_at = 78 WHERE id = '1'", []);
        assert!(broken.is_err(), "the moment is checked against what was asked for");
    }
}
