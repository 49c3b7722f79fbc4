//! The database file before SQLite opens it: where it is, that nobody else serves it, and what is
//! made for it. `store::sqlite::opening` looks at what is in it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::catalogue::{server, storage};
use crate::store::error::OpenError;
use crate::store::sqlite::file_guard::Identity;
use crate::store::sqlite::migrations::{self, Upgrade};
use crate::store::sqlite::opening;
use crate::store::sqlite::wal_index::WalIndex;

/// Stands in the header of every file of ours: `CHAT` in ASCII.
pub(in crate::store) const APPLICATION_ID: u32 = 0x4348_4154;

/// All pages of ours have 4 KiB.
pub(in crate::store) const PAGE_BYTES: u64 = 4_096;

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

/// The absolute path of a database with no symbolic link in it, so that it means the same for as
/// long as the process runs. The file need not be there, but its folder.
///
/// # Errors
/// What is given is no file, or cannot be one.
pub fn resolve(given: &Path) -> Result<PathBuf, OpenError> {
    let text = given.to_string_lossy();
    if text.is_empty() || text == ":memory:" || text.starts_with("file:") {
        return Err(OpenError::NotAFileName(given.to_owned()));
    }
    let no_input = |problem| OpenError::NoInput { path: given.to_owned(), problem };
    match fs::canonicalize(given) {
        Ok(path) if path.is_dir() => return Err(no_input(storage::is_a_folder())),
        Ok(path) if path.is_file() => return Ok(path),
        // Opening a pipe would wait for its other end, for ever.
        Ok(_) => return Err(no_input(storage::is_a_device())),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(no_input(storage::is_below_a_file()));
        }
        Err(error) => return Err(io_error(given, error)),
    }
    // A file may have come to be there meanwhile.
    if fs::symlink_metadata(given).is_ok_and(|there| there.is_symlink()) {
        return Err(no_input(storage::is_a_dead_link()));
    }
    let name = given.file_name().ok_or_else(|| OpenError::NotAFileName(given.to_owned()))?;
    let parent = given.parent().filter(|parent| !parent.as_os_str().is_empty());
    match fs::canonicalize(parent.unwrap_or(Path::new("."))) {
        Ok(parent) => Ok(parent.join(name)),
        Err(_) => Err(no_input(storage::is_in_no_folder())),
    }
}

/// The absolute path of a database that is not there; leaves everything as it is.
pub(in crate::store) fn check_free(given: &Path) -> Result<PathBuf, OpenError> {
    let path = resolve(given)?;
    let files = ["", "-wal", "-journal"].map(|suffix| with_suffix(&path, suffix));
    match files.into_iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        Some(path) => Err(OpenError::Exists { path }),
        None => Ok(path),
    }
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
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let lock = File::open(with_suffix(path, ".lock")).ok();
            // A lock file that nobody has locked is that of a server before.
            let held =
                lock.filter(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)));
            let holder = held.map_or_else(
                || storage::another_process().to_owned(),
                |mut lock| holder(&mut lock),
            );
            Err(OpenError::InUse { path: path.to_owned(), holder })
        }
        Err(TryLockError::Error(error)) => Err(io_error(path, error)),
    }
}

/// Who has written into a lock file.
fn holder(lock: &mut File) -> String {
    let mut holder = String::new();
    let _ = lock.read_to_string(&mut holder);
    match holder.trim() {
        "" => storage::another_process().to_owned(),
        pid => server::process(pid),
    }
}

fn lock(path: &Path, made: &mut Made) -> Result<File, OpenError> {
    let lock_path = with_suffix(path, ".lock");
    let mut file = made.open(&lock_path).map_err(|error| io_error(&lock_path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // Somebody else has it, and keeps it.
            made.0.clear();
            return Err(OpenError::InUse { path: path.to_owned(), holder: holder(&mut file) });
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
        Ok(_) => {
            let holder = storage::another_process().to_owned();
            Err(OpenError::InUse { path: path.to_owned(), holder })
        }
        Err(error) => Err(io_error(path, error)),
    }
}

/// Makes the names durable of a file and of what lies beside it.
pub(in crate::store) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io_error(folder, error))
}

/// Opens a file that is there for reading and writing: SQLite would fall back to reading only, and
/// say so much later. A link is not followed: root would write through it.
fn open_existing(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(OFlags::NOFOLLOW.bits() as i32)
        .open(path)
}

/// Opens a file for reading and writing; where there is none, makes one that is for its owner only.
/// What an administrator's command makes as root belongs to whom the folder belongs to: to the
/// server, which has to be able to open it.
pub(in crate::store) fn open_or_create(path: &Path) -> io::Result<File> {
    open_or_create_new(path).map(|(file, _)| file)
}

/// [`open_or_create`], and whether it was made.
fn open_or_create_new(path: &Path) -> io::Result<(File, bool)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    match options.create_new(true).open(path) {
        Ok(file) => {
            let folder = fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
            if rustix::process::geteuid().is_root() && folder.uid() != 0 {
                // Where root may not give away, it is root's.
                let _ = fchown(&file, Some(folder.uid()), Some(folder.gid()));
            }
            Ok((file, true))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            open_existing(path).map(|file| (file, false))
        }
        Err(error) => Err(error),
    }
}

/// The path of what lies beside a file.
pub(in crate::store) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(in crate::store) fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}
