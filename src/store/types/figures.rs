//! Figures about the database, and probes that show whether it can be written and read.

use crate::model::{MessageId, Timestamp};
use crate::store::operation::{Read, Write};
use crate::store::types::sessions::Live;

/// Counts users and sessions. Reads all rows of both, so it is too slow for every request.
pub struct CountTotals(pub Live);

impl Read for CountTotals {
    type Answer = Totals;
}

/// The answer of [`CountTotals`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Users who may log in.
    pub users: i64,
    /// Sessions that have not expired.
    pub sessions: i64,
    /// The newest message; [`MessageId::ZERO`] if there is none.
    pub newest: MessageId,
}

/// Counts everything in one snapshot. Takes long if there is much to count.
pub struct CountAll {
    /// The wall clock, for messages of the last hour and day.
    pub wall: Timestamp,
    /// Which sessions have not expired.
    pub live: Live,
}

impl Read for CountAll {
    type Answer = Statistics;
}

/// The answer of [`CountAll`].
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Users who may log in.
    pub users_active: u64,
    /// Users who are disabled and not deleted.
    pub users_disabled: u64,
    /// Deleted users, whose name and messages remain.
    pub users_deleted: u64,
    /// Sessions that have not expired.
    pub sessions: u64,
    /// Messages, one for each recipient.
    pub messages: u64,
    /// The newest message.
    pub newest: MessageId,
    /// Messages of the last hour.
    pub messages_last_hour: u64,
    /// Messages of the last 24 hours.
    pub messages_last_day: u64,
    /// Unread messages of all users who are not deleted.
    pub unread: u64,
    /// The size of the database file, in bytes.
    pub file_bytes: u64,
    /// The size of the WAL file, in bytes.
    pub wal_bytes: u64,
    /// The part of the database file that is free for new rows, in bytes.
    pub free_bytes: u64,
    /// The schema's version.
    pub schema: u32,
}

/// The size of the database in bytes, including pages that are still in the WAL.
pub struct DatabaseBytes;

impl Read for DatabaseBytes {
    type Answer = u64;
}

/// Does nothing. The answer shows that the writer still executes operations.
#[derive(Debug, Clone, Copy)]
pub struct Ping;

impl Write for Ping {
    type Answer = ();
}

/// Stores a timestamp, to find out whether writing works. Durable when the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct WriteProbe(pub Timestamp);

impl Write for WriteProbe {
    type Answer = ();
}

/// Whether this timestamp of [`WriteProbe`], or a later one, can be read.
pub struct ReadProbe(pub Timestamp);

impl Read for ReadProbe {
    type Answer = bool;
}
