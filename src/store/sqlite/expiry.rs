//! Messages that expire, in the file. `migrations/sqlite/18-expiry` has the table.

use rusqlite::{CachedStatement, Connection};

use crate::model::{Details, MailboxId, MessageId, Timestamp, UserId};
use crate::store::sqlite::bulk_insert::BulkInsert;

/// Two clocks that differ by less agree: neither was set. In milliseconds.
const CLOCKS_NEAR_MS: u64 = 1_000;

/// Inserts rows of [`Expiry`].
pub(in crate::store) const EXPIRING: BulkInsert = BulkInsert {
    into: "INSERT OR FAIL INTO expiring (message_id, mailbox_id, expires_at, said_at)",
    columns: 4,
};

/// When a message expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Expiry {
    /// By the clock of the sessions.
    pub(in crate::store) expires_at: Timestamp,
    /// By the system's clock.
    pub(in crate::store) said_at: Timestamp,
}

impl Expiry {
    /// Of a message with these details, sent at `at` by the system's clock. `None` if it does not
    /// expire. `now` is that time by the clock of the sessions.
    pub(in crate::store) fn of(
        details: Option<&Details>,
        at: Timestamp,
        now: impl FnOnce() -> Timestamp,
    ) -> Option<Self> {
        let said_at = details?.expires_of(at)?;
        let ahead = now().0.saturating_sub(at.0);
        let is_set = ahead.unsigned_abs() > CLOCKS_NEAR_MS;
        let ahead = if is_set { ahead } else { 0 };
        Some(Self { expires_at: Timestamp(said_at.0.saturating_add(ahead)), said_at })
    }
}

/// Notes that a message expires.
pub(in crate::store) fn insert(
    connection: &Connection,
    (message, mailbox): (MessageId, MailboxId),
    expiry: Expiry,
) -> rusqlite::Result<()> {
    EXPIRING.insert(connection, [expiry], |values, Expiry { expires_at, said_at }| {
        values.bind(message.0)?;
        values.bind(mailbox.0)?;
        values.bind(expires_at.0)?;
        values.bind(said_at.0)
    })
}

/// Forgets that a message expires, because it is deleted.
pub(in crate::store) fn remove(
    connection: &Connection,
    message: MessageId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM expiring WHERE message_id = ?1")?
        .execute([message.0])
        .map(drop)
}

/// Takes the system's clock, as a start does.
pub(in crate::store) fn take_system_time(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE expiring SET expires_at = said_at WHERE expires_at <> said_at")?
        .execute([])
        .map(drop)
}

/// Whether a message has expired.
pub(in crate::store) fn has_expired(
    connection: &Connection,
    message: MessageId,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM expiring WHERE message_id = ?1 AND expires_at <= ?2")?
        .exists([message.0, now.0])
}

/// Counts the messages to a user after an id that have expired.
pub(in crate::store) fn count_expired(
    connection: &Connection,
    user: UserId,
    after: MessageId,
    now: Timestamp,
) -> rusqlite::Result<u64> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM expiring
              WHERE mailbox_id = ?1 AND message_id > ?2 AND expires_at <= ?3",
        )?
        .query_row([user.0, after.0, now.0], |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}

/// The messages that have expired at one moment, for a read that looks at many. Where no message
/// expires, each costs a comparison.
pub(in crate::store) struct Expired<'c> {
    find: CachedStatement<'c>,
    /// The lowest and the highest id of those that expire.
    ends: Option<(i64, i64)>,
    now: Timestamp,
    /// When the first of those expires that were asked for and have not, by the system's clock.
    pub(in crate::store) next: Option<Timestamp>,
}

impl<'c> Expired<'c> {
    /// Those that have expired at `now`.
    pub(in crate::store) fn at(
        connection: &'c Connection,
        now: Timestamp,
    ) -> rusqlite::Result<Self> {
        let ends: (Option<i64>, Option<i64>) = connection
            .prepare_cached(
                "SELECT (SELECT min(message_id) FROM expiring),
                        (SELECT max(message_id) FROM expiring)",
            )?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let find = connection
            .prepare_cached("SELECT expires_at, said_at FROM expiring WHERE message_id = ?1")?;
        Ok(Self { find, ends: ends.0.zip(ends.1), now, next: None })
    }

    /// Whether this message is one of them.
    pub(in crate::store) fn has(&mut self, message: MessageId) -> rusqlite::Result<bool> {
        match self.ends {
            Some((lowest, highest)) if (lowest..=highest).contains(&message.0) => {
                self.look_up(message)
            }
            _ => Ok(false),
        }
    }

    fn look_up(&mut self, message: MessageId) -> rusqlite::Result<bool> {
        let mut rows = self.find.query([message.0])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        if Timestamp(row.get(0)?) <= self.now {
            return Ok(true);
        }
        let said_at = Timestamp(row.get(1)?);
        self.next = Some(self.next.map_or(said_at, |next| next.min(said_at)));
        Ok(false)
    }
}

/// Derives all rows from the messages again.
pub(in crate::store) fn rebuild(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM expiring", [])?;
    let mut messages = connection.prepare(
        "SELECT id, recipient_id, sent_at, details FROM folded_messages
          WHERE details LIKE '%\"expires%'",
    )?;
    let mut rows = messages.query([])?;
    while let Some(row) = rows.next()? {
        let at = Timestamp(row.get(2)?);
        // `check` reports details that are invalid.
        let details = Details::from_json(row.get_ref(3)?.as_str().unwrap_or_default()).ok();
        if let Some(expiry) = Expiry::of(details.as_ref(), at, || at) {
            let place = (MessageId(row.get(0)?), MailboxId(row.get(1)?));
            insert(connection, place, expiry)?;
        }
    }
    Ok(())
}

/// The messages whose row is missing, wrong, or one too many: at most `max`.
pub(in crate::store) fn wrong_rows(
    connection: &Connection,
    max: usize,
) -> rusqlite::Result<Vec<MessageId>> {
    let mut statement = connection.prepare(
        "SELECT e.message_id, m.recipient_id = e.mailbox_id, m.sent_at, m.details, e.said_at
           FROM expiring e LEFT JOIN folded_messages m ON m.id = e.message_id
          UNION ALL
         SELECT m.id, 0, m.sent_at, m.details, NULL
           FROM folded_messages m
          WHERE m.details LIKE '%\"expires%'
            AND NOT EXISTS (SELECT 1 FROM expiring e WHERE e.message_id = m.id)",
    )?;
    let mut rows = statement.query([])?;
    let mut wrong = Vec::new();
    while let Some(row) = rows.next()? {
        if wrong.len() >= max {
            break;
        }
        let is_in_place: Option<bool> = row.get(1)?;
        let at = row.get::<_, Option<i64>>(2)?.map_or(Timestamp(0), Timestamp);
        let text: Option<String> = row.get(3)?;
        let details = text.and_then(|text| Details::from_json(&text).ok());
        let expected = details.and_then(|details| details.expires_of(at));
        let said_at = row.get::<_, Option<i64>>(4)?.map(Timestamp);
        if expected != said_at || said_at.is_some() && is_in_place != Some(true) {
            wrong.push(MessageId(row.get(0)?));
        }
    }
    Ok(wrong)
}
