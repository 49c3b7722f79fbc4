//! The database file before SQLite opens it: where it is, whether it is ours, that nobody else
//! serves it, and that it is still there.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::OFlags;

use crate::catalogue::{server, storage};
use crate::store::error::OpenError;
use crate::store::sqlite::file_guard::Identity;
use crate::store::sqlite::migrations;

/// Stands in the header of every file of ours: `CHAT` in ASCII.
pub(in crate::store) const APPLICATION_ID: u32 = 0x4348_4154;

/// The bytes that every SQLite 3 file begins with, and where in the header the number of its schema
/// and ours stand (the SQLite file format, section 1.3).
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER_BYTES: usize = 100;
const USER_VERSION_AT: usize = 60;
const APPLICATION_ID_AT: usize = 68;

/// A database file that is ours to open: its lock is held for as long as this lives.
pub(in crate::store) struct DatabaseFile {
    path: PathBuf,
    /// Locked. The lock file stays when the process ends: removing it would race with the next.
    _lock: File,
    /// The database itself, locked as well: the lock file can be removed, and one file can have
    /// several names. SQLite's own locks are of another kind. Open for as long as SQLite has it
    /// open, because closing it would end SQLite's locks of this process.
    database: Option<Arc<File>>,
}

impl DatabaseFile {
    /// Finds the file, refuses it where it is not ours, locks it against a second server, and
    /// creates it (empty, for its owner only) where there is none.
    pub(in crate::store) fn prepare(given: &Path) -> Result<Self, OpenError> {
        let path = resolve(given)?;
        check_header(&path)?;
        let lock = lock(&path)?;
        let database = create(&path)?;
        match database.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = "another process".to_owned();
                return Err(OpenError::InUse { path, holder });
            }
            Err(TryLockError::Error(error)) => return Err(io_error(&path, error)),
        }
        Ok(Self { path, _lock: lock, database: Some(Arc::new(database)) })
    }

    /// Finds the file, refuses it where it is not ours or not there, and leaves everything as it is.
    pub(in crate::store) fn find(given: &Path) -> Result<PathBuf, OpenError> {
        let path = resolve(given)?;
        let problem = match fs::metadata(&path) {
            Ok(file) if file.len() > 0 => return check_header(&path).map(|()| path),
            Ok(_) => "is empty",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "does not exist",
            Err(error) => return Err(io_error(&path, error)),
        };
        Err(OpenError::NoInput { path, problem })
    }

    /// Locks the place of a file that is not there yet, and refuses it where it or its log is.
    pub(in crate::store) fn reserve(given: &Path) -> Result<Self, OpenError> {
        let path = check_free(given)?;
        let lock = lock(&path)?;
        // Whoever had the lock may have made one.
        check_free(&path)?;
        Ok(Self { path, _lock: lock, database: None })
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
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
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
        Identity::open(names, page_bytes)
    }
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
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
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

/// Reads the header with nothing but a read, so that a file that is refused stays untouched.
fn check_header(path: &Path) -> Result<(), OpenError> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    match File::open(path) {
        Ok(file) => file
            .take(HEADER_BYTES as u64)
            .read_to_end(&mut header)
            .map_err(|error| io_error(path, error))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error(path, error)),
    };
    let not_ours =
        |problem: &str| OpenError::NotOurs { path: path.to_owned(), problem: problem.into() };
    if header.is_empty() {
        return Ok(());
    }
    if !header.starts_with(SQLITE_MAGIC) || header.len() < HEADER_BYTES {
        return Err(not_ours(storage::is_not_sqlite()));
    }
    let id = &header[APPLICATION_ID_AT..APPLICATION_ID_AT + 4];
    if id != APPLICATION_ID.to_be_bytes() {
        return Err(not_ours(storage::is_of_another_program()));
    }
    // What stands in the log only is found later; but most newer files are told here, before
    // anything is put beside them.
    let mut version = [0; 4];
    version.copy_from_slice(&header[USER_VERSION_AT..USER_VERSION_AT + 4]);
    migrations::check_version(u32::from_be_bytes(version) as usize, path)
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = with_suffix(path, ".lock");
    let mut file = open_or_create(&lock_path).map_err(|error| io_error(&lock_path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => storage::another_process().to_owned(),
                pid => server::process(pid),
            };
            return Err(OpenError::InUse { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(error)) => return Err(io_error(&lock_path, error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|error| io_error(&lock_path, error))?;
    Ok(file)
}

/// Creates the file where there is none, and makes its name durable. An existing one is opened for
/// writing: SQLite would fall back to reading only, and say so much later.
fn create(path: &Path) -> Result<File, OpenError> {
    let database = open_or_create(path).map_err(|error| io_error(path, error))?;
    sync_folder(path).map(|()| database)
}

/// Makes the names durable of a file and of what lies beside it.
pub(in crate::store) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|error| io_error(folder, error))
}

/// Opens a file for reading and writing; where there is none, makes one that is for its owner only.
/// What an administrator's command makes as root belongs to whom the folder belongs to: to the
/// server, which has to be able to open it. A link is not followed: root would write through it.
pub(in crate::store) fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits() as i32);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            let folder = fs::metadata(path.parent().unwrap_or(Path::new("/")))?;
            if rustix::process::geteuid().is_root() && folder.uid() != 0 {
                // Where root may not give away, it is root's.
                let _ = fchown(&file, Some(folder.uid()), Some(folder.gid()));
            }
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
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
