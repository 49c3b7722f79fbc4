//! Opens the database, and words the reason if it cannot.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::database::Database;
#[cfg(feature = "postgres")]
use super::database::{Postgres, not_connected};
use super::failure::{Exit, Failure};
use super::store_error;
use crate::adjustable::Adjustable;
use crate::admin::socket::Place;
#[cfg(feature = "postgres")]
use crate::catalogue::postgres;
use crate::catalogue::server;
use crate::log::Log;
#[cfg(feature = "postgres")]
use crate::store::postgres::connect::nobody_listens;
use crate::store::{self, Exporter, Fatal, FileTools, OnFatal, OpenError, Store, Upgrade};

/// The number of reader threads.
const READERS: usize = 2;
/// How long to wait for a process that has the file and answers no requests: a command, or a server
/// that starts or stops.
const HOLDER_WAIT: Duration = Duration::from_secs(5);
/// How long to wait for several such processes, one after another.
const HOLDERS_WAIT: Duration = Duration::from_secs(60);
/// The pause between two attempts.
const HOLDER_POLL: Duration = Duration::from_millis(25);

/// Opens the store at `db` for a server. Waits for an operator's command that has it open, but not
/// for a server.
pub(super) fn store(
    db: &Path,
    inbox_unread_max: &Adjustable<usize>,
    log: &Log,
) -> Result<Store, Failure> {
    let mut wait = HolderWait::begin();
    loop {
        match try_store(db, inbox_unread_max.clone(), Some(log)) {
            Ok(store) => return Ok(store),
            Err(OpenError::InUse { process, .. }) if !is_served(db) && wait.pause(process) => {}
            Err(error) => return Err(refused(&error)),
        }
    }
}

/// Waits for the processes that have the file.
pub(super) struct HolderWait {
    holder: Option<u32>,
    until: Instant,
    end: Instant,
}

impl HolderWait {
    pub(super) fn begin() -> Self {
        let now = Instant::now();
        Self { holder: None, until: now + HOLDER_WAIT, end: now + HOLDERS_WAIT }
    }

    /// Pauses before the next attempt. `false` if this holder has had its time. Commands that were
    /// started together have the file one after another, and each gets its own.
    pub(super) fn pause(&mut self, holder: Option<u32>) -> bool {
        let now = Instant::now();
        if holder.is_some() && holder != self.holder {
            (self.holder, self.until) = (holder, now + HOLDER_WAIT);
        }
        let goes_on = now < self.until.min(self.end);
        if goes_on {
            thread::sleep(HOLDER_POLL);
        }
        goes_on
    }
}

/// Whether there is no database yet: no file, or an empty one.
pub(super) fn is_new(db: &Path) -> bool {
    !db.metadata().is_ok_and(|file| file.len() > 0)
}

/// Whether a server serves the database. If that cannot be found out, it counts as served, so that
/// nothing waits for it.
pub(super) fn is_served(db: &Path) -> bool {
    let path = store::resolve(db).ok();
    !path.is_some_and(|path| matches!(Place::beside(&path).connect(HOLDER_WAIT), Ok(None)))
}

/// Opens the store at `db` and locks it. If the store can later no longer guarantee its answers, it
/// reports that (in the server log, if there is one) and ends the process.
pub(super) fn try_store(
    db: &Path,
    inbox_unread_max: Adjustable<usize>,
    log: Option<&Log>,
) -> Result<Store, OpenError> {
    let options = store::Options { path: db.to_owned(), readers: READERS, inbox_unread_max };
    let path = Arc::new(OnceLock::<PathBuf>::new());
    let store = Store::open(&options, on_fatal(Arc::clone(&path), log.cloned()))?;
    let _ = path.set(store.location().to_owned());
    if let Some(Upgrade { from, to, copy }) = store.files().and_then(FileTools::upgrade) {
        let path = store.location().display();
        let line = format!("{}\n", server::upgraded(path, from, to, copy.display()));
        match log {
            Some(log) => log.say(line),
            None => drop(io::stderr().write_all(line.as_bytes())),
        }
    }
    Ok(store)
}

/// Connects to a database on PostgreSQL as one of its nodes. Waits for a primary if one may come soon.
#[cfg(feature = "postgres")]
pub(super) fn node(
    postgres: &Postgres,
    inbox_unread_max: &Adjustable<usize>,
    log: Option<&Log>,
) -> Result<Store, Failure> {
    postgres.check()?;
    let options = store::NodeOptions {
        connector: postgres.connector.clone(),
        durability: postgres.durability,
        failover_wait: postgres.failover_wait,
        // A command is over before it would look again.
        check_interval: log.map(|_| postgres.check_interval),
        readers: READERS,
        inbox_unread_max: inbox_unread_max.clone(),
    };
    let location = Arc::new(OnceLock::from(PathBuf::from(postgres.connector.target.to_string())));
    Store::join(&options, on_fatal(location, log.cloned())).map_err(|error| refused(&error))
}

/// Opens a database for an export. On PostgreSQL it waits for a primary if one may come soon.
pub(super) fn exporter(database: &Database<'_>) -> Result<Exporter, Failure> {
    match database {
        Database::File(path) => Exporter::open(path).map_err(|error| refused(&error)),
        #[cfg(feature = "postgres")]
        Database::Postgres(database) => {
            let connector = &database.connector;
            let client = connector
                .connect_within(database.failover_wait, &nobody_listens())
                .map_err(|error| not_connected(connector, &error))?;
            Exporter::over(client, &connector.target).map_err(|error| match error {
                OpenError::NoInput { .. } | OpenError::Older { .. } => {
                    Failure::new(exit(&error), error).hint(postgres::prepare_by_db_init())
                }
                error => refused(&error),
            })
        }
    }
}

/// Reports why the server must stop, and ends the process.
fn on_fatal(path: Arc<OnceLock<PathBuf>>, log: Option<Log>) -> OnFatal {
    Arc::new(move |fatal: Fatal| {
        let path = path.get().map_or_else(String::new, |path| format!("{}: ", path.display()));
        let hint = server::nothing_acknowledged_since();
        let failure =
            Failure::new(Exit::Io, format!("{path}{}", store_error::fatal(&fatal))).hint(hint);
        match &log {
            Some(log) => {
                log.say(failure.to_string());
                log.close();
            }
            None => failure.report(),
        }
        std::process::exit(i32::from(Exit::Io.code()));
    })
}

/// The failure for a database that was not opened.
pub(super) fn refused(error: &OpenError) -> Failure {
    let failure = Failure::new(exit(error), error);
    match hint(error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn exit(error: &OpenError) -> Exit {
    match error {
        OpenError::NotAFileName(_) => Exit::Usage,
        OpenError::NotOurs { .. }
        | OpenError::ForeignWal { .. }
        | OpenError::OrphanWal { .. }
        | OpenError::Newer { .. }
        | OpenError::Older { .. } => Exit::Data,
        OpenError::NoInput { .. } => Exit::NoInput,
        OpenError::Exists { .. } => Exit::Exists,
        OpenError::InUse { .. } | OpenError::Changed { .. } => Exit::TryAgain,
        OpenError::Server { .. } => Exit::Unavailable,
        OpenError::NoCopy { .. } | OpenError::Io { .. } | OpenError::Sqlite { .. } => Exit::Io,
        OpenError::Stopped { .. } => Exit::Interrupted,
    }
}

fn hint(error: &OpenError) -> Option<String> {
    let hint = match error {
        OpenError::NotAFileName(_) => server::give_file(),
        OpenError::NotOurs { .. } => server::give_another_database(),
        OpenError::ForeignWal { wal, .. } => {
            return Some(server::move_foreign_wal(wal.display()));
        }
        OpenError::OrphanWal { wal, .. } => return Some(server::move_orphan_wal(wal.display())),
        OpenError::Changed { .. } => server::read_again(),
        OpenError::Newer { path, copy: Some(copy), .. } => {
            return Some(server::go_back(path.display(), copy.display()));
        }
        OpenError::Newer { .. } => server::use_its_program(),
        OpenError::Older { .. } => server::upgrade_by_writing(),
        OpenError::NoInput { .. } => server::give_file_in_folder(),
        OpenError::Exists { .. } => server::nothing_overwritten(),
        OpenError::InUse { .. } => server::stop_other_server(),
        OpenError::NoCopy { .. } => server::make_room_beside(),
        OpenError::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull => {
            server::nothing_done_make_room()
        }
        OpenError::Server { .. } => server::database_server_must_run(),
        OpenError::Io { .. } | OpenError::Sqlite { .. } => server::must_write_folder(),
        OpenError::Stopped { .. } => return None,
    };
    Some(hint.to_owned())
}
