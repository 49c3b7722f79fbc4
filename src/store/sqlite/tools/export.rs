//! Reads a file for an export.

use std::collections::HashMap;
use std::iter::Peekable;
use std::vec::IntoIter;

use rusqlite::{Connection, Row, params};

use crate::model::{
    Body, CursorName, Key, MailboxId, MessageId, RoomId, StatusText, Timestamp, UserId, UserName,
};
use crate::store::export::{
    self, Export, ExportError, ExportedMessage, ExportedUser, PAGE_BYTES_MAX, Source, Start,
};
use crate::store::sqlite::message_log;
use crate::store::sqlite::operations::{blocks, users};
use crate::store::sqlite::rooms::{memberships_of, room_name, word};
use crate::store::sqlite::row::{cursor_name, details, not_a_value, user_name};
use crate::store::sqlite::tools::offline::OfflineDatabase;
use crate::store::types::blocks::Blocks;
use crate::store::types::rooms::{RoomPart, Wanted, may_read};
use crate::transfer::{
    Block, Cursor, CursorOf, Invitation, Mark, Membership, PasswordHash, Record, Room, User,
};

/// The maximum number of messages of one read.
const PAGE_MESSAGES_MAX: usize = 1_000;

impl OfflineDatabase {
    /// See [`crate::store::Exporter::export`]. Everything is of one snapshot, except that messages
    /// which are purged during the export may be missing.
    pub(in crate::store) fn export<E>(
        &self,
        export: &Export,
        take: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), ExportError<E>> {
        let mut pages = Pages {
            connection: &self.connection,
            after: export.after(),
            newest: MessageId::ZERO,
            only: None,
            readable: Vec::new(),
            blocks: Blocks::default(),
            names: HashMap::new(),
            dead: Vec::new().into_iter().peekable(),
        };
        export::export(&mut pages, export, take)
    }
}

/// Reads the messages page by page, each from a snapshot of its own: an old snapshot would let the
/// WAL of a running server grow. A message never changes. What can change, and decides about
/// messages, is of the first snapshot.
struct Pages<'a> {
    connection: &'a Connection,
    /// The last message that was read.
    after: MessageId,
    /// The last message of the export.
    newest: MessageId,
    only: Option<UserId>,
    /// What [`Self::only`] may read in rooms, in the order of their numbers.
    readable: Vec<RoomPart>,
    /// Whom [`Self::only`] blocks.
    blocks: Blocks,
    /// The users who have dead letters.
    names: HashMap<UserId, UserName>,
    /// The dead letters that may still come, in the order of messages, users and cursors.
    dead: Peekable<IntoIter<(MessageId, UserId, CursorName)>>,
}

impl Source for Pages<'_> {
    fn start(&mut self, export: &Export) -> Result<Option<Start>, String> {
        self.read_start(export).map_err(|error| error.to_string())
    }

    fn next_messages(&mut self) -> Result<Vec<ExportedMessage>, String> {
        let messages = self.page().map_err(|error| error.to_string())?;
        if let Some(last) = messages.last() {
            self.after = last.id;
        }
        Ok(messages)
    }
}

impl Pages<'_> {
    fn read_start(&mut self, export: &Export) -> rusqlite::Result<Option<Start>> {
        let snapshot = self.connection.unchecked_transaction()?;
        if let Some(name) = &export.user {
            self.only = users::id_of(&snapshot, name)?;
            let Some(only) = self.only else { return Ok(None) };
            self.readable = may_read(&memberships_of(&snapshot, only)?, Wanted::All);
            self.blocks = blocks::of(&snapshot, only)?;
        }
        let only = self.only;
        self.newest = message_log::newest_given(&snapshot)?;
        let (names, dead) = dead_letters(&snapshot, self.after, only)?;
        (self.names, self.dead) = (names, dead.into_iter().peekable());
        Ok(Some(Start {
            newest: self.newest,
            only,
            users: exported_users(&snapshot, only, export.with_secrets)?,
            rooms: rooms(&snapshot, only)?,
            memberships: memberships(&snapshot, only)?,
            invitations: invitations(&snapshot, only)?,
            cursors: cursors(&snapshot, only)?,
            marks: marks(&snapshot, only)?,
            blocks: exported_blocks(&snapshot, only)?,
        }))
    }

    fn page(&mut self) -> rusqlite::Result<Vec<ExportedMessage>> {
        let snapshot = self.connection.unchecked_transaction()?;
        let mut statement = snapshot.prepare_cached(
            "SELECT m.id, m.sent_at, m.sender_id, m.recipient_id, m.key, m.body, m.details
               FROM folded_messages m
              WHERE m.id > ?1 AND m.id <= ?2
                AND (?3 IS NULL OR ?3 IN (m.sender_id, m.recipient_id) OR m.recipient_id < 0)
              ORDER BY m.id",
        )?;
        let only = self.only.map(|id| id.0);
        let mut rows = statement.query(params![self.after.0, self.newest.0, only])?;
        let (mut page, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            if !self.is_wanted(row)? {
                continue;
            }
            let mut message = message(row)?;
            self.add_dead_letters(&mut message);
            bytes += message.body.as_str().len();
            bytes += message.details.as_ref().map_or(0, |details| details.text_bytes());
            page.push(message);
            if bytes >= PAGE_BYTES_MAX || page.len() >= PAGE_MESSAGES_MAX {
                break;
            }
        }
        Ok(page)
    }

    /// Whether a row is of the export: its text is not read for that.
    fn is_wanted(&self, row: &Row<'_>) -> rusqlite::Result<bool> {
        let Some(only) = self.only else { return Ok(true) };
        let (id, sender) = (MessageId(row.get(0)?), UserId(row.get(2)?));
        let mailbox = MailboxId(row.get(3)?);
        let Some(room) = mailbox.room() else { return Ok(true) };
        let place = self.readable.binary_search_by_key(&room, |part| part.room);
        let is_readable = place.is_ok_and(|place| self.readable[place].has(id));
        Ok(sender == only || is_readable && !self.blocks.hide(sender, mailbox))
    }

    /// What could not be dealt with is its recipient's own business.
    fn add_dead_letters(&mut self, message: &mut ExportedMessage) {
        while let Some((id, user, cursor)) = self.dead.next_if(|&(id, ..)| id <= message.id) {
            if id < message.id {
                continue;
            }
            match (message.recipient.room(), self.names.get(&user)) {
                (Some(_), Some(name)) => {
                    message.dead_for.push(CursorOf { user: name.clone(), cursor });
                }
                (None, _) if message.recipient == user.into() => message.dead.push(cursor),
                _ => {}
            }
        }
    }
}

fn exported_users(
    connection: &Connection,
    only: Option<UserId>,
    with_secrets: bool,
) -> rusqlite::Result<Vec<ExportedUser>> {
    let is_selected = |id: UserId| only.is_none_or(|only| only == id);
    connection
        .prepare(
            "SELECT id, name, display_name, created_at, disabled_at, deleted_at,
                    password_hash, password_is_published, receipts, status, is_invisible
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
                receipts_off: is_selected(id) && !row.get::<_, bool>(8)?,
                status: if is_selected(id) { word(row, 9)? } else { StatusText::default() },
                invisible: is_selected(id) && row.get(10)?,
                password: (with_secrets && is_selected(id)).then_some(hash),
            };
            Ok(ExportedUser::new(id, record))
        })?
        .collect()
}

/// The cursors of a user, or all.
fn cursors(connection: &Connection, only: Option<UserId>) -> rusqlite::Result<Vec<Cursor>> {
    connection
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
        .collect()
}

/// The marks of a user, or all, as far as they are after the cursor `inbox`.
fn marks(connection: &Connection, only: Option<UserId>) -> rusqlite::Result<Vec<Mark>> {
    connection
        .prepare(
            "SELECT u.name, coalesce(p.name, o.name), k.upto_id, k.moved_at
               FROM read_marks k
               JOIN users u ON u.id = k.user_id
               LEFT JOIN cursors c ON c.user_id = k.user_id AND c.name = 'inbox'
               LEFT JOIN users p ON p.id = k.mailbox_id
               LEFT JOIN rooms o ON o.id = -k.mailbox_id
              WHERE k.upto_id > coalesce(c.upto_id, 0) AND (?1 IS NULL OR k.user_id = ?1)
              ORDER BY k.user_id, k.mailbox_id",
        )?
        .query_map([only.map(|id| id.0)], |row| {
            Ok(Mark {
                user: user_name(row, 0)?,
                with: word(row, 1)?,
                upto: MessageId(row.get(2)?),
                moved_at: Timestamp(row.get(3)?),
            })
        })?
        .collect()
}

/// Whom a user blocks, or everybody.
fn exported_blocks(connection: &Connection, only: Option<UserId>) -> rusqlite::Result<Vec<Block>> {
    connection
        .prepare(
            "SELECT u.name, o.name, b.after_id, b.at
               FROM blocks b
               JOIN users u ON u.id = b.user_id
               JOIN users o ON o.id = b.blocked_id
              WHERE ?1 IS NULL OR b.user_id = ?1
              ORDER BY b.user_id, b.blocked_id",
        )?
        .query_map([only.map(|id| id.0)], |row| {
            Ok(Block {
                user: user_name(row, 0)?,
                blocked: user_name(row, 1)?,
                after: MessageId(row.get(2)?),
                at: Timestamp(row.get(3)?),
            })
        })?
        .collect()
}

/// Dead letters, in the order of messages, users and cursors.
type DeadLetters = Vec<(MessageId, UserId, CursorName)>;

/// The dead letters after a message, of a user or all, and the names of their users.
fn dead_letters(
    connection: &Connection,
    after: MessageId,
    only: Option<UserId>,
) -> rusqlite::Result<(HashMap<UserId, UserName>, DeadLetters)> {
    let only = only.map(|id| id.0);
    let names = connection
        .prepare(
            "SELECT u.id, u.name FROM users u
              WHERE u.id IN (SELECT d.user_id FROM dead_letters d)
                AND (?1 IS NULL OR u.id = ?1)",
        )?
        .query_map([only], |row| Ok((UserId(row.get(0)?), user_name(row, 1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let dead = connection
        .prepare(
            "SELECT message_id, user_id, cursor FROM dead_letters
              WHERE message_id > ?1 AND (?2 IS NULL OR user_id = ?2)
              ORDER BY message_id, user_id, cursor",
        )?
        .query_map(params![after.0, only], |row| {
            Ok((MessageId(row.get(0)?), UserId(row.get(1)?), cursor_name(row, 2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok((names, dead))
}

/// The rooms that a user is or was in, or is invited to, or all.
fn rooms(connection: &Connection, only: Option<UserId>) -> rusqlite::Result<Vec<(RoomId, Room)>> {
    connection
        .prepare(
            "SELECT id, name, topic, is_private, posting, history, created_at, archived_at,
                    ?1 IS NULL AND is_of_everybody
               FROM rooms
              WHERE ?1 IS NULL OR id IN (SELECT room_id FROM memberships WHERE user_id = ?1
                                          UNION
                                         SELECT room_id FROM invitations WHERE user_id = ?1)
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
                everybody: row.get(8)?,
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

/// The invitations of a user, or all.
fn invitations(
    connection: &Connection,
    only: Option<UserId>,
) -> rusqlite::Result<Vec<(Option<UserId>, Invitation)>> {
    connection
        .prepare(
            "SELECT o.name, u.name, b.name, i.at, b.id
               FROM invitations i
               JOIN rooms o ON o.id = i.room_id
               JOIN users u ON u.id = i.user_id
               LEFT JOIN users b ON b.id = i.invited_by
              WHERE ?1 IS NULL OR i.user_id = ?1
              ORDER BY i.room_id, i.user_id",
        )?
        .query_map([only.map(|id| id.0)], |row| {
            let by = row.get::<_, Option<i64>>(4)?.map(UserId);
            let invitation = Invitation {
                room: room_name(row, 0)?,
                user: user_name(row, 1)?,
                by: by.map(|_| user_name(row, 2)).transpose()?,
                at: Timestamp(row.get(3)?),
            };
            Ok((by, invitation))
        })?
        .collect()
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
