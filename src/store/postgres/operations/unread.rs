//! Counting unread messages.

use postgres::Row;

use crate::model::{CursorName, MailboxId, MailboxName, MessageId, UserId};
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::Query;
use crate::store::postgres::operations::marks;
use crate::store::postgres::reading::Reading;
use crate::store::postgres::session::Session;
use crate::store::types::marks::Marks;
use crate::store::types::messages::{CountUnread, UnreadFrom};
use crate::store::types::rooms::{ROOM_UNREAD_MAX, RoomPart, Wanted};

impl Query for CountUnread {
    fn query(&self, session: &mut Session) -> Result<Vec<UnreadFrom>> {
        let reading = Reading::find(session, self.reader, &CursorName::inbox())?;
        let seen = reading.position.unwrap_or(MessageId::ZERO);
        let mut unread = count_by_sender(session, self.reader, (seen, reading.head))?;
        let parts = reading.parts(Wanted::Incoming { muted: false });
        if !parts.is_empty() {
            let marks = marks::of(session, self.reader, seen)?;
            unread.extend(count_in_rooms(session, self, &reading, (seen, &marks, &parts))?);
        }
        Ok(unread)
    }
}

/// Counts the messages for `reader` after `seen` that no mark covers, by sender.
pub(in crate::store) fn count_by_sender(
    session: &mut Session,
    reader: UserId,
    (seen, head): (MessageId, MessageId),
) -> Result<Vec<UnreadFrom>> {
    let rows = session.query(
        "SELECT u.name, c.count, c.newest, false
               FROM (SELECT m.sender_id, count(*) AS count, min(m.id) AS oldest,
                            max(m.id) AS newest
                       FROM chat.messages m
                       LEFT JOIN chat.read_marks k ON k.user_id = $1 AND k.mailbox_id = m.sender_id
                      WHERE m.mailbox_id = $1 AND m.id > $2 AND m.id <= $3
                        AND m.id > coalesce(k.upto_id, 0)
                      GROUP BY m.sender_id) AS c
               JOIN chat.users u ON u.id = c.sender_id
              ORDER BY c.oldest",
        &[&reader.0, &seen.0, &head.0],
    )?;
    rows.iter().map(unread_from).collect()
}

/// Counts the messages of each room after `seen`. Of each interval, it looks at one message more
/// than it counts. One that does not count has a negative number.
fn count_in_rooms(
    session: &mut Session,
    CountUnread { reader }: &CountUnread,
    reading: &Reading,
    (seen, marks, parts): (MessageId, &Marks, &[RoomPart]),
) -> Result<Vec<UnreadFrom>> {
    let (mut mailboxes, mut only_mentions) = (Vec::new(), Vec::new());
    let (mut after, mut upto) = (Vec::new(), Vec::new());
    for part in parts {
        let seen = seen.max(marks.upto(part.room.into()));
        for range in &part.ranges {
            mailboxes.push(MailboxId::from(part.room).0);
            only_mentions.push(part.only_mentions);
            after.push(range.0.max(seen).0);
            upto.push(range.1.min(reading.head).0);
        }
    }
    let name = reading.name.as_ref().map_or("", |name| name.as_str());
    let rows = session.query(
        "SELECT x.name, count(*) FILTER (WHERE n.id > 0 AND n.place <= $7::bigint),
                max(n.id) FILTER (WHERE n.id > 0 AND n.place <= $7::bigint), max(n.place) > $7::bigint
           FROM (SELECT f.mailbox_id, f.id,
                        row_number() OVER (PARTITION BY f.mailbox_id ORDER BY abs(f.id)) AS place
                   FROM (SELECT r.mailbox_id, unnest(ARRAY(
                                SELECT CASE WHEN m.sender_id <> $5
                                             AND (NOT r.only_mentions OR chat.mentions(m.body, $6))
                                            THEN m.id ELSE -m.id END
                                  FROM chat.messages m
                                 WHERE m.mailbox_id = r.mailbox_id AND m.id > r.after_id
                                   AND m.id <= r.upto_id
                                 ORDER BY m.id LIMIT $7::bigint + 1)) AS id
                           FROM unnest($1::bigint[], $2::boolean[], $3::bigint[], $4::bigint[])
                                AS r (mailbox_id, only_mentions, after_id, upto_id)) AS f) AS n
           JOIN chat.rooms x ON x.id = -n.mailbox_id
          GROUP BY x.name
         HAVING bool_or(n.id > 0 AND n.place <= $7::bigint)
          ORDER BY min(n.id) FILTER (WHERE n.id > 0 AND n.place <= $7::bigint)",
        &[&mailboxes, &only_mentions, &after, &upto, &reader.0, &name, &(ROOM_UNREAD_MAX as i64)],
    )?;
    rows.iter().map(unread_from).collect()
}

fn unread_from(row: &Row) -> Result<UnreadFrom> {
    Ok(UnreadFrom {
        from: row.get::<_, &str>(0).parse::<MailboxName>()?,
        count: usize::try_from(row.get::<_, i64>(1)).unwrap_or(usize::MAX),
        newest: MessageId(row.get(2)),
        more: row.get(3),
    })
}
