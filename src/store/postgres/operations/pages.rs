//! Reading pages of the message log.

use postgres::Row;

use crate::model::{
    Body, CursorName, Details, Filter, MailboxName, Message, MessageId, Timestamp, UserId, UserName,
};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::Query;
use crate::store::postgres::operations::{cursors, users};
use crate::store::postgres::session::Session;
use crate::store::types::messages::{
    CountUnread, FILTERED_MESSAGES_MAX, FindStart, Page, PageBounds, PageStart, ReadPage,
    ReadThread, Start, StreamStart, ThreadStart, UnreadFrom,
};
use crate::store::types::rooms::{LiveRooms, Unreadable};

/// The most messages that one statement of a page returns. A page of more takes several: the log
/// only grows at its end, so together they are what one statement would find.
const PART_MESSAGES_MAX: usize = 128;

impl Query for ReadPage {
    fn query(&self, session: &mut Session) -> Result<std::result::Result<Page, Unreadable>> {
        let with = match &self.with {
            None => None,
            Some(MailboxName::Room(_)) => return Ok(Err(Unreadable::Unknown)),
            Some(MailboxName::User(name)) => match users::id_of(session, name)? {
                Some(id) => Some(id),
                None => return Ok(Err(Unreadable::Unknown)),
            },
        };
        let start = match &self.start {
            PageStart::After(id) | PageStart::Before(id) | PageStart::Dead(_, id) => *id,
            PageStart::Cursor(name) => {
                cursors::position(session, self.reader, name)?.unwrap_or(MessageId::ZERO)
            }
        };
        let filter = Some(&self.filter).filter(|filter| !filter.is_empty());
        let bounds = (&self.bounds, filter);
        let mut page = fill(bounds, start, |from, limit| self.part(session, with, from, limit))?;
        if matches!(self.start, PageStart::Before(_)) {
            page.messages.reverse();
        }
        Ok(Ok(page))
    }
}

/// Reads a page in parts. `part` reads a number of messages from an id on.
fn fill(
    (bounds, filter): (&PageBounds, Option<&Filter>),
    start: MessageId,
    mut part: impl FnMut(MessageId, usize) -> Result<Vec<Row>>,
) -> Result<Page> {
    let mut page =
        Page { start, messages: Vec::new(), more: false, upto: None, rooms: LiveRooms::default() };
    let (mut from, mut size, mut looked_at) = (start, 0, 0);
    loop {
        let limit = match filter {
            None => bounds.messages.saturating_add(1) - page.messages.len(),
            Some(_) => FILTERED_MESSAGES_MAX + 1 - looked_at,
        };
        let limit = limit.min(PART_MESSAGES_MAX);
        let rows = part(from, limit)?;
        for row in &rows {
            let message = message(row)?;
            from = message.id;
            if let Some(filter) = filter {
                if looked_at >= FILTERED_MESSAGES_MAX {
                    page.more = true;
                    break;
                }
                looked_at += 1;
                if !filter.passes(&message) {
                    page.upto = Some(message.id);
                    continue;
                }
            }
            size += (bounds.measure)(&message);
            let is_full = page.messages.len() >= bounds.messages || size > bounds.size;
            if is_full && !page.messages.is_empty() {
                page.more = true;
                break;
            }
            page.upto = Some(message.id);
            page.messages.push(message);
        }
        if page.more || rows.len() < limit {
            return Ok(page);
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
        let mut page = fill((&self.bounds, None), start, |from, limit| {
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            session.query(sql, &[&self.reader.0, &from.0, &since, &limit, &thread])
        })?;
        if matches!(self.start, ThreadStart::Before(_)) {
            page.messages.reverse();
        }
        Ok(Some(page))
    }
}

/// Reads with these parameters: the reader, the other user, the start, the oldest time, the number
/// of messages.
macro_rules! page_sql {
    ($condition:literal, $order:literal) => {
        concat!(
            "SELECT m.id, m.sent_at, s.name, r.name, m.body, m.details
               FROM (",
            $condition,
            " ORDER BY id ",
            $order,
            " LIMIT $4) AS m
               JOIN chat.users s ON s.id = m.sender_id
               JOIN chat.users r ON r.id = m.mailbox_id
              ORDER BY m.id ",
            $order
        )
    };
}

const AFTER: &str = page_sql!(
    "SELECT * FROM chat.messages WHERE mailbox_id = $1 AND id > $2 AND sent_at >= $3",
    "ASC"
);
const BEFORE: &str = page_sql!(
    "SELECT * FROM chat.messages WHERE mailbox_id = $1 AND id < $2 AND sent_at >= $3",
    "DESC"
);
/// Both directions of a conversation. A user's messages to themselves count once.
const WITH_AFTER: &str = page_sql!(
    "(SELECT * FROM chat.messages WHERE mailbox_id = $1 AND sender_id = $5
         AND id > $2 AND sent_at >= $3 ORDER BY id LIMIT $4)
      UNION ALL
     (SELECT * FROM chat.messages WHERE mailbox_id = $5 AND sender_id = $1 AND $1 <> $5
         AND id > $2 AND sent_at >= $3 ORDER BY id LIMIT $4)",
    "ASC"
);
const WITH_BEFORE: &str = page_sql!(
    "(SELECT * FROM chat.messages WHERE mailbox_id = $1 AND sender_id = $5
         AND id < $2 AND sent_at >= $3 ORDER BY id DESC LIMIT $4)
      UNION ALL
     (SELECT * FROM chat.messages WHERE mailbox_id = $5 AND sender_id = $1 AND $1 <> $5
         AND id < $2 AND sent_at >= $3 ORDER BY id DESC LIMIT $4)",
    "DESC"
);
/// The messages of a thread that the reader has sent or received.
const THREAD_AFTER: &str = page_sql!(
    "SELECT m.* FROM chat.messages m
      WHERE m.id IN (SELECT $5 UNION ALL
                     SELECT t.message_id FROM chat.threads t WHERE t.thread_id = $5)
        AND $1 IN (m.sender_id, m.mailbox_id) AND m.id > $2 AND m.sent_at >= $3",
    "ASC"
);
const THREAD_BEFORE: &str = page_sql!(
    "SELECT m.* FROM chat.messages m
      WHERE m.id IN (SELECT $5 UNION ALL
                     SELECT t.message_id FROM chat.threads t WHERE t.thread_id = $5)
        AND $1 IN (m.sender_id, m.mailbox_id) AND m.id < $2 AND m.sent_at >= $3",
    "DESC"
);
const DEAD: &str = page_sql!(
    "SELECT m.* FROM chat.messages m
       JOIN chat.dead_letters d ON d.message_id = m.id
      WHERE m.mailbox_id = $1 AND d.user_id = $1 AND d.cursor = $5 AND m.id > $2
        AND m.sent_at >= $3",
    "ASC"
);

impl ReadPage {
    /// At most `limit` messages from here on, in the direction of reading.
    fn part(
        &self,
        session: &mut Session,
        with: Option<UserId>,
        from: MessageId,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let since = self.since.map_or(i64::MIN, |since| since.0);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let (reader, from) = (self.reader.0, from.0);
        let is_before = matches!(self.start, PageStart::Before(_));
        match (&self.start, with) {
            (PageStart::Dead(cursor, _), _) => {
                session.query(DEAD, &[&reader, &from, &since, &limit, &cursor.as_str()])
            }
            (_, Some(with)) => {
                let sql = if is_before { WITH_BEFORE } else { WITH_AFTER };
                session.query(sql, &[&reader, &from, &since, &limit, &with.0])
            }
            (_, None) => {
                let sql = if is_before { BEFORE } else { AFTER };
                session.query(sql, &[&reader, &from, &since, &limit])
            }
        }
    }
}

/// The message of a row: id, time, sender, recipient, text, details.
pub(in crate::store) fn message(row: &Row) -> Result<Message> {
    let text = std::str::from_utf8(row.get(4)).map_err(|_| Error::NotUtf8)?;
    Ok(Message {
        id: MessageId(row.get(0)),
        at: Timestamp(row.get(1)),
        from: row.get::<_, &str>(2).parse()?,
        to: row.get::<_, &str>(3).parse()?,
        body: Body::try_from(Box::<str>::from(text))?,
        details: details(row.get(5))?,
    })
}

/// The details of a message, from their stored form.
pub(in crate::store) fn details(stored: Option<&str>) -> Result<Option<Box<Details>>> {
    let details = stored.map(Details::from_json).transpose();
    let details = details.map_err(|_| Error::Unexpected("a message has invalid details"))?;
    Ok(details.and_then(Details::if_any))
}

impl Query for CountUnread {
    fn query(&self, session: &mut Session) -> Result<Vec<UnreadFrom>> {
        let rows = session.query(
            "SELECT u.name, c.count, c.newest
               FROM (SELECT sender_id, count(*) AS count, min(id) AS oldest, max(id) AS newest
                       FROM chat.messages
                      WHERE mailbox_id = $1
                        AND id > coalesce((SELECT upto_id FROM chat.cursors
                                            WHERE user_id = $1 AND name = 'inbox'), 0)
                      GROUP BY sender_id) AS c
               JOIN chat.users u ON u.id = c.sender_id
              ORDER BY c.oldest",
            &[&self.reader.0],
        )?;
        let unread = |row: &Row| {
            Ok(UnreadFrom {
                from: row.get::<_, &str>(0).parse::<UserName>()?.into(),
                more: false,
                count: usize::try_from(row.get::<_, i64>(1)).unwrap_or(usize::MAX),
                newest: MessageId(row.get(2)),
            })
        };
        rows.iter().map(unread).collect()
    }
}

impl Query for FindStart {
    fn query(&self, session: &mut Session) -> Result<Option<Start>> {
        let row =
            session.query_opt("SELECT name FROM chat.users WHERE id = $1", &[&self.reader.0])?;
        let Some(row) = row else { return Ok(None) };
        let name: UserName = row.get::<_, &str>(0).parse()?;
        if let Some(cursor) = &self.cursor
            && let Some(seen) = cursors::position(session, self.reader, cursor)?
        {
            return Ok(Some(Start { reader: name, after: seen, rooms: LiveRooms::default() }));
        }
        let after = match self.start {
            StreamStart::After(id) => id,
            StreamStart::Newest => cursors::head(session)?,
            StreamStart::Inbox => {
                let inbox = CursorName::inbox();
                cursors::position(session, self.reader, &inbox)?.unwrap_or(MessageId::ZERO)
            }
        };
        Ok(Some(Start { reader: name, after, rooms: LiveRooms::default() }))
    }
}
