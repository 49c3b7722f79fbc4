//! Copies a database page by page from one snapshot. A copy gets its name only after it is
//! verified; an unfinished one has another name.

use std::fs::{self, File};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::StepResult::{Busy, Done, Locked, More};
use rusqlite::backup::{Backup, Progress};
use rusqlite::{Connection, OpenFlags};

use crate::model::MessageId;
use crate::store::error::{NotOurs, OpenError};
use crate::store::sqlite::header::APPLICATION_ID;
use crate::store::sqlite::message_log;
use crate::store::sqlite::path::{self, io_error, uri};
use crate::store::sqlite::schema;
use crate::store::sqlite::stamp;
use crate::system;

/// How many pages are copied between two reports of progress: 4 MiB.
const STEP_PAGES: i32 = 1024;

/// A verified and synced copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Its path.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// Its content.
    pub content: Content,
}

/// The content of a database, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// The number of its steps of `migrations/sqlite/`.
    pub schema: usize,
    /// The number of users.
    pub users: u64,
    /// The number of messages, counting a copy for each recipient.
    pub messages: u64,
    /// The newest id that was assigned to a message.
    pub newest: MessageId,
}

/// Gets the number of bytes that have been copied, and of all bytes. `Break` stops the copy.
pub type OnProgress<'a> = &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// An unfinished copy: a file beside its destination that only its owner may read. Dropping it
/// before [`Self::publish`] removes the file.
pub(in crate::store) struct Draft {
    path: PathBuf,
    destination: PathBuf,
    /// Locked, so that two processes cannot write to the same file.
    _lock: File,
}

impl Draft {
    /// Creates the file, or takes over the file of a killed process.
    pub(in crate::store) fn begin(destination: &Path) -> Result<Self, OpenError> {
        let destination = path::resolve(destination)?;
        if fs::symlink_metadata(&destination).is_ok() {
            return Err(OpenError::Exists { path: destination });
        }
        let path = path::with_suffix(&destination, ".partial");
        let failed = |error| io_error(&path, error);
        let lock = loop {
            let lock = path::open_or_create(&path).map_err(failed)?;
            if system::FLOCK_IGNORES_FCNTL {
                lock.try_lock()
                    .map_err(|_| OpenError::InUse { path: path.clone(), process: None })?;
            }
            // The file may also be a finished copy. Its process was killed before it removed this
            // name, or has just published it. Truncating it would destroy that copy.
            let held = lock.metadata().map_err(failed)?;
            match fs::symlink_metadata(&path) {
                Ok(there) if (there.dev(), there.ino()) != (held.dev(), held.ino()) => {}
                Ok(there) if there.nlink() == 1 => break lock,
                Ok(_) => fs::remove_file(&path).map_err(failed)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        };
        lock.set_len(0).map_err(failed)?;
        let draft = Self { path, destination, _lock: lock };
        draft.remove_sqlite_files();
        Ok(draft)
    }

    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the current snapshot of `source`. Until it ends, the WAL of a served database cannot
    /// begin a new generation; nothing else waits for it.
    pub(in crate::store) fn fill(
        &self,
        source: &Connection,
        on_progress: OnProgress<'_>,
    ) -> Result<(), OpenError> {
        let failed = |error: rusqlite::Error| OpenError::from_sqlite(&self.path, &error);
        // One snapshot for all steps. Without it, each commit of another process would restart the
        // copy from the first page.
        let snapshot = source.unchecked_transaction().map_err(failed)?;
        snapshot.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
        let mut target = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )
        .map_err(failed)?;
        // An unfinished copy is removed, and `publish` syncs a finished one.
        target
            .execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
            .map_err(failed)?;
        self.copy_pages(&snapshot, &mut target, on_progress)?;
        // A WAL of the original must not fit the copy: see `store::sqlite::opening`.
        if target.table_exists(None, "meta").map_err(failed)? {
            stamp::renew(&target).map_err(failed)?;
        }
        target.close().map_err(|(_, error)| failed(error))
    }

    fn copy_pages(
        &self,
        source: &Connection,
        target: &mut Connection,
        on_progress: OnProgress<'_>,
    ) -> Result<(), OpenError> {
        let failed = |error: rusqlite::Error| OpenError::from_sqlite(&self.path, &error);
        let page_bytes: u32 =
            source.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
        let backup = Backup::new(source, target).map_err(failed)?;
        loop {
            match backup.step(STEP_PAGES).map_err(failed)? {
                Done => return Ok(()),
                More => {
                    let Progress { remaining, pagecount } = backup.progress();
                    let bytes =
                        |pages: i32| u64::try_from(pages).unwrap_or(0) * u64::from(page_bytes);
                    if on_progress(bytes(pagecount - remaining), bytes(pagecount)).is_break() {
                        return Err(OpenError::Stopped { path: self.destination.clone() });
                    }
                }
                // Impossible: this process has the draft alone, and the snapshot is open.
                Busy | Locked | _ => {
                    let problem = "the database is locked".to_owned();
                    return Err(OpenError::Sqlite { path: self.path.clone(), problem });
                }
            }
        }
    }

    /// Verifies the copy, syncs it and gives it its name. Never replaces a file that has been
    /// created meanwhile.
    pub(in crate::store) fn publish(self) -> Result<Copy, OpenError> {
        let content = verify(&self.path)?;
        let failed = |error| io_error(&self.path, error);
        let file = File::open(&self.path).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let destination = self.destination.clone();
        // Unlike renaming, linking refuses an existing name.
        match fs::hard_link(&self.path, &destination) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(OpenError::Exists { path: destination });
            }
            // A file system without links.
            Err(_) if fs::symlink_metadata(&destination).is_err() => {
                fs::rename(&self.path, &destination)
                    .map_err(|error| io_error(&destination, error))?;
            }
            Err(error) => return Err(io_error(&destination, error)),
        }
        drop(self);
        let folder = destination.parent().unwrap_or(Path::new("/"));
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| io_error(folder, error))?;
        Ok(Copy { path: destination, bytes, content })
    }
}

impl Draft {
    /// Removes the files that SQLite may have created beside the draft.
    fn remove_sqlite_files(&self) {
        for suffix in ["-wal", "-shm"] {
            let _ = fs::remove_file(path::with_suffix(&self.path, suffix));
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename the file does not exist.
        let _ = fs::remove_file(&self.path);
        self.remove_sqlite_files();
    }
}

/// Opens a copy that no process writes to, and reads all of it. Creates no file.
pub(in crate::store) fn verify(path: &Path) -> Result<Content, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
    let damaged = |problem| OpenError::NotOurs { path: path.to_owned(), problem };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection =
        Connection::open_with_flags(uri(path, "immutable=1"), flags).map_err(failed)?;
    let id: u32 =
        connection.pragma_query_value(None, "application_id", |row| row.get(0)).map_err(failed)?;
    if id != APPLICATION_ID {
        return Err(damaged(NotOurs::OtherProgram));
    }
    let problem: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if problem != "ok" {
        return Err(damaged(NotOurs::Damaged(problem)));
    }
    let schema = schema::version(&connection).map_err(failed)?;
    for astray in ["PRAGMA foreign_key_check", message_log::without_mailboxes(schema)] {
        let found = connection.prepare(astray).and_then(|mut astray| astray.exists([]));
        if found.map_err(failed)? {
            return Err(damaged(NotOurs::DanglingRows));
        }
    }
    let content = content(&connection).map_err(failed)?;
    schema::check_version(content.schema, path)?;
    Ok(content)
}

/// Counts the content of a database. Reads an index from end to end.
pub(in crate::store) fn content(connection: &Connection) -> rusqlite::Result<Content> {
    let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    Ok(Content {
        schema: schema::version(connection)?,
        users: count("SELECT count(*) FROM users")?.unsigned_abs(),
        messages: count("SELECT count(*) FROM messages")?.unsigned_abs(),
        newest: message_log::newest_given(connection)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_of_any_bytes_becomes_a_uri() {
        let path = Path::new("/a b?c#d%é");
        assert_eq!(uri(path, "immutable=1"), "file:/a%20b%3fc%23d%25%c3%a9?immutable=1");
    }

    #[test]
    fn leftover_link_to_a_published_copy_is_not_emptied() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, destination) = (folder.path().join("kept"), folder.path().join("copy"));
        fs::write(&kept, "a finished copy").unwrap();
        // Killed after the copy was given its name; the copy was then moved away.
        fs::hard_link(&kept, folder.path().join("copy.partial")).unwrap();
        let _draft = Draft::begin(&destination).unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), "a finished copy");
        assert!(matches!(Draft::begin(&destination), Err(OpenError::InUse { .. })));
    }
}
