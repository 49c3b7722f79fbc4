//! The store: what is kept, durably, and found again.
//!
//! A caller asks with data ([`operation`]) and gets a typed answer by a callback, which is called
//! once, on a thread of the store. The answer to a write comes after its commit, so what it says
//! is durable. A callback must not block.
//!
//! [`Store`] is a small facade over an engine. SQLite is the one there is: all SQL and every file
//! is inside `sqlite`. What any engine shares lies beside it: the types, the errors, the metrics,
//! the scheduling and the live messages. This module knows no protocol and no socket.

mod cache;
#[cfg(test)]
mod contract;
mod error;
mod metrics;
pub mod operation;
mod scheduler;
mod sqlite;
mod types;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use cache::live_messages::LiveInbox;
pub use error::{OpenError, StoreError};
pub use metrics::{CheckpointMode, Metrics, Rollback};
pub use scheduler::group_commit::{Expect, Flush};
pub use sqlite::FileTools;
pub use sqlite::file::{Room, resolve};
pub use sqlite::medium::Medium;
pub use sqlite::migrations::Upgrade;
pub use sqlite::operations::import::refused_id;
pub use sqlite::tools::check::{Checked, Depth, FINDINGS_MAX};
pub use sqlite::tools::copy::{Content, Copy, OnProgress};
pub use sqlite::tools::export::{Export, ExportError};
pub use sqlite::tools::offline::Reading;
pub use sqlite::tools::restore::{OldSessions, RESTORE_IDS_SKIPPED_MIN, restore};
pub use types::cursors::*;
pub use types::figures::*;
pub use types::messages::*;
pub use types::purge::*;
pub use types::sessions::*;
pub use types::transfer::*;
pub use types::users::*;

use crate::adjustable::Adjustable;
use crate::model::UserId;
use operation::{Read, Write};
use sqlite::Sqlite;
use sqlite::operation::{Apply, Query};

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

/// An open store. Dropping it is not closing it: see [`Store::close`].
pub struct Store {
    backend: Backend,
}

/// The engines there are, known at compile time: a call costs one predictable branch.
enum Backend {
    Sqlite(Sqlite),
}

impl Store {
    /// Opens the database, creating and migrating it as needed, and starts the threads.
    ///
    /// # Errors
    /// See [`OpenError`]. A file that is refused is left as it was.
    pub fn open(options: &Options, on_fatal: OnFatal) -> Result<Self, OpenError> {
        Ok(Self { backend: Backend::Sqlite(Sqlite::open(options, on_fatal)?) })
    }

    /// Does a write and calls `done` once, after the commit. Writes are done in the order of the
    /// calls. Never blocks: where too much is waiting, `done` is called at once, on this thread.
    pub fn write<W: Write + Apply>(
        &self,
        write: W,
        done: impl FnOnce(Result<W::Answer, StoreError>) + Send + 'static,
    ) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.write(write, done),
        }
    }

    /// Does a read on one snapshot and calls `done` once. Never blocks, as [`Self::write`].
    pub fn read<R: Read + Query>(
        &self,
        read: R,
        done: impl FnOnce(Result<R::Answer, StoreError>) + Send + 'static,
    ) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.read(read, done),
        }
    }

    /// Runs `collect`, whose writes on this thread form one batch, and has them committed: on this
    /// thread, or on another, by what `collect` says to expect. Their callbacks are called there.
    /// After [`Flush::Deferred`] this thread has to come again soon. Waits for the disk, and for
    /// nothing else.
    pub fn collect_batch(&self, collect: impl FnOnce() -> Expect) -> Flush {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.writer.collect_batch(collect),
        }
    }

    /// Whether any operation waits to be written.
    pub fn has_collected(&self) -> bool {
        self.write_queue().0 > 0
    }

    /// Keeps the new messages of an inbox in memory until the answer is dropped: messages that are
    /// committed from now on are found by [`LiveInbox::newer`], for a while.
    pub fn watch(&self, user: UserId) -> LiveInbox {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.watch(user),
        }
    }

    /// Whether it is known, without a read, that nothing is unread after the reader's cursor
    /// `inbox`. Never blocks. `false` where it is not known: [`ReadPage`] tells.
    pub fn inbox_is_known_to_be_empty(&self, reader: UserId) -> bool {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.inbox_is_known_to_be_empty(reader),
        }
    }

    /// What the store has counted since it was opened.
    pub fn metrics(&self) -> &Metrics {
        match &self.backend {
            Backend::Sqlite(sqlite) => &sqlite.metrics,
        }
    }

    /// How many operations wait to be written, and how many may.
    pub fn write_queue(&self) -> (usize, usize) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.write_queue(),
        }
    }

    /// How many reads wait, and how many may.
    pub fn read_queue(&self) -> (usize, usize) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.read_queue(),
        }
    }

    /// The version of the engine.
    pub fn engine_version(&self) -> &'static str {
        match &self.backend {
            Backend::Sqlite(_) => rusqlite::version(),
        }
    }

    /// Where the database is: the absolute path of its file, without symbolic links.
    pub fn location(&self) -> &Path {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.path(),
        }
    }

    /// The files, where the engine has any of its own.
    pub fn files(&self) -> Option<FileTools<'_>> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Some(FileTools(sqlite)),
        }
    }

    /// Does and answers what is waiting, takes nothing more, and closes the database. Blocks until
    /// that is done.
    pub fn close(&self) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.close(),
        }
    }
}
