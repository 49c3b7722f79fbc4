//! Listing conversations.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension};

use crate::model::{CursorName, MailboxId, MailboxName, MessageId, RoomId, UserId};
use crate::store::sqlite::changed::FindMessage;
use crate::store::sqlite::expiry::Expired;
use crate::store::sqlite::mailboxes::{Mailboxes, Merged, Part};
use crate::store::sqlite::operation::{Query, ReadContext};
use crate::store::sqlite::operations::{blocks, cursors, users};
use crate::store::sqlite::projection::delivery_cursor::{self, DeliveryCursor, Direction};
use crate::store::sqlite::read::pages::{SENDER, count_by_sender, count_in_rooms, messages_with};
use crate::store::sqlite::{marks, rooms};
use crate::store::types::blocks::Blocks;
use crate::store::types::conversations::{
    CONVERSATION_MESSAGES_MAX, Candidates, Conversation, Conversations, ListConversations, Newest,
};
use crate::store::types::counting::Tally;
use crate::store::types::marks::Marks;
use crate::store::types::rooms::{Wanted, may_read};

impl Query for ListConversations {
    fn query(self, context: &ReadContext<'_>) -> rusqlite::Result<Conversations> {
        let ReadContext { connection, memtable, now, .. } = *context;
        let Self { reader, before, bounds } = self;
        let memberships = rooms::memberships_of(connection, reader)?;
        let mailboxes =
            Mailboxes::look(connection, memtable, reader, memberships, MessageId::ZERO)?;
        let mut in_rooms = mailboxes.clone();
        let own = in_rooms.take_own();
        let mut newest = Vec::new();
        let blocks = blocks::of(connection, reader)?;
        for part in may_read(&in_rooms.memberships, Wanted::All) {
            let room = part.room.into();
            let found = newest_of(connection, in_rooms.of_room(part), &blocks)?;
            newest.extend(found.map(|id| (room, id)));
        }
        let (users, edge) = newest_by_sender(connection, reader, (before, bounds.messages), own)?;
        let candidates = Candidates { rooms: newest, users, edge };
        let (chosen, next) = candidates.choose(before, bounds.messages);
        let ids = chosen.iter().map(|&(_, id)| id);
        let (messages, is_cut) = messages_with(connection, ids, &bounds)?;
        let next = if is_cut { messages.last().map(|last| last.id) } else { next };
        let mailbox = |id| chosen.iter().find(|&&(_, of)| of == id).map(|&(mailbox, _)| mailbox);
        let found = messages.into_iter().filter_map(|last| Some((mailbox(last.id)?, last)));
        let found: Vec<_> = found.collect();
        let mut expired = Expired::at(connection, now)?;
        let counted = Counted::of(connection, reader, mailboxes, &found, &mut expired)?;
        let conversations = found.into_iter().map(|(mailbox, last)| {
            let with = last.conversation();
            let (unread, more, mentions) = counted.count(mailbox, &with);
            let upto = counted.floor.max(counted.marks.upto(mailbox));
            Conversation { with, last, unread, more, mentions, upto }
        });
        Ok(Conversations { conversations: conversations.collect(), next, expires: expired.next })
    }
}

/// The newest message of a part of a room that the reader does not block.
fn newest_of(
    connection: &Connection,
    part: Part,
    blocks: &Blocks,
) -> rusqlite::Result<Option<MessageId>> {
    let direction = Direction::Before(MessageId(i64::MAX));
    let mut merged = Merged::begin(connection, direction, vec![part])?;
    let mut find = FindMessage::prepare(connection, SENDER)?;
    let mut looked_at = 0;
    while let Some(next) = merged.next()? {
        let find = find.of(next.id)?;
        let sender = find.query_row([next.id.0], |row| row.get(0).map(UserId)).optional()?;
        match sender {
            None => {}
            Some(sender) if !blocks.have(sender) => return Ok(Some(next.id)),
            Some(_) => looked_at += 1,
        }
        if looked_at >= CONVERSATION_MESSAGES_MAX {
            break;
        }
    }
    Ok(None)
}

/// The newest message of each user who has written to the reader, until there are more than `max`
/// users. Also the edge: see [`Candidates`].
fn newest_by_sender(
    connection: &Connection,
    reader: UserId,
    (before, max): (MessageId, usize),
    in_memtable: Vec<MessageId>,
) -> rusqlite::Result<(Vec<Newest>, Option<MessageId>)> {
    let direction = Direction::Before(before);
    let mut statement = delivery_cursor::prepare(connection, direction)?;
    let mut cursor =
        DeliveryCursor::begin(connection, &mut statement, reader, direction, in_memtable)?;
    let mut find = FindMessage::prepare(connection, SENDER)?;
    let (mut found, mut known): (Vec<Newest>, _) = (Vec::new(), HashSet::new());
    let (mut looked_at, mut last) = (0, None);
    while let Some(id) = cursor.next()? {
        if looked_at >= CONVERSATION_MESSAGES_MAX || found.len() > max {
            return Ok((found, last));
        }
        (looked_at, last) = (looked_at + 1, Some(id));
        let sender = find.of(id)?.query_row([id.0], |row| row.get(0).map(UserId)).optional()?;
        if let Some(sender) = sender.filter(|sender| known.insert(*sender)) {
            found.push((MailboxId::from(sender), id));
        }
    }
    Ok((found, None))
}

/// What is unread in the conversations of a page.
struct Counted {
    floor: MessageId,
    marks: Marks,
    by_user: HashMap<MailboxName, usize>,
    /// Counted, whether there may be more, and mentions.
    by_room: HashMap<MailboxId, (usize, bool, usize)>,
}

impl Counted {
    fn of<T>(
        connection: &Connection,
        reader: UserId,
        mut mailboxes: Mailboxes,
        page: &[(MailboxId, T)],
        expired: &mut Expired<'_>,
    ) -> rusqlite::Result<Self> {
        let floor = cursors::position(connection, reader, &CursorName::inbox())?;
        let floor = floor.unwrap_or(MessageId::ZERO);
        let marks = marks::of(connection, reader, floor)?;
        let own = mailboxes.take_own();
        let by_user = count_by_sender(connection, reader, (floor, &marks, expired), own)?;
        let by_user = by_user.into_iter().map(|of| (of.from, of.count)).collect();
        let mut by_room = HashMap::new();
        let Some(name) = users::name_of(connection, reader)? else {
            return Ok(Self { floor, marks, by_user, by_room });
        };
        let mut parts = may_read(&mailboxes.memberships, Wanted::Incoming { muted: false });
        parts.retain(|part| page.iter().any(|(mailbox, _)| *mailbox == part.room.into()));
        let rooms: Vec<MailboxId> = parts.iter().map(|part| part.room.into()).collect();
        let begin = |room: RoomId| floor.max(marks.upto(room.into()));
        let parts = parts.into_iter().map(|part| (begin(part.room), mailboxes.of_room(part)));
        let parts: Vec<_> = parts.collect();
        let blocks = blocks::of(connection, reader)?;
        let tallies = count_in_rooms(connection, (reader, &name, &blocks), &parts, expired, true)?;
        by_room.extend(rooms.into_iter().zip(tallies.iter().map(Tally::figures)));
        Ok(Self { floor, marks, by_user, by_room })
    }

    fn count(&self, mailbox: MailboxId, name: &MailboxName) -> (usize, bool, usize) {
        match self.by_room.get(&mailbox) {
            Some(&counted) => counted,
            None => (self.by_user.get(name).copied().unwrap_or(0), false, 0),
        }
    }
}
