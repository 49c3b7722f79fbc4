//! The SQLite engine: one file, one writer at a time, a few readers. It contains all SQL and all
//! file handling.
//!
//! From bottom to top: [`file`] and [`file_guard`] handle the files, and [`message_log`] assigns
//! ids. [`projection`] has the tables derived from the message log, [`mailboxes`] reads several of
//! them as one sequence, and [`write`] has what write operations use. [`operations`] and [`read`] implement the operations. [`writer`] and [`readers`]
//! run them on their threads. [`tools`] work on whole files.

pub(in crate::store) mod bulk_insert;
mod changed;
pub(in crate::store) mod connection;
pub(in crate::store) mod copy;
mod error;
pub(in crate::store) mod expiry;
pub(in crate::store) mod file;
pub(in crate::store) mod file_guard;
pub(in crate::store) mod header;
pub(in crate::store) mod mailboxes;
pub(in crate::store) mod marks;
pub(in crate::store) mod message_log;
pub(in crate::store) mod migrations;
pub(in crate::store) mod opening;
pub(in crate::store) mod operation;
pub(in crate::store) mod operations;
pub(in crate::store) mod path;
pub(in crate::store) mod projection;
pub(in crate::store) mod read;
pub(in crate::store) mod readers;
pub(in crate::store) mod reserved_space;
pub(in crate::store) mod rooms;
pub(in crate::store) mod row;
pub(in crate::store) mod schema;
pub(in crate::store) mod stamp;
#[cfg(test)]
pub(in crate::store) mod testing;
pub(in crate::store) mod tools;
pub(in crate::store) mod wal;
pub(in crate::store) mod wal_index;
pub(in crate::store) mod write;
pub(in crate::store) mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::store::cache::live_messages::{LiveInbox, LiveMessages};
use crate::store::clock::SessionClock;
use crate::store::error::{OpenError, StoreError};
use crate::store::metrics::Metrics;
use crate::store::scheduler::reader_pool::ReaderPool;
use crate::store::{OnFatal, Options};
use crate::system::Medium;
use file::{DatabaseFile, DiskUsage};
use migrations::Upgrade;
use operation::{Apply, Query};
use projection::memtable::Memtable;
use readers::Reader;
use writer::{Maintenance, Writer};

use crate::model::UserId;

/// An open database.
pub(in crate::store) struct Sqlite {
    pub(in crate::store) writer: Writer,
    readers: ReaderPool<Reader>,
    memtable: Arc<Memtable>,
    live: Arc<LiveMessages>,
    pub(in crate::store) metrics: Arc<Metrics>,
    upgrade: Option<Upgrade>,
    /// Held for its lock.
    file: DatabaseFile,
}

impl Sqlite {
    /// Opens the file and starts the threads. Creates the file if it is missing, and migrates an
    /// older schema.
    pub(in crate::store) fn open(options: &Options, on_fatal: OnFatal) -> Result<Self, OpenError> {
        let mut file = DatabaseFile::prepare(&options.path)?;
        let upgrade = file.upgrade();
        let metrics = Arc::<Metrics>::default();
        let (memtable, live) = (Arc::<Memtable>::default(), Arc::<LiveMessages>::default());
        let clock = SessionClock::start();
        let writer = Writer::open(
            &file,
            (Arc::clone(&memtable), Arc::clone(&live)),
            options.inbox_unread_max.clone(),
            clock,
            Arc::clone(&metrics),
            on_fatal,
        )?;
        let context = (Arc::clone(&memtable), clock);
        let readers = readers::start(&file, options.readers, context, Arc::clone(&metrics))?;
        file.keep();
        Ok(Self { writer, readers, memtable, live, metrics, upgrade, file })
    }

    /// See [`crate::store::Store::write`].
    pub(in crate::store) fn write<W: Apply>(
        &self,
        write: W,
        done: impl FnOnce(Result<W::Answer, StoreError>) + Send + 'static,
    ) {
        self.writer.submit(write, done);
    }

    /// See [`crate::store::Store::read`].
    pub(in crate::store) fn read<R: Query>(
        &self,
        read: R,
        done: impl FnOnce(Result<R::Answer, StoreError>) + Send + 'static,
    ) {
        self.readers.submit(read.party(), move |reader| reader.execute(read), done);
    }

    /// The absolute path of the file, without symbolic links.
    pub(in crate::store) fn path(&self) -> &Path {
        self.file.path()
    }

    /// See [`crate::store::Store::watch`].
    pub(in crate::store) fn watch(&self, user: UserId) -> LiveInbox {
        Arc::clone(&self.live).watch(user)
    }

    /// See [`crate::store::Store::inbox_is_known_to_be_empty`].
    pub(in crate::store) fn inbox_is_known_to_be_empty(&self, reader: UserId) -> bool {
        self.memtable.is_known_to_be_empty(reader)
    }

    /// See [`crate::store::Store::index_words`].
    #[cfg(test)]
    pub(in crate::store) fn index_words(&self) {
        self.writer.group.with_committer(writer::Batches::index_all_words);
    }

    /// How many operations wait for the writer, and how many may wait.
    pub(in crate::store) fn write_queue(&self) -> (usize, usize) {
        self.writer.queue()
    }

    /// How many reads wait for a reader thread, and how many may wait.
    pub(in crate::store) fn read_queue(&self) -> (usize, usize) {
        self.readers.queue()
    }

    /// Finishes the waiting operations, accepts no more, checkpoints the WAL and closes the file.
    /// Blocks until then.
    pub(in crate::store) fn close(&self) {
        self.readers.close();
        self.writer.close();
    }
}

/// The tools for operators of an engine that keeps files of its own.
#[derive(Clone, Copy)]
pub struct FileTools<'a>(pub(in crate::store) &'a Sqlite);

impl<'a> FileTools<'a> {
    /// The upgrade that opening made, if the file had an older schema.
    pub fn upgrade(self) -> Option<&'a Upgrade> {
        self.0.upgrade.as_ref()
    }

    /// The file system of the database, if it limits durability.
    pub fn medium(self) -> Option<Medium> {
        Medium::of(self.0.path())
    }

    /// The disk space of the files.
    ///
    /// # Errors
    /// The system's error.
    pub fn disk_usage(self) -> io::Result<DiskUsage> {
        self.0.file.disk_usage()
    }

    /// Checkpoints the whole WAL and truncates it, so that it contains no deleted text. The answer
    /// says whether this worked. If a reader of the file blocks it, the writer tries again when it
    /// is idle.
    pub fn empty_wal(self, done: impl FnOnce(Result<bool, StoreError>) + Send + 'static) {
        self.0.writer.maintain(Maintenance::EmptyWal, done);
    }

    /// Rewrites the file without its unused parts, and then does [`Self::empty_wal`]. Only this
    /// removes every trace of deleted messages: after SQLite has merged two pages, the unused part
    /// of a page may still contain a deleted row. All writes wait meanwhile.
    pub fn vacuum(self, done: impl FnOnce(Result<bool, StoreError>) + Send + 'static) {
        self.0.writer.maintain(Maintenance::Vacuum, done);
    }
}
