//! The store: keeps users, sessions, messages and cursors durably.
//!
//! A caller submits an operation as data ([`operation`]). The store answers by calling a callback
//! once, on a thread of the store. The answer to a write comes after its commit, so a write is
//! durable when its answer comes. A callback must not block.
//!
//! [`Store`] is a small facade over an engine. `sqlite` keeps one file; `postgres` is a node of a
//! service on a PostgreSQL database. All SQL is inside them. The modules beside them serve any
//! engine: types, errors, metrics, scheduling and live messages. The store knows no protocol.

mod cache;
mod clock;
#[cfg(test)]
mod contract;
mod engines;
mod error;
mod events;
mod export;
mod metrics;
pub mod operation;
#[cfg(feature = "postgres")]
pub mod postgres;
mod scheduler;
mod sqlite;
mod types;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use crate::system::Medium;
pub use cache::live_messages::{LiveInbox, MembershipState};
pub use clock::SessionClock;
pub use engines::{EngineRead, EngineWrite};
pub use error::{Fatal, NoInput, NotOurs, OpenError, StoreError};
pub use events::{Event, OnEvent};
pub use export::{Export, ExportError};
pub use metrics::{CheckpointMode, Metrics, Rollback};
pub use scheduler::group_commit::{Expect, Flush};
pub use sqlite::FileTools;
pub use sqlite::copy::{Content, Copy, OnProgress};
pub use sqlite::file::DiskUsage;
pub use sqlite::migrations::Upgrade;
pub use sqlite::path::resolve;
pub use sqlite::tools::check::{CheckDepth, Checked, FINDINGS_MAX};
pub use sqlite::tools::offline::OfflineDatabase;
pub use sqlite::tools::restore::{OldSessions, RESTORE_IDS_SKIPPED_MIN, restore};
pub use types::blocks::{BLOCKS_MAX, BlockSet, Blocked, ListBlocks, SetBlock};
pub use types::changes::{
    Alteration, ChangeMessage, EDITS_MAX, MessageChanged, PAGE_CHANGES_BYTES_MAX,
};
pub use types::conversations::*;
pub use types::counting::{ROOM_UNREAD_MAX, ROOMS_UNREAD_MAX};
pub use types::cursors::*;
pub use types::expectations::*;
pub use types::figures::*;
pub use types::invitations::*;
pub use types::logins::*;
pub use types::marks::*;
pub use types::messages::*;
pub use types::purge::*;
pub use types::receipts::{
    AWAITED_READERS_MAX, FindRead, FoundRead, ListReceipts, Receipts, ReceiptsRefused,
};
pub use types::rooms::*;
pub use types::scheduled::*;
pub use types::search::{
    ReadAround, SEARCHED_ROWS_MAX, SEARCHED_TEXTS_MAX, Search, SearchPage, Searched,
};
pub use types::sessions::*;
pub use types::settings::*;
pub use types::standing::*;
pub use types::tokens::*;
pub use types::transfer::*;
pub use types::users::*;

use crate::adjustable::Adjustable;
use crate::model::{MessageId, Timestamp, UserId};
use crate::transfer::Record;
#[cfg(feature = "postgres")]
pub use postgres::NodeOptions;
#[cfg(feature = "postgres")]
use postgres::{Postgres, target::Target};
use sqlite::Sqlite;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database file. It is created if it is missing; its folder must exist.
    pub path: PathBuf,
    /// The number of reader threads. Each has a connection of its own.
    pub readers: usize,
    /// The maximum number of unread messages in one inbox.
    pub inbox_unread_max: Adjustable<usize>,
}

/// Called once when the store can no longer guarantee its answers. Then a commit or an fsync has
/// failed with an unknown outcome, or the open file is no longer the one at its path. The callback
/// must end the process. It must not return: a later answer could be wrong.
pub type OnFatal = Arc<dyn Fn(Fatal) + Send + Sync>;

/// An open store. Dropping it does not close the database; [`Store::close`] does.
pub struct Store {
    backend: Backend,
}

/// A reader whose moves at other servers are told: see [`Store::follow_reading`].
pub struct FollowedReading {
    #[cfg(feature = "postgres")]
    _follower: Option<postgres::followed::Follower>,
    #[cfg(not(feature = "postgres"))]
    _user: UserId,
}

/// The engines, known at compile time. Dispatch costs one predictable branch.
enum Backend {
    Sqlite(Sqlite),
    #[cfg(feature = "postgres")]
    Postgres(Postgres),
}

impl Store {
    /// Opens the database and starts the threads. Creates the file if it is missing, and migrates
    /// an older schema.
    ///
    /// # Errors
    /// See [`OpenError`]. A refused file stays as it was.
    pub fn open(options: &Options, on_fatal: OnFatal) -> Result<Self, OpenError> {
        Ok(Self { backend: Backend::Sqlite(Sqlite::open(options, on_fatal)?) })
    }

    /// Connects to a PostgreSQL database, as one of its nodes, and starts the threads. Creates the
    /// schema if there is none, and migrates an older one.
    ///
    /// # Errors
    /// See [`OpenError`].
    #[cfg(feature = "postgres")]
    pub fn join(options: &NodeOptions, on_fatal: OnFatal) -> Result<Self, OpenError> {
        Ok(Self { backend: Backend::Postgres(Postgres::open(options, on_fatal)?) })
    }

    /// Executes a write and calls `done` once, after the commit. Writes are executed in the order
    /// of the calls. Never blocks: if the queue is full, `done` is called at once, on this thread.
    pub fn write<W: EngineWrite>(
        &self,
        write: W,
        done: impl FnOnce(Result<W::Answer, StoreError>) + Send + 'static,
    ) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.write(write, done),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.write(write, done),
        }
    }

    /// Executes a read on one snapshot and calls `done` once. Never blocks, like [`Self::write`].
    pub fn read<R: EngineRead>(
        &self,
        read: R,
        done: impl FnOnce(Result<R::Answer, StoreError>) + Send + 'static,
    ) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.read(read, done),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.read(read, done),
        }
    }

    /// Runs `collect` and commits the writes that it submits on this thread as one batch. The value
    /// that `collect` returns decides which thread commits; the callbacks run on that thread. After
    /// [`Flush::Deferred`] this thread must call again soon. Waits for the disk, and for nothing
    /// else.
    pub fn collect_batch(&self, collect: impl FnOnce() -> Expect) -> Flush {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.writer.collect_batch(collect),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.writer().collect_batch(collect),
        }
    }

    /// Whether any operation waits for the writer.
    pub fn has_collected(&self) -> bool {
        self.write_queue().0 > 0
    }

    /// Keeps new messages for this inbox in memory until the returned value is dropped.
    /// [`LiveInbox::newer`] finds the messages that are committed from now on, until memory is
    /// needed for newer ones. [`LiveInbox::follow`] adds rooms.
    pub fn watch(&self, user: UserId) -> LiveInbox {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.watch(user),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.watch(user),
        }
    }

    /// Tells of the moves of a reader's cursor `inbox` at other servers, by [`Event::Read`], until the
    /// returned value is dropped.
    pub fn follow_reading(&self, user: UserId) -> FollowedReading {
        FollowedReading {
            #[cfg(feature = "postgres")]
            _follower: match &self.backend {
                Backend::Sqlite(_) => None,
                Backend::Postgres(postgres) => Some(postgres.followed().follow(user)),
            },
            #[cfg(not(feature = "postgres"))]
            _user: user,
        }
    }

    /// The cursor `inbox` was moved here by this server, so it is not told of that.
    pub fn note_reading(&self, user: UserId, upto: MessageId) {
        match &self.backend {
            Backend::Sqlite(_) => {
                let _ = (user, upto);
            }
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.followed().note(user, upto),
        }
    }

    /// Sets who is told of what other servers do. Only the first call counts. An engine with one
    /// server tells nothing.
    pub fn set_on_event(&self, on_event: OnEvent) {
        match &self.backend {
            Backend::Sqlite(_) => drop(on_event),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.set_on_event(on_event),
        }
    }

    /// Whether other servers may use the database at the same time.
    pub fn has_other_servers(&self) -> bool {
        match &self.backend {
            Backend::Sqlite(_) => false,
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => true,
        }
    }

    /// The time by the clock that all servers of the database share: that of the database. `None`
    /// if there is one server, whose own clock counts. Never blocks.
    pub fn shared_time(&self) -> Option<Timestamp> {
        match &self.backend {
            Backend::Sqlite(_) => None,
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => Some(postgres.time()),
        }
    }

    /// Whether the store knows, without a read, that no message after the reader's cursor `inbox`
    /// exists. `false` means that it does not know; then [`ReadPage`] tells. Never blocks.
    pub fn inbox_is_known_to_be_empty(&self, reader: UserId) -> bool {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.inbox_is_known_to_be_empty(reader),
            // Another node may have stored a message a moment ago.
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => false,
        }
    }

    /// Indexes the words of all messages.
    #[cfg(test)]
    pub(in crate::store) fn index_words(&self) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.index_words(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.index_words(),
        }
    }

    /// The store's metrics, counted since it was opened.
    pub fn metrics(&self) -> &Metrics {
        match &self.backend {
            Backend::Sqlite(sqlite) => &sqlite.metrics,
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.metrics(),
        }
    }

    /// How many operations wait for the writer, and how many may wait.
    pub fn write_queue(&self) -> (usize, usize) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.write_queue(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.write_queue(),
        }
    }

    /// How many reads wait for a reader thread, and how many may wait.
    pub fn read_queue(&self) -> (usize, usize) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.read_queue(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.read_queue(),
        }
    }

    /// What is known of the engine, and of what its answers are worth. Asks nobody.
    pub fn standing(&self) -> Standing {
        match &self.backend {
            Backend::Sqlite(_) => Standing { engine: "sqlite", durability: "fsync", node: None },
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.standing(),
        }
    }

    /// The version of the engine.
    pub fn engine_version(&self) -> &str {
        match &self.backend {
            Backend::Sqlite(_) => rusqlite::version(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.version(),
        }
    }

    /// The absolute path of the database file, without symbolic links; or the URL of the database.
    pub fn location(&self) -> &Path {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.path(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.location(),
        }
    }

    /// The engine's file tools, if the engine keeps files of its own.
    pub fn files(&self) -> Option<FileTools<'_>> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Some(FileTools(sqlite)),
            #[cfg(feature = "postgres")]
            Backend::Postgres(_) => None,
        }
    }

    /// Finishes the waiting operations, accepts no more, and closes the database. Blocks until
    /// then.
    pub fn close(&self) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.close(),
            #[cfg(feature = "postgres")]
            Backend::Postgres(postgres) => postgres.close(),
        }
    }
}

/// A database that is read for an export, beside its servers or without them. It is not changed.
pub struct Exporter {
    source: ExportSource,
}

/// What an export reads, in each engine.
enum ExportSource {
    Sqlite(Box<OfflineDatabase>),
    #[cfg(feature = "postgres")]
    Postgres(Box<postgres::export::Exporter>),
}

impl Exporter {
    /// Opens a file of today's schema.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = OfflineDatabase::open_current(path)?;
        Ok(Self { source: ExportSource::Sqlite(Box::new(file)) })
    }

    /// Uses this connection to a PostgreSQL database.
    ///
    /// # Errors
    /// See [`OpenError`].
    #[cfg(feature = "postgres")]
    pub fn over(client: ::postgres::Client, target: &Target) -> Result<Self, OpenError> {
        let exporter = postgres::export::Exporter::over(client, target)?;
        Ok(Self { source: ExportSource::Postgres(Box::new(exporter)) })
    }

    /// Passes a header, users, cursors and messages to `take`, always in the same order: those of
    /// the moment when it is called. The order is the same in every engine. It reads a page at a
    /// time, so `take` may be slow.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn export<E>(
        &mut self,
        export: &Export,
        take: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), ExportError<E>> {
        match &mut self.source {
            ExportSource::Sqlite(file) => file.export(export, take),
            #[cfg(feature = "postgres")]
            ExportSource::Postgres(postgres) => postgres.export(export, take),
        }
    }

    /// Checks that everything that was read belongs to one state of the database.
    ///
    /// # Errors
    /// A file was read without a lock, and another process has written to it meanwhile.
    pub fn verify_unchanged(&self) -> Result<(), OpenError> {
        match &self.source {
            ExportSource::Sqlite(file) => file.verify_unchanged(),
            // It was one snapshot.
            #[cfg(feature = "postgres")]
            ExportSource::Postgres(_) => Ok(()),
        }
    }

    /// The absolute path of the file, without symbolic links; or the URL of the database.
    pub fn location(&self) -> &Path {
        match &self.source {
            ExportSource::Sqlite(file) => file.path(),
            #[cfg(feature = "postgres")]
            ExportSource::Postgres(postgres) => postgres.location(),
        }
    }
}
