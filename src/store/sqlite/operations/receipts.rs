//! Who has read a message.

use rusqlite::{OptionalExtension, params};

use crate::model::{MailboxId, MessageId, UserId};
use crate::store::sqlite::expiry;
use crate::store::sqlite::message_log;
use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::sqlite::operations::settings;
use crate::store::sqlite::rooms::word;
use crate::store::sqlite::row::user_name;
use crate::store::types::receipts::{
    FindRead, Found, FoundRead, ListReceipts, Receipts, ReceiptsRefused, Recipient, choose,
    has_read,
};

impl Query for ListReceipts {
    fn query(
        self,
        context: &ReadContext<'_>,
    ) -> rusqlite::Result<Result<Receipts, ReceiptsRefused>> {
        let Self { asker, of, after, max } = self;
        let found = recipients(context, asker, of)?;
        Ok(found.map(|recipients| choose(recipients, after.as_ref(), max)))
    }
}

impl Query for FindRead {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<FoundRead> {
        let mut found = FoundRead::default();
        for message in self.messages {
            found.add(message, recipients(context, self.asker, message)?);
        }
        Ok(found)
    }
}

/// The recipients of a message that the asker has sent.
fn recipients(
    ReadContext { connection, now, .. }: &ReadContext<'_>,
    asker: UserId,
    of: MessageId,
) -> rusqlite::Result<Found> {
    let (connection, now) = (*connection, *now);
    if !settings::find(connection, asker)?.is_some_and(|settings| settings.receipts) {
        return Ok(Err(ReceiptsRefused::Off));
    }
    let found = connection
        .prepare_cached("SELECT sender_id, recipient_id, body FROM folded_messages WHERE id = ?1")?
        .query_row([of.0], |row| {
            Ok((UserId(row.get(0)?), MailboxId(row.get(1)?), row.get::<_, Box<str>>(2)?))
        })
        .optional()?;
    let has_expired = expiry::has_expired(connection, of, now)?;
    let Some((sender, mailbox, body)) = found else { return Ok(Err(ReceiptsRefused::Unknown)) };
    if sender != asker {
        let is_readable = message_log::is_for(connection, asker, of)?;
        let refused =
            if is_readable { ReceiptsRefused::OfAnother } else { ReceiptsRefused::Unknown };
        return Ok(Err(refused));
    }
    let mut statement = match mailbox.room() {
        None => connection.prepare_cached(OF_USER)?,
        Some(_) => connection.prepare_cached(OF_ROOM)?,
    };
    let mut rows = statement.query(params![mailbox.0, sender.0, of.0])?;
    let mut recipients = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, notify) = (user_name(row, 1)?, word(row, 3)?);
        let upto = (MessageId(row.get(4)?), MessageId(row.get(5)?));
        let has_read = !has_expired && has_read((of, &body), (&name, notify), upto);
        recipients.push(Recipient {
            user: UserId(row.get(0)?),
            name,
            shows: row.get(2)?,
            has_read,
        });
    }
    Ok(Ok(recipients))
}

/// The user whose mailbox it is. The third parameter is that of [`OF_ROOM`].
const OF_USER: &str = "
    SELECT u.id, u.name, u.receipts, 'all', coalesce(c.upto_id, 0), coalesce(k.upto_id, 0)
      FROM users u
      LEFT JOIN cursors c ON c.user_id = u.id AND c.name = 'inbox'
      LEFT JOIN read_marks k ON k.user_id = u.id AND k.mailbox_id = ?2
     WHERE u.id = ?1 AND u.deleted_at IS NULL AND ?3 > 0";

/// Those who were members when the message was sent, without its sender. The setting of the newest
/// membership counts. A member who had blocked the sender is like one who has muted the room.
const OF_ROOM: &str = "
    SELECT u.id, u.name, u.receipts,
           CASE WHEN EXISTS (SELECT 1 FROM blocks b
                              WHERE b.user_id = p.user_id AND b.blocked_id = ?2
                                AND b.after_id < ?3) THEN 'none'
                ELSE (SELECT n.notify FROM memberships n
                       WHERE n.user_id = p.user_id AND n.room_id = p.room_id
                       ORDER BY n.joined_after DESC LIMIT 1) END,
           coalesce(c.upto_id, 0), coalesce(k.upto_id, 0)
      FROM memberships p
      JOIN users u ON u.id = p.user_id AND u.deleted_at IS NULL
      LEFT JOIN cursors c ON c.user_id = p.user_id AND c.name = 'inbox'
      LEFT JOIN read_marks k ON k.user_id = p.user_id AND k.mailbox_id = ?1
     WHERE p.room_id = -?1 AND p.user_id <> ?2
       AND p.joined_after < ?3 AND (p.left_upto IS NULL OR p.left_upto >= ?3)
     ORDER BY u.name";
