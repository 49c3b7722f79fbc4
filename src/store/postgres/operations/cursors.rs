//! Cursors and dead letters.

use crate::model::{CursorName, MessageId, UserId};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::moving::move_cursors;
use crate::store::postgres::notices;
use crate::store::postgres::operation::{
    Apply, CursorMove, Grouped, MoveKind, PartAnswer, Place, WriteContext, only_grouped,
};
use crate::store::postgres::session::Session;
use crate::store::types::cursors::{
    Acked, Acknowledge, AddDeadLetter, ClearDeadLetters, MoveCursor, Moved,
};
use crate::store::types::messages::{Append, Appended};

impl Apply for Append {
    fn grouped(&self) -> Grouped<'_> {
        Grouped::Append(self)
    }

    fn answer(&self, part: PartAnswer) -> Option<Appended> {
        match part {
            PartAnswer::Appended(appended) => Some(appended),
            PartAnswer::Cursor(_) => None,
        }
    }

    fn apply(&self, _: &mut WriteContext<'_>) -> Result<Appended> {
        only_grouped()
    }
}

impl Apply for Acknowledge {
    fn grouped(&self) -> Grouped<'_> {
        let kind = if self.rewind { MoveKind::Anywhere } else { MoveKind::Forward };
        if self.rewind && self.cursor == CursorName::inbox() {
            // What comes after it is unread again, whatever the marks say.
            return Grouped::No;
        }
        let (user, cursor) = (self.user, self.cursor.as_str());
        Grouped::Cursor(CursorMove { user, cursor, kind, upto: self.upto })
    }

    fn answer(&self, part: PartAnswer) -> Option<Acked> {
        place(&part).and_then(Place::acked)
    }

    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Acked> {
        let Self { user, cursor, upto, .. } = self;
        let cursor_move = CursorMove {
            user: *user,
            cursor: cursor.as_str(),
            kind: MoveKind::Anywhere,
            upto: *upto,
        };
        let seen = position(context.session, *user, cursor)?;
        let places = move_cursors(context.session, &[cursor_move])?;
        let acked = places.first().and_then(|place| place.acked()).unwrap_or(Acked::BeyondTheLog);
        if let (Acked::At(floor), Some(seen)) = (acked, seen)
            && floor < seen
        {
            notices::tell(context.session, context.node, (*user, None, floor))?;
            context.session.execute(
                "DELETE FROM chat.read_marks WHERE user_id = $1 AND upto_id > $2",
                &[&user.0, &floor.0],
            )?;
        }
        Ok(acked)
    }
}

impl Apply for MoveCursor {
    fn grouped(&self) -> Grouped<'_> {
        let (user, cursor) = (self.user, self.cursor.as_str());
        let kind = MoveKind::From(self.seen);
        Grouped::Cursor(CursorMove { user, cursor, kind, upto: self.upto })
    }

    fn answer(&self, part: PartAnswer) -> Option<Moved> {
        place(&part).and_then(Place::moved)
    }

    fn apply(&self, _: &mut WriteContext<'_>) -> Result<Moved> {
        only_grouped()
    }
}

fn place(part: &PartAnswer) -> Option<Place> {
    match part {
        PartAnswer::Cursor(place) => Some(*place),
        PartAnswer::Appended(_) => None,
    }
}

impl Apply for AddDeadLetter {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Acked> {
        let Self { user, cursor, id } = self;
        if !is_for(context.session, *user, *id)? {
            return Ok(Acked::BeyondTheLog);
        }
        let cursor_move =
            CursorMove { user: *user, cursor: cursor.as_str(), kind: MoveKind::Forward, upto: *id };
        let places = move_cursors(context.session, &[cursor_move])?;
        let acked = places.first().and_then(|place| place.acked()).unwrap_or(Acked::BeyondTheLog);
        if matches!(acked, Acked::At(_)) {
            insert_dead_letter(context.session, *user, cursor, *id)?;
        }
        Ok(acked)
    }
}

impl Apply for ClearDeadLetters {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Acked> {
        let Self { user, cursor, upto } = self;
        context.session.execute(
            "DELETE FROM chat.dead_letters
              WHERE user_id = $1 AND cursor = $2 AND message_id <= $3",
            &[&user.0, &cursor.as_str(), &upto.0],
        )?;
        let seen = position(context.session, *user, cursor)?;
        Ok(Acked::At(seen.unwrap_or(MessageId::ZERO)))
    }
}

/// The place of a cursor, if it exists.
pub(in crate::store) fn position(
    session: &mut Session,
    user: UserId,
    cursor: &CursorName,
) -> Result<Option<MessageId>> {
    let row = session.query_opt(
        "SELECT upto_id FROM chat.cursors WHERE user_id = $1 AND name = $2",
        &[&user.0, &cursor.as_str()],
    )?;
    Ok(row.map(|row| MessageId(row.get(0))))
}

/// Whether a message with this id exists for `user`, in their own mailbox or in a room.
pub(in crate::store) fn is_for(session: &mut Session, user: UserId, id: MessageId) -> Result<bool> {
    // Sent by nobody, so that nobody reads it as its sender. So nobody is blocked in there.
    let row = session.query_opt(
        "SELECT 1 FROM chat.folded_messages m
          WHERE m.id = $1 AND (m.mailbox_id = $2 OR m.mailbox_id < 0
                                AND chat.sees($3, $2, m.id, 0, m.mailbox_id)
                                AND NOT EXISTS (SELECT FROM chat.blocks w
                                                 WHERE w.user_id = $2
                                                   AND w.blocked_id = m.sender_id))",
        &[&id.0, &user.0, &LANE],
    )?;
    Ok(row.is_some())
}

/// Records a dead letter. Returns whether it is new.
pub(in crate::store) fn insert_dead_letter(
    session: &mut Session,
    user: UserId,
    cursor: &CursorName,
    id: MessageId,
) -> Result<bool> {
    let inserted = session.execute(
        "INSERT INTO chat.dead_letters (user_id, cursor, message_id)
         VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        &[&user.0, &cursor.as_str(), &id.0],
    )?;
    Ok(inserted > 0)
}

/// The newest id of the log.
pub(in crate::store) fn head(session: &mut Session) -> Result<MessageId> {
    let row = session.query_one("SELECT chat.head($1)", &[&LANE])?;
    Ok(MessageId(row.get(0)))
}
