//! Moving marks, and the floor under them.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{
    CursorName, MailboxId, MailboxName, MessageId, Timestamp, UserId, UserName, mentions,
};
use crate::store::sqlite::expiry::Expired;
use crate::store::sqlite::mailboxes::{Mailboxes, Merged, Next};
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::operations::{blocks, cursors, users};
use crate::store::sqlite::projection::delivery_cursor::Direction;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::sqlite::{marks, rooms};
use crate::store::types::blocks::Blocks;
use crate::store::types::marks::{FLOOR_MESSAGES_MAX, MARKS_MAX, Marked, Marks, MoveMark};
use crate::store::types::rooms::{Actor, Unreadable, Wanted, may_read};

impl Apply for MoveMark {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Marked> {
        let Self { user, with, upto } = self;
        let connection = context.connection;
        let conversation = match conversation(connection, user, &with)? {
            Ok(conversation) => conversation,
            Err(unreadable) => return Ok(Marked::Unreadable(unreadable)),
        };
        if upto > context.newest()? {
            return Ok(Marked::BeyondTheLog);
        }
        let floor = cursors::position(connection, user, &CursorName::inbox())?;
        let floor = floor.unwrap_or(MessageId::ZERO);
        let mut marks = marks::of(connection, user, floor)?;
        let read = floor.max(marks.upto(conversation));
        if upto <= read {
            return Ok(Marked::At(read));
        }
        let is_new = !marks.by_mailbox.contains_key(&conversation);
        if is_new && marks.by_mailbox.len() >= MARKS_MAX {
            return Ok(Marked::TooMany);
        }
        marks.by_mailbox.insert(conversation, upto);
        marks::put(connection, user, conversation, upto, Timestamp::now())?;
        raise_floor(context, user, floor, &marks)?;
        Ok(Marked::At(upto))
    }
}

/// The mailbox that stands for the conversation. Who may read a page of it may mark it.
fn conversation(
    connection: &Connection,
    reader: UserId,
    with: &MailboxName,
) -> rusqlite::Result<Result<MailboxId, Unreadable>> {
    let name = match with {
        MailboxName::User(name) => {
            let user = users::id_of(connection, name)?;
            return Ok(user.map(MailboxId::from).ok_or(Unreadable::Unknown));
        }
        MailboxName::Room(name) => name,
    };
    let Some((room, place)) = rooms::place(connection, Actor::User(reader), name)? else {
        return Ok(Err(Unreadable::Unknown));
    };
    let memberships = rooms::memberships_of(connection, reader)?;
    if memberships.iter().any(|membership| membership.room == room) {
        return Ok(Ok(room.into()));
    }
    Ok(Err(if place.sees() { Unreadable::NotAMember } else { Unreadable::Unknown }))
}

/// Moves the cursor `inbox` from `floor` past the messages that were read or have expired, up to the
/// first unread one.
fn raise_floor(
    context: &mut WriteContext<'_>,
    reader: UserId,
    floor: MessageId,
    marks: &Marks,
) -> rusqlite::Result<()> {
    let connection = context.connection;
    let Some(name) = users::name_of(connection, reader)? else { return Ok(()) };
    let blocks = blocks::of(connection, reader)?;
    let memberships = rooms::memberships_of(connection, reader)?;
    let mut mailboxes = Mailboxes::within(context.deliveries, reader, memberships, floor);
    let parts = may_read(&mailboxes.memberships, Wanted::Incoming { muted: false });
    let mut all = vec![mailboxes.own(reader)];
    all.extend(parts.into_iter().map(|part| mailboxes.of_room(part)));
    let mut risen = floor;
    {
        let mut expired = Expired::at(connection, context.clock.now())?;
        let mut merged = Merged::begin(connection, Direction::After(floor), all)?;
        for _ in 0..FLOOR_MESSAGES_MAX {
            let Some(next) = merged.next()? else { break };
            if is_unread(connection, next, (reader, &name), (marks, &blocks))?
                && !expired.has(next.id)?
            {
                break;
            }
            risen = next.id;
        }
    }
    if risen > floor {
        cursors::set(context, reader, &CursorName::inbox(), floor, risen)?;
        marks::forget_reached(connection, reader, risen)?;
    }
    Ok(())
}

/// Whether an incoming message after the cursor `inbox` is unread, unless it has expired.
fn is_unread(
    connection: &Connection,
    Next { id, only_mentions }: Next,
    (reader, name): (UserId, &UserName),
    (marks, blocks): (&Marks, &Blocks),
) -> rusqlite::Result<bool> {
    let found = connection
        .prepare_cached(
            "SELECT sender_id, recipient_id, CASE WHEN ?2 THEN body ELSE '' END
               FROM folded_messages WHERE id = ?1",
        )?
        .query_row(params![id.0, only_mentions], |row| {
            let (sender, mailbox) = (UserId(row.get(0)?), MailboxId(row.get(1)?));
            let is_quiet = only_mentions && !mentions(row.get_ref(2)?.as_str()?, name);
            let is_own = mailbox.room().is_some() && sender == reader;
            let is_left_out = is_own || is_quiet || blocks.hide(sender, mailbox);
            Ok(!is_left_out && !marks.cover(id, sender, mailbox))
        })
        .optional()?;
    Ok(found.unwrap_or(false))
}
