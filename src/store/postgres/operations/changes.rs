//! Editing and deleting messages.

use postgres::Row;

use crate::model::{Key, MailboxId, MailboxName, MessageId, RoomName, Timestamp, UserId};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, WriteContext};
use crate::store::postgres::operations::pages;
use crate::store::postgres::places::find_place;
use crate::store::postgres::session::Session;
use crate::store::postgres::words;
use crate::store::types::changes::{
    Alteration, ChangeMessage, EarlierEdit, MessageChanged, ToChange,
};

impl Apply for ChangeMessage {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<MessageChanged> {
        let (session, node) = (&mut *context.session, context.node);
        if let Some(earlier) = earlier_edit(session, self)? {
            return Ok(earlier.answer());
        }
        let Some(message) = find(session, self)? else { return Ok(MessageChanged::UnknownMessage) };
        if let Err(refused) = message.check(self) {
            return Ok(refused);
        }
        let mailbox = message.mailbox;
        let (body, key) = match &self.alteration {
            Alteration::Edit { body, key } => (Some(body.as_str()), key.as_ref().map(Key::as_str)),
            Alteration::Delete => (None, None),
        };
        let user = self.actor.user().map(|user| user.0);
        let bytes = body.map(str::as_bytes);
        let row = session.query_one(
            "SELECT id, at FROM chat.change_message($1, $2, $3, $4, $5, $6, $7)",
            &[&LANE, &node, &user, &mailbox.0, &self.id.0, &key, &bytes],
        )?;
        if let Some(body) = body {
            reindex(session, self.id, (message.sender, mailbox), body)?;
        }
        let (change, at) = (MessageId(row.get(0)), Timestamp(row.get(1)));
        let author = message.author();
        Ok(MessageChanged::Stored { change, at, mailbox, duplicate: false, author })
    }
}

/// The earlier edit with the same key. The log's lock is held, so there is one at most.
fn earlier_edit(session: &mut Session, change: &ChangeMessage) -> Result<Option<EarlierEdit>> {
    let Alteration::Edit { body, key: Some(key) } = &change.alteration else { return Ok(None) };
    let row = session.query_opt(
        "SELECT id, changed_at, mailbox_id, message_id = $3 AND body = $4
           FROM chat.message_changes WHERE key = $1 AND user_id = $2",
        &[
            &key.as_str(),
            &change.actor.user().map(|user| user.0),
            &change.id.0,
            &body.as_str().as_bytes(),
        ],
    )?;
    Ok(row.map(|row| EarlierEdit {
        change: MessageId(row.get(0)),
        at: Timestamp(row.get(1)),
        mailbox: MailboxId(row.get(2)),
        is_same: row.get(3),
    }))
}

/// The message, if the actor can read it.
fn find(session: &mut Session, change: &ChangeMessage) -> Result<Option<ToChange>> {
    let row = session.query_opt(
        "SELECT m.sender_id, m.mailbox_id, x.name,
                (SELECT count(*) FROM chat.message_changes e WHERE e.message_id = m.id),
                d.id, d.changed_at, r.name,
                EXISTS (SELECT FROM chat.blocks w
                         WHERE w.user_id = m.mailbox_id AND w.blocked_id = $2)
           FROM chat.messages m
           LEFT JOIN chat.users r ON r.id = m.mailbox_id
           LEFT JOIN chat.rooms x ON x.id = -m.mailbox_id
           LEFT JOIN chat.message_changes d ON d.message_id = m.id AND d.body IS NULL
          WHERE m.id = $1
            AND ($2::bigint IS NULL OR chat.sees($3, $2, m.id, m.sender_id, m.mailbox_id))",
        &[&change.id.0, &change.actor.user().map(|user| user.0), &LANE],
    )?;
    let Some(row) = row else { return Ok(None) };
    let (to, place) = match row.get::<_, Option<&str>>(2) {
        None => {
            let user = row.get::<_, Option<&str>>(6).map(str::parse).transpose()?;
            (user.map(MailboxName::User), None)
        }
        Some(name) => {
            let name: RoomName = name.parse()?;
            let place = find_place(session, change.actor, &name)?.map(|(_, place)| place);
            (Some(MailboxName::Room(name)), place)
        }
    };
    let deletion = |id: i64| (MessageId(id), Timestamp(row.get(5)));
    Ok(Some(ToChange {
        sender: UserId(row.get(0)),
        mailbox: MailboxId(row.get(1)),
        to,
        place,
        edits: usize::try_from(row.get::<_, i64>(3)).unwrap_or(usize::MAX),
        deleted: row.get::<_, Option<i64>>(4).map(deletion),
        is_blocked: row.get(7),
    }))
}

/// Replaces the words of the message by those of its new text, if it is indexed.
fn reindex(
    session: &mut Session,
    id: MessageId,
    parties: (UserId, MailboxId),
    body: &str,
) -> Result<()> {
    let details: Row =
        session.query_one("SELECT details FROM chat.messages WHERE id = $1", &[&id.0])?;
    // No reader sees a message with invalid details.
    let details = pages::details(details.get(0)).ok().flatten();
    let words = words::vector(parties, body, details.as_deref());
    session.query_one("SELECT chat.replace_words($1, $2, $3)", &[&LANE, &id.0, &words]).map(drop)
}
