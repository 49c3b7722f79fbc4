//! Reading pages of the message log.

mod changes;
mod filling;
mod merging;

use postgres::Row;

use crate::model::{
    Body, CursorName, Details, MailboxId, MailboxName, Message, MessageId, RoomName, Timestamp,
    UserId, UserName,
};
use crate::store::postgres::append::LANE;
use crate::store::postgres::blocks;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::folding::folded;
use crate::store::postgres::operation::Query;
use crate::store::postgres::operations::{cursors, marks, users};
use crate::store::postgres::places::find_place;
use crate::store::postgres::reading::Reading;
use crate::store::postgres::session::Session;
use crate::store::types::blocks::Blocks;
use crate::store::types::changes::{ChangeRange, ChangedPart};
use crate::store::types::marks::Marks;
use crate::store::types::messages::{
    Changes, FindStart, Page, PageStart, ReadPage, ReadThread, Start, StreamStart, ThreadStart,
};
use crate::store::types::rooms::{Actor, RoomPart, Unreadable, Wanted, readable};
use filling::{LeftOut, Part, Selection};
use merging::Runs;

/// The answer of [`ReadPage`].
type Readable = std::result::Result<Page, Unreadable>;

impl Query for ReadPage {
    fn query(&self, session: &mut Session) -> Result<Readable> {
        let mut changed = Changed { parts: Vec::new(), head: MessageId(i64::MAX) };
        let page = match &self.with {
            None => Ok(self.incoming(session, &mut changed)?),
            Some(MailboxName::User(name)) => self.conversation(session, name, &mut changed)?,
            Some(MailboxName::Room(name)) => self.of_room(session, name, &mut changed)?,
        };
        let Ok(mut page) = page else { return Ok(page) };
        if self.is_before() {
            page.messages.reverse();
        }
        if self.changes == Changes::Raw {
            changes::unfold(session, &mut page)?;
        }
        if let Some(range) = ChangeRange::of(self.changes, &page, self.is_before())
            && !changed.parts.is_empty()
        {
            // What came after the moment of the page belongs to a later one.
            let range = ChangeRange { upto: range.upto.min(changed.head), ..range };
            let parts = (self.reader, &changed.parts[..]);
            changes::add(session, range, parts, &self.filter, &mut page)?;
        }
        Ok(Ok(page))
    }
}

/// Whose changes belong to a page, and up to which entry of the message log.
struct Changed {
    parts: Vec<ChangedPart>,
    head: MessageId,
}

impl ReadPage {
    /// What comes to the reader, in their own mailbox and in rooms.
    fn incoming(&self, session: &mut Session, changed: &mut Changed) -> Result<Page> {
        if let PageStart::Dead(cursor, after) = &self.start {
            let (reader, since) = (self.reader.0, self.since());
            let blocks = blocks::of(session, self.reader)?;
            return self.selection(None, (Marks::default(), blocks), None).fill(
                *after,
                |from, limit| {
                    let cursor = cursor.as_str();
                    part(
                        session.query(DEAD, &[&reader, &from.0, &since, &number(limit), &cursor]),
                        limit,
                    )
                },
            );
        }
        let reading = Reading::find(session, self.reader, &self.cursor())?;
        let marks = self.find_marks(session, reading.position)?;
        let parts = reading.parts(self.wanted);
        changed.head = reading.head;
        changed.parts.push(ChangedPart::own(self.reader));
        changed.parts.extend(ChangedPart::of_rooms(self.reader, self.wanted, &parts));
        if !parts.is_empty() {
            let own = Some(self.reader.into());
            let mut page = self.merged(session, (&reading, marks), own, &parts)?;
            if self.wanted != Wanted::All {
                page.rooms = reading.live_rooms(&parts);
            }
            return Ok(page);
        }
        let (reader, since, head) = (self.reader.0, self.since(), reading.head.0);
        let sql = if self.is_before() { BEFORE } else { AFTER };
        let selection = self.selection(None, (marks, Blocks::default()), Some(reading.now));
        selection.fill(self.begin(reading.position), |from, limit| {
            part(session.query(sql, &[&reader, &from.0, &since, &number(limit), &head]), limit)
        })
    }

    /// What the reader and another user have sent to each other.
    fn conversation(
        &self,
        session: &mut Session,
        with: &UserName,
        changed: &mut Changed,
    ) -> Result<Readable> {
        let Some(UserId(with)) = users::id_of(session, with)? else {
            return Ok(Err(Unreadable::Unknown));
        };
        changed.parts = ChangedPart::conversation(self.reader, UserId(with));
        let position = match &self.start {
            PageStart::Cursor(_) | PageStart::Unread(_) => {
                cursors::position(session, self.reader, &self.cursor())?
            }
            _ => None,
        };
        let position = self.after_mark(session, position, with)?;
        let (reader, since) = (self.reader.0, self.since());
        let sql = if self.is_before() { WITH_BEFORE } else { WITH_AFTER };
        let now = match self.leaves_out_expired() {
            true => Some(Timestamp(session.query_one("SELECT chat.now_ms()", &[])?.get(0))),
            false => None,
        };
        let selection = self.selection(None, (Marks::default(), Blocks::default()), now);
        let page = selection.fill(self.begin(position), |from, limit| {
            part(session.query(sql, &[&reader, &from.0, &since, &number(limit), &with]), limit)
        });
        page.map(Ok)
    }

    /// The messages of a room. A user who has left still reads what came before.
    fn of_room(
        &self,
        session: &mut Session,
        name: &RoomName,
        changed: &mut Changed,
    ) -> Result<Readable> {
        let found = find_place(session, Actor::User(self.reader), name)?;
        let mut reading = Reading::find(session, self.reader, &self.cursor())?;
        let room = match readable(found, &reading.memberships) {
            Ok(room) => room,
            Err(unreadable) => return Ok(Err(unreadable)),
        };
        // Naming the room includes a muted one.
        let wanted = match self.wanted {
            Wanted::All => Wanted::All,
            Wanted::Incoming { .. } => Wanted::Incoming { muted: true },
        };
        let mut parts = reading.parts(wanted);
        parts.retain(|part| part.room == room);
        changed.head = reading.head;
        changed.parts.extend(ChangedPart::of_rooms(self.reader, wanted, &parts));
        reading.position = self.after_mark(session, reading.position, MailboxId::from(room).0)?;
        self.merged(session, (&reading, Marks::default()), None, &parts).map(Ok)
    }

    fn merged(
        &self,
        session: &mut Session,
        (reading, marks): (&Reading, Marks),
        own: Option<MailboxId>,
        parts: &[RoomPart],
    ) -> Result<Page> {
        let left_out = LeftOut::of(self.reader, reading.name.as_ref(), self.wanted, parts);
        let mut runs = Runs::new(own, parts, reading.head, (self.is_before(), self.since()));
        let start = self.begin(reading.position);
        let hidden = (marks, reading.blocks.clone());
        let selection = self.selection(left_out, hidden, Some(reading.now));
        selection.fill(start, |from, limit| runs.read(session, from, limit))
    }

    /// `now` may be missing if the page shows what has expired.
    fn selection(
        &self,
        left_out: Option<LeftOut>,
        (marks, blocks): (Marks, Blocks),
        now: Option<Timestamp>,
    ) -> Selection<'_> {
        let filter = Some(&self.filter).filter(|filter| !filter.is_empty());
        let without_expired_at = now.filter(|_| self.leaves_out_expired());
        Selection { bounds: &self.bounds, filter, left_out, marks, blocks, without_expired_at }
    }

    /// The marks of a page of unread messages.
    fn find_marks(&self, session: &mut Session, position: Option<MessageId>) -> Result<Marks> {
        if !self.is_of_unread() {
            return Ok(Marks::default());
        }
        marks::of(session, self.reader, position.unwrap_or(MessageId::ZERO))
    }

    /// Where a page of one conversation begins: at the cursor `inbox`, it begins after the mark, too.
    fn after_mark(
        &self,
        session: &mut Session,
        position: Option<MessageId>,
        conversation: i64,
    ) -> Result<Option<MessageId>> {
        let marks = self.find_marks(session, position)?;
        Ok(position.max(marks.by_mailbox.get(&MailboxId(conversation)).copied()))
    }

    fn is_before(&self) -> bool {
        matches!(self.start, PageStart::Before(_))
    }

    fn since(&self) -> i64 {
        self.since.map_or(i64::MIN, |since| since.0)
    }

    /// The cursor at which the page begins, or any.
    fn cursor(&self) -> CursorName {
        match &self.start {
            PageStart::Cursor(cursor) => cursor.clone(),
            _ => CursorName::inbox(),
        }
    }

    /// Where the page begins, if its cursor is here.
    fn begin(&self, position: Option<MessageId>) -> MessageId {
        match &self.start {
            PageStart::After(id) | PageStart::Before(id) | PageStart::Dead(_, id) => *id,
            PageStart::Cursor(_) => position.unwrap_or(MessageId::ZERO),
            PageStart::Unread(id) => position.unwrap_or(MessageId::ZERO).max(*id),
        }
    }
}

impl Query for ReadThread {
    fn query(&self, session: &mut Session) -> Result<Option<Page>> {
        let sql = "SELECT chat.find_threads($1, ARRAY[$2::bigint], ARRAY[$3::bigint])";
        let row = session.query_one(sql, &[&LANE, &self.of.0, &self.reader.0])?;
        let found: Vec<Option<i64>> = row.get(0);
        let Some(thread) = found.into_iter().next().flatten() else { return Ok(None) };
        let (sql, start) = match self.start {
            ThreadStart::After(id) => (THREAD_AFTER, id),
            ThreadStart::Before(id) => (THREAD_BEFORE, id),
        };
        let since = self.since.map_or(i64::MIN, |since| since.0);
        let selection = Selection {
            bounds: &self.bounds,
            filter: None,
            left_out: None,
            marks: Marks::default(),
            // The statement leaves them out.
            blocks: Blocks::default(),
            without_expired_at: None,
        };
        let mut page = selection.fill(start, |from, limit| {
            let rows = session
                .query(sql, &[&self.reader.0, &from.0, &since, &number(limit), &thread, &LANE]);
            part(rows, limit)
        })?;
        if matches!(self.start, ThreadStart::Before(_)) {
            page.messages.reverse();
        }
        Ok(Some(page))
    }
}

/// The part that a statement with this limit has found.
fn part(rows: Result<Vec<Row>>, limit: usize) -> Result<Part> {
    let rows = rows?;
    let is_last = rows.len() < limit;
    Ok(Part { rows, is_last })
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Reads with these parameters: the reader, the other user, the start, the oldest time, the number
/// of messages.
macro_rules! page_sql {
    ($condition:expr, $order:literal) => {
        concat!(
            "SELECT m.id, m.sent_at, s.name, coalesce(r.name, x.name), m.body, m.details,
                    m.sender_id, m.mailbox_id
               FROM (",
            $condition,
            " ORDER BY id ",
            $order,
            " LIMIT $4) AS m
               JOIN chat.users s ON s.id = m.sender_id
               LEFT JOIN chat.users r ON r.id = m.mailbox_id
               LEFT JOIN chat.rooms x ON x.id = -m.mailbox_id
              ORDER BY m.id ",
            $order
        )
    };
}

/// The messages with these ids.
pub(in crate::store) const BY_IDS: &str = concat!(
    "
    SELECT m.id, m.sent_at, s.name, coalesce(r.name, x.name), m.body, m.details
      FROM ",
    folded!(),
    " m
      JOIN chat.users s ON s.id = m.sender_id
      LEFT JOIN chat.users r ON r.id = m.mailbox_id
      LEFT JOIN chat.rooms x ON x.id = -m.mailbox_id
     WHERE m.id = ANY ($1)"
);

/// Up to the newest message of a moment.
const AFTER: &str = page_sql!(
    concat!(
        "SELECT * FROM ",
        folded!(),
        " AS m WHERE mailbox_id = $1 AND id > $2 AND id <= $5 AND sent_at >= $3"
    ),
    "ASC"
);
const BEFORE: &str = page_sql!(
    concat!(
        "SELECT * FROM ",
        folded!(),
        " AS m WHERE mailbox_id = $1 AND id < $2 AND id <= $5 AND sent_at >= $3"
    ),
    "DESC"
);

/// Both directions of a conversation. A user's messages to themselves count once.
macro_rules! with_sql {
    ($compare:literal, $order:literal) => {
        page_sql!(
            concat!(
                "(SELECT * FROM ",
                folded!(),
                " AS m WHERE mailbox_id = $1 AND sender_id = $5 AND id ",
                $compare,
                " $2 AND sent_at >= $3 ORDER BY id ",
                $order,
                " LIMIT $4)
                  UNION ALL
                 (SELECT * FROM ",
                folded!(),
                " AS m WHERE mailbox_id = $5 AND sender_id = $1 AND $1 <> $5 AND id ",
                $compare,
                " $2 AND sent_at >= $3 ORDER BY id ",
                $order,
                " LIMIT $4)"
            ),
            $order
        )
    };
}

const WITH_AFTER: &str = with_sql!(">", "ASC");
const WITH_BEFORE: &str = with_sql!("<", "DESC");
/// The messages of a thread that the reader may read.
const THREAD_AFTER: &str = page_sql!(
    concat!(
        "SELECT m.* FROM ",
        folded!(),
        " m
      WHERE m.id IN (SELECT $5 UNION ALL
                     SELECT t.message_id FROM chat.threads t WHERE t.thread_id = $5)
        AND m.id > $2 AND m.sent_at >= $3
        AND chat.sees($6, $1, m.id, m.sender_id, m.mailbox_id)"
    ),
    "ASC"
);
const THREAD_BEFORE: &str = page_sql!(
    concat!(
        "SELECT m.* FROM ",
        folded!(),
        " m
      WHERE m.id IN (SELECT $5 UNION ALL
                     SELECT t.message_id FROM chat.threads t WHERE t.thread_id = $5)
        AND m.id < $2 AND m.sent_at >= $3
        AND chat.sees($6, $1, m.id, m.sender_id, m.mailbox_id)"
    ),
    "DESC"
);
/// In the reader's own mailbox, or in a room.
const DEAD: &str = page_sql!(
    concat!(
        "SELECT m.* FROM ",
        folded!(),
        " m
       JOIN chat.dead_letters d ON d.message_id = m.id
      WHERE (m.mailbox_id = $1 OR m.mailbox_id < 0) AND d.user_id = $1 AND d.cursor = $5
        AND m.id > $2 AND m.sent_at >= $3"
    ),
    "ASC"
);

/// The message of a row: id, time, sender, recipient, text, details.
pub(in crate::store) fn message(row: &Row) -> Result<Message> {
    let text = std::str::from_utf8(row.get(4)).map_err(|_| Error::NotUtf8)?;
    let at = Timestamp(row.get(1));
    Ok(Message {
        id: MessageId(row.get(0)),
        at,
        from: row.get::<_, &str>(2).parse()?,
        to: row.get::<_, &str>(3).parse()?,
        body: Body::try_from(Box::<str>::from(text))?,
        details: details(row.get(5))?.map(|details| details.of_sent(at)),
    })
}

/// The details of a message, from their stored form.
pub(in crate::store) fn details(stored: Option<&str>) -> Result<Option<Box<Details>>> {
    let details = stored.map(Details::from_json).transpose();
    let details = details.map_err(|_| Error::Unexpected("a message has invalid details"))?;
    Ok(details.and_then(Details::if_any))
}

impl Query for FindStart {
    fn query(&self, session: &mut Session) -> Result<Option<Start>> {
        let cursor = self.cursor.clone().unwrap_or_else(CursorName::inbox);
        let reading = Reading::find(session, self.reader, &cursor)?;
        let Some(reader) = reading.name.clone() else { return Ok(None) };
        let rooms = reading.live_rooms(&reading.parts(self.wanted));
        let after = match (&self.cursor, reading.position) {
            (Some(_), Some(seen)) => seen,
            _ => match self.start {
                StreamStart::After(id) => id,
                StreamStart::Newest => reading.head,
                StreamStart::Inbox if self.cursor.is_none() => {
                    reading.position.unwrap_or(MessageId::ZERO)
                }
                StreamStart::Inbox => {
                    let inbox = CursorName::inbox();
                    cursors::position(session, self.reader, &inbox)?.unwrap_or(MessageId::ZERO)
                }
            },
        };
        Ok(Some(Start { reader, after, rooms }))
    }
}
