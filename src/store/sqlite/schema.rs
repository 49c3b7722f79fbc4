//! The schema's versions: the versions that this program knows, and the version of a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use include_dir::{Dir, include_dir};
use rusqlite::Connection;
use rusqlite_migration::Migrations;

use crate::store::error::OpenError;

static STEPS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations/sqlite");

pub(in crate::store) static MIGRATIONS: LazyLock<Result<Migrations<'static>, String>> =
    LazyLock::new(|| Migrations::from_directory(&STEPS).map_err(|error| error.to_string()));

/// An empty database in memory with this schema. `None` if there is no such schema.
pub(in crate::store) fn empty(version: usize) -> rusqlite::Result<Option<Connection>> {
    let mut connection = Connection::open_in_memory()?;
    let made = MIGRATIONS
        .as_ref()
        .is_ok_and(|migrations| migrations.to_version(&mut connection, version).is_ok());
    Ok(made.then_some(connection))
}

/// The newest schema.
pub(in crate::store) fn newest() -> usize {
    STEPS.dirs().count()
}

/// Refuses a file of a newer schema.
pub(in crate::store) fn check_version(version: usize, path: &Path) -> Result<(), OpenError> {
    let newest = newest();
    if version <= newest { Ok(()) } else { Err(newer(version, newest, path)) }
}

pub(in crate::store) fn newer(version: usize, newest: usize, path: &Path) -> OpenError {
    OpenError::Newer { path: path.to_owned(), version, copy: copy_to_go_back_to(path, newest) }
}

/// The newest copy beside a file that was made before an upgrade, and whose schema is at most
/// `newest`.
fn copy_to_go_back_to(path: &Path, newest: usize) -> Option<PathBuf> {
    let name = path.file_name()?.to_str()?;
    let copies = fs::read_dir(path.parent()?).ok()?.filter_map(|entry| {
        let copy = entry.ok()?.path();
        let rest = copy.file_name()?.to_str()?.strip_prefix(name)?.strip_prefix(".schema-")?;
        let (schema, rest) = rest.split_once('.')?;
        let (schema, made) = (schema.parse::<usize>().ok()?, rest.strip_suffix(".backup")?);
        (schema <= newest).then(|| (schema, made.to_owned(), copy.clone()))
    });
    copies.max().map(|(_, _, copy)| copy)
}

/// The schema of a file.
pub(in crate::store) fn version(connection: &Connection) -> rusqlite::Result<usize> {
    connection
        .pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))
        .map(|schema| schema as usize)
}
