//! Where cursors and dead letters of an import belong, once it is known which id each message has
//! got.

use std::collections::HashMap;

use crate::model::{CursorName, MessageId, UserName};
use crate::transfer::{Cursor, Message, Step};

/// What there is to be placed when all messages are there.
#[derive(Default)]
pub(super) struct Places {
    cursors: HashMap<UserName, Vec<Place>>,
    dead: Vec<(UserName, CursorName, MessageId)>,
    some_ids_changed: bool,
}

/// A cursor on its way.
struct Place {
    cursor: Cursor,
    /// The highest id here of its reader's messages up to where it stood.
    upto: MessageId,
    /// How many they are.
    messages: u64,
}

impl Places {
    /// Takes in a cursor; all come before the first message.
    pub(super) fn expect(&mut self, cursor: Cursor) {
        let place = Place { upto: MessageId::ZERO, messages: 0, cursor };
        self.cursors.entry(place.cursor.user.clone()).or_default().push(place);
    }

    /// Takes note that a message has this id here.
    pub(super) fn note(&mut self, message: &Message, id: MessageId) {
        self.some_ids_changed |= id != message.id;
        for place in self.cursors.get_mut(&message.to).into_iter().flatten() {
            if message.id <= place.cursor.upto {
                place.upto = place.upto.max(id);
                place.messages += 1;
            }
        }
        let dead = message.dead.iter().map(|cursor| (message.to.clone(), cursor.clone(), id));
        self.dead.extend(dead);
    }

    /// Every message has the id that it had.
    pub(super) fn ids_are_kept(&self) -> bool {
        !self.some_ids_changed
    }

    /// The cursors, and then the dead letters that lie at them. Where ids were kept, a cursor stands
    /// where it stood, be there a message or not.
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
