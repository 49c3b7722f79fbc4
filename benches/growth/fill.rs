//! Databases of a given size. A real server is sent the messages, and the files are kept for later.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rusqlite::{Connection, OpenFlags};

use crate::harness::generator::{self, Extent, Load, Protocol};
use crate::harness::peers::chat::{self, Server};
use crate::harness::peers::{MessageSource, Messages, recipient, write_recipient};

/// The user whose unread messages are scattered among all others: a tenth of them, up to a limit.
pub const SCATTERED: &str = "scattered";
const SCATTERED_MAX: u64 = 10_000;
/// The user with a hundred messages.
pub const HUNDRED: &str = "hundred";
const HUNDRED_MESSAGES: u64 = 100;
/// The most messages in an inbox, below the server's own limit.
const INBOX_MAX: u64 = 90_000;
pub const BODY_BYTES: usize = 64;
/// The number of messages between two progress lines.
const STEP: u64 = 500_000;

/// The contents of a database.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    pub users: usize,
    pub messages: u64,
}

impl Size {
    /// The number of messages to [`SCATTERED`].
    pub fn scattered(self) -> u64 {
        SCATTERED_MAX.min(self.messages / 10)
    }
}

/// The path of a database of that size. It reuses a complete one, continues an incomplete one, or
/// creates a new one. The caller must not change the file.
pub fn database(program: &Path, cache: &Path, size: Size) -> Result<PathBuf> {
    ensure!(
        size.messages == 0 || size.messages.is_multiple_of(1000),
        "{} is no multiple of 1000",
        size.messages
    );
    ensure!(
        size.messages / size.users as u64 <= INBOX_MAX,
        "{} messages are too many for {} users: no inbox may have more than {INBOX_MAX}",
        size.messages,
        size.users
    );
    fs::create_dir_all(cache)?;
    let schema = cache.join(format!("schema-{}", schema_version(program, cache)?));
    fs::create_dir_all(&schema)?;
    let stem = format!("{}-users-{}-messages", size.users, size.messages);
    let finished = schema.join(format!("{stem}.sqlite"));
    if finished.exists() {
        return Ok(finished);
    }
    let begun = schema.join(format!("{stem}.begun.sqlite"));
    if !begun.exists() {
        // Created under another name, so that a database without all its users is never continued.
        let fresh = tempfile::tempdir_in(&schema)?;
        let made = fresh.path().join("users.sqlite");
        let names = [SCATTERED, HUNDRED].into_iter().map(str::to_owned);
        let names: Vec<String> = names.chain((0..size.users).map(recipient)).collect();
        chat::create(program, &made, names.iter().map(String::as_str))?;
        fs::rename(made, &begun)?;
    }
    fill(program, &begun, size)?;
    File::open(&begun)?.sync_all()?;
    fs::rename(&begun, &finished)?;
    // The lock file is named after the old name of the database.
    let _ = fs::remove_file(begun.with_extension("sqlite.lock"));
    Ok(finished)
}

/// The schema version of databases that this program creates.
fn schema_version(program: &Path, cache: &Path) -> Result<i64> {
    let place = tempfile::tempdir_in(cache)?;
    let database = place.path().join("empty.sqlite");
    Server::start(program, &database)?.stop()?;
    Ok(Connection::open(database)?.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

/// Sends the missing messages.
fn fill(program: &Path, database: &Path, size: Size) -> Result<()> {
    let server = Server::start(program, database)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let stored: i64 = Connection::open_with_flags(database, flags)?.query_row(
        "SELECT coalesce(max(id), 0) FROM messages",
        [],
        |row| row.get(0),
    )?;
    let mut stored = u64::try_from(stored)?;
    let token = server.log_in_sender()?;
    let mut source =
        MessageSource::new(Messages { recipients: size.users, body_bytes: BODY_BYTES });
    source.number = stored;
    let mut protocol = FillRequests { prefix: format!("send {token} "), source, size };
    let begin = Instant::now();
    while stored < size.messages {
        let step = STEP.min(size.messages - stored);
        let load = Load {
            connections: 64,
            pipeline: 32,
            rate: None,
            extent: Extent::Requests(step),
            warm_up: Duration::ZERO,
        };
        let outcome = generator::run(server.address(), &mut protocol, &load)?;
        stored += outcome.acknowledged;
        eprintln!(
            "{} users: {stored} of {} messages after {:.0} s, {:.0} a second",
            size.users,
            size.messages,
            begin.elapsed().as_secs_f64(),
            outcome.rate
        );
    }
    server.stop()
}

/// The protocol for the messages: `send` to random users and, at equal distances, to those two.
struct FillRequests {
    prefix: String,
    source: MessageSource,
    size: Size,
}

impl Protocol for FillRequests {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix.as_bytes());
        let (number, recipient) = (self.source.number, self.source.recipient());
        let is_turn = |count: u64, place| number % (self.size.messages / count) == place;
        if is_turn(self.size.scattered(), 0) {
            out.extend_from_slice(SCATTERED.as_bytes());
        } else if is_turn(HUNDRED_MESSAGES, 1) {
            out.extend_from_slice(HUNDRED.as_bytes());
        } else {
            write_recipient(out, recipient);
        }
        out.push(b' ');
        self.source.write_body(out);
        out.extend_from_slice(b"\r\n");
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        chat::sent(received)
    }
}
