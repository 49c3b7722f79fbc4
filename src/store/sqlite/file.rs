//! The database file before SQLite opens it: where it is, that nobody else serves it, and what is
//! made for it. `store::sqlite::opening` looks at what is in it.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::error::OpenError;
use crate::store::sqlite::file_guard::Identity;
use crate::store::sqlite::header::PAGE_BYTES;
use crate::store::sqlite::migrations::{self, Upgrade};
use crate::store::sqlite::opening;
use crate::store::sqlite::path::{
    check_free, io_error, open_existing, open_or_create_new, resolve, sync_folder, with_suffix,
};
use crate::store::sqlite::wal_index::WalIndex;
use crate::system;

/// A database file that is ours to open: its lock is held for as long as this lives.
pub(in crate::store) struct DatabaseFile {
    path: PathBuf,
    /// Locked. The lock file stays when the process ends: removing it would race with the next.
    _lock: File,
    /// The database itself, locked as well: the lock file can be removed, and one file can have
    /// several names. SQLite's own locks are of another kind. Open for as long as SQLite has it
    /// open, because closing it would end SQLite's locks of this process.
    database: Option<Arc<File>>,
    upgrade: Option<Upgrade>,
    /// Made before SQLite opens it; `None` where there is no database yet.
    index: Option<Arc<WalIndex>>,
    made: Made,
}

impl DatabaseFile {
    /// Finds the file, refuses it where it is not ours, damaged or in use, locks it against a
    /// second server, and creates it (empty, for its owner only) where there is none. One of an
    /// older schema is copied first. What is made here for a file that is refused is removed again.
    pub(in crate::store) fn prepare(given: &Path) -> Result<Self, OpenError> {
        let path = resolve(given)?;
        let mut made = Made::default();
        // The file itself first: to lock it makes nothing.
        let there = match open_existing(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(io_error(&path, error)),
        };
        if let Some(file) = &there {
            lock_database(file, &path)?;
        }
        let look = opening::look(&path)?;
        let schema = opening::verify(&path, look, opening::Depth::Start)?;
        let upgrade = migrations::copy_first(&path, look, schema)?;
        let lock = lock(&path, &mut made).inspect_err(|_| {
            // Nothing is upgraded.
            upgrade.iter().for_each(|upgrade| drop(fs::remove_file(&upgrade.copy)));
        })?;
        let database = match there {
            Some(file) => file,
            None => create(&path, &mut made)?,
        };
        sync_folder(&path)?;
        let (index, is_new) = open_index(&path, upgrade.is_some())?;
        if is_new {
            made.0.push(with_suffix(&path, "-shm"));
        }
        let (database, index) = (Some(Arc::new(database)), Some(Arc::new(index)));
        Ok(Self { path, _lock: lock, database, upgrade, index, made })
    }

    /// The file is open: what was made for it stays.
    pub(in crate::store) fn keep(&mut self) {
        self.made.0.clear();
    }

    /// What will be upgraded, and was copied before: where the file has an older schema.
    pub(in crate::store) fn upgrade(&self) -> Option<Upgrade> {
        self.upgrade.clone()
    }

    /// Locks the place of a file that is not there yet, and refuses it where it or its log is.
    pub(in crate::store) fn reserve(given: &Path) -> Result<Self, OpenError> {
        let path = check_free(given)?;
        let mut made = Made::default();
        let lock = lock(&path, &mut made)?;
        // Whoever had the lock may have made one.
        check_free(&path)?;
        Ok(Self { path, _lock: lock, database: None, upgrade: None, index: None, made })
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, where it is there. Whoever has it lets go of it before this ends: see above.
    pub(in crate::store) fn database(&self) -> Option<Arc<File>> {
        self.database.clone()
    }

    /// Where the write-ahead log lies.
    pub(in crate::store) fn log_path(&self) -> PathBuf {
        with_suffix(&self.path, "-wal")
    }

    /// How much room the file and its log take, and how much is left beside them.
    pub(in crate::store) fn room(&self) -> io::Result<Room> {
        let wal = match fs::metadata(self.log_path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            found => found?.len(),
        };
        let system = rustix::fs::statvfs(&self.path)?;
        Ok(Room {
            database: fs::metadata(&self.path)?.len(),
            wal,
            available: system.f_bavail * system.f_frsize,
        })
    }

    /// Which files SQLite has open now. `page_bytes` is the size of a page.
    pub(in crate::store) fn identity(&self, page_bytes: u64) -> io::Result<Identity> {
        let names = ["", "-wal", "-shm"].map(|suffix| with_suffix(&self.path, suffix));
        let index = self.index.clone().ok_or(ErrorKind::NotFound)?;
        Identity::open(names, index, page_bytes)
    }
}

/// Makes room for the index of the log that is there, and where the file is upgraded, for what that
/// writes: each page several times at most.
fn open_index(path: &Path, is_upgraded: bool) -> Result<(WalIndex, bool), OpenError> {
    let log = fs::metadata(with_suffix(path, "-wal")).map_or(0, |log| log.len());
    let written = match fs::metadata(path) {
        Ok(file) if is_upgraded => 4 * file.len(),
        _ => 0,
    };
    let failed = |error| io_error(&with_suffix(path, "-shm"), error);
    WalIndex::prepare(path, (log + written) / PAGE_BYTES).map_err(failed)
}

/// How much room a database takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// The file.
    pub database: u64,
    /// The write-ahead log beside it. It keeps its size when it has been folded in.
    pub wal: u64,
    /// What the file system has left for this process.
    pub available: u64,
}

/// What was made for a file that is not open yet. Removed when this is dropped, so that a refusal
/// leaves the folder as it was.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    /// Opens a file, or makes it and notes that.
    fn open(&mut self, path: &Path) -> io::Result<File> {
        let (file, is_new) = open_or_create_new(path)?;
        if is_new {
            self.0.push(path.to_owned());
        }
        Ok(file)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.drain(..) {
            let _ = fs::remove_file(path);
        }
    }
}

fn lock_database(file: &File, path: &Path) -> Result<(), OpenError> {
    if !system::FLOCK_IGNORES_FCNTL {
        return Ok(());
    }
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let lock = File::open(with_suffix(path, ".lock")).ok();
            // A lock file that nobody has locked is that of a server before.
            let held =
                lock.filter(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)));
            let process = held.and_then(|mut lock| holder(&mut lock));
            Err(OpenError::InUse { path: path.to_owned(), process })
        }
        Err(TryLockError::Error(error)) => Err(io_error(path, error)),
    }
}

/// The process that wrote its id into a lock file.
fn holder(lock: &mut File) -> Option<u32> {
    let mut holder = String::new();
    let _ = lock.read_to_string(&mut holder);
    holder.trim().parse().ok()
}

fn lock(path: &Path, made: &mut Made) -> Result<File, OpenError> {
    let lock_path = with_suffix(path, ".lock");
    let mut file = made.open(&lock_path).map_err(|error| io_error(&lock_path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // Somebody else has it, and keeps it.
            made.0.clear();
            return Err(OpenError::InUse { path: path.to_owned(), process: holder(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(io_error(&lock_path, error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|error| io_error(&lock_path, error))?;
    Ok(file)
}

/// Creates the file. Where somebody else has done so meanwhile, that one was not looked at.
fn create(path: &Path, made: &mut Made) -> Result<File, OpenError> {
    let database = made.open(path).map_err(|error| io_error(path, error))?;
    if let Some(new) = made.0.pop_if(|made| made == path) {
        // What SQLite makes for it goes with it, and goes first: a log alone would be an orphan.
        let beside = ["-wal", "-shm", "-journal"].map(|suffix| with_suffix(path, suffix));
        made.0.extend(beside.into_iter().chain([new]));
    }
    lock_database(&database, path)?;
    match database.metadata() {
        Ok(file) if file.len() == 0 => Ok(database),
        Ok(_) => Err(OpenError::InUse { path: path.to_owned(), process: None }),
        Err(error) => Err(io_error(path, error)),
    }
}
