//! Finding messages to delete, and deleting them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{MailboxId, MessageId, RoomId, Timestamp, UserId};
use crate::store::sqlite::expiry;
use crate::store::sqlite::message_log;
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::users;
use crate::store::sqlite::row;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::purge::{FindToPurge, Purge, PurgeCandidates, PurgeFilter, PurgeSide};
use crate::store::types::rooms::merge;

/// The maximum number of messages that one step looks at.
const SCAN_MESSAGES_MAX: usize = 10_000;
/// The maximum number of messages that one step deletes, because senders wait for it.
const PURGE_MESSAGES_MAX: usize = 128;
/// The maximum text that one step deletes, in bytes. A step deletes at least one message.
const PURGE_BYTES_MAX: u64 = 512 * 1024;

impl Query for FindToPurge {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<PurgeCandidates>> {
        find(context, &self.filter, self.after)
    }
}

impl Apply for Purge {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<usize> {
        delete(context, &self.ids, self.unread_too)
    }
}

fn find(
    ReadContext { connection, now, .. }: &ReadContext<'_>,
    purge: &PurgeFilter,
    after: MessageId,
) -> rusqlite::Result<Option<PurgeCandidates>> {
    let (connection, now) = (*connection, *now);
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
                PurgeSide::Sent => sender == user,
                PurgeSide::Received => recipient == user,
                PurgeSide::Both => sender == user || recipient == user,
            })
    };
    let mut found = PurgeCandidates { ids: Vec::new(), unread: 0, upto: after, more: false };
    let mut read_marks = ReadMarks::at(now);
    let mut bytes = 0;
    // SQLite knows the length of a text without reading the text.
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
        let fits = fits(row.get(1)?, row.get(2)?, recipient);
        if fits && (!purge.deleted_only || is_deleted(connection, id)?) {
            if !purge.unread_too && read_marks.is_unread(connection, MailboxId(recipient), id)? {
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
    context: &mut WriteContext<'_>,
    ids: &[MessageId],
    unread_too: bool,
) -> rusqlite::Result<usize> {
    let newest = context.newest()?;
    message_log::raise_floor(context.connection, newest)?;
    let connection = context.connection;
    let mut find = connection
        .prepare_cached("SELECT recipient_id, sender_id, key FROM messages WHERE id = ?1")?;
    // A message that its users have deleted has no words in the index.
    let mut find_text =
        connection.prepare_cached("SELECT body, details FROM folded_messages WHERE id = ?1")?;
    // Dead letters, edits and the deletion go with their message.
    let mut delete = connection.prepare_cached("DELETE FROM messages WHERE id = ?1")?;
    let mut read_marks = ReadMarks::at(context.clock.now());
    let mut deleted = 0;
    for &id in ids {
        let found = find
            .query_row([id.0], |row| {
                let (recipient, sender) = (MailboxId(row.get(0)?), UserId(row.get(1)?));
                Ok((recipient, sender, row.get::<_, Option<String>>(2)?))
            })
            .optional()?;
        let Some((recipient, sender, key)) = found else { continue };
        let text = find_text
            .query_row([id.0], |row| {
                // As the index was written: `check` reports a text or details that are invalid.
                let body = row.get_ref(0)?.as_str().unwrap_or_default().to_owned();
                Ok((body, row::details(row, 1).ok().flatten()))
            })
            .optional()?;
        if !unread_too && read_marks.is_unread(connection, recipient, id)? {
            continue;
        }
        deleted += delete.execute([id.0])?;
        let parties = (sender, recipient);
        if let Some((body, details)) = text {
            context.words.delete(connection, id, parties, (&body, details.as_deref()))?;
        }
        context.deliveries.delete(connection, recipient, id)?;
        if let Some(key) = key {
            context.keys.delete(connection, sender, &key, id)?;
        }
        context.cache.must_count(recipient);
    }
    Ok(deleted)
}

/// Which messages of each mailbox are unread, cached for one step: after the first id of a pair, up to
/// and including the second.
struct ReadMarks {
    unread: HashMap<MailboxId, Vec<(MessageId, MessageId)>>,
    now: Timestamp,
}

impl ReadMarks {
    fn at(now: Timestamp) -> Self {
        Self { unread: HashMap::new(), now }
    }

    /// Whether the message is unread, or a dead letter. One that has expired is not unread, and one
    /// that its users have deleted is neither.
    fn is_unread(
        &mut self,
        connection: &Connection,
        mailbox: MailboxId,
        id: MessageId,
    ) -> rusqlite::Result<bool> {
        Ok(self.is_after_cursors(connection, mailbox, id)? && !is_deleted(connection, id)?)
    }

    fn is_after_cursors(
        &mut self,
        connection: &Connection,
        mailbox: MailboxId,
        id: MessageId,
    ) -> rusqlite::Result<bool> {
        let unread = match self.unread.entry(mailbox) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(match mailbox.room() {
                None => vec![(lowest_cursor(connection, mailbox)?, MessageId(i64::MAX))],
                Some(room) => unread_in_room(connection, room)?,
            }),
        };
        let place = unread.partition_point(|&(_, upto)| upto < id);
        if unread.get(place).is_some_and(|&(after, _)| after < id)
            && !expiry::has_expired(connection, id, self.now)?
        {
            return Ok(true);
        }
        connection
            .prepare_cached("SELECT 1 FROM dead_letters WHERE message_id = ?1")?
            .exists([id.0])
    }
}

/// Whether its users have deleted the message.
fn is_deleted(connection: &Connection, id: MessageId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM message_changes WHERE message_id = ?1 AND body IS NULL")?
        .exists([id.0])
}

/// The lowest place of the cursors of a mailbox's user. The cursor `inbox` is at 0 if it was never moved. A
/// deleted user has read everything, because nobody reads that inbox.
fn lowest_cursor(connection: &Connection, mailbox: MailboxId) -> rusqlite::Result<MessageId> {
    connection
        .prepare_cached(
            "SELECT CASE
                    WHEN EXISTS (SELECT 1 FROM users WHERE id = ?1 AND deleted_at IS NOT NULL) THEN ?2
                    WHEN max(name = 'inbox') THEN min(upto_id) ELSE 0 END
               FROM cursors WHERE user_id = ?1",
        )?
        .query_row([mailbox.0, i64::MAX], |row| {
            Ok(MessageId(row.get::<_, Option<i64>>(0)?.unwrap_or(0)))
        })
}

/// The intervals of the message log in which a message to a room is unread for a member who got it,
/// or for a former one. A muted room is unread for nobody.
fn unread_in_room(
    connection: &Connection,
    room: RoomId,
) -> rusqlite::Result<Vec<(MessageId, MessageId)>> {
    let mut statement = connection.prepare_cached(
        "SELECT max(p.joined_after,
                    coalesce((SELECT CASE WHEN max(c.name = 'inbox') THEN min(c.upto_id) ELSE 0 END
                                FROM cursors c WHERE c.user_id = p.user_id), 0)),
                coalesce(p.left_upto, ?2)
           FROM memberships p JOIN users u ON u.id = p.user_id AND u.deleted_at IS NULL
          WHERE p.room_id = ?1
            AND (SELECT n.notify FROM memberships n
                  WHERE n.user_id = p.user_id AND n.room_id = p.room_id
                  ORDER BY n.joined_after DESC LIMIT 1) <> 'none'",
    )?;
    let ranges = statement.query_map([room.0, i64::MAX], |row| {
        Ok((MessageId(row.get(0)?), MessageId(row.get(1)?)))
    })?;
    Ok(merge(ranges.collect::<Result<_, _>>()?))
}
