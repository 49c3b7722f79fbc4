//! The database file before SQLite opens it: its path, its locks, and the files created for it.
//! `store::sqlite::opening` examines its content.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::store::error::OpenError;
use crate::store::sqlite::file_guard::FileGuard;
use crate::store::sqlite::header::PAGE_BYTES;
use crate::store::sqlite::migrations::{self, Upgrade};
use crate::store::sqlite::opening::{self, Look, VerifyScope};
use crate::store::sqlite::path::{
    check_free, io_error, open_existing, open_or_create_new, resolve, sync_folder, with_suffix,
};
use crate::store::sqlite::wal_index::WalIndex;
use crate::system;

/// A database file that this process has locked. Dropping it releases the locks.
pub(in crate::store) struct DatabaseFile {
    path: PathBuf,
    /// The lock file, locked. It stays when the process ends: removing it would race with the next
    /// server.
    _lock: File,
    /// The database itself, locked too: the lock file can be removed, and a file can have several
    /// names. SQLite's own locks are of another kind. It stays open as long as SQLite has it open,
    /// because closing it would release SQLite's locks of this process.
    database: Option<Arc<File>>,
    upgrade: Option<Upgrade>,
    /// Created before SQLite opens it. `None` if there is no database yet.
    index: Option<Arc<WalIndex>>,
    created: Created,
}

impl DatabaseFile {
    /// Finds the file and locks it against a second server, or creates an empty one that only its
    /// owner may read. Refuses a file of another program, a damaged one and one in use. Copies a
    /// file of an older schema first. After a refusal, it removes everything that it has created.
    pub(in crate::store) fn prepare(given: &Path) -> Result<Self, OpenError> {
        let path = resolve(given)?;
        let mut created = Created::default();
        // The file itself comes first, because locking it creates nothing.
        let there = match open_existing(&path) {
            Ok(file) => Some(file),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(io_error(&path, error)),
        };
        if let Some(file) = &there {
            lock_database(file, &path)?;
        }
        let examined = examine(&path);
        if there.is_none() && path.exists() {
            // Another process has created it meanwhile, and may be writing: only a look under the
            // lock counts.
            return Err(OpenError::InUse { path, process: None });
        }
        let (look, schema) = examined?;
        let upgrade = migrations::copy_first(&path, look, schema)?;
        let lock = lock(&path, &mut created).inspect_err(|_| {
            // Without an upgrade the copy is not needed.
            upgrade.iter().for_each(|upgrade| drop(fs::remove_file(&upgrade.copy)));
        })?;
        let database = match there {
            Some(file) => file,
            None => create(&path, &mut created)?,
        };
        sync_folder(&path)?;
        let (index, is_new) = open_index(&path, upgrade.is_some())?;
        if is_new {
            created.0.push(with_suffix(&path, "-shm"));
        }
        let (database, index) = (Some(Arc::new(database)), Some(Arc::new(index)));
        Ok(Self { path, _lock: lock, database, upgrade, index, created })
    }

    /// Keeps the created files, because the database is open.
    pub(in crate::store) fn keep(&mut self) {
        self.created.0.clear();
    }

    /// The upgrade, if the file has an older schema. It is already copied.
    pub(in crate::store) fn upgrade(&self) -> Option<Upgrade> {
        self.upgrade.clone()
    }

    /// Locks the path of a file that does not exist yet. Refuses a path with a file or its WAL.
    pub(in crate::store) fn reserve(given: &Path) -> Result<Self, OpenError> {
        let path = check_free(given)?;
        let mut created = Created::default();
        let lock = lock(&path, &mut created)?;
        // The previous holder of the lock may have created one.
        check_free(&path)?;
        Ok(Self { path, _lock: lock, database: None, upgrade: None, index: None, created })
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// The open file, if it exists. Drop it before this is dropped: see the field.
    pub(in crate::store) fn database(&self) -> Option<Arc<File>> {
        self.database.clone()
    }

    /// The path of the WAL.
    pub(in crate::store) fn wal_path(&self) -> PathBuf {
        with_suffix(&self.path, "-wal")
    }

    /// The sizes of the file and its WAL, and the free space of their file system.
    pub(in crate::store) fn disk_usage(&self) -> io::Result<DiskUsage> {
        let wal = match fs::metadata(self.wal_path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => 0,
            found => found?.len(),
        };
        let system = rustix::fs::statvfs(&self.path)?;
        Ok(DiskUsage {
            database: fs::metadata(&self.path)?.len(),
            wal,
            available: system.f_bavail * system.f_frsize,
        })
    }

    /// Creates a guard of the files that SQLite has open now. `page_bytes` is the size of a page.
    pub(in crate::store) fn guard(&self, page_bytes: u64) -> io::Result<FileGuard> {
        let names = ["", "-wal", "-shm"].map(|suffix| with_suffix(&self.path, suffix));
        let index = self.index.clone().ok_or(ErrorKind::NotFound)?;
        FileGuard::open(names, index, page_bytes)
    }
}

fn examine(path: &Path) -> Result<(Look, usize), OpenError> {
    let look = opening::look(path)?;
    let schema = opening::verify(path, look, VerifyScope::Start)?;
    Ok((look, schema))
}

/// Reserves space for the index of the existing WAL and of an upgrade, which writes each page
/// several times at most.
fn open_index(path: &Path, is_upgraded: bool) -> Result<(WalIndex, bool), OpenError> {
    let wal = fs::metadata(with_suffix(path, "-wal")).map_or(0, |wal| wal.len());
    let written = match fs::metadata(path) {
        Ok(file) if is_upgraded => 4 * file.len(),
        _ => 0,
    };
    let failed = |error| io_error(&with_suffix(path, "-shm"), error);
    WalIndex::prepare(path, (wal + written) / PAGE_BYTES).map_err(failed)
}

/// The disk usage of a database, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskUsage {
    /// The size of the database file.
    pub database: u64,
    /// The size of the WAL. A checkpoint does not make it smaller.
    pub wal: u64,
    /// The free space of the file system for this process.
    pub available: u64,
}

/// The files that were created for a database that is not open yet. Dropping it removes them, so a
/// refusal leaves the folder as it was.
#[derive(Default)]
struct Created(Vec<PathBuf>);

impl Created {
    /// Opens a file, or creates it and notes that.
    fn open(&mut self, path: &Path) -> io::Result<File> {
        let (file, is_new) = open_or_create_new(path)?;
        if is_new {
            self.0.push(path.to_owned());
        }
        Ok(file)
    }
}

impl Drop for Created {
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
            // A lock file without a lock belongs to an earlier server.
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

fn lock(path: &Path, created: &mut Created) -> Result<File, OpenError> {
    let lock_path = with_suffix(path, ".lock");
    let mut file = created.open(&lock_path).map_err(|error| io_error(&lock_path, error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            // Another process has it: nothing is ours to remove.
            created.0.clear();
            return Err(OpenError::InUse { path: path.to_owned(), process: holder(&mut file) });
        }
        Err(TryLockError::Error(error)) => return Err(io_error(&lock_path, error)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(|error| io_error(&lock_path, error))?;
    Ok(file)
}

/// Creates the file. Refuses a file that another process has created meanwhile, because it was not
/// examined.
fn create(path: &Path, created: &mut Created) -> Result<File, OpenError> {
    let database = created.open(path).map_err(|error| io_error(path, error))?;
    if let Some(new) = created.0.pop_if(|last| last == path) {
        // SQLite's files are removed with it, and before it: a WAL alone would be an orphan.
        let beside = ["-wal", "-shm", "-journal"].map(|suffix| with_suffix(path, suffix));
        created.0.extend(beside.into_iter().chain([new]));
    }
    lock_database(&database, path).inspect_err(|error| {
        if matches!(error, OpenError::InUse { .. }) {
            // Another process has opened and locked it first, so it is not ours to remove.
            created.0.clear();
        }
    })?;
    match database.metadata() {
        Ok(file) if file.len() == 0 => Ok(database),
        Ok(_) => Err(OpenError::InUse { path: path.to_owned(), process: None }),
        Err(error) => Err(io_error(path, error)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use rusqlite::Connection;

    use super::*;

    const PROCESSES: usize = 6;
    const ROUNDS: usize = 20;

    /// As commands do that a script starts together: each takes the file, or tries again. Nobody is
    /// refused because of a file that another one is creating, and no file is removed under its user.
    #[test]
    fn those_that_create_a_database_together_take_turns() {
        for _ in 0..ROUNDS {
            let folder = tempfile::TempDir::new().unwrap();
            let path = folder.path().join("chat.sqlite");
            let (all, done) = (Barrier::new(PROCESSES), AtomicUsize::new(0));
            thread::scope(|scope| {
                for _ in 0..PROCESSES {
                    scope.spawn(|| {
                        all.wait();
                        use_file(&path, &done);
                    });
                }
            });
            assert_eq!(done.into_inner(), PROCESSES);
        }
    }

    /// Counts itself in the file, and outside.
    fn use_file(path: &Path, done: &AtomicUsize) {
        let mut file = loop {
            match DatabaseFile::prepare(path) {
                Ok(file) => break file,
                Err(OpenError::InUse { .. }) => thread::yield_now(),
                Err(error) => panic!("{error:?}"),
            }
        };
        let mut connection = Connection::open(path).unwrap();
        migrations::apply(&mut connection, path).unwrap();
        file.keep();
        let name = format!("user-{}", done.fetch_add(1, Ordering::SeqCst));
        let sql = "INSERT INTO meta (name, value) VALUES (?1, '')";
        connection.execute(sql, [name]).unwrap();
        let count = "SELECT count(*) FROM meta WHERE name LIKE 'user-%'";
        let count: u32 = connection.query_row(count, [], |row| row.get(0)).unwrap();
        assert_eq!(count as usize, done.load(Ordering::SeqCst), "nothing of the others is lost");
    }
}
