//! The schema: its steps, and the versions that this program understands.

use include_dir::{Dir, include_dir};
use postgres::Client;

use crate::store::postgres::error::Result;
use crate::store::postgres::session::Session;

static STEPS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations/postgres");

/// The advisory lock for changes of the schema: the application, and no lane.
const LOCK: &str = "SELECT pg_advisory_lock(1667785076, -1)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(1667785076, -1)";

/// What the database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Found {
    /// The newest schema that this program knows, now or before.
    Current,
    /// A schema of a newer program, which this program does not understand.
    Newer(usize),
}

/// Brings the schema up to date, and creates it in an empty database. Several servers may do so at
/// once: one waits for the other.
pub(in crate::store) fn apply(session: &mut Session) -> Result<Found> {
    session.client.batch_execute(LOCK)?;
    let applied = apply_alone(session);
    session.client.batch_execute(UNLOCK)?;
    applied
}

/// The newest schema.
pub(in crate::store) fn newest() -> usize {
    STEPS.dirs().count()
}

fn apply_alone(session: &mut Session) -> Result<Found> {
    let version = version(&mut session.client)?;
    if !is_understood(&mut session.client, version)? {
        return Ok(Found::Newer(version));
    }
    let mut steps: Vec<_> = STEPS.dirs().collect();
    steps.sort_by_key(|step| step.path());
    for step in steps.into_iter().skip(version) {
        let up = step.files().filter_map(|file| file.contents_utf8());
        let up: String = up.collect();
        session.transaction(|session| Ok(session.client.batch_execute(&up)?))?;
    }
    Ok(Found::Current)
}

/// Whether this program can work with this schema of the database, once it is at least its own.
pub(in crate::store) fn is_understood(client: &mut Client, version: usize) -> Result<bool> {
    if version <= newest() {
        return Ok(true);
    }
    let row = client
        .query_one("SELECT value::bigint FROM chat.meta WHERE name = 'oldest_server'", &[])?;
    Ok(usize::try_from(row.get::<_, i64>(0)).is_ok_and(|oldest| oldest <= newest()))
}

/// The schema of the database; 0 if there is none.
pub(in crate::store) fn version(client: &mut Client) -> Result<usize> {
    let row = client.query_one("SELECT to_regclass('chat.meta') IS NOT NULL", &[])?;
    if !row.get::<_, bool>(0) {
        return Ok(0);
    }
    let row = client.query_one("SELECT value::bigint FROM chat.meta WHERE name = 'schema'", &[])?;
    Ok(usize::try_from(row.get::<_, i64>(0)).unwrap_or(0))
}
