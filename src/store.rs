//! The store: one SQLite file, one writer, a few readers.
//!
//! All SQL, every SQLite type and every SQLite error is in here. What is asked of the store is
//! done on its own threads; the answer comes through the callback that was given, once, on one of
//! those threads: a write's after its commit has returned, so what a callback is told is durable.
//! A callback must not block.
//!
//! This module knows no protocol and no socket.

mod cache;
mod error;
mod metrics;
mod scheduler;
mod sqlite;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::types::Type;

pub use cache::live_messages::Watched;
pub use error::{OpenError, StoreError};
pub use metrics::{CheckpointMode, Measures, Rollback};
pub use sqlite::file::Room;
pub use sqlite::migrations::Upgrade;
pub use sqlite::operations::accounts::{Account, Activity, Change, Changed};
pub use sqlite::operations::cursors::{Acked, CURSORS_MAX, Moved};
pub use sqlite::operations::import::{Imported, refused_id};
pub use sqlite::operations::messages::{
    Append, Appended, Page, PageBounds, PageStart, StreamStart, Unread, UnreadFrom,
};
pub use sqlite::operations::purge::{Found, Part, Purge};
pub use sqlite::operations::sessions::{
    Held, HeldSession, ListedSession, NewSession, Opened, Revoked, StoredSession, Which,
};
pub use sqlite::operations::users::{DescribedUser, NewUser, StoredUser};
pub use sqlite::read::statistics::Statistics;
pub use sqlite::read::totals::Census;
pub use sqlite::tools::check::{Checked, Depth, FINDINGS_MAX};
pub use sqlite::tools::copy::{Content, Copy, OnProgress};
pub use sqlite::tools::export::{Export, ExportError};
pub use sqlite::tools::offline::Reading;
pub use sqlite::tools::restore::{OldSessions, RESTORE_IDS_SKIPPED_MIN, restore};
pub use sqlite::writer::{Kept, Meanwhile};

use crate::adjustable::Adjustable;
use crate::model::Invalid;
use cache::live_messages::Recent;
use sqlite::file::DatabaseFile;
pub use sqlite::file::resolve;
use sqlite::projection::memtable::Tail;
use sqlite::readers::Readers;
use sqlite::writer::Writer;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database file; it is created where there is none, in a folder that exists.
    pub path: PathBuf,
    /// How many threads (and connections of the pool) read.
    pub readers: usize,
    /// The most unread messages of one inbox.
    pub inbox_unread_max: Adjustable<usize>,
}

/// Called once when the store can no longer vouch for what it says: a commit or an fsync failed
/// in a way that leaves the outcome unknown, or the file is not the one that was opened. It must
/// end the process; it must not return to let more be acknowledged.
pub type OnFatal = Arc<dyn Fn(StoreError) + Send + Sync>;

/// An open database. Dropping it is not closing it: see [`Store::close`].
pub struct Store {
    writer: Writer,
    readers: Readers,
    /// What the writer has put into the log and the tables of deliveries do not have yet.
    tail: Arc<Tail>,
    recent: Arc<Recent>,
    measures: Arc<Measures>,
    upgrade: Option<Upgrade>,
    /// Held for the lock on it.
    file: DatabaseFile,
}

impl Store {
    /// Opens the database, creating and migrating it as needed, and starts the threads.
    ///
    /// # Errors
    /// See [`OpenError`]. A file that is refused is left as it was.
    pub fn open(options: &Options, on_fatal: OnFatal) -> Result<Self, OpenError> {
        let file = DatabaseFile::prepare(&options.path)?;
        let measures = Arc::<Measures>::default();
        let (tail, recent) = (Arc::<Tail>::default(), Arc::<Recent>::default());
        let (counted, inbox_unread_max) = (Arc::clone(&measures), options.inbox_unread_max.clone());
        let committed_to = (Arc::clone(&tail), Arc::clone(&recent));
        let (writer, upgrade) =
            Writer::open(&file, committed_to, inbox_unread_max, counted, on_fatal)?;
        let readers = Readers::open(&file, options.readers, Arc::clone(&measures))?;
        Ok(Self { writer, readers, tail, recent, measures, upgrade, file })
    }

    /// The file, as an absolute path with no symbolic link left in it.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// What was done to the file when it was opened, where it was of an older schema.
    pub fn upgrade(&self) -> Option<&Upgrade> {
        self.upgrade.as_ref()
    }

    /// What `ask` asks to have written, on this thread, is committed by this thread as one batch
    /// when `ask` returns, and its callbacks called here, unless it is a few things and others go on asking, or
    /// somebody else is writing just then: these are left to others, or kept for this thread, which then has to
    /// call this again soon. Waits for the disk, and for nothing else.
    pub fn gather(&self, ask: impl FnOnce() -> Meanwhile) -> Kept {
        self.writer.gather(ask)
    }

    /// Whether anything waits to be written.
    pub fn has_gathered(&self) -> bool {
        self.writer.waiting() > 0
    }

    /// Does what has been asked for, answers it, takes nothing more, and closes the file with its
    /// log folded in. Blocks until that is done.
    pub fn close(&self) {
        self.readers.close();
        self.writer.close();
    }
}

/// Something stands in the file that the server would never have put there.
fn not_a_value(column: usize, error: Invalid) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}
