//! Messages that are sent later.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Body, Details, MailboxId, MailboxName, ScheduledId, Timestamp, UserId};
use crate::store::sqlite::expiry;
use crate::store::sqlite::operation::{Apply, Query, ReadContext, Statements};
use crate::store::sqlite::operations::{access, append, tokens, users};
use crate::store::sqlite::rooms;
use crate::store::sqlite::row::{details, not_a_value, user_name};
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::messages::{Append, Appended};
use crate::store::types::scheduled::{
    BeginSending, CancelScheduled, Cancelled, Due, FindDue, FoundDue, ListScheduled, SCHEDULED_MAX,
    Schedule, Scheduled, SettleScheduled, TakeSystemTime,
};

impl Apply for Schedule {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Scheduled> {
        let Self { message, due_at, said_at, now } = self;
        // A key that is there already decides first.
        if let Some(answer) = append::decided(context, &message)? {
            return Ok(Scheduled::Not(answer));
        }
        if let Some(earlier) = find_by_key(context.connection, &message)? {
            return Ok(earlier);
        }
        let recipients = match append::check(context, &message)? {
            Ok(recipients) => recipients,
            Err(refused) => return Ok(Scheduled::Not(refused)),
        };
        let is_room = is_room(&recipients);
        let connection = context.connection;
        let count: u32 = connection
            .prepare_cached("SELECT count(*) FROM scheduled WHERE sender_id = ?1")?
            .query_row([message.sender.0], |row| row.get(0))?;
        if count as usize >= SCHEDULED_MAX {
            return Ok(Scheduled::TooMany);
        }
        let id = connection
            .prepare_cached(
                "INSERT INTO scheduled (sender_id, recipients, key, body, details, made_at, due_at,
                                        said_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING id",
            )?
            .query_row(
                params![
                    message.sender.0,
                    tokens::to_json(&recipients),
                    message.key.as_ref().map(|key| key.as_str()),
                    message.body.as_str(),
                    message.details.as_deref().map(Details::to_json),
                    now.0,
                    due_at.0,
                    said_at.0,
                ],
                |row| row.get(0).map(ScheduledId),
            )?;
        Ok(Scheduled::At { id, said_at, is_room, duplicate: false })
    }
}

/// The earlier scheduled message with the same key.
fn find_by_key(connection: &Connection, message: &Append) -> rusqlite::Result<Option<Scheduled>> {
    let Some(key) = &message.key else { return Ok(None) };
    let mut wanted = Vec::new();
    for to in message.readings() {
        wanted.extend(append::recipients(connection, &to, |user| users::id_of(connection, user))?);
    }
    let details = message.details.as_deref().map(Details::to_json);
    let found = connection
        .prepare_cached(
            "SELECT id, said_at, recipients, body = ?3 AND details IS ?4
               FROM scheduled WHERE sender_id = ?1 AND key = ?2",
        )?
        .query_row(params![message.sender.0, key.as_str(), message.body.as_str(), details], |row| {
            let recipients = access::targets(row, 2)?.unwrap_or_default();
            let is_same = wanted.iter().any(|wanted| are_same(&recipients, wanted));
            let (id, said_at) = (ScheduledId(row.get(0)?), Timestamp(row.get(1)?));
            Ok((id, said_at, (is_room(&recipients), row.get(3)? && is_same)))
        })
        .optional()?;
    Ok(found.map(|(id, said_at, found)| match found {
        (is_room, true) => Scheduled::At { id, said_at, is_room, duplicate: true },
        (_, false) => Scheduled::Not(Appended::KeyConflict),
    }))
}

fn is_room(recipients: &[MailboxId]) -> bool {
    recipients.iter().any(|recipient| recipient.room().is_some())
}

/// Whether these are the same recipients, in any order. None of them is named twice.
fn are_same(one: &[MailboxId], other: &[MailboxId]) -> bool {
    one.len() == other.len() && one.iter().all(|mailbox| other.contains(mailbox))
}

impl Apply for CancelScheduled {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Cancelled> {
        let begun: Option<bool> = context
            .connection
            .prepare_cached("SELECT begun FROM scheduled WHERE id = ?1 AND sender_id = ?2")?
            .query_row([self.id.0, self.sender.0], |row| row.get(0))
            .optional()?;
        Ok(match begun {
            None => Cancelled::Unknown,
            Some(true) => Cancelled::TooLate,
            Some(false) => {
                remove(context.connection, self.id)?;
                Cancelled::Yes
            }
        })
    }
}

impl Apply for TakeSystemTime {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<usize> {
        expiry::take_system_time(context.connection)?;
        context
            .connection
            .prepare_cached("UPDATE scheduled SET due_at = said_at WHERE due_at <> said_at")?
            .execute([])
    }
}

impl Apply for BeginSending {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Vec<ScheduledId>> {
        let connection = context.connection;
        let mut find = connection.prepare_cached("SELECT begun FROM scheduled WHERE id = ?1")?;
        let mut update =
            connection.prepare_cached("UPDATE scheduled SET begun = 1 WHERE id = ?1")?;
        let mut begun = Vec::with_capacity(self.0.len());
        for id in self.0 {
            let is_begun = find.query_row([id.0], |row| row.get(0)).optional()?;
            // A change writes the whole row, with its text.
            if is_begun == Some(false) {
                update.execute([id.0])?;
            }
            begun.extend(is_begun.map(|_| id));
        }
        Ok(begun)
    }
}

impl Apply for SettleScheduled {
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<bool> {
        remove(context.connection, self.0)
    }
}

fn remove(connection: &Connection, id: ScheduledId) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("DELETE FROM scheduled WHERE id = ?1")?
        .execute([id.0])
        .map(|removed| removed > 0)
}

/// Removes the scheduled messages of a deleted user.
pub(in crate::store) fn remove_all(connection: &Connection, user: UserId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM scheduled WHERE sender_id = ?1")?
        .execute([user.0])
        .map(drop)
}

/// The columns of [`Due`].
macro_rules! select_due {
    ($rest:literal) => {
        concat!(
            "SELECT c.id, c.sender_id, u.name, c.recipients, c.body, c.key, c.details, c.made_at,
                    c.due_at, c.said_at
               FROM scheduled c JOIN users u ON u.id = c.sender_id ",
            $rest
        )
    };
}

impl Query for ListScheduled {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Vec<Due>> {
        let connection = context.connection;
        connection
            .prepare_cached(select_due!(
                "WHERE c.sender_id = ?1 AND c.id > ?2 ORDER BY c.id LIMIT ?3"
            ))?
            .query_map(params![self.sender.0, self.after.0, self.max as i64], |row| {
                due(connection, row)
            })?
            .collect()
    }
}

impl Query for FindDue {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<FoundDue> {
        let connection = context.connection;
        let (after, id) = self.place();
        let found = connection
            .prepare_cached(select_due!(
                "WHERE c.due_at <= ?1 AND (c.due_at, c.id) > (?2, ?3)
                   AND u.disabled_at IS NULL AND u.deleted_at IS NULL
                 ORDER BY c.due_at, c.id LIMIT ?4"
            ))?
            .query_map(params![self.now.0, after, id, self.max as i64], |row| due(connection, row))?
            .collect::<Result<_, _>>()?;
        let next: Option<i64> = connection
            .prepare_cached("SELECT min(due_at) FROM scheduled WHERE due_at > ?1")?
            .query_row([self.now.0], |row| row.get(0))?;
        Ok(FoundDue { due: found, next: next.map(Timestamp) })
    }
}

/// The scheduled messages with a value that [`FindDue`] cannot read.
pub(in crate::store) fn unreadable(connection: &Connection) -> rusqlite::Result<Vec<ScheduledId>> {
    let mut statement = connection.prepare(select_due!("ORDER BY c.id"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if due(connection, row).is_err() {
            found.push(ScheduledId(row.get(0)?));
        }
    }
    Ok(found)
}

fn due(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<Due> {
    let recipients = access::targets(row, 3)?.unwrap_or_default();
    let to = recipients.iter().map(|&mailbox| name_of(connection, mailbox));
    let (body, key): (Box<str>, Option<Box<str>>) = (row.get(4)?, row.get(5)?);
    Ok(Due {
        id: ScheduledId(row.get(0)?),
        sender: UserId(row.get(1)?),
        from: user_name(row, 2)?,
        to: to.collect::<Result<_, _>>()?,
        body: Body::try_from(body).map_err(|error| not_a_value(4, error))?,
        key: key
            .map(|key| key.parse())
            .transpose()
            .map_err(|error: crate::model::Invalid| not_a_value(5, error))?,
        details: details(row, 6)?,
        made_at: Timestamp(row.get(7)?),
        due_at: Timestamp(row.get(8)?),
        said_at: Timestamp(row.get(9)?),
    })
}

/// The name of a mailbox. `None` if its user is gone.
fn name_of(connection: &Connection, mailbox: MailboxId) -> rusqlite::Result<Option<MailboxName>> {
    match mailbox.room() {
        Some(room) => Ok(rooms::name_of(connection, room)?.map(MailboxName::Room)),
        None => connection
            .prepare_cached("SELECT name FROM users WHERE id = ?1 AND deleted_at IS NULL")?
            .query_row([mailbox.0], |row| user_name(row, 0).map(MailboxName::User))
            .optional(),
    }
}
