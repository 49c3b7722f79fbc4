//! Reading pages of the message log.

mod changes;

use std::collections::HashMap;
use std::ops::ControlFlow;

use foldhash::fast::RandomState;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use crate::model::{
    Body, CursorName, Filter, MailboxId, MailboxName, Message, MessageId, RoomId, RoomName,
    Timestamp, UserId, UserName, mentions,
};
use crate::store::sqlite::changed::FindMessage;
use crate::store::sqlite::expiry::{self, Expired};
use crate::store::sqlite::mailboxes::{Mailboxes, Merged, Next, Part};
use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::sqlite::operations::{blocks, cursors, users};
use crate::store::sqlite::projection::delivery_cursor::{self, DeliveryCursor, Direction};
use crate::store::sqlite::rooms::{self, is_read_in_room};
use crate::store::sqlite::row::{details, not_a_value};
use crate::store::sqlite::{marks, message_log};
use crate::store::types::blocks::Blocks;
use crate::store::types::changes::{ChangeRange, ChangedPart};
use crate::store::types::counting::{Tally, count_in_turns};
use crate::store::types::marks::Marks;
use crate::store::types::messages::{
    Changes, CountUnread, FILTERED_MESSAGES_MAX, FindStart, Page, PageBounds, PageStart, ReadPage,
    ReadThread, Start, StreamStart, ThreadStart, UnreadFrom,
};
use crate::store::types::rooms::{
    Actor, LiveRooms, Membership, Unreadable, Wanted, may_read, readable,
};

impl Query for ReadPage {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Result<Page, Unreadable>> {
        let filter = Some(&self.filter).filter(|filter| !filter.is_empty());
        let mut page = PageBuilder::new(context.connection, &self.bounds);
        (page.since, page.filter) = (self.since, filter);
        if self.changes == Changes::Raw {
            page.one = ONE_RAW;
        }
        page.without_expired_at = Some(context.now).filter(|_| self.leaves_out_expired());
        let start = match (&self.start, &self.with) {
            (PageStart::Dead(cursor, after), _) => {
                page.blocks = blocks::of(context.connection, self.reader)?;
                page.fill_with_dead(self.reader, cursor, *after)?;
                Ok(*after)
            }
            (_, None) => self.fill_with_inbox(context, &mut page).map(Ok)?,
            (_, Some(MailboxName::User(name))) => {
                self.fill_with_conversation(context, name, &mut page)?
            }
            (_, Some(MailboxName::Room(name))) => self.fill_with_room(context, name, &mut page)?,
        };
        let is_before = matches!(self.start, PageStart::Before(_));
        if is_before {
            page.messages.reverse();
        }
        let changed = std::mem::take(&mut page.changed);
        let Ok(start) = start else { return Ok(start.map(|start| page.end(start))) };
        let mut page = page.end(start);
        if let Some(range) = ChangeRange::of(self.changes, &page, is_before) {
            let parts = (self.reader, &changed[..]);
            changes::add(context.connection, range, parts, &self.filter, &mut page)?;
        }
        Ok(Ok(page))
    }
}

/// Where a page began, or why there is none.
type Filled = Result<MessageId, Unreadable>;

impl ReadPage {
    /// Where the page begins, in the direction of reading. It begins the snapshot.
    fn direction(&self, connection: &Connection) -> rusqlite::Result<Direction> {
        Ok(match &self.start {
            PageStart::After(id) | PageStart::Dead(_, id) => Direction::After(*id),
            PageStart::Before(id) => Direction::Before(*id),
            PageStart::Cursor(name) => Direction::After(
                cursors::position(connection, self.reader, name)?.unwrap_or(MessageId::ZERO),
            ),
            PageStart::Unread(id) => {
                let floor = cursors::position(connection, self.reader, &CursorName::inbox())?;
                Direction::After(floor.unwrap_or(MessageId::ZERO).max(*id))
            }
        })
    }

    /// As [`Self::direction`], for a page of one conversation: at the cursor `inbox`, it begins after
    /// the mark, too.
    fn direction_in(
        &self,
        connection: &Connection,
        conversation: impl Into<MailboxId>,
    ) -> rusqlite::Result<Direction> {
        Ok(match self.direction(connection)? {
            Direction::After(floor) if self.is_of_unread() => {
                let marks = marks::of(connection, self.reader, floor)?;
                Direction::After(floor.max(marks.upto(conversation.into())))
            }
            direction => direction,
        })
    }

    /// The marks of a page of unread messages.
    fn marks_after(
        &self,
        connection: &Connection,
        direction: Direction,
    ) -> rusqlite::Result<Marks> {
        match direction {
            Direction::After(floor) if self.is_of_unread() => {
                marks::of(connection, self.reader, floor)
            }
            _ => Ok(Marks::default()),
        }
    }

    /// An id that is not after the beginning of the page. A cursor is not read yet.
    fn lowest(&self) -> MessageId {
        match self.start {
            PageStart::After(id) | PageStart::Unread(id) => id,
            _ => MessageId::ZERO,
        }
    }

    /// Fills a page with what was sent to the reader, alone or in a room.
    fn fill_with_inbox(
        &self,
        context: &ReadContext<'_>,
        page: &mut PageBuilder<'_>,
    ) -> rusqlite::Result<MessageId> {
        let ReadContext { connection, memtable, .. } = *context;
        let (reader, lowest) = (self.reader, self.lowest());
        // This must precede every read: an inbox that is found empty was empty at this point.
        let reads_inbox = self.since.is_none()
            && self.filter.is_empty()
            && matches!(&self.start, PageStart::Cursor(name) if *name == CursorName::inbox());
        let read_point = reads_inbox.then(|| memtable.read_point());
        let in_memtable = delivery_cursor::in_memtable(memtable, reader, lowest);
        let memberships = rooms::memberships_of(connection, reader)?;
        if !memberships.is_empty() {
            return self.fill_with_all(context, memberships, page);
        }
        let direction = self.direction(connection)?;
        page.marks = self.marks_after(connection, direction)?;
        page.changed.push(ChangedPart::own(reader));
        page.fill(reader, direction, in_memtable)?;
        let is_empty = page.messages.is_empty() && !page.more;
        if let Some(read_point) = read_point.filter(|_| is_empty) {
            memtable.note_empty(reader, read_point);
        }
        Ok(edge(direction))
    }

    /// Fills a page for a user who is or was in rooms.
    fn fill_with_all(
        &self,
        context: &ReadContext<'_>,
        memberships: Vec<Membership>,
        page: &mut PageBuilder<'_>,
    ) -> rusqlite::Result<MessageId> {
        let ReadContext { connection, memtable, .. } = *context;
        let lowest = self.lowest();
        let mut mailboxes =
            Mailboxes::look(connection, memtable, self.reader, memberships, lowest)?;
        let direction = self.direction(connection)?;
        page.marks = self.marks_after(connection, direction)?;
        page.blocks = blocks::of(connection, self.reader)?;
        let parts = may_read(&mailboxes.memberships, self.wanted);
        let Some(name) = users::name_of(connection, self.reader)? else {
            return Ok(edge(direction));
        };
        if let Wanted::Incoming { .. } = self.wanted {
            page.rooms = LiveRooms::of(&name, &parts, &page.blocks);
            page.leaves_out = Some((self.reader, name));
        }
        page.changed.push(ChangedPart::own(self.reader));
        page.changed.extend(ChangedPart::of_rooms(self.reader, self.wanted, &parts));
        let mut all = vec![mailboxes.own(self.reader)];
        all.extend(parts.into_iter().map(|part| mailboxes.of_room(part)));
        page.fill_merged(direction, all)?;
        Ok(edge(direction))
    }

    /// Fills a page with what the reader and another user sent to each other.
    fn fill_with_conversation(
        &self,
        context: &ReadContext<'_>,
        with: &UserName,
        page: &mut PageBuilder<'_>,
    ) -> rusqlite::Result<Filled> {
        let ReadContext { connection, memtable, .. } = *context;
        let Some(with) = users::id_of(connection, with)? else {
            return Ok(Err(Unreadable::Unknown));
        };
        delivery_cursor::renew_snapshot(connection)?;
        let in_memtable = |user| delivery_cursor::in_memtable(memtable, user, self.lowest());
        let (incoming, outgoing) = (in_memtable(self.reader), in_memtable(with));
        let direction = self.direction_in(connection, with)?;
        page.changed = ChangedPart::conversation(self.reader, with);
        let sides = [(self.reader, with, incoming), (with, self.reader, outgoing)];
        page.fill_with_conversation(direction, sides)?;
        Ok(Ok(edge(direction)))
    }

    /// Fills a page with what the reader may read of a room. Naming the room includes a muted one.
    fn fill_with_room(
        &self,
        context: &ReadContext<'_>,
        name: &RoomName,
        page: &mut PageBuilder<'_>,
    ) -> rusqlite::Result<Filled> {
        let ReadContext { connection, memtable, .. } = *context;
        let actor = Actor::User(self.reader);
        let found = rooms::place(connection, actor, name)?;
        let memberships = rooms::memberships_of(connection, self.reader)?;
        let room = match readable(found, &memberships) {
            Ok(room) => room,
            Err(unreadable) => return Ok(Err(unreadable)),
        };
        let is_of_room = |membership: &Membership| membership.room == room;
        let lowest = self.lowest();
        let mut mailboxes =
            Mailboxes::look(connection, memtable, self.reader, memberships, lowest)?;
        mailboxes.memberships.retain(is_of_room);
        let direction = self.direction_in(connection, room)?;
        page.blocks = blocks::of(connection, self.reader)?;
        let wanted = match self.wanted {
            Wanted::All => Wanted::All,
            Wanted::Incoming { .. } => Wanted::Incoming { muted: true },
        };
        if let Wanted::Incoming { .. } = wanted {
            let name = users::name_of(connection, self.reader)?;
            page.leaves_out = name.map(|name| (self.reader, name));
        }
        let parts = may_read(&mailboxes.memberships, wanted);
        page.changed.extend(ChangedPart::of_rooms(self.reader, wanted, &parts));
        let parts = parts.into_iter().map(|part| mailboxes.of_room(part)).collect();
        page.fill_merged(direction, parts)?;
        Ok(Ok(edge(direction)))
    }
}

/// Where a page began.
fn edge(direction: Direction) -> MessageId {
    match direction {
        Direction::After(id) | Direction::Before(id) => id,
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
        let ReadContext { connection, memtable, now, .. } = *context;
        let reader = self.reader;
        let in_memtable = delivery_cursor::in_memtable(memtable, reader, MessageId::ZERO);
        let memberships = rooms::memberships_of(connection, reader)?;
        let seen = || cursors::position(connection, reader, &CursorName::inbox());
        if memberships.is_empty() {
            let seen = seen()?.unwrap_or(MessageId::ZERO);
            let marks = marks::of(connection, reader, seen)?;
            let mut expired = Expired::at(connection, now)?;
            let after = (seen, &marks, &mut expired);
            return count_by_sender(connection, reader, after, in_memtable);
        }
        let mut mailboxes =
            Mailboxes::look(connection, memtable, reader, memberships, MessageId::ZERO)?;
        let seen = seen()?.unwrap_or(MessageId::ZERO);
        let marks = marks::of(connection, reader, seen)?;
        let mut expired = Expired::at(connection, now)?;
        let (in_memtable, after) = (mailboxes.take_own(), (seen, &marks, &mut expired));
        let mut counted = count_by_sender(connection, reader, after, in_memtable)?;
        let Some(name) = users::name_of(connection, reader)? else { return Ok(counted) };
        let parts = may_read(&mailboxes.memberships, Wanted::Incoming { muted: false });
        let rooms: Vec<RoomId> = parts.iter().map(|part| part.room).collect();
        let begin = |room: RoomId| seen.max(marks.upto(room.into()));
        let parts = parts.into_iter().map(|part| (begin(part.room), mailboxes.of_room(part)));
        let blocks = blocks::of(connection, reader)?;
        let parts = parts.collect::<Vec<_>>();
        let tallies =
            count_in_rooms(connection, (reader, &name, &blocks), &parts, &mut expired, false)?;
        let mut of_rooms = Vec::new();
        for (room, tally) in rooms.into_iter().zip(tallies) {
            let Some((first, newest)) = tally.ends else { continue };
            let Some(from) = rooms::name_of(connection, room)? else { continue };
            let Tally { count, more, .. } = tally;
            of_rooms.push((first, UnreadFrom { from: from.into(), count, newest, more }));
        }
        of_rooms.sort_unstable_by_key(|&(first, _)| first);
        counted.extend(of_rooms.into_iter().map(|(_, unread)| unread));
        Ok(counted)
    }
}

impl Query for FindStart {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Option<Start>> {
        let (connection, reader) = (context.connection, self.reader);
        let Some(name) = users::name_of(connection, reader)? else { return Ok(None) };
        let memberships = rooms::memberships_of(connection, reader)?;
        let blocks = blocks::of(connection, reader)?;
        let rooms = LiveRooms::of(&name, &may_read(&memberships, self.wanted), &blocks);
        let position = |cursor| cursors::position(connection, reader, cursor);
        if let Some(cursor) = &self.cursor
            && let Some(seen) = position(cursor)?
        {
            return Ok(Some(Start { reader: name, after: seen, rooms }));
        }
        let after = match self.start {
            StreamStart::After(id) => id,
            StreamStart::Newest => message_log::newest_given(connection)?,
            StreamStart::Inbox => position(&CursorName::inbox())?.unwrap_or(MessageId::ZERO),
        };
        Ok(Some(Start { reader: name, after, rooms }))
    }
}

/// Counts the messages for `reader` after `seen` that no mark covers and that have not expired, by
/// sender.
pub(super) fn count_by_sender(
    connection: &Connection,
    reader: UserId,
    (seen, marks, expired): (MessageId, &Marks, &mut Expired<'_>),
    in_memtable: Vec<MessageId>,
) -> rusqlite::Result<Vec<UnreadFrom>> {
    let direction = Direction::After(seen);
    let mut statement = delivery_cursor::prepare(connection, direction)?;
    let mut cursor =
        DeliveryCursor::begin(connection, &mut statement, reader, direction, in_memtable)?;
    let mut find = FindMessage::prepare(connection, SENDER)?;
    let mut places: HashMap<UserId, usize> = HashMap::new();
    let mut counted: Vec<(UserId, usize, MessageId)> = Vec::new();
    while let Some(id) = cursor.next()? {
        let sender = find.of(id)?.query_row([id.0], |row| row.get(0).map(UserId)).optional()?;
        let Some(sender) = sender else { continue };
        if marks.cover(id, sender, reader.into()) || expired.has(id)? {
            continue;
        }
        let place = *places.entry(sender).or_insert(counted.len());
        match counted.get_mut(place) {
            Some((_, count, newest)) => (*count, *newest) = (*count + 1, id),
            None => counted.push((sender, 1, id)),
        }
    }
    let mut found = Vec::with_capacity(counted.len());
    for (sender, count, newest) in counted {
        if let Some(from) = users::name_of(connection, sender)? {
            found.push(UnreadFrom { from: from.into(), count, newest, more: false });
        }
    }
    Ok(found)
}

/// Counts the messages of others in parts of rooms, each after an id, without those of blocked users
/// and those that have expired. Mentions are counted only if that is wanted, because they are in the
/// texts.
pub(super) fn count_in_rooms(
    connection: &Connection,
    (reader, name, blocks): (UserId, &UserName, &Blocks),
    parts: &[(MessageId, Part)],
    expired: &mut Expired<'_>,
    wants_mentions: bool,
) -> rusqlite::Result<Vec<Tally>> {
    let mut find = FindMessage::prepare(connection, SENDER_AND_BODY)?;
    count_in_turns(parts.len(), |open, max, tallies| {
        for &room in open {
            let (tally, (seen, part)) = (&mut tallies[room], &parts[room]);
            let direction = Direction::After(tally.upto.unwrap_or(*seen));
            let mut merged = Merged::begin(connection, direction, vec![part.clone()])?;
            let end = tally.looked_at + max;
            tally.more = loop {
                let Some(Next { id, only_mentions }) = merged.next()? else { break false };
                if tally.looked_at >= end {
                    break true;
                }
                tally.look_at(id);
                let wants_body = only_mentions || wants_mentions;
                let mut rows = find.of(id)?.query(params![id.0, wants_body])?;
                let Some(row) = rows.next()? else { continue };
                let is_mention = wants_body && mentions(row.get_ref(1)?.as_str()?, name);
                let sender = UserId(row.get(0)?);
                let is_seen = sender != reader && !blocks.have(sender);
                if is_seen && (is_mention || !only_mentions) && !expired.has(id)? {
                    tally.add(id, is_mention);
                }
            };
        }
        Ok(())
    })
}

/// The messages with these ids, in this order, as far as they fit. Also whether others are left.
pub(super) fn messages_with(
    connection: &Connection,
    ids: impl IntoIterator<Item = MessageId>,
    bounds: &PageBounds,
) -> rusqlite::Result<(Vec<Message>, bool)> {
    let mut page = PageBuilder::new(connection, bounds);
    let mut find = FindMessage::prepare(connection, ONE)?;
    for id in ids {
        if page.take(&mut find, id, None)?.is_break() {
            break;
        }
    }
    Ok((page.messages, page.more))
}

/// How many messages that follow one another are read together at most. Those after the end of the
/// page are read in vain.
const RUN_MESSAGES_MAX: usize = if cfg!(test) { 3 } else { 64 };

/// A page under construction. It ends when it is full or when the message log ends.
struct PageBuilder<'a> {
    connection: &'a Connection,
    /// The names of senders and mailboxes so far. Most pages have few.
    names: HashMap<MailboxId, Option<MailboxName>, RandomState>,
    messages: Vec<Message>,
    size: usize,
    more: bool,
    /// Messages from before this time are left out.
    since: Option<Timestamp>,
    /// Messages that do not pass are left out.
    filter: Option<&'a Filter>,
    /// The reader whose own messages in rooms are left out, and the name for mentions.
    leaves_out: Option<(UserId, UserName)>,
    /// The messages that have expired at this time are left out.
    without_expired_at: Option<Timestamp>,
    /// The messages that these cover are left out.
    marks: Marks,
    /// The messages that these hide are left out.
    blocks: Blocks,
    /// See [`Page::rooms`].
    rooms: LiveRooms,
    /// Whose changes belong to it.
    changed: Vec<ChangedPart>,
    /// How one message is read.
    one: [&'static str; 2],
    /// How many messages were looked at: with a filter all, without one those that were left out.
    /// And the last of them.
    looked_at: usize,
    upto: Option<MessageId>,
    bounds: &'a PageBounds,
}

impl<'a> PageBuilder<'a> {
    fn new(connection: &'a Connection, bounds: &'a PageBounds) -> Self {
        let (names, messages) = (HashMap::default(), Vec::new());
        Self {
            connection,
            names,
            messages,
            size: 0,
            more: false,
            since: None,
            filter: None,
            leaves_out: None,
            without_expired_at: None,
            marks: Marks::default(),
            blocks: Blocks::default(),
            rooms: LiveRooms::default(),
            changed: Vec::new(),
            one: ONE,
            looked_at: 0,
            upto: None,
            bounds,
        }
    }

    fn end(self, start: MessageId) -> Page {
        let Self { messages, more, upto, rooms, .. } = self;
        Page { start, messages, changes: Vec::new(), more, upto, rooms }
    }

    /// Adds the messages of several parts of mailboxes.
    fn fill_merged(&mut self, direction: Direction, parts: Vec<Part>) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut merged = Merged::begin(connection, direction, parts)?;
        let mut find = FindMessage::prepare(connection, self.one)?;
        let mut find_run = connection.prepare_cached(match direction {
            Direction::After(_) => RUN,
            Direction::Before(_) => RUN_BACKWARDS,
        })?;
        let mut run: Vec<Next> = Vec::new();
        let mut next = merged.next()?;
        while let Some(first) = next.take() {
            let left = self.bounds.messages.saturating_sub(self.messages.len());
            let max = RUN_MESSAGES_MAX.min(left.saturating_add(1));
            let mut last = first.id;
            run.clear();
            run.push(first);
            next = merged.next()?;
            while run.len() < max
                && let Some(following) = next.take_if(|next| direction.follows(next.id, last))
            {
                last = following.id;
                run.push(following);
                next = merged.next()?;
            }
            let taken = match run.as_slice() {
                &[Next { id, only_mentions }] => {
                    self.take_if(&mut find, id, None, only_mentions)?
                }
                run => self.take_run(&mut find, &mut find_run, run)?,
            };
            if taken.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Does [`Self::take_if`] for messages that follow one another in the message log.
    fn take_run(
        &mut self,
        find: &mut FindMessage<'_>,
        find_run: &mut CachedStatement<'_>,
        run: &[Next],
    ) -> rusqlite::Result<ControlFlow<()>> {
        let ids = || run.iter().map(|next| next.id);
        if find.is_any_changed(ids())? {
            for &Next { id, only_mentions } in run {
                if self.take_if(find, id, None, only_mentions)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            return Ok(ControlFlow::Continue(()));
        }
        let since = self.since.map_or(i64::MIN, |since| since.0);
        let [first, last] = [ids().min(), ids().max()].map(|id| id.map(|id| id.0));
        let mut rows = find_run.query(params![first, last, since])?;
        let mut run = run.iter();
        while let Some(row) = rows.next()? {
            let id = MessageId(row.get(0)?);
            // Some may have been purged.
            let Some(next) = run.find(|next| next.id == id) else { break };
            if self.take_row(row, id, next.only_mentions)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
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
        let mut find = FindMessage::prepare(connection, self.one)?;
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
        let mut find = FindMessage::prepare(connection, self.one)?;
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
        let mut find = FindMessage::prepare(connection, self.one)?;
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
        let mut find = FindMessage::prepare(connection, OF_READER)?;
        let mut rows = statement.query([thread.0, edge.0])?;
        while let Some(row) = rows.next()? {
            if self.take(&mut find, MessageId(row.get(0)?), Some(reader))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// [`Self::take_if`] without a condition on mentions.
    fn take(
        &mut self,
        find: &mut FindMessage<'_>,
        id: MessageId,
        sender: Option<UserId>,
    ) -> rusqlite::Result<ControlFlow<()>> {
        self.take_if(find, id, sender, false)
    }

    /// Adds the message with this id, if it exists and `since` allows it. With `sender`, only a
    /// message of that sender. Breaks when the page is full.
    fn take_if(
        &mut self,
        find: &mut FindMessage<'_>,
        id: MessageId,
        sender: Option<UserId>,
        only_mentions: bool,
    ) -> rusqlite::Result<ControlFlow<()>> {
        let since = self.since.map_or(i64::MIN, |since| since.0);
        let mut rows = find.of(id)?.query(params![id.0, since, sender.map(|sender| sender.0)])?;
        match rows.next()? {
            Some(row) => self.take_row(row, id, only_mentions),
            None => Ok(ControlFlow::Continue(())),
        }
    }

    /// Adds the message of a row of [`ONE`]. Breaks when the page is full.
    fn take_row(
        &mut self,
        row: &Row<'_>,
        id: MessageId,
        only_mentions: bool,
    ) -> rusqlite::Result<ControlFlow<()>> {
        let Some(message) = self.message(row)? else { return Ok(ControlFlow::Continue(())) };
        let is_left_out = match &self.leaves_out {
            Some((reader, name)) if message.to.room().is_some() => {
                UserId(row.get(2)?) == *reader
                    || only_mentions && !mentions(message.body.as_str(), name)
            }
            _ => false,
        };
        let passes = |filter: &Filter| filter.passes(&message);
        let (sender, mailbox) = (UserId(row.get(2)?), MailboxId(row.get(3)?));
        let is_left_out = is_left_out
            || self.marks.cover(id, sender, mailbox)
            || self.blocks.hide(sender, mailbox)
            || self.leaves_out_as_expired(&message)?
            || !self.filter.is_none_or(passes);
        if is_left_out || self.filter.is_some() {
            if self.looked_at >= FILTERED_MESSAGES_MAX {
                self.more = true;
                return Ok(ControlFlow::Break(()));
            }
            self.looked_at += 1;
            if is_left_out {
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

    /// Most messages never expire, and need no look-up.
    fn leaves_out_as_expired(&self, message: &Message) -> rusqlite::Result<bool> {
        let expires = message.details.as_ref().is_some_and(|details| details.expires.is_some());
        match self.without_expired_at {
            Some(now) if expires => expiry::has_expired(self.connection, message.id, now),
            _ => Ok(false),
        }
    }

    /// The message of a row of [`ONE`]. `None` if its sender or recipient does not exist.
    fn message(&mut self, row: &Row<'_>) -> rusqlite::Result<Option<Message>> {
        let connection = self.connection;
        let mut name = |column| {
            let mailbox = MailboxId(row.get(column)?);
            match self.names.get(&mailbox) {
                Some(name) => Ok(name.clone()),
                None => {
                    let name = mailbox_name(connection, mailbox)?;
                    self.names.insert(mailbox, name.clone());
                    Ok::<_, rusqlite::Error>(name)
                }
            }
        };
        let (Some(MailboxName::User(from)), Some(to)) = (name(2)?, name(3)?) else {
            return Ok(None);
        };
        let body: Box<str> = row.get(4)?;
        let body = Body::try_from(body).map_err(|error| not_a_value(4, error))?;
        let (id, at) = (MessageId(row.get(0)?), Timestamp(row.get(1)?));
        let details = details(row, 5)?.map(|details| details.of_sent(at));
        Ok(Some(Message { id, at, from, to, body, details }))
    }
}

/// The name of a mailbox.
pub(super) fn mailbox_name(
    connection: &Connection,
    mailbox: MailboxId,
) -> rusqlite::Result<Option<MailboxName>> {
    Ok(match mailbox.room() {
        Some(room) => rooms::name_of(connection, room)?.map(MailboxName::Room),
        None => users::name_of(connection, UserId(mailbox.0))?.map(MailboxName::User),
    })
}

macro_rules! one {
    ($messages:literal, $condition:expr) => {
        concat!(
            "SELECT m.id, m.sent_at, m.sender_id, m.recipient_id, m.body, m.details FROM ",
            $messages,
            " m WHERE m.id = ?1 AND m.sent_at >= ?2 AND ",
            $condition
        )
    };
}

macro_rules! is_from {
    () => {
        "(?3 IS NULL OR m.sender_id = ?3)"
    };
}

macro_rules! is_readable {
    () => {
        concat!("(?3 IN (m.sender_id, m.recipient_id) OR ", is_read_in_room!("?3"), ")")
    };
}

/// As [`ONE`], but of the messages that a user has sent, or may read.
const OF_READER: [&str; 2] =
    [one!("messages", is_readable!()), one!("folded_messages", is_readable!())];

const ONE: [&str; 2] = [one!("messages", is_from!()), one!("folded_messages", is_from!())];

/// The messages from one id to another, none of which was edited or deleted. Looking up each would
/// take longer.
const RUN: &str = "SELECT id, sent_at, sender_id, recipient_id, body, details FROM messages
      WHERE id BETWEEN ?1 AND ?2 AND sent_at >= ?3 ORDER BY id";
const RUN_BACKWARDS: &str =
    "SELECT id, sent_at, sender_id, recipient_id, body, details FROM messages
      WHERE id BETWEEN ?1 AND ?2 AND sent_at >= ?3 ORDER BY id DESC";

/// As [`ONE`], with the text that it was sent with.
const ONE_RAW: [&str; 2] = [
    one!("messages", is_from!()),
    concat!(
        one!("messages", is_from!()),
        " AND NOT EXISTS (SELECT 1 FROM message_changes c WHERE c.message_id = m.id AND c.body IS NULL)"
    ),
];

pub(super) const SENDER: [&str; 2] = [
    "SELECT sender_id FROM messages WHERE id = ?1",
    "SELECT sender_id FROM folded_messages WHERE id = ?1",
];

const SENDER_AND_BODY: [&str; 2] = [
    "SELECT sender_id, CASE WHEN ?2 THEN body ELSE '' END FROM messages WHERE id = ?1",
    "SELECT sender_id, CASE WHEN ?2 THEN body ELSE '' END FROM folded_messages WHERE id = ?1",
];
