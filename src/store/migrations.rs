//! The schema: which version of it the file has, and how it gets to ours. The steps are the
//! folders of `migrations/`; they are only ever added to.

use std::path::Path;
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite_migration::{Migrations, SchemaVersion};

use super::error::OpenError;
use super::file::APPLICATION_ID;

static STEPS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations");

static MIGRATIONS: LazyLock<Result<Migrations<'static>, String>> =
    LazyLock::new(|| Migrations::from_directory(&STEPS).map_err(|error| error.to_string()));

/// Brings the file to our schema. Each step is one transaction. A file of a newer schema is
/// refused before anything is written.
pub(super) fn apply(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => OpenError::from_sqlite(path, &err),
        error => OpenError::Sqlite { path: path.to_owned(), problem: error.to_string() },
    };
    let migrations = MIGRATIONS
        .as_ref()
        .map_err(|error| OpenError::Sqlite { path: path.to_owned(), problem: error.clone() })?;
    let version = migrations.current_version(connection).map_err(failed)?;
    if let SchemaVersion::Outside(version) = version {
        // Not even the log is folded in when this connection closes.
        let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        return check_version(version.get(), path);
    }
    set_up(connection).map_err(|error| OpenError::from_sqlite(path, &error))?;
    migrations.to_latest(connection).map_err(failed)
}

/// Refuses a file of a newer schema.
pub(super) fn check_version(version: usize, path: &Path) -> Result<(), OpenError> {
    if version <= STEPS.dirs().count() {
        return Ok(());
    }
    Err(OpenError::NotOurs {
        path: path.to_owned(),
        problem: format!(
            "has schema {version}, which is newer than this program knows; use the chat-server that made it"
        ),
    })
}

/// Our number goes into the header before anything else, so that a file that has anything in it
/// can be told as ours, whenever the process ends.
fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    let id: u32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidParameterName(format!(
            "the file system does not take a write-ahead log (journal_mode is {mode})"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_valid_and_can_be_applied_to_an_empty_file() {
        MIGRATIONS.as_ref().unwrap().validate().unwrap();
    }
}
