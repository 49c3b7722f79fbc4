//! A database that a process reads which does not serve it: while a server does, after it has
//! stopped, and after it was killed. Reading changes nothing: what a server has left in its log
//! stays there for the next one.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::error::OpenError;
use crate::store::sqlite::file::{self, DatabaseFile};
use crate::store::sqlite::migrations;
use crate::store::sqlite::tools::copy::{self, Copy, Draft, OnProgress};
use crate::store::sqlite::writer::PRAGMAS;

/// How long a read waits for somebody else's lock on the file.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// A database opened for reading only. Needs neither the server nor its lock.
pub struct Reading {
    pub(in crate::store) connection: Connection,
    path: PathBuf,
    schema: usize,
}

impl Reading {
    /// Opens a database that is there.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(given: &Path) -> Result<Self, OpenError> {
        let path = DatabaseFile::find(given)?;
        let failed = |error: rusqlite::Error| OpenError::from_sqlite(&path, &error);
        // Without a log beside it SQLite makes an empty one, even for reading, and only a connection
        // that may write takes it away again at its end.
        let access = if has_log(&path) {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        };
        let connection =
            Connection::open_with_flags(&path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
                .map_err(failed)?;
        connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
        connection.execute_batch(PRAGMAS).map_err(failed)?;
        // Who copies or checks a file has time for it.
        connection.pragma_update(None, "cell_size_check", true).map_err(failed)?;
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
        let schema = copy::schema(&connection).map_err(failed)?;
        migrations::check_version(schema, &path)?;
        Ok(Self { connection, path, schema })
    }

    /// [`Self::open`], for who needs it to be of today's schema.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_current(given: &Path) -> Result<Self, OpenError> {
        let reading = Self::open(given)?;
        if reading.schema < migrations::newest() {
            let (path, version) = (reading.path.clone(), reading.schema);
            return Err(OpenError::Older { path, version });
        }
        Ok(reading)
    }

    /// The file, as an absolute path with no symbolic link left in it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many steps of `migrations/sqlite/` it has: never more than this program knows.
    pub fn schema(&self) -> usize {
        self.schema
    }

    /// Makes a copy as of now at `destination`, where nothing may be yet: readable for its owner
    /// only, verified by opening it, on the disk when this returns. Whatever happens, there is
    /// never a part of a copy under that name.
    ///
    /// # Errors
    /// See [`OpenError`]; it names the copy or the database.
    pub fn copy(&self, destination: &Path, on_progress: OnProgress<'_>) -> Result<Copy, OpenError> {
        let path = file::resolve(destination)?;
        let of_its_own = ["-wal", "-shm", "-journal", ".lock", ".admin"];
        if of_its_own.iter().any(|suffix| file::with_suffix(&self.path, suffix) == path) {
            let problem = "is where the server of this database keeps something of its own";
            return Err(OpenError::NoInput { path, problem });
        }
        let draft = Draft::begin(destination)?;
        draft.fill(&self.connection, on_progress)?;
        draft.publish()
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        // Should a server have been killed meanwhile: its log is for the next one to fold in.
        let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let _ = self.connection.set_db_config(keep, has_log(&self.path));
    }
}

/// Whether there is something in the log beside a database.
fn has_log(path: &Path) -> bool {
    fs::metadata(file::with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0)
}
