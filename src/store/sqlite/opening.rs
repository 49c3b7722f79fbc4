//! The one door to a database file: it is looked at before anything is opened for writing, created,
//! locked into existence or folded in. What is refused here stays as it is, to the byte.
//!
//! # Whether a WAL belongs to the file beside it
//!
//! SQLite takes any WAL whose checksums are right, whatever file it lies beside. An older copy of a
//! database that is put in the place of one whose server was killed would get the pages of that
//! server's WAL: it would be damaged, or the messages after the copy would be back.
//!
//! A WAL goes on from one state of the file: the one that the checkpoint before it has left. After
//! a crash, each page of the file is as in that state, or as a frame of the WAL has it, because a
//! checkpoint copies frames and writes nothing else. Two pages tell whether that can be so:
//!
//! - **The stamp** on the page of `meta` (`store::sqlite::stamp`). The first one in the WAL names
//!   the generation before it. So the stamp of the file is that generation, or one of the WAL's
//!   own. A server that starts renews the stamp in the file itself, and a copy that we make gets
//!   one of its own. Each copy of ours, and each copy of a file that was closed, is told by it.
//! - **The header** on page 1. SQLite counts the changes there. The first page 1 in the WAL has the
//!   number of the file or the next one, for a connection that keeps the page in memory counts from
//!   what it has read. A header with another number must be that of a frame. This tells copies that
//!   the `sqlite3` shell makes while the server runs, and files of older programs without a stamp.
//!
//! A WAL without either page tells nothing, and is taken: a shell may have begun it. So is one
//! whose page of `meta` cannot be read in the file, for a power cut in a checkpoint may tear it.
//! Frames behind the last commit do not count, nor do those of an older generation or zeros: SQLite
//! does not read them either. A copy of the file and its own WAL, made while nobody writes, passes.
//!
//! One case is beyond this: a copy of the file alone that was made beside a running server, put
//! back beside the WAL of the same generation. It is what the file was then, byte for byte.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::catalogue::storage;
use crate::store::error::OpenError;
use crate::store::sqlite::header::{
    APPLICATION_ID, APPLICATION_ID_AT, HEADER_BYTES, Header, READ_VERSION_AT, SQLITE_MAGIC,
    USER_VERSION_AT, WAL,
};
use crate::store::sqlite::path::{io_error, uri, with_suffix};
use crate::store::sqlite::projection::deliveries::Deliveries;
use crate::store::sqlite::projection::keys::Keys;
use crate::store::sqlite::schema;
use crate::store::sqlite::stamp::{self, META_PAGE};
use crate::store::sqlite::wal::{self, Evidence};

/// How often a file is looked at while another process writes to it. A look takes much less time
/// than a generation of the WAL. After the last one the file is taken: its server has looked at it
/// as well.
const LOOKS_MAX: usize = 20;

/// What lies at a path, as far as bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Look {
    /// There is a database, and not only an empty file.
    pub(in crate::store) is_database: bool,
    /// The WAL beside it has pages that SQLite would take.
    pub(in crate::store) has_frames: bool,
    /// SQLite reads it by way of a WAL and its index.
    pub(in crate::store) uses_wal: bool,
}

/// Looks at what is there, and refuses what is not ours, of a newer schema, or beside a WAL that is
/// not its own. Only reads.
pub(in crate::store) fn look(path: &Path) -> Result<Look, OpenError> {
    for _ in 0..LOOKS_MAX {
        match look_once(path)? {
            Some(look) => return Ok(look),
            // Another process writes to it.
            None => std::thread::yield_now(),
        }
    }
    Ok(Look { is_database: true, has_frames: true, uses_wal: true })
}

/// `None` where the files were written to meanwhile, so that what was read may not fit together.
fn look_once(path: &Path) -> Result<Option<Look>, OpenError> {
    let log_path = with_suffix(path, "-wal");
    let log_error = |error| io_error(&log_path, error);
    let before = (begin_of(path)?, wal::header(&log_path).map_err(log_error)?);
    let (header, page) = (&before.0.header, &before.0.meta_page);
    if let Some(header) = header {
        check(header, path)?;
    }
    let found = stamp::find(page);
    let log = wal::read(&log_path, header.as_ref(), found).map_err(log_error)?;
    let look = Look {
        is_database: header.is_some(),
        has_frames: log.is_some(),
        uses_wal: log.is_some() || header.is_some_and(|header| header.0[READ_VERSION_AT] == WAL),
    };
    let Some(evidence) = log else { return Ok(Some(look)) };
    let refusal = match header {
        None => Some(OpenError::Orphan { path: path.to_owned(), log: log_path.clone() }),
        Some(header) if !belongs(header, found, &evidence) => {
            Some(OpenError::ForeignLog { path: path.to_owned(), log: log_path.clone() })
        }
        // What the WAL makes of the file counts.
        Some(_) => evidence.last_header.and_then(|header| check(&header, path).err()),
    };
    let Some(refusal) = refusal else { return Ok(Some(look)) };
    let after = (begin_of(path)?, wal::header(&log_path).map_err(log_error)?);
    if after == before { Err(refusal) } else { Ok(None) }
}

/// See the module.
fn belongs(header: &Header, stamp: stamp::Found, log: &Evidence) -> bool {
    use stamp::Found::{Nothing, Stamped, Unstamped};
    let fits_stamp = match (&stamp, &log.first_stamp) {
        (Stamped(file), Some(Stamped(first))) => log.has_stamp || first.follows(Some(file)),
        (Unstamped, Some(Stamped(first))) => first.follows(None),
        (Stamped(_), Some(Unstamped)) => log.has_stamp,
        (Nothing, _) | (_, None | Some(Nothing)) | (Unstamped, Some(Unstamped)) => true,
    };
    let fits_header = log.has_header
        || log.first_header.is_none_or(|first| {
            [header.changes(), header.changes().wrapping_add(1)].contains(&first.changes())
        });
    let fits_pages = log.page_bytes == header.page_bytes();
    fits_stamp && fits_header && fits_pages
}

/// What a file begins with.
#[derive(Debug, PartialEq, Eq)]
struct Begin {
    /// `None` where there is no file, or an empty one.
    header: Option<Header>,
    /// Empty where it is not there.
    meta_page: Vec<u8>,
}

/// Reads the first two pages.
fn begin_of(path: &Path) -> Result<Begin, OpenError> {
    let mut begin = Begin { header: None, meta_page: Vec::new() };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(begin),
        Err(error) => return Err(io_error(path, error)),
    };
    let failed = |error: io::Error| io_error(path, error);
    let mut bytes = Vec::new();
    (&file).take(HEADER_BYTES as u64).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.is_empty() {
        return Ok(begin);
    }
    let header = Header::of(&bytes).filter(|header| header.0.starts_with(SQLITE_MAGIC));
    let problem = || storage::is_not_sqlite().to_owned();
    let header =
        header.ok_or_else(|| OpenError::NotOurs { path: path.to_owned(), problem: problem() })?;
    let page_bytes = header.page_bytes();
    let end = page_bytes * META_PAGE as usize;
    (&file)
        .take((end.saturating_sub(bytes.len())) as u64)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    begin.header = Some(header);
    begin.meta_page = bytes.get(end - page_bytes..end).unwrap_or_default().to_vec();
    Ok(begin)
}

/// Refuses the file of another program, or of a newer schema.
fn check(header: &Header, path: &Path) -> Result<(), OpenError> {
    if header.word(APPLICATION_ID_AT) != APPLICATION_ID {
        let problem = storage::is_of_another_program().to_owned();
        return Err(OpenError::NotOurs { path: path.to_owned(), problem });
    }
    schema::check_version(header.word(USER_VERSION_AT) as usize, path)
}

/// Opens a database to be read as it lies there, without a lock and without a change: no WAL-index
/// is made, and the WAL stays. Only for a file that nobody writes to meanwhile.
pub(in crate::store) fn view(path: &Path, look: Look) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    if !look.has_frames {
        return Connection::open_with_flags(uri(path, "immutable=1"), flags);
    }
    let connection = Connection::open_with_flags(uri(path, "vfs=unix-none"), flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Said before the first read, this keeps the WAL-index in the memory of the process.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    Ok(connection)
}

/// How much of a file is read before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Depth {
    /// Which tables there are.
    Schema,
    /// What a server reads when it starts, too.
    Start,
}

/// Reads a file and gives its schema, so that damage is found before anything is changed. Only for
/// a file that nobody writes to meanwhile.
pub(in crate::store) fn verify(path: &Path, look: Look, depth: Depth) -> Result<usize, OpenError> {
    // What was begun without a WAL is for SQLite to take back first.
    let is_half_done = fs::metadata(with_suffix(path, "-journal")).is_ok_and(|file| file.len() > 0);
    if !look.is_database || is_half_done {
        return Ok(0);
    }
    let failed = |error: rusqlite::Error| OpenError::from_sqlite(path, &error);
    let view = view(path, look).map_err(failed)?;
    view.pragma_update(None, "cell_size_check", true).map_err(failed)?;
    let version = schema::version(&view).map_err(failed)?;
    schema::check_version(version, path)?;
    view.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)?;
    if depth == Depth::Start && version == schema::newest() {
        view.query_row("SELECT count(*) FROM users", [], |_| Ok(())).map_err(failed)?;
        Keys::open(&view).map_err(failed)?;
        Deliveries::open(&view, Default::default()).map_err(failed)?;
    }
    Ok(version)
}

#[cfg(test)]
mod tests;
