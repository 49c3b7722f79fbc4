//! Reads a file for an export.

use rusqlite::{Connection, Row, params};

use crate::model::{Body, Key, MailboxId, MessageId, RoomId, Timestamp, UserId};
use crate::store::export::{
    self, Export, ExportError, ExportedMessage, ExportedUser, PAGE_BYTES_MAX, Source, Start,
};
use crate::store::sqlite::message_log;
use crate::store::sqlite::operations::users;
use crate::store::sqlite::rooms::{is_read_in_room, room_name, word};
use crate::store::sqlite::row::{cursor_name, details, not_a_value, user_name};
use crate::store::sqlite::tools::offline::OfflineDatabase;
use crate::transfer::{Cursor, CursorOf, Membership, PasswordHash, Record, Room, User};

/// The maximum number of messages of one read.
const PAGE_MESSAGES_MAX: usize = 1_000;

impl OfflineDatabase {
    /// See [`crate::store::Exporter::export`]. Users and cursors come from one snapshot. The
    /// messages are those of that snapshot, except messages that are purged during the export.
    pub(in crate::store) fn export<E>(
        &self,
        export: &Export,
        take: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), ExportError<E>> {
        let range = Range { after: export.after(), newest: MessageId::ZERO, only: None };
        export::export(&mut Pages { connection: &self.connection, range }, export, take)
    }
}

/// Reads the messages page by page, each from a snapshot of its own: an old snapshot would let the
/// WAL of a running server grow.
struct Pages<'a> {
    connection: &'a Connection,
    range: Range,
}

/// The messages that are still to be exported.
#[derive(Clone, Copy)]
struct Range {
    after: MessageId,
    newest: MessageId,
    only: Option<UserId>,
}

impl Source for Pages<'_> {
    fn start(&mut self, export: &Export) -> Result<Option<Start>, String> {
        let start = start(self.connection, export).map_err(|error| error.to_string())?;
        if let Some(Start { newest, only, .. }) = start {
            self.range = Range { newest, only, ..self.range };
        }
        Ok(start)
    }

    fn next_messages(&mut self) -> Result<Vec<ExportedMessage>, String> {
        let messages = page(self.connection, self.range).map_err(|error| error.to_string())?;
        if let Some(last) = messages.last() {
            self.range.after = last.id;
        }
        Ok(messages)
    }
}

fn start(connection: &Connection, export: &Export) -> rusqlite::Result<Option<Start>> {
    let snapshot = connection.unchecked_transaction()?;
    let only = match &export.user {
        None => None,
        Some(name) => match users::id_of(&snapshot, name)? {
            Some(id) => Some(id),
            None => return Ok(None),
        },
    };
    let wants_secret = |id: UserId| export.with_secrets && only.is_none_or(|only| only == id);
    let users = snapshot
        .prepare(
            "SELECT id, name, display_name, created_at, disabled_at, deleted_at,
                    password_hash, password_is_published
               FROM users ORDER BY id",
        )?
        .query_map([], |row| {
            let id = UserId(row.get(0)?);
            let moment = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp));
            let hash = PasswordHash { hash: row.get(6)?, is_published: row.get(7)? };
            let record = User {
                name: user_name(row, 1)?,
                display_name: row.get(2)?,
                created_at: Timestamp(row.get(3)?),
                disabled_at: moment(4)?,
                deleted_at: moment(5)?,
                password: wants_secret(id).then_some(hash),
            };
            Ok(ExportedUser::new(id, record))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let cursors = snapshot
        .prepare(
            "SELECT u.name, c.name, c.upto_id, c.moved_at
               FROM cursors c JOIN users u ON u.id = c.user_id
              WHERE ?1 IS NULL OR u.id = ?1 ORDER BY u.id, c.name",
        )?
        .query_map([only.map(|id| id.0)], |row| {
            Ok(Cursor {
                user: user_name(row, 0)?,
                cursor: cursor_name(row, 1)?,
                upto: MessageId(row.get(2)?),
                moved_at: Timestamp(row.get(3)?),
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let newest = message_log::newest_given(&snapshot)?;
    let (rooms, memberships) = (rooms(&snapshot, only)?, memberships(&snapshot, only)?);
    Ok(Some(Start { newest, only, users, rooms, memberships, cursors }))
}

/// The rooms that a user is or was in, or all.
fn rooms(connection: &Connection, only: Option<UserId>) -> rusqlite::Result<Vec<(RoomId, Room)>> {
    connection
        .prepare(
            "SELECT id, name, topic, is_private, posting, history, created_at, archived_at
               FROM rooms
              WHERE ?1 IS NULL OR id IN (SELECT room_id FROM memberships WHERE user_id = ?1)
              ORDER BY id",
        )?
        .query_map([only.map(|id| id.0)], |row| {
            let room = Room {
                room: room_name(row, 1)?,
                topic: word(row, 2)?,
                private: row.get(3)?,
                posting: word(row, 4)?,
                history: word(row, 5)?,
                created_at: Timestamp(row.get(6)?),
                archived_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
            };
            Ok((RoomId(row.get(0)?), room))
        })?
        .collect()
}

/// The memberships of a user, or all.
fn memberships(connection: &Connection, only: Option<UserId>) -> rusqlite::Result<Vec<Membership>> {
    connection
        .prepare(
            "SELECT o.name, u.name, p.role, p.notify, p.joined_after, p.sees_after, p.left_upto
               FROM memberships p
               JOIN rooms o ON o.id = p.room_id
               JOIN users u ON u.id = p.user_id
              WHERE ?1 IS NULL OR p.user_id = ?1
              ORDER BY p.room_id, p.user_id, p.joined_after",
        )?
        .query_map([only.map(|id| id.0)], |row| {
            Ok(Membership {
                room: room_name(row, 0)?,
                user: user_name(row, 1)?,
                role: word(row, 2)?,
                notify: word(row, 3)?,
                joined_after: MessageId(row.get(4)?),
                sees_after: MessageId(row.get(5)?),
                left_upto: row.get::<_, Option<i64>>(6)?.map(MessageId),
            })
        })?
        .collect()
}

fn page(connection: &Connection, range: Range) -> rusqlite::Result<Vec<ExportedMessage>> {
    let Range { after, newest, only } = range;
    let snapshot = connection.unchecked_transaction()?;
    let mut statement = snapshot.prepare_cached(concat!(
        "SELECT m.id, m.sent_at, m.sender_id, m.recipient_id, m.key, m.body, m.details
           FROM messages m
          WHERE m.id > ?1 AND m.id <= ?2
            AND (?3 IS NULL OR ?3 IN (m.sender_id, m.recipient_id) OR ",
        is_read_in_room!("?3"),
        ")
          ORDER BY m.id LIMIT ?4"
    ))?;
    let mut dead_for = snapshot.prepare_cached(
        "SELECT u.name, d.cursor FROM dead_letters d JOIN users u ON u.id = d.user_id
          WHERE d.message_id = ?1 AND (?2 IS NULL OR d.user_id = ?2) ORDER BY u.id, d.cursor",
    )?;
    let mut dead = snapshot.prepare_cached(
        "SELECT cursor FROM dead_letters WHERE message_id = ?1 AND user_id = ?2 ORDER BY cursor",
    )?;
    let mut rows = statement.query(params![
        after.0,
        newest.0,
        only.map(|id| id.0),
        PAGE_MESSAGES_MAX as i64
    ])?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let mut message = message(row)?;
        // What could not be dealt with is its recipient's own business.
        if message.recipient.room().is_some() {
            message.dead_for = dead_for
                .query_map(params![message.id.0, only.map(|id| id.0)], |row| {
                    Ok(CursorOf { user: user_name(row, 0)?, cursor: cursor_name(row, 1)? })
                })?
                .collect::<rusqlite::Result<_>>()?;
        } else if only.is_none_or(|only| message.recipient == only.into()) {
            message.dead = dead
                .query_map([message.id.0, message.recipient.0], |row| cursor_name(row, 0))?
                .collect::<rusqlite::Result<_>>()?;
        }
        bytes += message.body.as_str().len();
        bytes += message.details.as_ref().map_or(0, |details| details.text_bytes());
        page.push(message);
        if bytes >= PAGE_BYTES_MAX {
            break;
        }
    }
    Ok(page)
}

fn message(row: &Row<'_>) -> rusqlite::Result<ExportedMessage> {
    let (key, body): (Option<Box<str>>, Box<str>) = (row.get(4)?, row.get(5)?);
    let key: Option<Key> =
        key.map(|key| key.parse()).transpose().map_err(|error| not_a_value(4, error))?;
    Ok(ExportedMessage {
        id: MessageId(row.get(0)?),
        at: Timestamp(row.get(1)?),
        sender: UserId(row.get(2)?),
        recipient: MailboxId(row.get(3)?),
        key,
        body: Body::try_from(body).map_err(|error| not_a_value(5, error))?,
        details: details(row, 6)?,
        dead: Vec::new(),
        dead_for: Vec::new(),
    })
}
