//! The index of words, for searches. It is derived from the message log and written behind it, while
//! the writer is idle: storing a message costs nothing more for it.
//!
//! A row of `meta` says how far the index has come. It is written in the same transaction as the
//! index, so a server that was killed goes on where it was. A search looks at newer messages
//! directly. `migrations/sqlite/09-search` has the table.

use std::collections::BTreeSet;
use std::hash::BuildHasher;
use std::time::{Duration, Instant};

use foldhash::fast::FixedState;
use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{Details, MailboxId, MessageId, UserId};
use crate::search::{self, TOKENS_VERSION};
use crate::store::sqlite::message_log;
use crate::store::sqlite::row;

/// The most messages that one step indexes, and how long it takes beside its commit. A sender who
/// arrives during a step waits for its end.
const STEP_MESSAGES_MAX: usize = if cfg!(test) { 8 } else { 512 };
const STEP_TIME_MAX: Duration = Duration::from_millis(4);
/// With more messages to index than this, the writer also uses short pauses. Otherwise a server that
/// always has a little to do would never index anything.
const LAG_MESSAGES_MAX: i64 = if cfg!(test) { 16 } else { 4_096 };

/// The writer's view of the index.
#[derive(Debug)]
pub(in crate::store) struct Words {
    /// The index has the messages up to this one; what the open transaction has indexed, too.
    upto: MessageId,
    indexed: Option<MessageId>,
    /// The last step failed. It is tried again after the next start.
    is_postponed: bool,
}

/// Where the index ends. `None` if there is none of this version.
pub(in crate::store) fn upto(connection: &Connection) -> rusqlite::Result<Option<MessageId>> {
    connection
        .prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE name = ?1")?
        .query_row([mark()], |row| row.get(0).map(MessageId))
        .optional()
}

impl Words {
    pub(in crate::store) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let upto = upto(connection)?.unwrap_or(MessageId::ZERO);
        Ok(Self { upto, indexed: None, is_postponed: false })
    }

    /// How many messages are to be indexed, at most, if the newest message is this one.
    pub(in crate::store) fn lag(&self, newest: MessageId) -> i64 {
        if self.is_postponed { 0 } else { newest.0.saturating_sub(self.upto.0) }
    }

    /// Whether the index is so far behind that short pauses are used, too.
    pub(in crate::store) fn is_far_behind(&self, newest: MessageId) -> bool {
        self.lag(newest) > LAG_MESSAGES_MAX
    }

    /// Gives up until the next start, because a step failed.
    pub(in crate::store) fn postpone(&mut self) {
        self.is_postponed = true;
    }

    /// Indexes the next messages in the open transaction.
    pub(in crate::store) fn index_some(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let begin = match upto(connection)? {
            Some(upto) => upto,
            None => clear(connection)?,
        };
        let mut select = connection.prepare_cached(
            "SELECT id, sender_id, recipient_id, body, details FROM folded_messages
              WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut insert =
            connection.prepare_cached("INSERT INTO search (rowid, words) VALUES (?1, ?2)")?;
        let mut rows = select.query([begin.0, STEP_MESSAGES_MAX as i64])?;
        let begun = Instant::now();
        let (mut end, mut words) = (None, String::new());
        while let Some(row) = rows.next()? {
            let id = MessageId(row.get(0)?);
            let body = row.get_ref(3)?.as_str().unwrap_or_default();
            let parties = (UserId(row.get(1)?), MailboxId(row.get(2)?));
            // `check` reports invalid details, and no reader sees the message.
            let details = row::details(row, 4).ok().flatten();
            write_words(&mut words, parties, body, details.as_deref());
            insert.execute(params![id.0, words])?;
            end = Some(id);
            if begun.elapsed() >= STEP_TIME_MAX {
                break;
            }
        }
        let end = match end {
            Some(end) => end,
            // The newest messages were purged.
            None => message_log::newest_given(connection)?,
        };
        set_upto(connection, end)?;
        self.indexed = Some(end);
        Ok(())
    }

    /// Adds the words of a message that was edited in the open transaction. It has none then.
    pub(in crate::store) fn add(
        &self,
        connection: &Connection,
        id: MessageId,
        parties: (UserId, MailboxId),
        text: (&str, Option<&Details>),
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO search (rowid, words) VALUES (?1, ?2)";
        change(connection, id, parties, text, sql)
    }

    /// Removes the words of a message that is deleted or edited in the open transaction. They are
    /// those of its text so far.
    pub(in crate::store) fn delete(
        &self,
        connection: &Connection,
        id: MessageId,
        parties: (UserId, MailboxId),
        text: (&str, Option<&Details>),
    ) -> rusqlite::Result<()> {
        let sql = "INSERT INTO search (search, rowid, words) VALUES ('delete', ?1, ?2)";
        change(connection, id, parties, text, sql)
    }

    /// Indexes all messages anew in the open transaction.
    pub(in crate::store) fn rebuild(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        clear(connection)?;
        let newest = message_log::newest_given(connection)?;
        while upto(connection)?.is_some_and(|upto| upto < newest) {
            self.index_some(connection)?;
        }
        self.is_postponed = false;
        Ok(())
    }

    /// Updates the state after a commit.
    pub(in crate::store) fn committed(&mut self) {
        self.upto = self.indexed.take().unwrap_or(self.upto);
    }

    /// Updates the state after a rollback, of the transaction or of one operation.
    pub(in crate::store) fn rolled_back(&mut self) {
        self.indexed = None;
    }
}

/// Compares the index with the message log: up to its end, it has the tokens of all messages, and no
/// others. Reports what differs to `finding`.
pub(in crate::store) fn check(
    connection: &Connection,
    mut finding: impl FnMut(String),
) -> rusqlite::Result<()> {
    let Some(upto) = upto(connection)? else { return Ok(()) };
    let newest = message_log::newest_given(connection)?;
    if upto > newest {
        finding(format!(
            "the index of words ends at {}, and the newest id is {newest}",
            upto.0,
            newest = newest.0
        ));
    }
    // The order of the tokens differs, so sums of hashes are compared.
    let (mut expected, mut found) = (0_u64, 0_u64);
    let hash = |token: &str, id: i64| FixedState::default().hash_one((token, id));
    let is_folded = connection.table_exists(None, "message_changes")?;
    let mut select = connection.prepare(if is_folded {
        "SELECT id, sender_id, recipient_id, body, details FROM folded_messages WHERE id <= ?1"
    } else {
        "SELECT id, sender_id, recipient_id, body, details FROM messages WHERE id <= ?1"
    })?;
    let mut rows = select.query([upto.0])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let parties = (UserId(row.get(1)?), MailboxId(row.get(2)?));
        let body = row.get_ref(3)?.as_str().unwrap_or_default();
        let details = row::details(row, 4).ok().flatten();
        let mut tokens = BTreeSet::new();
        search::tokens(parties, body, details.as_deref(), |token| {
            tokens.insert(token.to_owned());
        });
        tokens.iter().for_each(|token| expected = expected.wrapping_add(hash(token, id)));
    }
    let mut select = connection.prepare("SELECT term, doc FROM search_tokens")?;
    let mut rows = select.query([])?;
    while let Some(row) = rows.next()? {
        let term = row.get_ref(0)?.as_str().unwrap_or_default();
        found = found.wrapping_add(hash(term, row.get(1)?));
    }
    if found != expected {
        finding("the index of words does not fit the messages: run check --rebuild".to_owned());
    }
    Ok(())
}

/// The row of `meta`. Another version of the tokens has another one.
fn mark() -> String {
    format!("search_upto.{TOKENS_VERSION}")
}

/// Empties the index.
fn clear(connection: &Connection) -> rusqlite::Result<MessageId> {
    connection.execute("INSERT INTO search (search) VALUES ('delete-all')", [])?;
    connection.execute("DELETE FROM meta WHERE name LIKE 'search\\_upto.%' ESCAPE '\\'", [])?;
    set_upto(connection, MessageId::ZERO)?;
    Ok(MessageId::ZERO)
}

fn set_upto(connection: &Connection, upto: MessageId) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, CAST(?2 AS TEXT))
             ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![mark(), upto.0])
        .map(drop)
}

/// Adds or removes the words of a message, by this statement, if the index has come to it.
fn change(
    connection: &Connection,
    id: MessageId,
    parties: (UserId, MailboxId),
    (body, details): (&str, Option<&Details>),
    sql: &str,
) -> rusqlite::Result<()> {
    if upto(connection)?.is_none_or(|upto| id > upto) {
        return Ok(());
    }
    let mut words = String::new();
    write_words(&mut words, parties, body, details);
    connection.prepare_cached(sql)?.execute(params![id.0, words]).map(drop)
}

/// Writes the tokens of a message, separated by spaces.
pub(in crate::store) fn write_words(
    words: &mut String,
    parties: (UserId, MailboxId),
    body: &str,
    details: Option<&Details>,
) {
    words.clear();
    search::tokens(parties, body, details, |token| {
        words.push_str(token);
        words.push(' ');
    });
}
