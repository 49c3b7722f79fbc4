//! Importing records of another database, and rebuilding what can be derived.

mod candidates;
mod messages;

use crate::model::{CursorName, MailboxId, MailboxName, MessageId, RoomId, Timestamp};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::{Apply, WriteContext};
use crate::store::postgres::operations::{blocks, cursors, marks, rooms, users};
use crate::store::postgres::session::Session;
use crate::store::types::marks::MARKS_MAX;
use crate::store::types::transfer::{
    Import, Imported, KEPT_ID_MAX, Rebuild, refused_id, refused_user,
};
use crate::transfer::{Cursor, Mark, Message, Step, Taken, User};

/// Has rows looked up by an index. A plan is kept, and one for an empty database reads whole tables:
/// an import would become slower with each message.
const PLANS: &str = "
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_hashjoin = off;
    SET LOCAL enable_mergejoin = off;
";

/// What was done, or why it was refused.
type Outcome = std::result::Result<Taken, String>;

impl Apply for Import {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Imported> {
        let session = &mut *context.session;
        session.client.batch_execute(PLANS)?;
        users::mark_as_seeded(session)?;
        let mut imported = Imported::default();
        let mut rest = &self.steps[..];
        while imported.refused.is_none() && !rest.is_empty() {
            let messages = rest.iter().map_while(|step| match step {
                Step::Message(message) => Some(message),
                _ => None,
            });
            let messages: Vec<&Message> = messages.collect();
            if messages.is_empty() {
                match execute(session, &rest[0], self.locked)? {
                    Ok(taken) => imported.taken.push(taken),
                    Err(refused) => imported.refused = Some(refused),
                }
                rest = &rest[1..];
            } else {
                messages::add(session, context.node, &messages, &mut imported)?;
                rest = &rest[messages.len()..];
            }
        }
        Ok(imported)
    }
}

/// Executes a step that is not a message.
fn execute(session: &mut Session, step: &Step, locked: &str) -> Result<Outcome> {
    match step {
        Step::Message(_) => Err(Error::Unexpected("messages are imported together")),
        Step::User(user) => add_user(session, user, locked),
        Step::Room(room) => rooms::importing::add_room(session, room),
        Step::Membership(of) => rooms::importing::add_membership(session, of),
        Step::Everybody => {
            let added = rooms::complete_everybody(session)?;
            Ok(Ok(if added.is_empty() { Taken::Already } else { Taken::Done }))
        }
        Step::Invitation(of) => rooms::importing::add_invitation(session, of),
        Step::Block(block) => blocks::import(session, block),
        Step::Floor(floor) => match refused_id(*floor) {
            Some(refused) => Ok(Err(refused)),
            None => {
                raise_floor(session, (*floor).min(KEPT_ID_MAX))?;
                Ok(Ok(Taken::Done))
            }
        },
        Step::Cursor { cursor, messages } => place_cursor(session, cursor, *messages),
        Step::Mark { mark, messages } => place_mark(session, mark, *messages),
        Step::Dead { user, cursor, id } => {
            let Some(user) = users::id_of(session, user)? else {
                return Ok(Err(format!("there is no user {user}")));
            };
            // Without the cursor, there can be no dead letter at it.
            let added = cursors::position(session, user, cursor)?.is_some()
                && cursors::is_for(session, user, *id)?
                && cursors::insert_dead_letter(session, user, cursor, *id)?;
            Ok(Ok(if added { Taken::Done } else { Taken::Already }))
        }
    }
}

fn raise_floor(session: &mut Session, floor: MessageId) -> Result<()> {
    session.query_one("SELECT chat.raise_floor($1, $2)", &[&LANE, &floor.0]).map(drop)
}

fn add_user(session: &mut Session, user: &User, locked: &str) -> Result<Outcome> {
    if users::id_of(session, &user.name)?.is_some() {
        return Ok(Ok(Taken::Already));
    }
    if let Some(refused) = refused_user(user) {
        return Ok(Err(refused));
    }
    let password = user.password.as_ref();
    let moment = |at: Option<Timestamp>| at.map(|at| at.0);
    session.execute(
        "INSERT INTO chat.users (id, name, display_name, password_hash, password_is_published,
                                 created_at, disabled_at, deleted_at, receipts, status,
                                 is_invisible)
         VALUES (chat.next_number($8, 'users'), $1, $2, $3, $4, $5, $6, $7, $9, $10, $11)",
        &[
            &user.name.as_str(),
            &user.display_name,
            &password.map_or(locked, |password| password.hash.as_str()),
            &password.is_some_and(|password| password.is_published),
            &user.created_at.0,
            // A deleted user cannot log in either.
            &moment(user.disabled_at.or(user.deleted_at)),
            &moment(user.deleted_at),
            &LANE,
            &!user.receipts_off,
            &user.status.as_str(),
            &user.invisible,
        ],
    )?;
    Ok(Ok(Taken::Done))
}

fn place_cursor(session: &mut Session, cursor: &Cursor, imported: u64) -> Result<Outcome> {
    let Some(user) = users::id_of(session, &cursor.user)? else {
        return Ok(Err(format!("there is no user {}", cursor.user)));
    };
    if cursors::position(session, user, &cursor.cursor)?.is_some_and(|at| at >= cursor.upto) {
        return Ok(Ok(Taken::Already));
    }
    if cursor.upto > cursors::head(session)? {
        return Ok(Err(format!("there is no message {} yet", cursor.upto.0)));
    }
    let row = session.query_one(
        "SELECT count(*) FROM chat.folded_messages WHERE mailbox_id = $1 AND id <= $2",
        &[&user.0, &cursor.upto.0],
    )?;
    if row.get::<_, i64>(0).unsigned_abs() != imported {
        return Ok(Ok(Taken::Left));
    }
    session.execute(
        "INSERT INTO chat.cursors (user_id, name, upto_id, moved_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (user_id, name)
         DO UPDATE SET upto_id = excluded.upto_id, moved_at = excluded.moved_at",
        &[&user.0, &cursor.cursor.as_str(), &cursor.upto.0, &cursor.moved_at.0],
    )?;
    Ok(Ok(Taken::Done))
}

fn place_mark(session: &mut Session, mark: &Mark, imported: u64) -> Result<Outcome> {
    let Some(user) = users::id_of(session, &mark.user)? else {
        return Ok(Err(format!("there is no user {}", mark.user)));
    };
    let Some(conversation) = mailbox_of(session, &mark.with)? else {
        let kind = if mark.with.room().is_some() { "room" } else { "user" };
        return Ok(Err(format!("there is no {kind} {}", mark.with)));
    };
    let floor = cursors::position(session, user, &CursorName::inbox())?;
    let floor = floor.unwrap_or(MessageId::ZERO);
    let there = marks::of(session, user, floor)?;
    if floor.max(there.upto(conversation)) >= mark.upto {
        return Ok(Ok(Taken::Already));
    }
    if mark.upto > cursors::head(session)? {
        return Ok(Err(format!("there is no message {} yet", mark.upto.0)));
    }
    let is_new = !there.by_mailbox.contains_key(&conversation);
    let is_full = is_new && there.by_mailbox.len() >= MARKS_MAX;
    let row = session.query_one(
        "SELECT count(*) FROM chat.folded_messages
          WHERE mailbox_id = CASE WHEN $2::bigint < 0 THEN $2 ELSE $1::bigint END AND id <= $3
            AND ($2 < 0 OR sender_id = $2::bigint)",
        &[&user.0, &conversation.0, &mark.upto.0],
    )?;
    if is_full || row.get::<_, i64>(0).unsigned_abs() != imported {
        return Ok(Ok(Taken::Left));
    }
    marks::put(session, user, conversation, (mark.upto, mark.moved_at))?;
    Ok(Ok(Taken::Done))
}

/// The mailbox with this name, if there is one.
fn mailbox_of(session: &mut Session, name: &MailboxName) -> Result<Option<MailboxId>> {
    let room = match name {
        MailboxName::User(name) => return Ok(users::id_of(session, name)?.map(MailboxId::from)),
        MailboxName::Room(room) => room,
    };
    let sql = "SELECT id FROM chat.rooms WHERE name = $1";
    Ok(session.query_opt(sql, &[&room.as_str()])?.map(|row| RoomId(row.get(0)).into()))
}

impl Apply for Rebuild {
    /// PostgreSQL keeps its indexes itself (`REINDEX`), so the only part is the floor of the ids.
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Option<String>> {
        if self.part > 0 {
            return Ok(None);
        }
        let row =
            context.session.query_one("SELECT coalesce(max(upto_id), 0) FROM chat.cursors", &[])?;
        raise_floor(context.session, MessageId(row.get(0)))?;
        Ok(Some("floor of the ids".to_owned()))
    }
}
