//! Editing and deleting messages.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{Key, MailboxId, MailboxName, MessageId, RoomName, Timestamp, UserId};
use crate::store::sqlite::expiry;
use crate::store::sqlite::message_log;
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::operations::users;
use crate::store::sqlite::rooms::{self, is_read_in_room};
use crate::store::sqlite::row;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::changes::{
    Alteration, ChangeMessage, EarlierEdit, MessageChanged, ToChange,
};

impl Apply for ChangeMessage {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<MessageChanged> {
        let connection = context.connection;
        if let Some(earlier) = earlier_edit(connection, &self)? {
            return Ok(earlier.answer());
        }
        let Some(message) = find(connection, &self)? else {
            return Ok(MessageChanged::UnknownMessage);
        };
        if let Err(refused) = message.check(&self) {
            return Ok(refused);
        }
        let mailbox = message.mailbox;
        reindex(context, &self, (message.sender, mailbox))?;
        let at = Timestamp::now();
        let change = store(context, &self, mailbox, at)?;
        if let Alteration::Delete = self.alteration {
            forget(context, self.id, mailbox)?;
        }
        let author = message.author();
        Ok(MessageChanged::Stored { change, at, mailbox, duplicate: false, author })
    }
}

/// The earlier edit with the same key.
fn earlier_edit(
    connection: &Connection,
    change: &ChangeMessage,
) -> rusqlite::Result<Option<EarlierEdit>> {
    let Alteration::Edit { body, key: Some(key) } = &change.alteration else { return Ok(None) };
    connection
        .prepare_cached(
            "SELECT id, changed_at, mailbox_id, message_id = ?3 AND body = ?4
               FROM message_changes WHERE key = ?1 AND user_id = ?2",
        )?
        .query_row(
            params![
                key.as_str(),
                change.actor.user().map(|user| user.0),
                change.id.0,
                body.as_str()
            ],
            |row| {
                Ok(EarlierEdit {
                    change: MessageId(row.get(0)?),
                    at: Timestamp(row.get(1)?),
                    mailbox: MailboxId(row.get(2)?),
                    is_same: row.get(3)?,
                })
            },
        )
        .optional()
}

/// The message, if the actor can read it.
fn find(connection: &Connection, change: &ChangeMessage) -> rusqlite::Result<Option<ToChange>> {
    let found = connection
        .prepare_cached(concat!(
            "SELECT m.sender_id, m.recipient_id, o.name,
                    (SELECT count(*) FROM message_changes e WHERE e.message_id = m.id),
                    d.id, d.changed_at,
                    EXISTS (SELECT 1 FROM blocks w
                             WHERE w.user_id = m.recipient_id AND w.blocked_id = ?2)
               FROM messages m
               LEFT JOIN rooms o ON o.id = -m.recipient_id
               LEFT JOIN message_changes d ON d.message_id = m.id AND d.body IS NULL
              WHERE m.id = ?1
                AND (?2 IS NULL OR ?2 IN (m.sender_id, m.recipient_id) OR ",
            is_read_in_room!("?2"),
            ")"
        ))?
        .query_row(params![change.id.0, change.actor.user().map(|user| user.0)], |row| {
            let room: Option<RoomName> = match row.get_ref(2)?.as_str_or_null()? {
                None => None,
                Some(_) => Some(rooms::room_name(row, 2)?),
            };
            let deleted = match row.get::<_, Option<i64>>(4)? {
                None => None,
                Some(id) => Some((MessageId(id), Timestamp(row.get(5)?))),
            };
            let message = ToChange {
                sender: UserId(row.get(0)?),
                mailbox: MailboxId(row.get(1)?),
                to: None,
                place: None,
                edits: row.get::<_, u32>(3)? as usize,
                deleted,
                is_blocked: row.get(6)?,
            };
            Ok((message, room))
        })
        .optional()?;
    let Some((message, room)) = found else { return Ok(None) };
    let Some(room) = room else {
        let user = message.mailbox.user().map(|user| users::name_of(connection, user));
        let to = user.transpose()?.flatten().map(MailboxName::User);
        return Ok(Some(ToChange { to, ..message }));
    };
    let place = rooms::place(connection, change.actor, &room)?.map(|(_, place)| place);
    Ok(Some(ToChange { to: Some(MailboxName::Room(room)), place, ..message }))
}

/// Replaces the words of the text by those of the new one. Call it before the change is stored.
fn reindex(
    context: &WriteContext<'_>,
    change: &ChangeMessage,
    parties: (UserId, MailboxId),
) -> rusqlite::Result<()> {
    let (connection, id) = (context.connection, change.id);
    let (body, details) = connection
        .prepare_cached("SELECT body, details FROM folded_messages WHERE id = ?1")?
        .query_row([id.0], |row| {
            // As the index was written: `check` reports a text or details that are invalid.
            let body = row.get_ref(0)?.as_str().unwrap_or_default().to_owned();
            Ok((body, row::details(row, 1).ok().flatten()))
        })?;
    context.words.delete(connection, id, parties, (&body, details.as_deref()))?;
    match &change.alteration {
        Alteration::Edit { body, .. } => {
            context.words.add(connection, id, parties, (body.as_str(), details.as_deref()))
        }
        Alteration::Delete => Ok(()),
    }
}

/// Stores the change as the next entry of the message log.
fn store(
    context: &mut WriteContext<'_>,
    change: &ChangeMessage,
    mailbox: MailboxId,
    at: Timestamp,
) -> rusqlite::Result<MessageId> {
    let connection = context.connection;
    let id = MessageId(context.newest()?.0 + 1);
    let (body, key) = match &change.alteration {
        Alteration::Edit { body, key } => (Some(body.as_str()), key.as_ref().map(Key::as_str)),
        Alteration::Delete => (None, None),
    };
    connection
        .prepare_cached(
            "INSERT INTO message_changes
                    (id, changed_at, user_id, mailbox_id, message_id, key, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            id.0,
            at.0,
            change.actor.user().map(|user| user.0),
            mailbox.0,
            change.id.0,
            key,
            body
        ])?;
    message_log::raise_floor(connection, id)?;
    context.cache.newest = Some(id);
    context.deliveries.note_change(mailbox, id);
    Ok(id)
}

/// Removes what is derived from a deleted message.
fn forget(
    context: &mut WriteContext<'_>,
    id: MessageId,
    mailbox: MailboxId,
) -> rusqlite::Result<()> {
    let connection = context.connection;
    context.deliveries.delete(connection, mailbox, id)?;
    expiry::remove(connection, id)?;
    connection.prepare_cached("DELETE FROM dead_letters WHERE message_id = ?1")?.execute([id.0])?;
    if mailbox.user().is_some() {
        context.cache.must_count(mailbox);
    }
    Ok(())
}
