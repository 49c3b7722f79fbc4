//! The PostgreSQL engine: any number of servers, called nodes, on one database.
//!
//! From bottom to top: `target` says which database is meant, `password` finds the password for
//! it, `encryption` has TLS, `connect` opens connections, and `durability` decides what the
//! database can promise. `session` is a connection with settings and prepared statements, `link`
//! one that is opened again, and `schema` has the steps of the schema. `roles` gives rights.
//! `promise` remembers what the database promises now, and `lookout` looks again and again.
//! `places` finds what users are in rooms. `names` is what a node remembers of users and of
//! those places. `reading` finds what decides what a reader gets. `append` and `moving` execute
//! what operations have in common, `operations` the rest. `writer` and `readers` run them on their
//! threads.
//! `tailer` passes on what other nodes write. `indexer` has the index of `words` written. `export`
//! only reads, beside the nodes.

mod append;
mod blocks;
pub mod connect;
pub mod durability;
pub mod encryption;
mod error;
pub(in crate::store) mod export;
mod folding;
pub(in crate::store) mod followed;
mod indexer;
mod lag;
mod link;
mod lookout;
mod moving;
mod names;
mod notices;
pub(in crate::store) mod operation;
mod operations;
pub mod password;
mod places;
pub(in crate::store) mod promise;
mod readers;
mod reading;
pub mod roles;
mod schema;
pub(in crate::store) mod session;
mod shared;
mod tailer;
pub mod target;
mod words;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::adjustable::Adjustable;
use crate::model::{MessageId, Timestamp, UserId};
use crate::store::OnFatal;
use crate::store::cache::live_messages::{LiveInbox, LiveMessages};
use crate::store::error::{OpenError, StoreError};
use crate::store::events::OnEvent;
use crate::store::metrics::Metrics;
use crate::store::scheduler::reader_pool::ReaderPool;
use crate::store::types::standing::{NodeStanding, Standing};
use crate::system::since_boot;
use append::LANE;
use connect::Connector;
use durability::Durability;
use error::{Error, Result as StatementResult};
use followed::Followed;
use indexer::Indexer;
use link::Link;
use lookout::Lookout;
use operation::{Apply, Query};
use promise::Promised;
use readers::Reader;
use schema::Found;
use session::{Opener, Session};
use shared::Shared;
use tailer::Tailer;
use writer::Writer;

/// An open database.
pub(in crate::store) struct Postgres {
    writer: Arc<Writer>,
    readers: ReaderPool<Reader>,
    shared: Arc<Shared>,
    promised: Arc<Promised>,
    /// `None` if nothing looks.
    lookout: Option<Lookout>,
    tailer: Mutex<Option<JoinHandle<()>>>,
    indexer: Mutex<Option<Indexer>>,
    location: PathBuf,
    version: String,
}

/// How to take part in a service on a PostgreSQL database.
#[derive(Debug, Clone)]
pub struct NodeOptions {
    /// The database, and its password.
    pub connector: Connector,
    /// Where a message must be before it is acknowledged.
    pub durability: Durability,
    /// How long an operation waits for a new primary.
    pub failover_wait: Duration,
    /// How often to look whether the database still holds the promise. `None` looks only when a
    /// connection is opened.
    pub check_interval: Option<Duration>,
    /// The number of reader threads. Each has a connection of its own.
    pub readers: usize,
    /// The maximum number of unread messages in one inbox.
    pub inbox_unread_max: Adjustable<usize>,
}

/// What the first connection of a node found.
struct Joined {
    node: i64,
    newest: MessageId,
    changes: i64,
    /// When it asked, since the boot of the machine.
    heard: Duration,
    /// The time of the database, this long after the boot.
    time: (Timestamp, Duration),
    version: String,
}

impl Postgres {
    /// Connects, brings the schema up to date, and starts the threads.
    pub(in crate::store) fn open(
        options: &NodeOptions,
        on_fatal: OnFatal,
    ) -> Result<Self, OpenError> {
        let location = PathBuf::from(options.connector.target.to_string());
        let failed =
            |error: Error| OpenError::Server { path: location.clone(), problem: error.to_string() };
        let io_error = |source: io::Error| OpenError::Io { path: location.clone(), source };
        let promised = Arc::new(Promised::new(options.durability));
        let opener = Opener::new(options.connector.clone(), Arc::clone(&promised));
        let mut session = opener.open_checked().map_err(failed)?;
        match schema::apply(&mut session).map_err(failed)? {
            Found::Current => {}
            Found::Newer(version) => {
                return Err(OpenError::Newer { path: location, version, copy: None });
            }
        }
        let joined = join(&mut session).map_err(failed)?;
        let metrics = Arc::<Metrics>::default();
        let live = Arc::<LiveMessages>::default();
        let node = joined.node;
        let shared = Arc::new(Shared::new(
            node,
            joined.newest,
            joined.heard,
            joined.time,
            live,
            Arc::clone(&metrics),
        ));
        let another = || -> StatementResult<Link> {
            let mut session = opener.open()?;
            session.prove(node)?;
            Ok(Link::new(opener.clone(), node, session))
        };
        let link = Link::new(opener.clone(), node, session);
        let reader = || Ok(Reader { link: another()?, shared: Arc::clone(&shared) });
        let readers: Vec<Reader> = (0..options.readers)
            .map(|_| reader())
            .collect::<StatementResult<_>>()
            .map_err(failed)?;
        let indexing = another().map_err(failed)?;
        let mut tail = another().map_err(failed)?;
        // Connecting may have taken as long as the lease. There is nothing in memory yet that a
        // change could have made untrue.
        let asked = since_boot();
        tail.session().and_then(|session| session.prove(node)).map_err(failed)?;
        shared.renew_lease(asked);
        let writer = Writer::open(
            link,
            Arc::clone(&shared),
            options.inbox_unread_max.clone(),
            options.failover_wait,
            on_fatal,
        );
        let writer = Arc::new(writer.map_err(io_error)?);
        let readers = ReaderPool::start(readers, metrics).map_err(io_error)?;
        let noting = Arc::clone(&writer);
        let note_seen = Box::new(move |seen| noting.submit(seen, drop));
        let tailer = Tailer::new(tail, Arc::clone(&shared), joined.changes, note_seen);
        let tailer = thread::Builder::new()
            .name("tailer".to_owned())
            .spawn(move || tailer.run())
            .map_err(io_error)?;
        let indexer = Indexer::start(indexing, Arc::clone(&shared)).map_err(io_error)?;
        let look = |interval| Lookout::start(opener, Arc::clone(&promised), interval);
        let lookout = options.check_interval.map(look).transpose().map_err(io_error)?;
        let (tailer, indexer) = (Mutex::new(Some(tailer)), Mutex::new(Some(indexer)));
        let version = joined.version;
        Ok(Self { writer, readers, shared, promised, lookout, tailer, indexer, location, version })
    }

    /// See [`crate::store::Store::write`].
    pub(in crate::store) fn write<W: Apply>(
        &self,
        write: W,
        done: impl FnOnce(Result<W::Answer, StoreError>) + Send + 'static,
    ) {
        let is_sound = self.shared.has_lease() && self.promised.holds();
        if is_sound || self.shared.is_closing() {
            self.writer.submit(write, done);
        } else {
            done(Err(StoreError::Busy));
        }
    }

    /// See [`crate::store::Store::read`].
    pub(in crate::store) fn read<R: Query>(
        &self,
        read: R,
        done: impl FnOnce(Result<R::Answer, StoreError>) + Send + 'static,
    ) {
        self.readers.submit(read.party(), move |reader| reader.execute(&read), done);
    }

    /// See [`crate::store::Store::collect_batch`].
    pub(in crate::store) fn writer(&self) -> &Writer {
        &self.writer
    }

    /// See [`crate::store::Store::watch`].
    pub(in crate::store) fn watch(&self, user: UserId) -> LiveInbox {
        Arc::clone(&self.shared.live).watch(user)
    }

    /// See [`crate::store::Store::follow_reading`].
    pub(in crate::store) fn followed(&self) -> &Arc<Followed> {
        &self.shared.followed
    }

    /// See [`crate::store::Store::shared_time`].
    pub(in crate::store) fn time(&self) -> Timestamp {
        self.shared.time()
    }

    /// See [`crate::store::Store::set_on_event`].
    pub(in crate::store) fn set_on_event(&self, on_event: OnEvent) {
        self.shared.set_on_event(on_event);
    }

    /// The metrics.
    pub(in crate::store) fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// See [`crate::store::Store::standing`].
    pub(in crate::store) fn standing(&self) -> Standing {
        let known = self.promised.known();
        let shared = &self.shared;
        Standing {
            engine: "postgres",
            durability: self.promised.asked().as_str(),
            node: Some(NodeStanding {
                number: shared.node,
                found: known.found,
                is_promised: self.promised.holds(),
                standbys: known.standbys,
                nodes: known.nodes,
                lease_age: shared.lease_age(),
                is_lease_over: !shared.has_lease(),
                lag_messages: shared.lag.messages(shared.tail()),
                lag: shared.lag.since_caught_up(),
            }),
        }
    }

    /// The address of the database, without a password.
    pub(in crate::store) fn location(&self) -> &Path {
        &self.location
    }

    /// The version of the database server.
    pub(in crate::store) fn version(&self) -> &str {
        &self.version
    }

    /// See [`crate::store::Store::index_words`].
    #[cfg(test)]
    pub(in crate::store) fn index_words(&self) {
        let (done, answer) = std::sync::mpsc::channel();
        let index = |reader: &mut Reader| {
            let indexed = reader.link.session().and_then(words::index_all);
            indexed.map_err(|error| StoreError::from(&error))
        };
        self.readers.submit(None, index, move |indexed| done.send(indexed).unwrap());
        answer.recv().unwrap().unwrap();
    }

    /// How many operations wait for the writer, and how many may wait.
    pub(in crate::store) fn write_queue(&self) -> (usize, usize) {
        self.writer.queue()
    }

    /// How many reads wait for a reader thread, and how many may wait.
    pub(in crate::store) fn read_queue(&self) -> (usize, usize) {
        self.readers.queue()
    }

    /// Finishes the waiting operations, accepts no more, and signs the node off. Blocks until then.
    pub(in crate::store) fn close(&self) {
        self.readers.close();
        self.shared.close();
        if let Some(lookout) = &self.lookout {
            lookout.close();
        }
        // Wakes the tailer, too.
        self.writer.close();
        let tailer = self.tailer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(tailer) = tailer {
            let _ = tailer.join();
        }
        let indexer = self.indexer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(indexer) = indexer {
            indexer.join();
        }
        // No other node is waited for any more: what was done is durable.
        self.shared.answer_upto(i64::MAX);
    }
}

/// Registers a node, with a write that waits for the standbys.
fn join(session: &mut Session) -> StatementResult<Joined> {
    let heard = since_boot();
    let (node, newest, changes, version) = session.transaction(|session| {
        let row = session.query_one("SELECT chat.begin_change($1)", &[&LANE])?;
        let changes: i64 = row.get(0);
        let row = session.query_one(
            "INSERT INTO chat.nodes (id, name, started_at, heard_at, seen_changes)
             VALUES (chat.next_number($2, 'nodes'), '', chat.now_ms(), chat.now_ms(), $1)
             RETURNING id, chat.head($2), current_setting('server_version')",
            &[&changes, &LANE],
        )?;
        let (node, newest) = (row.get(0), MessageId(row.get(1)));
        Ok((node, newest, changes, row.get(2)))
    })?;
    let (time, read, _) = session.time()?;
    Ok(Joined { node, newest, changes, heard, time: (time, read), version })
}
