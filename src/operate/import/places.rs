//! The positions of imported cursors, marks and dead letters. They depend on the new ids of the messages.

use std::collections::HashMap;

use crate::model::{CursorName, MailboxName, MessageId, RoomName, UserName};
use crate::transfer::{Cursor, Mark, Membership, Message, Step};

/// The cursors, marks and dead letters that wait until all messages are imported.
#[derive(Default)]
pub(super) struct Places {
    cursors: HashMap<UserName, Vec<Place>>,
    /// By the user who sends the messages, or the room.
    marks: HashMap<MailboxName, Vec<MarkPlace>>,
    dead: Vec<(UserName, CursorName, MessageId)>,
    some_ids_changed: bool,
    /// The ids of the file, and the ids here, where their difference changes.
    moves: Vec<(MessageId, MessageId)>,
    /// The last message.
    last: Option<(MessageId, MessageId)>,
    /// The same for each room.
    rooms: HashMap<RoomName, Vec<Move>>,
}

/// A part of the messages of a room, whose ids differ by the same number in the file and here.
struct Move {
    before: MessageId,
    here: MessageId,
    /// Its last message here.
    last: MessageId,
}

/// A cursor that waits.
struct Place {
    cursor: Cursor,
    /// The highest new id of its reader's messages up to its old position.
    upto: MessageId,
    /// The number of those messages.
    messages: u64,
}

/// A mark that waits.
struct MarkPlace {
    mark: Mark,
    /// The highest new id of the conversation's messages up to its old position.
    upto: MessageId,
    /// The number of those messages.
    messages: u64,
}

impl Places {
    /// Adds a cursor. All come before the first message.
    pub(super) fn expect(&mut self, cursor: Cursor) {
        let place = Place { upto: MessageId::ZERO, messages: 0, cursor };
        self.cursors.entry(place.cursor.user.clone()).or_default().push(place);
    }

    /// Adds a mark. All come before the first message.
    pub(super) fn expect_mark(&mut self, mark: Mark) {
        let place = MarkPlace { upto: MessageId::ZERO, messages: 0, mark };
        self.marks.entry(place.mark.with.clone()).or_default().push(place);
    }

    /// Records the new id of a message.
    pub(super) fn note(&mut self, message: &Message, id: MessageId) {
        self.some_ids_changed |= id != message.id;
        let follows = |(before, here): (MessageId, MessageId)| {
            message.id.0.checked_sub(before.0) == id.0.checked_sub(here.0)
        };
        if !self.last.is_some_and(follows) {
            self.moves.push((message.id, id));
        }
        self.last = Some((message.id, id));
        self.note_in_marks(message, id);
        let to = match &message.to {
            MailboxName::User(to) => to,
            MailboxName::Room(room) => {
                self.note_in_room(room, message, id);
                return;
            }
        };
        for place in self.cursors.get_mut(to).into_iter().flatten() {
            if message.id <= place.cursor.upto {
                place.upto = place.upto.max(id);
                place.messages += 1;
            }
        }
        let dead = message.dead.iter().map(|cursor| (to.clone(), cursor.clone(), id));
        self.dead.extend(dead);
    }

    fn note_in_marks(&mut self, message: &Message, id: MessageId) {
        if self.marks.is_empty() {
            return;
        }
        let conversation = match &message.to {
            MailboxName::User(_) => MailboxName::User(message.from.clone()),
            room @ MailboxName::Room(_) => room.clone(),
        };
        for place in self.marks.get_mut(&conversation).into_iter().flatten() {
            let is_in_it = message.to.room().is_some() || message.to == place.mark.user;
            if is_in_it && message.id <= place.mark.upto {
                place.upto = place.upto.max(id);
                place.messages += 1;
            }
        }
    }

    fn note_in_room(&mut self, room: &RoomName, message: &Message, id: MessageId) {
        let dead = message.dead_for.iter().map(|of| (of.user.clone(), of.cursor.clone(), id));
        self.dead.extend(dead);
        let moves = self.rooms.entry(room.clone()).or_default();
        match moves.last_mut() {
            Some(part) if message.id.0 - part.before.0 == id.0 - part.here.0 => part.last = id,
            _ => moves.push(Move { before: message.id, here: id, last: id }),
        }
    }

    /// Moves the ends of a membership to the ids of the room's messages here. If all ids were kept,
    /// they stay.
    pub(super) fn place_membership(&self, of: &mut Membership) {
        if self.ids_are_kept() {
            return;
        }
        let moves = self.rooms.get(&of.room).map_or(&[][..], Vec::as_slice);
        let here = |id: MessageId| {
            let part = moves.partition_point(|part| part.before <= id).checked_sub(1);
            part.map_or(MessageId::ZERO, |part| {
                let part = &moves[part];
                part.last.min(MessageId(part.here.0 + (id.0 - part.before.0)))
            })
        };
        (of.joined_after, of.sees_after) = (here(of.joined_after), here(of.sees_after));
        of.left_upto = of.left_upto.map(here);
    }

    /// The id here of an earlier message of the file. A message that the file lacks keeps its id if
    /// all others did; otherwise it has none here, because its id may be that of another one.
    pub(super) fn id_here(&self, id: MessageId) -> Option<MessageId> {
        if self.ids_are_kept() {
            return Some(id);
        }
        let place = self.moves.partition_point(|&(before, _)| before <= id).checked_sub(1)?;
        let (before, here) = self.moves.get(place)?;
        Some(MessageId(here.0 + (id.0 - before.0)))
    }

    /// Every message kept its id.
    pub(super) fn ids_are_kept(&self) -> bool {
        !self.some_ids_changed
    }

    /// The cursors and then the marks, and the dead letters of the cursors. If all ids were kept, a
    /// cursor or mark keeps its position, even if no message has that id.
    pub(super) fn settle(self) -> (Vec<Step>, Vec<Step>) {
        let kept = self.ids_are_kept();
        let marks = self.marks.into_values().flatten().map(|place| {
            let MarkPlace { mut mark, upto, messages } = place;
            if !kept {
                mark.upto = upto;
            }
            Step::Mark { mark, messages }
        });
        let cursors = self.cursors.into_values().flatten().map(|place| {
            let Place { mut cursor, upto, messages } = place;
            if !kept {
                cursor.upto = upto;
            }
            Step::Cursor { cursor, messages }
        });
        let dead = self.dead.into_iter();
        let dead = dead.map(|(user, cursor, id)| Step::Dead { user, cursor, id });
        (cursors.chain(marks).collect(), dead.collect())
    }
}
