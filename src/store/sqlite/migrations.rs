//! Upgrades a file to the newest schema. The steps are the folders of `migrations/sqlite/`. A step
//! is never changed once it is released.

use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite_migration::{Migrations, SchemaVersion};

use crate::model::Timestamp;
use crate::store::error::OpenError;
use crate::store::sqlite::copy::Draft;
use crate::store::sqlite::header::APPLICATION_ID;
use crate::store::sqlite::opening::{self, Look};
use crate::store::sqlite::path::with_suffix;
use crate::store::sqlite::schema::{MIGRATIONS, newer, newest};

/// An upgrade of a file, and the copy from before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The schema it had.
    pub from: usize,
    /// The schema it has now.
    pub to: usize,
    /// The copy: a complete, verified database that an older program can serve.
    pub copy: PathBuf,
}

/// Upgrades the file to the newest schema. Each step is one transaction. A file of a newer schema
/// is refused before anything is written.
pub(in crate::store) fn apply(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let migrations = MIGRATIONS
        .as_ref()
        .map_err(|error| OpenError::Sqlite { path: path.to_owned(), problem: error.clone() })?;
    apply_steps(connection, path, migrations, newest())
}

fn apply_steps(
    connection: &mut Connection,
    path: &Path,
    migrations: &Migrations<'_>,
    newest: usize,
) -> Result<(), OpenError> {
    let failed = |error| match error {
        rusqlite_migration::Error::RusqliteError { err, .. } => OpenError::from_sqlite(path, &err),
        error => OpenError::Sqlite { path: path.to_owned(), problem: error.to_string() },
    };
    if let SchemaVersion::Outside(version) =
        migrations.current_version(connection).map_err(failed)?
    {
        return Err(newer(version.get(), newest, path));
    }
    set_up(connection).map_err(|error| OpenError::from_sqlite(path, &error))?;
    migrations.to_latest(connection).map_err(failed)
}

/// Copies a file that [`apply`] will upgrade, before it is opened for writing. Does nothing if the
/// file is new or has the newest schema.
pub(in crate::store) fn copy_first(
    path: &Path,
    look: Look,
    from: usize,
) -> Result<Option<Upgrade>, OpenError> {
    let to = newest();
    if from == 0 || from >= to {
        return Ok(None);
    }
    let view = opening::view(path, look).map_err(|error| OpenError::from_sqlite(path, &error))?;
    let copy = copy_before_upgrade(&view, path, from)
        .map_err(|error| OpenError::NoCopy { path: path.to_owned(), problem: Box::new(error) })?;
    Ok(Some(Upgrade { from, to, copy }))
}

/// Makes a copy beside the file, named by schema and time:
/// `chat.sqlite.schema-1.20261124T171500.123Z.backup`. The time has milliseconds, so the name is
/// free even if the server was killed in an upgrade and starts again at once.
fn copy_before_upgrade(
    connection: &Connection,
    path: &Path,
    from: usize,
) -> Result<PathBuf, OpenError> {
    remove_drafts(path);
    let now = Timestamp::now().to_calendar().strftime("%Y%m%dT%H%M%S%.3fZ");
    let draft = Draft::begin(&with_suffix(path, &format!(".schema-{from}.{now}.backup")))?;
    draft.fill(connection, &mut |_, _| ControlFlow::Continue(()))?;
    Ok(draft.publish()?.path)
}

/// Removes unfinished copies of upgrades that were killed. No other process makes such copies now,
/// because the file is locked. A copy that cannot be removed does no harm.
fn remove_drafts(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let is_ours = |file: &OsStr| {
        let rest = file.as_bytes().strip_prefix(name.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b".schema-") && rest.ends_with(b".backup.partial"))
    };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_ours(&entry.file_name()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes our number into the header before anything else. So a file with any content can be
/// recognized, whenever the process ends.
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
mod tests;
