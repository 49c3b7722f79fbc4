//! Examines a database file before anything is opened for writing, created, locked or checkpointed.
//! A file that is refused here stays as it is, to the byte.
//!
//! # Whether a WAL belongs to the file beside it
//!
//! SQLite applies any WAL with correct checksums, whatever file it lies beside. Suppose that a
//! server is killed and an older copy replaces its database. SQLite would apply the WAL of that
//! server to the copy: the copy would be damaged, or the messages after it would come back.
//!
//! A WAL continues one state of the file: the state that the checkpoint before it left. After a
//! crash, each page of the file is as in that state, or as in a frame of the WAL. A checkpoint
//! copies frames and writes nothing else. Two pages show whether the file and the WAL fit:
//!
//! - **The stamp** on the page of `meta` (`store::sqlite::stamp`). The first stamp in the WAL names
//!   the generation before it. So the file has that generation, or one of the WAL's own. A server
//!   that starts renews the stamp in the file itself, and each of our copies gets a stamp of its
//!   own. The stamp detects each of our copies, and each copy of a closed file.
//! - **The header** on page 1, where SQLite counts the changes. The first page 1 in the WAL has the
//!   file's number or the next one, because a connection that caches the page counts from there. A
//!   header with another number must equal the header of a frame. This detects copies that the
//!   `sqlite3` shell makes while the server runs, and files of older programs without a stamp.
//!
//! A WAL without either page shows nothing and is accepted, because a shell may have begun it. A
//! WAL is also accepted if the file's page of `meta` cannot be read: a power cut during a
//! checkpoint may tear that page. Frames after the last commit, frames of an older generation and
//! zeros do not count, as for SQLite. A copy of a file with its own WAL passes if nobody wrote
//! meanwhile.
//!
//! One case is not detected: a copy of the file alone, made beside a running server and put back
//! beside the WAL of the same generation. It equals the file of that moment, byte for byte.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::error::{NotOurs, OpenError};
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

/// How often a file is examined while another process writes to it. It takes much less time than a
/// generation of the WAL. After the last time the file is accepted, because its server has examined
/// it too.
const LOOKS_MAX: usize = 20;

/// What the bytes at a path show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Look {
    /// There is a database, not just an empty file.
    pub(in crate::store) is_database: bool,
    /// The WAL beside it has frames that SQLite would apply.
    pub(in crate::store) has_frames: bool,
    /// SQLite needs a WAL and its index to read it.
    pub(in crate::store) uses_wal: bool,
}

/// Examines the file and its WAL. Refuses a file of another program, of a newer schema, or beside a
/// WAL of another file. Only reads.
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

/// `None` if the files changed meanwhile, so the parts that were read may not fit together.
fn look_once(path: &Path) -> Result<Option<Look>, OpenError> {
    let wal_path = with_suffix(path, "-wal");
    let wal_error = |error| io_error(&wal_path, error);
    let before = (begin_of(path)?, wal::header(&wal_path).map_err(wal_error)?);
    let (header, page) = (&before.0.header, &before.0.meta_page);
    if let Some(header) = header {
        check(header, path)?;
    }
    let found = stamp::find(page);
    let evidence = wal::read(&wal_path, header.as_ref(), found).map_err(wal_error)?;
    let look = Look {
        is_database: header.is_some(),
        has_frames: evidence.is_some(),
        uses_wal: evidence.is_some()
            || header.is_some_and(|header| header.0[READ_VERSION_AT] == WAL),
    };
    let Some(evidence) = evidence else { return Ok(Some(look)) };
    let refusal = match header {
        None => Some(OpenError::OrphanWal { path: path.to_owned(), wal: wal_path.clone() }),
        Some(header) if !belongs(header, found, &evidence) => {
            Some(OpenError::ForeignWal { path: path.to_owned(), wal: wal_path.clone() })
        }
        // The header in the WAL replaces that of the file.
        Some(_) => evidence.last_header.and_then(|header| check(&header, path).err()),
    };
    let Some(refusal) = refusal else { return Ok(Some(look)) };
    let after = (begin_of(path)?, wal::header(&wal_path).map_err(wal_error)?);
    if after == before { Err(refusal) } else { Ok(None) }
}

/// Whether the WAL can belong to the file: see the module.
fn belongs(header: &Header, stamp: stamp::Found, wal: &Evidence) -> bool {
    use stamp::Found::{Nothing, Stamped, Unstamped};
    let fits_stamp = match (&stamp, &wal.first_stamp) {
        (Stamped(file), Some(Stamped(first))) => wal.has_stamp || first.follows(Some(file)),
        (Unstamped, Some(Stamped(first))) => first.follows(None),
        (Stamped(_), Some(Unstamped)) => wal.has_stamp,
        (Nothing, _) | (_, None | Some(Nothing)) | (Unstamped, Some(Unstamped)) => true,
    };
    let fits_header = wal.has_header
        || wal.first_header.is_none_or(|first| {
            [header.changes(), header.changes().wrapping_add(1)].contains(&first.changes())
        });
    let fits_pages = wal.page_bytes == header.page_bytes();
    fits_stamp && fits_header && fits_pages
}

/// The beginning of a file.
#[derive(Debug, PartialEq, Eq)]
struct Begin {
    /// `None` if there is no file, or an empty one.
    header: Option<Header>,
    /// Empty if the file does not have it.
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
    let not_sqlite = || OpenError::NotOurs { path: path.to_owned(), problem: NotOurs::NotSqlite };
    let header = header.ok_or_else(not_sqlite)?;
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
        return Err(OpenError::NotOurs { path: path.to_owned(), problem: NotOurs::OtherProgram });
    }
    schema::check_version(header.word(USER_VERSION_AT) as usize, path)
}

/// Opens a database for reading, without a lock and without any change: it creates no WAL index,
/// and the WAL stays. Only for a file that no process writes to meanwhile.
pub(in crate::store) fn view(path: &Path, look: Look) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    if !look.has_frames {
        return Connection::open_with_flags(uri(path, "immutable=1"), flags);
    }
    let connection = Connection::open_with_flags(uri(path, "vfs=unix-none"), flags)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // Set before the first read, this keeps the WAL index in memory.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    Ok(connection)
}

/// How much of a file [`verify`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum VerifyScope {
    /// The names of the tables.
    Schema,
    /// Also everything that a server reads when it starts.
    Start,
}

/// Reads a file and returns its schema. So damage is found before anything changes. Only for a file
/// that no process writes to meanwhile.
pub(in crate::store) fn verify(
    path: &Path,
    look: Look,
    scope: VerifyScope,
) -> Result<usize, OpenError> {
    // SQLite must first roll back a transaction that was begun without a WAL.
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
    if scope == VerifyScope::Start && version == schema::newest() {
        view.query_row("SELECT count(*) FROM users", [], |_| Ok(())).map_err(failed)?;
        Keys::open(&view).map_err(failed)?;
        Deliveries::open(&view, Default::default()).map_err(failed)?;
    }
    Ok(version)
}

#[cfg(test)]
mod tests;
