//! A database that a process reads which does not serve it: while a server does, after it has
//! stopped, and after it was killed. Reading changes nothing: what a server has left in its log
//! stays there for the next one.
//!
//! Where this process may write, or a server has the file, SQLite reads it under its locks. Else
//! (read-only media, a folder of another user) it is read as it lies there, without a lock; whoever
//! has read asks at the end whether that was true to the end ([`Reading::verify_unchanged`]).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, access};

use crate::store::error::{NoInput, OpenError};
use crate::store::sqlite::connection::{LOCK_WAIT, PRAGMAS};
use crate::store::sqlite::copy::{Copy, Draft, OnProgress};
use crate::store::sqlite::header;
use crate::store::sqlite::opening::{self, Look};
use crate::store::sqlite::path::{self, io_error, with_suffix};
use crate::store::sqlite::schema;
use crate::store::sqlite::wal_index::WalIndex;
use crate::store::sqlite::writer::is_no_room;
use crate::system;

/// A database opened for reading only. Needs neither the server nor its lock.
pub struct Reading {
    pub(in crate::store) connection: Connection,
    path: PathBuf,
    schema: usize,
    /// What the files were like, where they are read without a lock.
    unlocked: Option<[State; 2]>,
    /// Open for as long as the connection.
    _index: Option<WalIndex>,
}

/// A file's number, length and time of change, in nanoseconds.
type State = Option<(u64, u64, i128)>;

impl Reading {
    /// Opens a database that is there. What is refused is left as it is.
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
            opening::verify(&path, look, opening::Depth::Schema)?;
        }
        // SQLite's own index would be made without room for it on the disk.
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
        connection.execute_batch(PRAGMAS).map_err(failed)?;
        // Who copies or checks a file has time for it.
        connection.pragma_update(None, "cell_size_check", true).map_err(failed)?;
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
        let schema = schema::version(&connection).map_err(failed)?;
        schema::check_version(schema, &path)?;
        index.iter().for_each(WalIndex::hand_over);
        let unlocked = (!is_locked).then_some(states);
        Ok(Self { connection, path, schema, unlocked, _index: index })
    }

    /// That what was read is one state of the database.
    ///
    /// # Errors
    /// It was read without a lock, and somebody has written to it meanwhile.
    pub fn verify_unchanged(&self) -> Result<(), OpenError> {
        match &self.unlocked {
            Some(before) if states(&self.path)? != *before => {
                Err(OpenError::Changed { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// [`Self::open`], for who needs it to be of today's schema.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_current(given: &Path) -> Result<Self, OpenError> {
        let reading = Self::open(given)?;
        if reading.schema < schema::newest() {
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

impl Drop for Reading {
    fn drop(&mut self) {
        // Should a server have been killed meanwhile: its log is for the next one to fold in.
        let keep = DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        let has_log = self.unlocked.is_some() || has_log(&self.path);
        let _ = self.connection.set_db_config(keep, has_log);
    }
}

/// Opens a file to be read under SQLite's locks.
fn open_locked(path: &Path, look: Look) -> rusqlite::Result<Connection> {
    // Without a log beside it SQLite makes an empty one, even for reading, and only a connection
    // that may write takes it away again at its end.
    let access = if look.has_frames || has_log(path) {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE
    };
    Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Makes room for the index of the log. `None` where there is no room: then the file is read
/// without.
fn prepare_index(path: &Path) -> Result<Option<WalIndex>, OpenError> {
    let log = fs::metadata(with_suffix(path, "-wal")).map_or(0, |log| log.len());
    match WalIndex::prepare(path, log / header::PAGE_BYTES) {
        Ok((index, _)) => Ok(Some(index)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied || is_no_room(&error) => Ok(None),
        Err(error) => Err(io_error(&with_suffix(path, "-shm"), error)),
    }
}

/// Whether a server or a command has the file. It locks it, as nobody else does.
fn is_served(path: &Path) -> Result<bool, OpenError> {
    let file = if system::FLOCK_IGNORES_FCNTL {
        File::open(path).map_err(|error| io_error(path, error))?
    } else {
        // There the lock file alone is locked. Without one nobody has the database.
        let Ok(file) = File::open(with_suffix(path, ".lock")) else { return Ok(false) };
        file
    };
    Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Whether what SQLite puts beside a file to lock it can be put there, for all who use the file.
fn is_writable(path: &Path) -> bool {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let file = OpenOptions::new().read(true).write(true).open(path);
    file.is_ok() && access(folder, Access::WRITE_OK).is_ok()
}

/// What the file and its log are like.
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

/// Whether there is something in the log beside a database.
fn has_log(path: &Path) -> bool {
    fs::metadata(with_suffix(path, "-wal")).is_ok_and(|log| log.len() > 0)
}
