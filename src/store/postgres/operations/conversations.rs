//! Listing conversations.

use std::collections::HashMap;

use postgres::Row;

use crate::model::{CursorName, MailboxId, Message, MessageId, Timestamp};
use crate::store::postgres::error::Result;
use crate::store::postgres::folding::folded;
use crate::store::postgres::operation::Query;
use crate::store::postgres::operations::{marks, pages, unread};
use crate::store::postgres::reading::Reading;
use crate::store::postgres::session::Session;
use crate::store::types::conversations::{
    CONVERSATION_MESSAGES_MAX, Candidates, Conversation, Conversations, ListConversations, Newest,
};
use crate::store::types::counting::Tally;
use crate::store::types::marks::Marks;
use crate::store::types::rooms::{RoomPart, Wanted};

impl Query for ListConversations {
    fn query(&self, session: &mut Session) -> Result<Conversations> {
        let reading = Reading::find(session, self.reader, &CursorName::inbox())?;
        let rooms = newest_in_rooms(session, &reading)?;
        let (users, edge) = self.newest_by_sender(session, reading.head)?;
        let candidates = Candidates { rooms, users, edge };
        let (chosen, next) = candidates.choose(self.before, self.bounds.messages);
        let (found, is_cut) = self.messages(session, &chosen)?;
        let next = if is_cut { found.last().map(|(_, last)| last.id) } else { next };
        let floor = reading.position.unwrap_or(MessageId::ZERO);
        let marks = marks::of(session, self.reader, floor)?;
        let (by_user, expires) = unread::count_by_sender(session, self.reader, (floor, &reading))?;
        let by_user: HashMap<_, _> = by_user.into_iter().map(|of| (of.from, of.count)).collect();
        let (in_rooms, in_rooms_until) =
            self.count_in_rooms(session, &reading, (floor, &marks), &found)?;
        let expires = expires.into_iter().chain(in_rooms_until).min();
        let conversations = found.into_iter().map(|(mailbox, last)| {
            let (with, upto) = (last.conversation(), floor.max(marks.upto(mailbox)));
            let of_user = || (by_user.get(&with).copied().unwrap_or(0), false, 0);
            let (unread, more, mentions) = in_rooms.get(&mailbox).copied().unwrap_or_else(of_user);
            Conversation { with, last, unread, more, mentions, upto }
        });
        Ok(Conversations { conversations: conversations.collect(), next, expires })
    }
}

/// The newest message of each room that the reader may read and does not block.
fn newest_in_rooms(session: &mut Session, reading: &Reading) -> Result<Vec<Newest>> {
    let parts = reading.parts(Wanted::All);
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let (mailboxes, after, upto) = ranges(&parts, reading.head);
    let blocked = reading.blocks.numbers();
    let looked_at = if blocked.is_empty() { 1 } else { CONVERSATION_MESSAGES_MAX as i64 };
    let rows = session.query(
        concat!(
            "SELECT r.mailbox_id, max(l.id)
           FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
                AS r (mailbox_id, after_id, upto_id)
          CROSS JOIN LATERAL (SELECT n.id
                                FROM (SELECT m.id, m.sender_id FROM ",
            folded!(),
            " m
                                       WHERE m.mailbox_id = r.mailbox_id AND m.id > r.after_id
                                         AND m.id <= r.upto_id
                                       ORDER BY m.id DESC LIMIT $5) AS n
                               WHERE n.sender_id <> ALL ($4::bigint[])
                               ORDER BY n.id DESC LIMIT 1) AS l
          GROUP BY r.mailbox_id"
        ),
        &[&mailboxes, &after, &upto, &blocked, &looked_at],
    )?;
    Ok(rows.iter().map(newest).collect())
}

fn newest(row: &Row) -> Newest {
    (MailboxId(row.get(0)), MessageId(row.get(1)))
}

/// The intervals of rooms, up to `head`.
fn ranges(parts: &[RoomPart], head: MessageId) -> (Vec<i64>, Vec<i64>, Vec<i64>) {
    let (mut mailboxes, mut after, mut upto) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        for range in &part.ranges {
            mailboxes.push(MailboxId::from(part.room).0);
            after.push(range.0.0);
            upto.push(range.1.min(head).0);
        }
    }
    (mailboxes, after, upto)
}

/// By room: how many messages are unread, whether there may be more, and mentions. Also when the
/// first of them expires.
type InRooms = (HashMap<MailboxId, (usize, bool, usize)>, Option<Timestamp>);

impl ListConversations {
    /// The newest message of each user who has written to the reader, the newest first. Also the edge:
    /// see [`Candidates`].
    fn newest_by_sender(
        &self,
        session: &mut Session,
        head: MessageId,
    ) -> Result<(Vec<Newest>, Option<MessageId>)> {
        let max = CONVERSATION_MESSAGES_MAX as i64;
        let rows = session.query(
            concat!(
                "WITH looked AS (SELECT m.id, m.sender_id,
                                    row_number() OVER (ORDER BY m.id DESC) AS place
                               FROM (SELECT id, sender_id FROM ",
                folded!(),
                " AS m
                                      WHERE mailbox_id = $1 AND id < $2 AND id <= $3
                                      ORDER BY id DESC LIMIT $4::bigint + 1) AS m)
             SELECT l.sender_id, max(l.id), (SELECT min(e.id) FROM looked e WHERE e.place <= $4),
                    (SELECT count(*) FROM looked)
               FROM looked l WHERE l.place <= $4
              GROUP BY l.sender_id ORDER BY 2 DESC"
            ),
            &[&self.reader.0, &self.before.0, &head.0, &max],
        )?;
        let is_whole = |row: &&Row| row.get::<_, i64>(3) <= max;
        let edge = rows.first().filter(|row| !is_whole(row)).map(|row| MessageId(row.get(2)));
        Ok((rows.iter().map(newest).collect(), edge))
    }

    /// These messages, as far as they fit, and whether others are left.
    fn messages(
        &self,
        session: &mut Session,
        chosen: &[Newest],
    ) -> Result<(Vec<(MailboxId, Message)>, bool)> {
        let ids: Vec<i64> = chosen.iter().map(|(_, id)| id.0).collect();
        let mut messages: HashMap<MessageId, Message> = HashMap::new();
        for row in &session.query(pages::BY_IDS, &[&ids])? {
            let message = pages::message(row)?;
            messages.insert(message.id, message);
        }
        let (mut found, mut size) = (Vec::new(), 0);
        for &(mailbox, id) in chosen {
            let Some(message) = messages.remove(&id) else { continue };
            size += (self.bounds.measure)(&message);
            if size > self.bounds.size && !found.is_empty() {
                return Ok((found, true));
            }
            found.push((mailbox, message));
        }
        Ok((found, false))
    }

    /// What is unread in the rooms of the page.
    fn count_in_rooms(
        &self,
        session: &mut Session,
        reading: &Reading,
        after: (MessageId, &Marks),
        page: &[(MailboxId, Message)],
    ) -> Result<InRooms> {
        let mut parts = reading.parts(Wanted::Incoming { muted: false });
        parts.retain(|part| page.iter().any(|(mailbox, _)| *mailbox == part.room.into()));
        let (tallies, expires) =
            unread::count_in_rooms(session, self.reader, reading, after, &parts, true)?;
        let rooms = parts.iter().map(|part| part.room.into());
        Ok((rooms.zip(tallies.iter().map(Tally::figures)).collect(), expires))
    }
}
