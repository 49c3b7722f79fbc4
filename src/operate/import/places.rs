//! The positions of imported cursors and dead letters. They depend on the new ids of the messages.

use std::collections::HashMap;

use crate::model::{CursorName, MessageId, UserName};
use crate::transfer::{Cursor, Message, Step};

/// The cursors and dead letters that wait until all messages are imported.
#[derive(Default)]
pub(super) struct Places {
    cursors: HashMap<UserName, Vec<Place>>,
    dead: Vec<(UserName, CursorName, MessageId)>,
    some_ids_changed: bool,
    /// The ids of the file, and the ids here, where their difference changes.
    moves: Vec<(MessageId, MessageId)>,
    /// The last message.
    last: Option<(MessageId, MessageId)>,
}

/// A cursor that waits.
struct Place {
    cursor: Cursor,
    /// The highest new id of its reader's messages up to its old position.
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
        for place in self.cursors.get_mut(&message.to).into_iter().flatten() {
            if message.id <= place.cursor.upto {
                place.upto = place.upto.max(id);
                place.messages += 1;
            }
        }
        let dead = message.dead.iter().map(|cursor| (message.to.clone(), cursor.clone(), id));
        self.dead.extend(dead);
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

    /// The cursors, and then their dead letters. If all ids were kept, a cursor keeps its position,
    /// even if no message has that id.
    pub(super) fn settle(self) -> (Vec<Step>, Vec<Step>) {
        let kept = self.ids_are_kept();
        let cursors = self.cursors.into_values().flatten().map(|place| {
            let Place { mut cursor, upto, messages } = place;
            if !kept {
                cursor.upto = upto;
            }
            Step::Cursor { cursor, messages }
        });
        let dead = self.dead.into_iter();
        let dead = dead.map(|(user, cursor, id)| Step::Dead { user, cursor, id });
        (cursors.collect(), dead.collect())
    }
}
