//! Reading pages of the message log.

use std::collections::HashMap;
use std::ops::ControlFlow;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use crate::model::{
    Body, CursorName, Filter, MailboxName, Message, MessageId, Timestamp, UserId, UserName,
};
use crate::store::sqlite::message_log;
use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::sqlite::operations::{cursors, users};
use crate::store::sqlite::projection::delivery_cursor::{self, DeliveryCursor, Direction};
use crate::store::sqlite::row::{details, not_a_value};
use crate::store::types::messages::{
    CountUnread, FILTERED_MESSAGES_MAX, FindStart, Page, PageBounds, PageStart, ReadPage,
    ReadThread, StreamStart, ThreadStart, UnreadFrom,
};

impl Query for ReadPage {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<Page>> {
        let Self { reader, start, with, since, filter, bounds } = self;
        let ReadContext { connection, memtable, .. } = *context;
        let with = match with {
            None => None,
            Some(MailboxName::Room(_)) => return Ok(None),
            Some(MailboxName::User(name)) => match users::id_of(connection, &name)? {
                Some(id) => {
                    delivery_cursor::renew_snapshot(connection)?;
                    Some(id)
                }
                None => return Ok(None),
            },
        };
        // This must precede every read: an inbox that is found empty was empty at this point.
        let reads_inbox = with.is_none()
            && since.is_none()
            && filter.is_empty()
            && matches!(&start, PageStart::Cursor(name) if *name == CursorName::inbox());
        let read_point = reads_inbox.then(|| memtable.read_point());
        let after = match start {
            PageStart::After(id) => id,
            _ => MessageId::ZERO,
        };
        let in_memtable = |user| delivery_cursor::in_memtable(memtable, user, after);
        let (incoming, outgoing) = (in_memtable(reader), with.map(in_memtable));
        let mut page = PageBuilder::new(connection, &bounds);
        page.since = since;
        page.filter = Some(&filter).filter(|filter| !filter.is_empty());
        let direction = match start {
            PageStart::After(id) => Direction::After(id),
            PageStart::Before(id) => Direction::Before(id),
            PageStart::Cursor(name) => Direction::After(
                cursors::position(connection, reader, &name)?.unwrap_or(MessageId::ZERO),
            ),
            PageStart::Dead(cursor, after) => {
                page.fill_with_dead(reader, &cursor, after)?;
                return Ok(Some(page.end(after)));
            }
        };
        match (with, outgoing) {
            (Some(with), Some(outgoing)) => {
                let sides = [(reader, with, incoming), (with, reader, outgoing)];
                page.fill_with_conversation(direction, sides)?;
            }
            _ => page.fill(reader, direction, incoming)?,
        }
        let start = match direction {
            Direction::After(id) => id,
            Direction::Before(id) => {
                page.messages.reverse();
                id
            }
        };
        if let Some(read_point) = read_point.filter(|_| page.messages.is_empty()) {
            memtable.note_empty(reader, read_point);
        }
        Ok(Some(page.end(start)))
    }
}

impl Query for ReadThread {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<Page>> {
        let Self { reader, of, start, since, bounds } = self;
        let connection = context.connection;
        let Some(thread) = message_log::thread_of(connection, of, reader)? else {
            return Ok(None);
        };
        let mut page = PageBuilder::new(connection, &bounds);
        page.since = since;
        page.fill_with_thread(reader, thread, start)?;
        let start = match start {
            ThreadStart::After(id) => id,
            ThreadStart::Before(id) => {
                page.messages.reverse();
                id
            }
        };
        Ok(Some(page.end(start)))
    }
}

impl Query for CountUnread {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Vec<UnreadFrom>> {
        let ReadContext { connection, memtable, .. } = *context;
        let in_memtable = delivery_cursor::in_memtable(memtable, self.reader, MessageId::ZERO);
        let seen = cursors::position(connection, self.reader, &CursorName::inbox())?;
        count_by_sender(connection, self.reader, seen.unwrap_or(MessageId::ZERO), in_memtable)
    }
}

impl Query for FindStart {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<(UserName, MessageId)>> {
        let (connection, reader) = (context.connection, self.reader);
        let Some(name) = users::name_of(connection, reader)? else { return Ok(None) };
        let position = |cursor| cursors::position(connection, reader, cursor);
        if let Some(cursor) = &self.cursor
            && let Some(seen) = position(cursor)?
        {
            return Ok(Some((name, seen)));
        }
        let after = match self.start {
            StreamStart::After(id) => id,
            StreamStart::Newest => message_log::newest_given(connection)?,
            StreamStart::Inbox => position(&CursorName::inbox())?.unwrap_or(MessageId::ZERO),
        };
        Ok(Some((name, after)))
    }
}

/// Counts the messages for `reader` after `seen`, by sender.
fn count_by_sender(
    connection: &Connection,
    reader: UserId,
    seen: MessageId,
    in_memtable: Vec<MessageId>,
) -> rusqlite::Result<Vec<UnreadFrom>> {
    let direction = Direction::After(seen);
    let mut statement = delivery_cursor::prepare(connection, direction)?;
    let mut cursor =
        DeliveryCursor::begin(connection, &mut statement, reader, direction, in_memtable)?;
    let mut find = connection.prepare_cached("SELECT sender_id FROM messages WHERE id = ?1")?;
    let mut places: HashMap<UserId, usize> = HashMap::new();
    let mut counted: Vec<(UserId, usize, MessageId)> = Vec::new();
    while let Some(id) = cursor.next()? {
        let sender = find.query_row([id.0], |row| row.get(0).map(UserId)).optional()?;
        let Some(sender) = sender else { continue };
        let place = *places.entry(sender).or_insert(counted.len());
        match counted.get_mut(place) {
            Some((_, count, newest)) => (*count, *newest) = (*count + 1, id),
            None => counted.push((sender, 1, id)),
        }
    }
    let mut found = Vec::with_capacity(counted.len());
    for (sender, count, newest) in counted {
        if let Some(from) = users::name_of(connection, sender)? {
            found.push(UnreadFrom { from, count, newest });
        }
    }
    Ok(found)
}

/// A page under construction. It ends when it is full or when the message log ends.
struct PageBuilder<'a> {
    connection: &'a Connection,
    /// The names of senders and recipients so far. Most pages have few.
    names: HashMap<UserId, Option<UserName>>,
    messages: Vec<Message>,
    size: usize,
    more: bool,
    /// Messages from before this time are left out.
    since: Option<Timestamp>,
    /// Messages that do not pass are left out.
    filter: Option<&'a Filter>,
    /// How many messages were looked at, and the last of them.
    looked_at: usize,
    upto: Option<MessageId>,
    bounds: &'a PageBounds,
}

impl<'a> PageBuilder<'a> {
    fn new(connection: &'a Connection, bounds: &'a PageBounds) -> Self {
        let (names, messages) = (HashMap::new(), Vec::new());
        let (since, filter, upto) = (None, None, None);
        let (size, looked_at, more) = (0, 0, false);
        Self { connection, names, messages, size, more, since, filter, looked_at, upto, bounds }
    }

    fn end(self, start: MessageId) -> Page {
        Page { start, messages: self.messages, more: self.more, upto: self.upto }
    }

    /// Adds messages for `reader`. It reads only messages of the page, and those that `since`
    /// leaves out.
    fn fill(
        &mut self,
        reader: UserId,
        direction: Direction,
        in_memtable: Vec<MessageId>,
    ) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut statement = delivery_cursor::prepare(connection, direction)?;
        let mut cursor =
            DeliveryCursor::begin(connection, &mut statement, reader, direction, in_memtable)?;
        let mut find = connection.prepare_cached(ONE)?;
        while let Some(id) = cursor.next()? {
            if self.take(&mut find, id, None)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Adds the messages that two users sent to each other. It merges the messages for both users,
    /// in the order of the message log.
    fn fill_with_conversation(
        &mut self,
        direction: Direction,
        [incoming, outgoing]: [(UserId, UserId, Vec<MessageId>); 2],
    ) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut statements = [
            delivery_cursor::prepare(connection, direction)?,
            delivery_cursor::prepare(connection, direction)?,
        ];
        let [first, second] = &mut statements;
        let mut find = connection.prepare_cached(ONE)?;
        let (reader, with, in_memtable) = incoming;
        let mut ours = DeliveryCursor::begin(connection, first, reader, direction, in_memtable)?;
        let mut theirs = DeliveryCursor::begin(connection, second, with, direction, outgoing.2)?;
        let is_first = |one: MessageId, other: MessageId| match direction {
            Direction::After(_) => one < other,
            Direction::Before(_) => one > other,
        };
        let (mut our_next, mut their_next) = (ours.next()?, theirs.next()?);
        loop {
            let (id, sender) = match (our_next, their_next) {
                (None, None) => return Ok(()),
                (Some(our), their) if their.is_none_or(|their| !is_first(their, our)) => {
                    our_next = ours.next()?;
                    if their == Some(our) {
                        // A user's messages to themselves are on both sides.
                        their_next = theirs.next()?;
                    }
                    (our, with)
                }
                (_, Some(their)) => {
                    their_next = theirs.next()?;
                    (their, reader)
                }
                (Some(_), None) => return Ok(()),
            };
            if self.take(&mut find, id, Some(sender))?.is_break() {
                return Ok(());
            }
        }
    }

    /// Adds the reader's dead letters at a cursor, after an id.
    fn fill_with_dead(
        &mut self,
        reader: UserId,
        cursor: &CursorName,
        after: MessageId,
    ) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut statement = connection.prepare_cached(
            "SELECT message_id FROM dead_letters
              WHERE user_id = ?1 AND cursor = ?2 AND message_id > ?3 ORDER BY message_id",
        )?;
        let mut find = connection.prepare_cached(ONE)?;
        let mut rows = statement.query(params![reader.0, cursor.as_str(), after.0])?;
        while let Some(row) = rows.next()? {
            if self.take(&mut find, MessageId(row.get(0)?), None)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Adds the messages of a thread that `reader` has sent or received. All but the oldest message
    /// have a row of their own, and higher ids.
    fn fill_with_thread(
        &mut self,
        reader: UserId,
        thread: MessageId,
        start: ThreadStart,
    ) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut statement = connection.prepare_cached(match start {
            ThreadStart::After(_) => {
                "SELECT ?1 AS message_id WHERE ?1 > ?2
                  UNION ALL
                 SELECT message_id FROM threads WHERE thread_id = ?1 AND message_id > ?2
                  ORDER BY message_id"
            }
            ThreadStart::Before(_) => {
                "SELECT ?1 AS message_id WHERE ?1 < ?2
                  UNION ALL
                 SELECT message_id FROM threads WHERE thread_id = ?1 AND message_id < ?2
                  ORDER BY message_id DESC"
            }
        })?;
        let (ThreadStart::After(edge) | ThreadStart::Before(edge)) = start;
        let mut find = connection.prepare_cached(OF_READER)?;
        let mut rows = statement.query([thread.0, edge.0])?;
        while let Some(row) = rows.next()? {
            if self.take(&mut find, MessageId(row.get(0)?), Some(reader))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Adds the message with this id, if it exists and `since` allows it. With `sender`, only a
    /// message of that sender. Breaks when the page is full.
    fn take(
        &mut self,
        find: &mut CachedStatement<'_>,
        id: MessageId,
        sender: Option<UserId>,
    ) -> rusqlite::Result<ControlFlow<()>> {
        let since = self.since.map_or(i64::MIN, |since| since.0);
        let mut rows = find.query(params![id.0, since, sender.map(|sender| sender.0)])?;
        let Some(row) = rows.next()? else { return Ok(ControlFlow::Continue(())) };
        let Some(message) = self.message(row)? else { return Ok(ControlFlow::Continue(())) };
        if let Some(filter) = self.filter {
            if self.looked_at >= FILTERED_MESSAGES_MAX {
                self.more = true;
                return Ok(ControlFlow::Break(()));
            }
            self.looked_at += 1;
            if !filter.passes(&message) {
                self.upto = Some(id);
                return Ok(ControlFlow::Continue(()));
            }
        }
        self.size += (self.bounds.measure)(&message);
        let full = self.messages.len() >= self.bounds.messages || self.size > self.bounds.size;
        if full && !self.messages.is_empty() {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        self.messages.push(message);
        self.upto = Some(id);
        Ok(ControlFlow::Continue(()))
    }

    /// The message of a row of [`ONE`]. `None` if its sender or recipient does not exist.
    fn message(&mut self, row: &Row<'_>) -> rusqlite::Result<Option<Message>> {
        let mut name = |column| {
            let user = UserId(row.get(column)?);
            match self.names.get(&user) {
                Some(name) => Ok(name.clone()),
                None => {
                    let name = users::name_of(self.connection, user)?;
                    self.names.insert(user, name.clone());
                    Ok::<_, rusqlite::Error>(name)
                }
            }
        };
        let (Some(from), Some(to)) = (name(2)?, name(3)?) else { return Ok(None) };
        let body: Box<str> = row.get(4)?;
        let body = Body::try_from(body).map_err(|error| not_a_value(4, error))?;
        let (id, at) = (MessageId(row.get(0)?), Timestamp(row.get(1)?));
        Ok(Some(Message { id, at, from, to: to.into(), body, details: details(row, 5)? }))
    }
}

/// As [`ONE`], but of the messages that a user has sent or received.
const OF_READER: &str = "SELECT id, sent_at, sender_id, recipient_id, body, details FROM messages
      WHERE id = ?1 AND sent_at >= ?2 AND ?3 IN (sender_id, recipient_id)";

const ONE: &str = "SELECT id, sent_at, sender_id, recipient_id, body, details FROM messages
      WHERE id = ?1 AND sent_at >= ?2 AND (?3 IS NULL OR sender_id = ?3)";
