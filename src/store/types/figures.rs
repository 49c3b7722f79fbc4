//! How much is stored, and whether the store can still be written and read.

use crate::model::{MessageId, Timestamp};
use crate::store::operation::{Read, Write};
use crate::store::types::sessions::Live;

/// Counts users and sessions. Reads all of both: not for every request.
pub struct CountTotals(pub Live);

impl Read for CountTotals {
    type Answer = Totals;
}

/// What [`CountTotals`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// Users who may log in.
    pub users: i64,
    /// Sessions that have not expired.
    pub sessions: i64,
    /// The newest message; [`MessageId::ZERO`] where there is none.
    pub newest: MessageId,
}

/// Counts everything, as of one snapshot. Takes long where there is much.
pub struct CountAll {
    /// What the clock on the wall says, for messages.
    pub wall: Timestamp,
    /// Which sessions have expired.
    pub live: Live,
}

impl Read for CountAll {
    type Answer = Statistics;
}

/// What [`CountAll`] found.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Users who may log in.
    pub users_active: u64,
    /// Users who may not, for now.
    pub users_disabled: u64,
    /// Users of whom the name and the messages are left.
    pub users_deleted: u64,
    /// Sessions that have not expired.
    pub sessions: u64,
    /// Messages, one for each recipient.
    pub messages: u64,
    /// The newest of them.
    pub newest: MessageId,
    /// Messages of the last hour.
    pub messages_last_hour: u64,
    /// Messages of the last 24 hours.
    pub messages_last_day: u64,
    /// Messages that their recipients have not read, of users who are not deleted.
    pub unread: u64,
    /// The size of the file.
    pub file_bytes: u64,
    /// The size of the WAL.
    pub log_bytes: u64,
    /// How much of the file is free for new rows.
    pub free_bytes: u64,
    /// The version of the schema.
    pub schema: u32,
}

/// How many bytes the database takes, with what is still in its WAL.
pub struct DatabaseBytes;

impl Read for DatabaseBytes {
    type Answer = u64;
}

/// Does nothing: the answer says that the writer still takes operations.
#[derive(Debug, Clone, Copy)]
pub struct Ping;

impl Write for Ping {
    type Answer = ();
}

/// Writes a moment, to find out whether writing works. Durable when the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct WriteProbe(pub Timestamp);

impl Write for WriteProbe {
    type Answer = ();
}

/// Whether that moment, or a later one, can be read.
pub struct ReadProbe(pub Timestamp);

impl Read for ReadProbe {
    type Answer = bool;
}
