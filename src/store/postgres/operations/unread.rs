//! Counting unread messages.

use std::collections::HashMap;

use postgres::Row;

use crate::model::{CursorName, MailboxId, MailboxName, MessageId, RoomId, Timestamp, UserId};
use crate::store::postgres::error::Result;
use crate::store::postgres::folding::folded;
use crate::store::postgres::operation::Query;
use crate::store::postgres::operations::marks;
use crate::store::postgres::reading::Reading;
use crate::store::postgres::session::Session;
use crate::store::types::counting::{Tally, count_in_turns};
use crate::store::types::marks::Marks;
use crate::store::types::messages::{CountUnread, UnreadFrom};
use crate::store::types::rooms::{RoomPart, Wanted};

impl Query for CountUnread {
    fn query(&self, session: &mut Session) -> Result<Vec<UnreadFrom>> {
        let reading = Reading::find(session, self.reader, &CursorName::inbox())?;
        let seen = reading.position.unwrap_or(MessageId::ZERO);
        let (mut unread, _) = count_by_sender(session, self.reader, (seen, &reading))?;
        let parts = reading.parts(Wanted::Incoming { muted: false });
        if !parts.is_empty() {
            let marks = marks::of(session, self.reader, seen)?;
            let after = (seen, &marks);
            let (tallies, _) =
                count_in_rooms(session, self.reader, &reading, after, &parts, false)?;
            unread.extend(by_room(session, &parts, &tallies)?);
        }
        Ok(unread)
    }
}

/// Counts the messages for `reader` after `seen` that no mark covers and that have not expired, by
/// sender. Also when the first of them expires.
pub(in crate::store) fn count_by_sender(
    session: &mut Session,
    reader: UserId,
    (seen, reading): (MessageId, &Reading),
) -> Result<(Vec<UnreadFrom>, Option<Timestamp>)> {
    let rows = session.query(
        concat!(
            "SELECT u.name, c.count, c.newest, false, c.expires
               FROM (SELECT m.sender_id, count(*) AS count, min(m.id) AS oldest,
                            max(m.id) AS newest,
                            min(chat.expires_at(m.details, m.sent_at)) AS expires
                       FROM ",
            folded!(),
            " m
                       LEFT JOIN chat.read_marks k ON k.user_id = $1 AND k.mailbox_id = m.sender_id
                      WHERE m.mailbox_id = $1 AND m.id > $2 AND m.id <= $3
                        AND m.id > coalesce(k.upto_id, 0)
                        AND NOT coalesce(chat.expires_at(m.details, m.sent_at)
                                         <= $4, false)
                      GROUP BY m.sender_id) AS c
               JOIN chat.users u ON u.id = c.sender_id
              ORDER BY c.oldest"
        ),
        &[&reader.0, &seen.0, &reading.head.0, &reading.now.0],
    )?;
    let expires = rows.iter().filter_map(|row| row.get::<_, Option<i64>>(4)).min();
    let unread = rows.iter().map(unread_from).collect::<Result<_>>()?;
    Ok((unread, expires.map(Timestamp)))
}

/// Counts the messages of others in rooms after `seen` and the mark of the room, without those of
/// blocked users and those that have expired. Also when the first of them expires. Mentions are
/// counted only if that is wanted, because they are in the texts.
pub(in crate::store) fn count_in_rooms(
    session: &mut Session,
    reader: UserId,
    reading: &Reading,
    (seen, marks): (MessageId, &Marks),
    parts: &[RoomPart],
    wants_mentions: bool,
) -> Result<(Vec<Tally>, Option<Timestamp>)> {
    let mut expires: Option<i64> = None;
    let name = reading.name.as_ref().map_or("", |name| name.as_str());
    let (blocked, now) = (reading.blocks.numbers(), reading.now.0);
    let tallies: Result<_> = count_in_turns(parts.len(), |open, max, tallies| {
        let (mut places, mut mailboxes, mut only_mentions) = (Vec::new(), Vec::new(), Vec::new());
        let (mut after, mut upto) = (Vec::new(), Vec::new());
        for &place in open {
            let RoomPart { room, ranges, only_mentions: only } = &parts[place];
            let seen = seen.max(marks.upto((*room).into()));
            let seen = seen.max(tallies[place].upto.unwrap_or(MessageId::ZERO));
            // A room without messages has no row.
            tallies[place].more = false;
            for range in ranges {
                places.push(i64::try_from(place).unwrap_or(i64::MAX));
                mailboxes.push(MailboxId::from(*room).0);
                only_mentions.push(*only);
                after.push(range.0.max(seen).0);
                upto.push(range.1.min(reading.head).0);
            }
        }
        let max = i64::try_from(max).unwrap_or(i64::MAX - 1);
        let rows = session.query(
            LOOK,
            &[
                &places,
                &mailboxes,
                &only_mentions,
                &after,
                &upto,
                &reader.0,
                &name,
                &wants_mentions,
                &max,
                &blocked,
                &now,
            ],
        )?;
        for row in &rows {
            let place = usize::try_from(row.get::<_, i64>(0)).ok();
            let Some(tally) = place.and_then(|place| tallies.get_mut(place)) else { continue };
            tally.append(&looked(row));
            expires = expires.into_iter().chain(row.get::<_, Option<i64>>(8)).min();
        }
        Ok(())
    });
    Ok((tallies?, expires.map(Timestamp)))
}

/// Looks at one message more than it counts.
const LOOK: &str = concat!(
    "
    SELECT n.part, count(*) FILTER (WHERE n.place <= $9), max(n.id) FILTER (WHERE n.place <= $9),
           max(n.place) > $9,
           count(*) FILTER (WHERE n.place <= $9 AND n.is_unread),
           count(*) FILTER (WHERE n.place <= $9 AND n.is_unread AND n.is_mention),
           min(n.id) FILTER (WHERE n.place <= $9 AND n.is_unread),
           max(n.id) FILTER (WHERE n.place <= $9 AND n.is_unread),
           min(n.expires) FILTER (WHERE n.place <= $9 AND n.is_unread)
      FROM (SELECT r.part, m.id, m.is_unread, m.is_mention, m.expires,
                   row_number() OVER (PARTITION BY r.part ORDER BY m.id) AS place
              FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::bigint[], $5::bigint[])
                   AS r (part, mailbox_id, only_mentions, after_id, upto_id)
             CROSS JOIN LATERAL (
                   SELECT l.id, l.sender_id <> $6 AND l.sender_id <> ALL ($10::bigint[])
                                AND NOT coalesce(chat.expires_at(l.details, l.sent_at) <= $11, false)
                                AND (NOT r.only_mentions OR chat.mentions(l.body, $7)) AS is_unread,
                          $8::boolean AND chat.mentions(l.body, $7) AS is_mention,
                          chat.expires_at(l.details, l.sent_at) AS expires
                     FROM ",
    folded!(),
    " l
                    WHERE l.mailbox_id = r.mailbox_id AND l.id > r.after_id AND l.id <= r.upto_id
                    ORDER BY l.id LIMIT $9::bigint + 1) AS m) AS n
     GROUP BY n.part"
);

fn looked(row: &Row) -> Tally {
    let count = |column: usize| usize::try_from(row.get::<_, i64>(column)).unwrap_or(usize::MAX);
    let id = |column: usize| row.get::<_, Option<i64>>(column).map(MessageId);
    Tally {
        looked_at: count(1),
        upto: id(2),
        more: row.get(3),
        count: count(4),
        mentions: count(5),
        ends: id(6).zip(id(7)),
    }
}

/// The rooms in which something is unread, in the order of their first unread messages.
fn by_room(
    session: &mut Session,
    parts: &[RoomPart],
    tallies: &[Tally],
) -> Result<Vec<UnreadFrom>> {
    let of_rooms = parts.iter().zip(tallies).filter_map(|(part, tally)| {
        let (first, newest) = tally.ends?;
        Some((first, part.room, newest, tally))
    });
    let mut found: Vec<_> = of_rooms.collect();
    found.sort_unstable_by_key(|&(first, ..)| first);
    let ids: Vec<i64> = found.iter().map(|(_, room, ..)| room.0).collect();
    let mut names = HashMap::new();
    for row in &session.query("SELECT id, name FROM chat.rooms WHERE id = ANY ($1)", &[&ids])? {
        names.insert(RoomId(row.get(0)), row.get::<_, &str>(1).parse::<MailboxName>()?);
    }
    let unread = found.into_iter().filter_map(|(_, room, newest, tally)| {
        let from = names.remove(&room)?;
        Some(UnreadFrom { from, count: tally.count, newest, more: tally.more })
    });
    Ok(unread.collect())
}

fn unread_from(row: &Row) -> Result<UnreadFrom> {
    Ok(UnreadFrom {
        from: row.get::<_, &str>(0).parse::<MailboxName>()?,
        count: usize::try_from(row.get::<_, i64>(1)).unwrap_or(usize::MAX),
        newest: MessageId(row.get(2)),
        more: row.get(3),
    })
}
