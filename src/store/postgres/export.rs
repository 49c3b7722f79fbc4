//! Reads a database for an export, beside its servers.
//!
//! Everything comes from one snapshot of the primary. It needs no standby: an export also saves the
//! data of a service that cannot write any more.

use std::path::{Path, PathBuf};

use postgres::{Client, IsolationLevel, Portal, Row, Transaction};

use crate::model::{
    BODY_BYTES_MAX, Body, Key, MailboxId, MessageId, RoomId, StatusText, Timestamp, UserId,
};
use crate::store::error::{NoInput, OpenError};
use crate::store::export::{
    self, Export, ExportError, ExportedMessage, ExportedUser, PAGE_BYTES_MAX, Source, Start,
};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operations::pages::details;
use crate::store::postgres::schema;
use crate::store::postgres::target::Target;
use crate::transfer::{
    Block, Cursor, CursorOf, Invitation, Mark, Membership, PasswordHash, Record, Room, User,
};

/// The maximum number of messages of one read. So many fit into a page, however long they are.
const PAGE_MESSAGES_MAX: i32 = (PAGE_BYTES_MAX / BODY_BYTES_MAX) as i32;

/// The settings of the connection. The reader of an export may take any time.
const SETTINGS: &str = "
    SET statement_timeout = 0;
    SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0;
";

/// The messages after an id: all of them, or those of one user. What a recipient could not deal with
/// is the recipient's own business.
const MESSAGES: &str = "
    SELECT m.id, m.sent_at, m.sender_id, m.mailbox_id, m.key, m.body, m.details,
           ARRAY(SELECT d.cursor FROM chat.dead_letters d
                  WHERE d.message_id = m.id AND d.user_id = m.mailbox_id
                    AND ($2::bigint IS NULL OR $2 = m.mailbox_id)
                  ORDER BY d.cursor),
           ARRAY(SELECT u.name || ' ' || d.cursor FROM chat.dead_letters d
                   JOIN chat.users u ON u.id = d.user_id
                  WHERE d.message_id = m.id AND m.mailbox_id < 0
                    AND ($2::bigint IS NULL OR $2 = d.user_id)
                  ORDER BY u.id, d.cursor)
      FROM chat.folded_messages m
     WHERE m.id > $1 AND ($2 IS NULL OR chat.sees($3, $2, m.id, m.sender_id, m.mailbox_id))
     ORDER BY m.id";

/// The rooms that a user is or was in, or is invited to, or all.
const ROOMS: &str = "
    SELECT o.id, o.name, o.topic, o.is_private, o.posting, o.history, o.created_at, o.archived_at,
           $1::bigint IS NULL AND o.is_of_everybody
      FROM chat.rooms o
     WHERE $1::bigint IS NULL
        OR o.id IN (SELECT b.room_id FROM chat.memberships b WHERE b.user_id = $1
                     UNION
                    SELECT i.room_id FROM chat.invitations i WHERE i.user_id = $1)
     ORDER BY o.id";

/// The memberships of a user, or all.
const MEMBERSHIPS: &str = "
    SELECT o.name, u.name, b.role, b.notify, b.joined_after, b.sees_after, b.left_upto
      FROM chat.memberships b
      JOIN chat.rooms o ON o.id = b.room_id
      JOIN chat.users u ON u.id = b.user_id
     WHERE $1::bigint IS NULL OR b.user_id = $1
     ORDER BY b.room_id, b.user_id, b.joined_after";

/// The invitations of a user, or all.
const INVITATIONS: &str = "
    SELECT o.name, u.name, b.name, i.at, b.id
      FROM chat.invitations i
      JOIN chat.rooms o ON o.id = i.room_id
      JOIN chat.users u ON u.id = i.user_id
      LEFT JOIN chat.users b ON b.id = i.invited_by
     WHERE $1::bigint IS NULL OR i.user_id = $1
     ORDER BY i.room_id, i.user_id";

/// The marks of a user, or all, as far as they are after the cursor `inbox`.
const MARKS: &str = "
    SELECT u.name, coalesce(p.name, o.name), k.upto_id, k.moved_at
      FROM chat.read_marks k
      JOIN chat.users u ON u.id = k.user_id
      LEFT JOIN chat.cursors c ON c.user_id = k.user_id AND c.name = 'inbox'
      LEFT JOIN chat.users p ON p.id = k.mailbox_id
      LEFT JOIN chat.rooms o ON o.id = -k.mailbox_id
     WHERE k.upto_id > coalesce(c.upto_id, 0) AND ($1::bigint IS NULL OR k.user_id = $1)
     ORDER BY k.user_id, k.mailbox_id";

/// Whom a user blocks, or everybody.
const BLOCKS: &str = "
    SELECT u.name, o.name, w.after_id, w.at
      FROM chat.blocks w
      JOIN chat.users u ON u.id = w.user_id
      JOIN chat.users o ON o.id = w.blocked_id
     WHERE $1::bigint IS NULL OR w.user_id = $1
     ORDER BY w.user_id, w.blocked_id";

/// A connection that only reads.
pub(in crate::store) struct Exporter {
    client: Client,
    location: PathBuf,
}

impl Exporter {
    /// Checks what the database at the other end has.
    pub(in crate::store) fn over(
        mut client: Client,
        target: &Target,
    ) -> std::result::Result<Self, OpenError> {
        let location = PathBuf::from(target.to_string());
        let failed =
            |error: Error| OpenError::Server { path: location.clone(), problem: error.to_string() };
        client.batch_execute(SETTINGS).map_err(|error| failed(error.into()))?;
        let version = schema::version(&mut client).map_err(failed)?;
        if version == 0 {
            return Err(OpenError::NoInput { path: location, problem: NoInput::Empty });
        }
        if version < schema::newest() {
            return Err(OpenError::Older { path: location, version });
        }
        if !schema::is_understood(&mut client, version).map_err(failed)? {
            return Err(OpenError::Newer { path: location, version, copy: None });
        }
        Ok(Self { client, location })
    }

    /// The address of the database, without a password.
    pub(in crate::store) fn location(&self) -> &Path {
        &self.location
    }

    /// See [`crate::store::Exporter::export`]. Everything comes from one snapshot, which is kept
    /// until the end.
    pub(in crate::store) fn export<E>(
        &mut self,
        export: &Export,
        take: impl FnMut(Record) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), ExportError<E>> {
        let mut snapshot = Snapshot::begin(&mut self.client)
            .map_err(|error| ExportError::Database(error.to_string()))?;
        export::export(&mut snapshot, export, take)
    }
}

/// One state of the database.
struct Snapshot<'a> {
    transaction: Transaction<'a>,
    /// The messages that were not read yet.
    messages: Option<Portal>,
}

impl<'a> Snapshot<'a> {
    fn begin(client: &'a mut Client) -> Result<Self> {
        let transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        Ok(Self { transaction, messages: None })
    }

    fn read_start(&mut self, export: &Export) -> Result<Option<Start>> {
        let transaction = &mut self.transaction;
        let only: Option<i64> = match &export.user {
            None => None,
            Some(name) => {
                let sql = "SELECT id FROM chat.users WHERE name = $1";
                match transaction.query_opt(sql, &[&name.as_str()])? {
                    Some(row) => Some(row.get(0)),
                    None => return Ok(None),
                }
            }
        };
        let is_selected = |id: i64| only.is_none_or(|only| only == id);
        let users = transaction.query(
            "SELECT id, name, display_name, created_at, disabled_at, deleted_at,
                    password_hash, password_is_published, receipts, status, is_invisible
               FROM chat.users ORDER BY id",
            &[],
        )?;
        let users = users.iter().map(|row| user(row, is_selected(row.get(0)), export.with_secrets));
        let users = users.collect::<Result<_>>()?;
        let cursors = transaction.query(
            "SELECT u.name, c.name, c.upto_id, c.moved_at
               FROM chat.cursors c JOIN chat.users u ON u.id = c.user_id
              WHERE $1::bigint IS NULL OR u.id = $1 ORDER BY u.id, c.name",
            &[&only],
        )?;
        let cursors = cursors.iter().map(cursor).collect::<Result<_>>()?;
        let newest = transaction.query_one("SELECT chat.head($1)", &[&LANE])?;
        let newest = MessageId(newest.get(0));
        let messages = transaction.prepare(MESSAGES)?;
        self.messages = Some(transaction.bind(&messages, &[&export.after().0, &only, &LANE])?);
        let rooms = transaction.query(ROOMS, &[&only])?;
        let rooms = rooms.iter().map(room).collect::<Result<_>>()?;
        let memberships = transaction.query(MEMBERSHIPS, &[&only])?;
        let memberships = memberships.iter().map(membership).collect::<Result<_>>()?;
        let invitations = transaction.query(INVITATIONS, &[&only])?;
        let invitations = invitations.iter().map(invitation).collect::<Result<_>>()?;
        let marks = transaction.query(MARKS, &[&only])?;
        let marks = marks.iter().map(mark).collect::<Result<_>>()?;
        let blocks = transaction.query(BLOCKS, &[&only])?;
        let blocks = blocks.iter().map(block).collect::<Result<_>>()?;
        Ok(Some(Start {
            newest,
            only: only.map(UserId),
            users,
            rooms,
            memberships,
            invitations,
            cursors,
            marks,
            blocks,
        }))
    }

    fn read_messages(&mut self) -> Result<Vec<ExportedMessage>> {
        let Some(portal) = &self.messages else { return Ok(Vec::new()) };
        let rows = self.transaction.query_portal(portal, PAGE_MESSAGES_MAX)?;
        rows.iter().map(message).collect()
    }
}

impl Source for Snapshot<'_> {
    fn start(&mut self, export: &Export) -> std::result::Result<Option<Start>, String> {
        self.read_start(export).map_err(|error| error.to_string())
    }

    fn next_messages(&mut self) -> std::result::Result<Vec<ExportedMessage>, String> {
        self.read_messages().map_err(|error| error.to_string())
    }
}

fn user(row: &Row, is_selected: bool, with_secrets: bool) -> Result<ExportedUser> {
    let moment = |column| row.get::<_, Option<i64>>(column).map(Timestamp);
    let hash = PasswordHash { hash: row.get(6), is_published: row.get(7) };
    let record = User {
        name: row.get::<_, &str>(1).parse()?,
        display_name: row.get(2),
        created_at: Timestamp(row.get(3)),
        disabled_at: moment(4),
        deleted_at: moment(5),
        receipts_off: is_selected && !row.get::<_, bool>(8),
        status: if is_selected { row.get::<_, &str>(9).parse()? } else { StatusText::default() },
        invisible: is_selected && row.get(10),
        password: (is_selected && with_secrets).then_some(hash),
    };
    Ok(ExportedUser::new(UserId(row.get(0)), record))
}

fn cursor(row: &Row) -> Result<Cursor> {
    Ok(Cursor {
        user: row.get::<_, &str>(0).parse()?,
        cursor: row.get::<_, &str>(1).parse()?,
        upto: MessageId(row.get(2)),
        moved_at: Timestamp(row.get(3)),
    })
}

fn mark(row: &Row) -> Result<Mark> {
    Ok(Mark {
        user: row.get::<_, &str>(0).parse()?,
        with: row.get::<_, &str>(1).parse()?,
        upto: MessageId(row.get(2)),
        moved_at: Timestamp(row.get(3)),
    })
}

fn room(row: &Row) -> Result<(RoomId, Room)> {
    let room = Room {
        room: row.get::<_, &str>(1).parse()?,
        topic: row.get::<_, &str>(2).parse()?,
        private: row.get(3),
        posting: row.get::<_, &str>(4).parse()?,
        history: row.get::<_, &str>(5).parse()?,
        created_at: Timestamp(row.get(6)),
        archived_at: row.get::<_, Option<i64>>(7).map(Timestamp),
        everybody: row.get(8),
    };
    Ok((RoomId(row.get(0)), room))
}

fn membership(row: &Row) -> Result<Membership> {
    Ok(Membership {
        room: row.get::<_, &str>(0).parse()?,
        user: row.get::<_, &str>(1).parse()?,
        role: row.get::<_, &str>(2).parse()?,
        notify: row.get::<_, &str>(3).parse()?,
        joined_after: MessageId(row.get(4)),
        sees_after: MessageId(row.get(5)),
        left_upto: row.get::<_, Option<i64>>(6).map(MessageId),
    })
}

fn invitation(row: &Row) -> Result<(Option<UserId>, Invitation)> {
    let invitation = Invitation {
        room: row.get::<_, &str>(0).parse()?,
        user: row.get::<_, &str>(1).parse()?,
        by: row.get::<_, Option<&str>>(2).map(str::parse).transpose()?,
        at: Timestamp(row.get(3)),
    };
    Ok((row.get::<_, Option<i64>>(4).map(UserId), invitation))
}

fn block(row: &Row) -> Result<Block> {
    Ok(Block {
        user: row.get::<_, &str>(0).parse()?,
        blocked: row.get::<_, &str>(1).parse()?,
        after: MessageId(row.get(2)),
        at: Timestamp(row.get(3)),
    })
}

/// The cursor of a text that names its user and it.
fn cursor_of(text: &str) -> Result<CursorOf> {
    let (user, cursor) =
        text.split_once(' ').ok_or(Error::Unexpected("a dead letter has no cursor"))?;
    Ok(CursorOf { user: user.parse()?, cursor: cursor.parse()? })
}

fn message(row: &Row) -> Result<ExportedMessage> {
    let key: Option<Key> = row.get::<_, Option<&str>>(4).map(str::parse).transpose()?;
    let body = std::str::from_utf8(row.get(5)).map_err(|_| Error::NotUtf8)?;
    let (dead, dead_for): (Vec<&str>, Vec<&str>) = (row.get(7), row.get(8));
    Ok(ExportedMessage {
        id: MessageId(row.get(0)),
        at: Timestamp(row.get(1)),
        sender: UserId(row.get(2)),
        recipient: MailboxId(row.get(3)),
        key,
        body: Body::try_from(Box::<str>::from(body))?,
        details: details(row.get(6))?,
        dead: dead.into_iter().map(str::parse).collect::<std::result::Result<_, _>>()?,
        dead_for: dead_for.into_iter().map(cursor_of).collect::<Result<_>>()?,
    })
}
