//! Taking messages out of the log for good. It is done in small steps: a reader looks for what fits,
//! and the writer deletes it among the sends, so that no sender waits for long.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{MessageId, Timestamp, UserId, UserName};
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::sqlite::operations::messages;
use crate::store::sqlite::operations::users;
use crate::store::sqlite::writer::{Context, Statements, Upkeep};

/// The most messages that one step looks at.
const SCAN_MESSAGES_MAX: usize = 10_000;
/// The most messages that one step deletes: what a sender may have to wait for.
const PURGE_MESSAGES_MAX: usize = 128;
/// The most text that one step deletes, in bytes; one message is always done.
const PURGE_BYTES_MAX: u64 = 512 * 1024;

/// Which messages are to go: those that all of it fits.
#[derive(Debug, Clone, Default)]
pub struct Purge {
    /// Taken before this moment.
    pub before: Option<Timestamp>,
    /// With a lower id than this.
    pub before_id: Option<MessageId>,
    /// Of this user.
    pub user: Option<(UserName, Part)>,
    /// Also what somebody has still to read.
    pub unread_too: bool,
}

/// Which of a user's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Those that the user has sent.
    Sent,
    /// Those that the user was sent.
    Received,
    /// All of them.
    Both,
}

/// What a step has found to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The messages.
    pub ids: Vec<MessageId>,
    /// How many more would have fitted, and are still to be read by somebody.
    pub unread: usize,
    /// Up to where it has looked.
    pub upto: MessageId,
    /// There is more after that.
    pub more: bool,
}

impl Store {
    /// Looks for what fits after an id, a step far. `None` where there is no such user. Changes
    /// nothing.
    ///
    /// A message is still to be read while any cursor of its recipient stands before it (`inbox`
    /// does where it was never moved), and while it is a dead letter.
    pub fn find_to_purge(
        &self,
        purge: Purge,
        after: MessageId,
        done: impl FnOnce(Result<Option<Found>, StoreError>) + Send + 'static,
    ) {
        self.readers.submit(None, move |connection| find(connection, &purge, after), done);
    }

    /// Deletes these messages, and tells how many; without `unread_too` those that have come to be
    /// unread since stay. When `done` is called nobody can find them any more, but they may still be
    /// read out of the log and the unused parts of the file: see [`Store::compact`].
    pub fn purge(
        &self,
        ids: Vec<MessageId>,
        unread_too: bool,
        done: impl FnOnce(Result<usize, StoreError>) + Send + 'static,
    ) {
        let purge = move |context: &mut Context<'_>| delete(context, &ids, unread_too);
        self.writer.submit(Statements::Several, purge, done);
    }

    /// Folds the whole log into the file and empties it: nothing that was deleted before can be read
    /// out of the log. Tells whether it did; somebody who reads for long keeps it from doing so, and it
    /// is then done later, when the writer has nothing else to do.
    pub fn fold_log(&self, done: impl FnOnce(Result<bool, StoreError>) + Send + 'static) {
        self.writer.keep_up(Upkeep::EmptyLog, done);
    }

    /// [`Store::fold_log`], after the file has been written anew without what is unused. Only then is
    /// nothing at all left of what was deleted: where pages were merged, the unused middle of one may
    /// still show a row that stood there once. Nobody can write while it lasts.
    pub fn compact(&self, done: impl FnOnce(Result<bool, StoreError>) + Send + 'static) {
        self.writer.keep_up(Upkeep::Compact, done);
    }

    /// How long the file is, in bytes, with everything that is still in its log.
    pub fn bytes(&self, done: impl FnOnce(Result<u64, StoreError>) + Send + 'static) {
        let read = |connection: &Connection| {
            let sql = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
            connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        };
        self.readers.submit(None, read, done);
    }
}

fn find(
    connection: &Connection,
    purge: &Purge,
    after: MessageId,
) -> rusqlite::Result<Option<Found>> {
    let user = match &purge.user {
        None => None,
        Some((name, part)) => match users::id_of(connection, name)? {
            Some(id) => Some((id, *part)),
            None => return Ok(None),
        },
    };
    let fits = |sent_at: i64, sender: i64, recipient: i64| {
        purge.before.is_none_or(|before| sent_at < before.0)
            && user.is_none_or(|(UserId(user), part)| match part {
                Part::Sent => sender == user,
                Part::Received => recipient == user,
                Part::Both => sender == user || recipient == user,
            })
    };
    let mut found = Found { ids: Vec::new(), unread: 0, upto: after, more: false };
    let mut waiting = Waiting::default();
    let mut bytes = 0;
    // The body's length is known without reading it.
    let mut statement = connection.prepare_cached(
        "SELECT id, sent_at, sender_id, recipient_id, octet_length(body)
           FROM messages WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3",
    )?;
    let end = purge.before_id.map_or(i64::MAX, |id| id.0);
    let mut rows = statement.query(params![after.0, end, SCAN_MESSAGES_MAX as i64])?;
    let mut seen = 0;
    while let Some(row) = rows.next()? {
        let id = MessageId(row.get(0)?);
        let recipient: i64 = row.get(3)?;
        if fits(row.get(1)?, row.get(2)?, recipient) {
            if !purge.unread_too && waiting.is_waiting(connection, UserId(recipient), id)? {
                found.unread += 1;
            } else {
                bytes += row.get::<_, i64>(4)?.unsigned_abs();
                let full = found.ids.len() >= PURGE_MESSAGES_MAX || bytes > PURGE_BYTES_MAX;
                if full && !found.ids.is_empty() {
                    found.more = true;
                    return Ok(Some(found));
                }
                found.ids.push(id);
            }
        }
        found.upto = id;
        seen += 1;
    }
    found.more = seen == SCAN_MESSAGES_MAX;
    Ok(Some(found))
}

fn delete(
    context: &mut Context<'_>,
    ids: &[MessageId],
    unread_too: bool,
) -> rusqlite::Result<usize> {
    let newest = messages::newest(context)?;
    messages::raise_floor(context.connection, newest)?;
    let connection = context.connection;
    let mut find = connection
        .prepare_cached("SELECT recipient_id, sender_id, key FROM messages WHERE id = ?1")?;
    // The dead letters that refer to it go with it.
    let mut delete = connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?;
    let mut waiting = Waiting::default();
    let mut deleted = 0;
    for &id in ids {
        let found = find
            .query_row([id.0], |row| Ok((UserId(row.get(0)?), UserId(row.get(1)?), row.get(2)?)))
            .optional()?;
        let Some((recipient, sender, key)) = found else { continue };
        let key: Option<String> = key;
        if !unread_too && waiting.is_waiting(connection, recipient, id)? {
            continue;
        }
        deleted += delete.execute([id.0])?;
        context.deliveries.remove(connection, recipient, id)?;
        if let Some(key) = key {
            context.keys.remove(connection, sender, &key, id)?;
        }
        context.memory.recount(recipient);
    }
    Ok(deleted)
}

/// Up to where each recipient has read everything, as far as it was looked up.
#[derive(Default)]
struct Waiting {
    read_upto: HashMap<UserId, MessageId>,
}

impl Waiting {
    /// Whether somebody has still to read or to deal with this message.
    fn is_waiting(
        &mut self,
        connection: &Connection,
        recipient: UserId,
        id: MessageId,
    ) -> rusqlite::Result<bool> {
        let read_upto = match self.read_upto.entry(recipient) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => *entry.insert(read_by_all(connection, recipient)?),
        };
        if id > read_upto {
            return Ok(true);
        }
        connection
            .prepare_cached("SELECT 1 FROM dead_letters WHERE message_id = ?1")?
            .exists([id.0])
    }
}

/// Up to where all cursors of a user have come; `inbox` counts also where it was never moved.
/// A deleted user has none, and nobody will ever read what is there.
fn read_by_all(connection: &Connection, user: UserId) -> rusqlite::Result<MessageId> {
    connection
        .prepare_cached(
            "SELECT CASE
                    WHEN EXISTS (SELECT 1 FROM users WHERE id = ?1 AND deleted_at IS NOT NULL) THEN ?2
                    WHEN max(name = 'inbox') THEN min(upto_id) ELSE 0 END
               FROM cursors WHERE user_id = ?1",
        )?
        .query_row([user.0, i64::MAX], |row| {
            Ok(MessageId(row.get::<_, Option<i64>>(0)?.unwrap_or(0)))
        })
}
