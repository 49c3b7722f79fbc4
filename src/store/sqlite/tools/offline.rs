//! Reads a database without serving it: beside its server, after the server has stopped, or after
//! it was killed. Reading changes nothing; the WAL stays for the next server.
//!
//! If this process may write, or a server has the file, SQLite reads it under its locks. Otherwise
//! (read-only media, a folder of another user) it is read without a lock. Then the caller checks at
//! the end that the files did not change ([`OfflineDatabase::verify_unchanged`]).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, access};

use crate::store::error::{NoInput, OpenError};
use crate::store::sqlite::connection::{LOCK_WAIT, configure};
use crate::store::sqlite::copy::{Copy, Draft, OnProgress};
use crate::store::sqlite::header;
use crate::store::sqlite::opening::{self, Look};
use crate::store::sqlite::path::{self, io_error, with_suffix};
use crate::store::sqlite::schema;
use crate::store::sqlite::wal_index::WalIndex;
use crate::store::sqlite::writer::is_out_of_space;
use crate::system;

/// A database opened for database only. Needs neither the server nor its lock.
pub struct OfflineDatabase {
    pub(in crate::store) connection: Connection,
    path: PathBuf,
    schema: usize,
    /// The states of the files before they were read, if they are read without a lock.
    unlocked: Option<[State; 2]>,
    /// Stays open as long as the connection.
    _index: Option<WalIndex>,
}

/// A file's number, length and time of change, in nanoseconds.
type State = Option<(u64, u64, i128)>;

impl OfflineDatabase {
    /// Opens an existing database. A refused one stays unchanged.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(given: &Path) -> Result<Self, OpenError> {
        let path = path::resolve(given)?;
        let states = states(&path)?;
        let look = opening::look(&path)?;
        if !look.is_database {
            let problem = if path.exists() { NoInput::Empty } else { NoInput::Missing };
            return Err(OpenError::NoInput { path, problem });
        }
        let is_served = is_served(&path)?;
        if !is_served {
            opening::verify(&path, look, opening::VerifyScope::Schema)?;
        }
        // SQLite would create the index without reserving its disk space.
        let (is_writable, uses_wal) = (is_writable(&path), look.uses_wal);
        let index = match !is_served && is_writable && uses_wal {
            true => prepare_index(&path)?,
            false => None,
        };
        let is_locked = is_served || index.is_some() || (is_writable && !uses_wal);
        let failed = |error: rusqlite::Error| OpenError::from_sqlite(&path, &error);
        let connection =
            if is_locked { open_locked(&path, look) } else { opening::view(&path, look) };
        let connection = connection.map_err(failed)?;
        connection.busy_timeout(LOCK_WAIT).map_err(failed)?;
        configure(&connection).map_err(failed)?;
        // Copying and checking may take the extra time.
        connection.pragma_update(None, "cell_size_check", true).map_err(failed)?;
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
        let schema = schema::version(&connection).map_err(failed)?;
        schema::check_version(schema, &path)?;
        index.iter().for_each(WalIndex::hand_over);
        let unlocked = (!is_locked).then_some(states);
        Ok(Self { connection, path, schema, unlocked, _index: index })
    }

    /// Checks that everything that was read belongs to one state of the database.
    ///
    /// # Errors
    /// It was read without a lock, and another process has written to it meanwhile.
    pub fn verify_unchanged(&self) -> Result<(), OpenError> {
        match &self.unlocked {
            Some(before) if states(&self.path)? != *before => {
                Err(OpenError::Changed { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Like [`Self::open`], but refuses a database of an older schema.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_current(given: &Path) -> Result<Self, OpenError> {
        let database = Self::open(given)?;
        if database.schema < schema::newest() {
            let (path, version) = (database.path.clone(), database.schema);
            return Err(OpenError::Older { path, version });
        }
        Ok(database)
    }

    /// The absolute path of the file, without symbolic links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of its steps of `migrations/sqlite/`, at most as many as this program has.
    pub fn schema(&self) -> usize {
        self.schema
    }

    /// Copies the current snapshot to `destination`, which must not exist. Only its owner may read
    /// the copy. It is verified, and synced when this returns. The name never has a partial copy.
    ///
    /// # Errors
    /// See [`OpenError`]; it names the copy or the database.
    pub fn copy(&self, destination: &Path, on_progress: OnProgress<'_>) -> Result<Copy, OpenError> {
        let path = path::resolve(destination)?;
        let of_its_own = ["-wal", "-shm", "-journal", ".lock", ".admin"];
        if of_its_own.iter().any(|suffix| path::with_suffix(&self.path, suffix) == path) {
            let problem = NoInput::Reserved;
            return Err(OpenError::NoInput { path, problem });
        }
        let draft = Draft::begin(destination)?;
        draft.fill(&self.connection, on_progress)?;
        self.verify_unchanged()?;
        draft.publish()
    }
}

impl Drop for OfflineDatabase {
    fn drop(&mut self) {
        // If the server was killed meanwhile, the next one checkpoints its WAL.
        let keep_wal = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let has_wal = self.unlocked.is_some() || has_wal(&self.path);
        let _ = self.connection.set_db_config(keep_wal, has_wal);
    }
}

/// Opens a file for reading under SQLite's locks.
fn open_locked(path: &Path, look: Look) -> rusqlite::Result<Connection> {
    // Without a WAL SQLite creates an empty one, even for reading. Only a connection that may write
    // removes it at the end.
    let access = if look.has_frames || has_wal(path) {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    };
    Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Reserves space for the WAL index. `None` if there is no space: then the file is read without a
/// lock.
fn prepare_index(path: &Path) -> Result<Option<WalIndex>, OpenError> {
    let wal = fs::metadata(with_suffix(path, "-wal")).map_or(0, |wal| wal.len());
    match WalIndex::prepare(path, wal / header::PAGE_BYTES) {
        Ok((index, _)) => Ok(Some(index)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied || is_out_of_space(&error) => {
            Ok(None)
        }
        Err(error) => Err(io_error(&with_suffix(path, "-shm"), error)),
    }
}

/// Whether a server or a command has the file, which locks it.
fn is_served(path: &Path) -> Result<bool, OpenError> {
    let file = if system::FLOCK_IGNORES_FCNTL {
        File::open(path).map_err(|error| io_error(path, error))?
    } else {
        // Only the lock file is locked there. Without one, no process has the database.
        let Ok(file) = File::open(with_suffix(path, ".lock")) else { return Ok(false) };
        file
    };
    Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether this process may create the files with which SQLite locks a database.
fn is_writable(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let file = OpenOptions::new().read(true).write(true).open(path);
    file.is_ok() && access(folder, Access::WRITE_OK).is_ok()
}

/// The states of the file and its WAL.
fn states(path: &Path) -> Result<[State; 2], OpenError> {
    let state = |path: PathBuf| match fs::metadata(&path) {
        Ok(file) => {
            let changed = i128::from(file.mtime()) * 1_000_000_000 + i128::from(file.mtime_nsec());
            Ok(Some((file.ino(), file.len(), changed)))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(&path, error)),
    };
    Ok([state(path.to_owned())?, state(with_suffix(path, "-wal"))?])
}

/// Whether the WAL beside a database has content.
fn has_wal(path: &Path) -> bool {
    fs::metadata(with_suffix(path, "-wal")).is_ok_and(|wal| wal.len() > 0)
}
