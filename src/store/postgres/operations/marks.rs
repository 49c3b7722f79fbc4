//! Marks, and the floor under them.

use crate::model::{CursorName, MailboxId, MailboxName, MessageId, Timestamp, UserId};
use crate::store::postgres::error::Result;
use crate::store::postgres::folding::folded;
use crate::store::postgres::moving::move_cursors;
use crate::store::postgres::notices;
use crate::store::postgres::operation::{Apply, CursorMove, MoveKind, WriteContext};
use crate::store::postgres::operations::users;
use crate::store::postgres::places::find_place;
use crate::store::postgres::reading::Reading;
use crate::store::postgres::session::Session;
use crate::store::types::marks::{FLOOR_MESSAGES_MAX, MARKS_MAX, Marked, Marks, MoveMark};
use crate::store::types::rooms::{Actor, RoomPart, Unreadable, Wanted};

/// How many messages of each mailbox the first statement takes that looks for the oldest unread
/// message. Each further one takes more.
const TAKEN_MIN: usize = if cfg!(test) { 2 } else { 8 };

impl Apply for MoveMark {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Marked> {
        let Self { user, with, upto } = self;
        let session = &mut *context.session;
        let reading = Reading::find(session, *user, &CursorName::inbox())?;
        let conversation = match conversation(session, &reading, (*user, with))? {
            Ok(conversation) => conversation,
            Err(unreadable) => return Ok(Marked::Unreadable(unreadable)),
        };
        if *upto > reading.head {
            return Ok(Marked::BeyondTheLog);
        }
        let floor = reading.position.unwrap_or(MessageId::ZERO);
        let marks = of(session, *user, floor)?;
        let read = floor.max(marks.upto(conversation));
        if *upto <= read {
            return Ok(Marked::At(read));
        }
        let is_new = !marks.by_mailbox.contains_key(&conversation);
        if is_new && marks.by_mailbox.len() >= MARKS_MAX {
            return Ok(Marked::TooMany);
        }
        let now = session.query_one("SELECT chat.now_ms()", &[])?;
        put(session, *user, conversation, (*upto, Timestamp(now.get(0))))?;
        raise_floor(session, *user, &reading)?;
        notices::tell(session, context.node, (*user, Some(with), *upto))?;
        Ok(Marked::At(*upto))
    }
}

/// The mailbox that stands for the conversation. Who may read a page of it may mark it.
fn conversation(
    session: &mut Session,
    reading: &Reading,
    (reader, with): (UserId, &MailboxName),
) -> Result<std::result::Result<MailboxId, Unreadable>> {
    let name = match with {
        MailboxName::User(name) => {
            let user = users::id_of(session, name)?;
            return Ok(user.map(MailboxId::from).ok_or(Unreadable::Unknown));
        }
        MailboxName::Room(name) => name,
    };
    let Some((room, place)) = find_place(session, Actor::User(reader), name)? else {
        return Ok(Err(Unreadable::Unknown));
    };
    if reading.memberships.iter().any(|membership| membership.room == room) {
        return Ok(Ok(room.into()));
    }
    Ok(Err(if place.sees() { Unreadable::NotAMember } else { Unreadable::Unknown }))
}

/// A reader's marks after the cursor `inbox`, which is at `floor`.
pub(in crate::store) fn of(
    session: &mut Session,
    reader: UserId,
    floor: MessageId,
) -> Result<Marks> {
    let rows = session.query(
        "SELECT mailbox_id, upto_id FROM chat.read_marks WHERE user_id = $1 AND upto_id > $2",
        &[&reader.0, &floor.0],
    )?;
    let mark = |row: &postgres::Row| (MailboxId(row.get(0)), MessageId(row.get(1)));
    Ok(Marks { by_mailbox: rows.iter().map(mark).collect() })
}

/// Creates a mark or moves it.
pub(in crate::store) fn put(
    session: &mut Session,
    reader: UserId,
    conversation: MailboxId,
    (upto, moved_at): (MessageId, Timestamp),
) -> Result<()> {
    let put = session.execute(
        "INSERT INTO chat.read_marks (user_id, mailbox_id, upto_id, moved_at)
         VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id, mailbox_id)
         DO UPDATE SET upto_id = excluded.upto_id, moved_at = excluded.moved_at",
        &[&reader.0, &conversation.0, &upto.0, &moved_at.0],
    );
    put.map(drop)
}

/// Moves the cursor `inbox` past the messages that were read or have expired, up to the first unread
/// one.
fn raise_floor(session: &mut Session, reader: UserId, reading: &Reading) -> Result<()> {
    let floor = reading.position.unwrap_or(MessageId::ZERO);
    let parts = reading.parts(Wanted::Incoming { muted: false });
    let (mut risen, mut looked_at, mut taken) = (floor, 0, TAKEN_MIN);
    while looked_at < FLOOR_MESSAGES_MAX {
        taken = taken.min(FLOOR_MESSAGES_MAX - looked_at);
        let incoming = incoming(session, (reader, reading), &parts, (risen, taken))?;
        let read = incoming.iter().take_while(|&&(_, is_unread)| !is_unread);
        let read: Vec<MessageId> = read.map(|&(id, _)| id).collect();
        risen = read.last().copied().unwrap_or(risen);
        if read.len() < taken {
            break;
        }
        looked_at += taken;
        taken *= 4;
    }
    if risen > floor {
        let (cursor, kind) = (CursorName::inbox(), MoveKind::Forward);
        let cursor_move = CursorMove { user: reader, cursor: cursor.as_str(), kind, upto: risen };
        move_cursors(session, &[cursor_move])?;
        session.execute(
            "DELETE FROM chat.read_marks WHERE user_id = $1 AND upto_id <= $2",
            &[&reader.0, &risen.0],
        )?;
    }
    Ok(())
}

/// The next incoming messages after `from`, and whether each is unread.
fn incoming(
    session: &mut Session,
    (reader, reading): (UserId, &Reading),
    parts: &[RoomPart],
    (from, limit): (MessageId, usize),
) -> Result<Vec<(MessageId, bool)>> {
    let (mut mailboxes, mut only_mentions) = (vec![reader.0], vec![false]);
    let (mut after, mut upto) = (vec![from.0], vec![reading.head.0]);
    for part in parts {
        for range in &part.ranges {
            mailboxes.push(MailboxId::from(part.room).0);
            only_mentions.push(part.only_mentions);
            after.push(range.0.max(from).0);
            upto.push(range.1.min(reading.head).0);
        }
    }
    let name = reading.name.as_ref().map_or("", |name| name.as_str());
    let rows = session.query(
        concat!(
            "SELECT m.id, m.id > coalesce(k.upto_id, 0)
                      AND NOT coalesce(chat.expires_at(m.details, m.sent_at) <= $9, false)
                      AND (m.mailbox_id > 0
                           OR m.sender_id <> $5 AND m.sender_id <> ALL ($8::bigint[])
                              AND (NOT r.only_mentions OR chat.mentions(m.body, $6)))
           FROM unnest($1::bigint[], $2::boolean[], $3::bigint[], $4::bigint[])
                AS r (mailbox_id, only_mentions, after_id, upto_id)
          CROSS JOIN LATERAL (SELECT * FROM ",
            folded!(),
            " m
                               WHERE m.mailbox_id = r.mailbox_id AND m.id > r.after_id
                                 AND m.id <= r.upto_id
                               ORDER BY m.id LIMIT $7::bigint) AS m
           LEFT JOIN chat.read_marks k ON k.user_id = $5
            AND k.mailbox_id = CASE WHEN m.mailbox_id < 0 THEN m.mailbox_id ELSE m.sender_id END
          ORDER BY m.id LIMIT $7::bigint"
        ),
        &[
            &mailboxes,
            &only_mentions,
            &after,
            &upto,
            &reader.0,
            &name,
            &i64::try_from(limit).unwrap_or(i64::MAX),
            &reading.blocks.numbers(),
            &reading.now.0,
        ],
    )?;
    Ok(rows.iter().map(|row| (MessageId(row.get(0)), row.get(1))).collect())
}
