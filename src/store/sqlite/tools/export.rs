//! Exports a database, or the data of one user, as records.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use crate::model::{Body, CursorName, Details, Key, MessageId, Timestamp, UserId, UserName};
use crate::store::sqlite::message_log;
use crate::store::sqlite::operations::users;
use crate::store::sqlite::row::{cursor_name, details, not_a_value, user_name};
use crate::store::sqlite::tools::offline::OfflineDatabase;
use crate::transfer::{Cursor, FORMAT, Header, Message, PasswordHash, Record, User, VERSION};

/// The maximum size of one read, in messages and in bytes of text. It keeps each read short, even
/// if the consumer of the records is slow.
const PAGE_MESSAGES_MAX: usize = 1_000;
const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What to export.
#[derive(Debug, Clone)]
pub struct Export {
    /// Only messages from and to this user, with the users named in them.
    pub user: Option<UserName>,
    /// Only messages from this id on.
    pub from_id: MessageId,
    /// Whether to include password hashes; with `user`, only the hash of that user.
    pub with_secrets: bool,
}

/// Why an export stopped.
#[derive(Debug)]
pub enum ExportError<E> {
    /// The user does not exist.
    UnknownUser,
    /// The database cannot be read, with SQLite's message.
    Database(String),
    /// The consumer of the records failed.
    Output(E),
}

impl<E> From<rusqlite::Error> for ExportError<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl OfflineDatabase {
    /// Passes a header, users, cursors and messages to `take`, always in the same order. Users and
    /// cursors come from one snapshot. The messages are those of that snapshot, except messages
    /// that are purged during the export. It reads a page at a time, so `take` may be slow.
    ///
    /// # Errors
    /// See [`ExportError`].
    pub fn export<E>(
        &self,
        export: &Export,
        mut take: impl FnMut(Record) -> Result<(), E>,
    ) -> Result<(), ExportError<E>> {
        let mut take = |record| take(record).map_err(ExportError::Output);
        let start = Start::read(&self.connection, export)?.ok_or(ExportError::UnknownUser)?;
        let Start { newest, only, cursors, mut users } = start;
        take(Record::Header(Header { format: FORMAT.to_owned(), version: VERSION, newest }))?;
        // All users, or the selected one. The other users of that one's messages come when they are
        // first named.
        for user in users.iter_mut().filter(|user| only.is_none_or(|only| user.id == only)) {
            if let Some(record) = user.record.take() {
                take(Record::User(record))?;
            }
        }
        cursors.into_iter().try_for_each(|cursor| take(Record::Cursor(cursor)))?;
        let places: HashMap<UserId, usize> =
            users.iter().enumerate().map(|(place, user)| (user.id, place)).collect();
        let mut after = MessageId(export.from_id.0.saturating_sub(1));
        while after < newest {
            let rows = page(&self.connection, after, newest, only)?;
            let Some(last) = rows.last() else { break };
            after = last.id;
            for row in rows {
                let names = [row.sender, row.recipient].map(|id| places.get(&id).copied());
                let [Some(from), Some(to)] = names else {
                    let problem = format!("message {} is of a user who is not there", row.id.0);
                    return Err(ExportError::Database(problem));
                };
                for place in [from, to] {
                    if let Some(record) = users[place].record.take() {
                        take(Record::User(record))?;
                    }
                }
                take(Record::Message(Message {
                    id: row.id,
                    at: row.at,
                    from: users[from].name.clone(),
                    to: users[to].name.clone(),
                    body: row.body,
                    details: row.details,
                    key: row.key,
                    dead: row.dead,
                }))?;
            }
        }
        Ok(())
    }
}

/// The data that is read first, from one snapshot.
struct Start {
    newest: MessageId,
    /// The selected user.
    only: Option<UserId>,
    /// In the order of their ids.
    users: Vec<ExportedUser>,
    cursors: Vec<Cursor>,
}

/// A user, whose record is taken out once it is exported.
struct ExportedUser {
    id: UserId,
    name: UserName,
    record: Option<User>,
}

impl Start {
    fn read(connection: &Connection, export: &Export) -> rusqlite::Result<Option<Self>> {
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
                let name = user_name(row, 1)?;
                let moment = |index| row.get::<_, Option<i64>>(index).map(|at| at.map(Timestamp));
                let hash = PasswordHash { hash: row.get(6)?, is_published: row.get(7)? };
                let record = User {
                    name: name.clone(),
                    display_name: row.get(2)?,
                    created_at: Timestamp(row.get(3)?),
                    disabled_at: moment(4)?,
                    deleted_at: moment(5)?,
                    password: wants_secret(id).then_some(hash),
                };
                Ok(ExportedUser { id, name, record: Some(record) })
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
        Ok(Some(Self { newest: message_log::newest_given(&snapshot)?, only, users, cursors }))
    }
}

struct MessageRow {
    id: MessageId,
    at: Timestamp,
    sender: UserId,
    recipient: UserId,
    body: Body,
    details: Option<Box<Details>>,
    key: Option<Key>,
    dead: Vec<CursorName>,
}

fn page(
    connection: &Connection,
    after: MessageId,
    newest: MessageId,
    only: Option<UserId>,
) -> rusqlite::Result<Vec<MessageRow>> {
    let snapshot = connection.unchecked_transaction()?;
    let mut statement = snapshot.prepare_cached(
        "SELECT id, sent_at, sender_id, recipient_id, key, body, details FROM messages
          WHERE id > ?1 AND id <= ?2 AND (?3 IS NULL OR ?3 IN (sender_id, recipient_id))
          ORDER BY id LIMIT ?4",
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
        if only.is_none_or(|only| only == message.recipient) {
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

fn message(row: &Row<'_>) -> rusqlite::Result<MessageRow> {
    let (key, body): (Option<Box<str>>, Box<str>) = (row.get(4)?, row.get(5)?);
    let key = key.map(|key| key.parse()).transpose();
    Ok(MessageRow {
        id: MessageId(row.get(0)?),
        at: Timestamp(row.get(1)?),
        sender: UserId(row.get(2)?),
        recipient: UserId(row.get(3)?),
        key: key.map_err(|error| not_a_value(4, error))?,
        body: Body::try_from(body).map_err(|error| not_a_value(5, error))?,
        details: details(row, 6)?,
        dead: Vec::new(),
    })
}
