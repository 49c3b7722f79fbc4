//! Who has read a message.

use postgres::Row;

use crate::model::{MailboxId, MessageId, UserId, UserName};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::Query;
use crate::store::postgres::operations::settings;
use crate::store::postgres::session::Session;
use crate::store::types::receipts::{
    FindRead, Found, FoundRead, ListReceipts, Receipts, ReceiptsRefused, Recipient, choose,
    has_read,
};

impl Query for ListReceipts {
    fn query(
        &self,
        session: &mut Session,
    ) -> Result<std::result::Result<Receipts, ReceiptsRefused>> {
        let found = recipients(session, self.asker, self.of)?;
        Ok(found.map(|recipients| choose(recipients, self.after.as_ref(), self.max)))
    }
}

impl Query for FindRead {
    fn query(&self, session: &mut Session) -> Result<FoundRead> {
        let mut found = FoundRead::default();
        for &message in &self.messages {
            found.add(message, recipients(session, self.asker, message)?);
        }
        Ok(found)
    }
}

/// The recipients of a message that the asker has sent.
fn recipients(session: &mut Session, asker: UserId, of: MessageId) -> Result<Found> {
    if !settings::find(session, asker)?.is_some_and(|settings| settings.receipts) {
        return Ok(Err(ReceiptsRefused::Off));
    }
    let found = session.query_opt(
        "SELECT m.sender_id, m.mailbox_id, m.body,
                chat.sees($3, $2, m.id, m.sender_id, m.mailbox_id),
                coalesce(chat.expires_at(m.details, m.sent_at) <= chat.now_ms(), false)
           FROM chat.folded_messages m WHERE m.id = $1",
        &[&of.0, &asker.0, &LANE],
    )?;
    let Some(found) = found else { return Ok(Err(ReceiptsRefused::Unknown)) };
    let (sender, mailbox) = (UserId(found.get(0)), MailboxId(found.get(1)));
    if sender != asker {
        let refused =
            if found.get(3) { ReceiptsRefused::OfAnother } else { ReceiptsRefused::Unknown };
        return Ok(Err(refused));
    }
    let body = std::str::from_utf8(found.get(2)).map_err(|_| Error::NotUtf8)?;
    let has_expired: bool = found.get(4);
    let rows = match mailbox.room() {
        None => session.query(OF_USER, &[&mailbox.0, &sender.0])?,
        Some(_) => session.query(OF_ROOM, &[&mailbox.0, &sender.0, &of.0])?,
    };
    let recipient = |row| -> Result<Recipient> {
        let found = recipient(row, of, body)?;
        let has_read = found.has_read && !has_expired;
        Ok(Recipient { has_read, ..found })
    };
    rows.iter().map(recipient).collect::<Result<_>>().map(Ok)
}

fn recipient(row: &Row, of: MessageId, body: &str) -> Result<Recipient> {
    let name: UserName = row.get::<_, &str>(1).parse()?;
    let notify = row.get::<_, &str>(3).parse()?;
    let upto = (MessageId(row.get(4)), MessageId(row.get(5)));
    let has_read = has_read((of, body), (&name, notify), upto);
    Ok(Recipient { user: UserId(row.get(0)), name, shows: row.get(2), has_read })
}

/// The user whose mailbox it is.
const OF_USER: &str = "
    SELECT u.id, u.name, u.receipts, 'all', coalesce(c.upto_id, 0), coalesce(k.upto_id, 0)
      FROM chat.users u
      LEFT JOIN chat.cursors c ON c.user_id = u.id AND c.name = 'inbox'
      LEFT JOIN chat.read_marks k ON k.user_id = u.id AND k.mailbox_id = $2
     WHERE u.id = $1 AND u.deleted_at IS NULL";

/// Those who were members when the message was sent, without its sender. The setting of the newest
/// membership counts. A member who had blocked the sender is like one who has muted the room.
const OF_ROOM: &str = "
    SELECT u.id, u.name, u.receipts,
           CASE WHEN EXISTS (SELECT FROM chat.blocks w
                              WHERE w.user_id = b.user_id AND w.blocked_id = $2
                                AND w.after_id < $3) THEN 'none'
                ELSE (SELECT n.notify FROM chat.memberships n
                       WHERE n.user_id = b.user_id AND n.room_id = b.room_id
                       ORDER BY n.joined_after DESC LIMIT 1) END,
           coalesce(c.upto_id, 0), coalesce(k.upto_id, 0)
      FROM chat.memberships b
      JOIN chat.users u ON u.id = b.user_id AND u.deleted_at IS NULL
      LEFT JOIN chat.cursors c ON c.user_id = b.user_id AND c.name = 'inbox'
      LEFT JOIN chat.read_marks k ON k.user_id = b.user_id AND k.mailbox_id = $1
     WHERE b.room_id = -$1 AND b.user_id <> $2
       AND b.joined_after < $3 AND (b.left_upto IS NULL OR b.left_upto >= $3)
     ORDER BY u.name";
