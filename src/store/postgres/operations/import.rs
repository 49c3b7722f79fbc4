//! Importing records of another database, and rebuilding what can be derived.

use crate::model::{Details, Key, MailboxId, MessageId, Timestamp, UserId};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::Result;
use crate::store::postgres::operation::{Apply, WriteContext};
use crate::store::postgres::operations::{cursors, users};
use crate::store::postgres::session::Session;
use crate::store::types::transfer::{
    Import, Imported, KEPT_ID_MAX, Rebuild, refused_id, refused_user,
};
use crate::transfer::{Cursor, Message, Step, Taken, User};

/// What was done, or why it was refused.
type Outcome = std::result::Result<Taken, String>;

impl Apply for Import {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<Imported> {
        let session = &mut *context.session;
        users::mark_as_seeded(session)?;
        let mut imported = Imported::default();
        for step in &self.steps {
            match execute(session, context.node, step, self.locked, &mut imported.recipients)? {
                Ok(taken) => imported.taken.push(taken),
                Err(refused) => {
                    imported.refused = Some(refused);
                    break;
                }
            }
        }
        Ok(imported)
    }
}

fn execute(
    session: &mut Session,
    node: i64,
    step: &Step,
    locked: &str,
    recipients: &mut Vec<MailboxId>,
) -> Result<Outcome> {
    match step {
        Step::User(user) => add_user(session, user, locked),
        Step::Message(message) => add_message(session, node, message, recipients),
        Step::Floor(floor) => match refused_id(*floor) {
            Some(refused) => Ok(Err(refused)),
            None => {
                raise_floor(session, (*floor).min(KEPT_ID_MAX))?;
                Ok(Ok(Taken::Done))
            }
        },
        Step::Cursor { cursor, messages } => place_cursor(session, cursor, *messages),
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
                                 created_at, disabled_at, deleted_at)
         VALUES (chat.next_number($8, 'users'), $1, $2, $3, $4, $5, $6, $7)",
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
        ],
    )?;
    Ok(Ok(Taken::Done))
}

/// Imports a message. It keeps its id if that is the next id here, or a higher one up to
/// [`KEPT_ID_MAX`]. Otherwise it gets the next id, and a key by which a second import recognises
/// it.
fn add_message(
    session: &mut Session,
    node: i64,
    message: &Message,
    recipients: &mut Vec<MailboxId>,
) -> Result<Outcome> {
    if let Some(refused) = refused_id(message.id) {
        return Ok(Err(refused));
    }
    // A message without an id is sent now, so its users must not be deleted.
    let id_of = match message.id {
        MessageId::ZERO => users::resolve,
        _ => users::id_of,
    };
    let (sender, recipient) = match (id_of(session, &message.from)?, id_of(session, &message.to)?) {
        (Some(sender), Some(recipient)) => (sender, MailboxId::from(recipient)),
        (None, _) => return Ok(Err(format!("there is no user {}", message.from))),
        (_, None) => return Ok(Err(format!("there is no user {}", message.to))),
    };
    if is_there(session, message, sender, recipient)? {
        return Ok(Ok(Taken::There(message.id)));
    }
    let next = MessageId(cursors::head(session)?.0 + 1);
    let keeps_id = message.id == next || (next..=KEPT_ID_MAX).contains(&message.id);
    // A message without a key is known by its content if its id here is, or may be from an earlier
    // import, another one.
    let may_have_another_id = !keeps_id || message.id > KEPT_ID_MAX;
    let by_content = || may_have_another_id.then(|| message.key_of_content());
    let key = message.key.clone().or_else(by_content);
    if let Some(key) = &key {
        match find_by_key(session, message, key, sender, recipient)? {
            KeyMeaning::Free => {}
            KeyMeaning::This(id) => return Ok(Ok(Taken::There(id))),
            KeyMeaning::Another(id) => {
                let (key, from) = (key.as_str(), &message.from);
                return Ok(Err(format!("the key {key:?} of {from} belongs to message {}", id.0)));
            }
        }
    }
    let (id, key) = if keeps_id { (message.id, message.key.clone()) } else { (next, key) };
    insert(session, (node, id), message, (sender, recipient), key.as_ref())?;
    if !recipients.contains(&recipient) {
        recipients.push(recipient);
    }
    Ok(Ok(Taken::Stored(id)))
}

/// Stores a message with this id, as a commit of the log that nobody looks for.
fn insert(
    session: &mut Session,
    (node, id): (i64, MessageId),
    message: &Message,
    (sender, recipient): (UserId, MailboxId),
    key: Option<&Key>,
) -> Result<()> {
    if let Some(key) = key {
        note_key(session, id, key, sender)?;
    }
    session.execute(
        "WITH stored AS (
             INSERT INTO chat.messages (id, sent_at, sender_id, mailbox_id, key, body, details)
             VALUES ($1, $2, $3, $4, $5, $6, $8) RETURNING id)
         INSERT INTO chat.batches (last_id, first_id, node, batch, at)
         SELECT id, id, $7, -id, chat.now_ms() FROM stored",
        &[
            &id.0,
            &message.at.0,
            &sender.0,
            &recipient.0,
            &key.map(Key::as_str),
            &message.body.as_str().as_bytes(),
            &node,
            &details(message),
        ],
    )?;
    if let Some(reply_to) = message.details.as_ref().and_then(|details| details.reply_to) {
        let sql = "SELECT chat.join_thread($1, $2, $3)";
        session.query_one(sql, &[&LANE, &id.0, &reply_to.0])?;
    }
    session.query_one("SELECT pg_notify('chat', $1::text)", &[&id.0.to_string()]).map(drop)
}

/// Notes that a copy of the message that has the key has this id. Nobody may change a row of the
/// keys, so it is replaced.
fn note_key(session: &mut Session, id: MessageId, key: &Key, sender: UserId) -> Result<()> {
    let row = session.query_opt(
        "DELETE FROM chat.keys WHERE key = $1 AND sender_id = $2 RETURNING first_id",
        &[&key.as_str(), &sender.0],
    )?;
    let first = row.map_or(id.0, |row| row.get(0));
    session.execute(
        "INSERT INTO chat.keys (key, sender_id, first_id, last_id) VALUES ($1, $2, $3, $4)",
        &[&key.as_str(), &sender.0, &first, &id.0],
    )?;
    Ok(())
}

/// Whether this very message exists, with its id.
fn is_there(
    session: &mut Session,
    message: &Message,
    sender: UserId,
    recipient: MailboxId,
) -> Result<bool> {
    let row = session.query_opt(
        "SELECT 1 FROM chat.messages
          WHERE id = $1 AND sent_at = $2 AND sender_id = $3 AND mailbox_id = $4
            AND key IS NOT DISTINCT FROM $5 AND body = $6 AND details IS NOT DISTINCT FROM $7",
        &[
            &message.id.0,
            &message.at.0,
            &sender.0,
            &recipient.0,
            &message.key.as_ref().map(Key::as_str),
            &message.body.as_str().as_bytes(),
            &details(message),
        ],
    )?;
    Ok(row.is_some())
}

/// The stored form of a message's details.
fn details(message: &Message) -> Option<String> {
    message.details.as_deref().map(Details::to_json)
}

/// The meaning of a sender's key.
enum KeyMeaning {
    /// No message has the key, or the message of which this is a missing copy.
    Free,
    /// This very copy has the key, and this id.
    This(MessageId),
    /// Another message has the key.
    Another(MessageId),
}

/// Looks up the meaning of the key. Messages with one key are copies of one message only if they
/// have its text and time. Any other message would give the key two meanings, and the sender's next
/// try would be a conflict.
fn find_by_key(
    session: &mut Session,
    message: &Message,
    key: &Key,
    sender: UserId,
    recipient: MailboxId,
) -> Result<KeyMeaning> {
    let rows = session.query(
        "SELECT m.id, m.mailbox_id = $3, m.body = $4 AND m.details IS NOT DISTINCT FROM $6,
                m.sent_at = $5
           FROM chat.keys k
           JOIN chat.messages m ON m.id BETWEEN k.first_id AND k.last_id
            AND m.key = k.key AND m.sender_id = k.sender_id
          WHERE k.key = $1 AND k.sender_id = $2 ORDER BY m.id",
        &[
            &key.as_str(),
            &sender.0,
            &recipient.0,
            &message.body.as_str().as_bytes(),
            &message.at.0,
            &details(message),
        ],
    )?;
    let mut found = KeyMeaning::Free;
    for row in rows {
        let id = MessageId(row.get(0));
        match (row.get(1), row.get(2), row.get(3)) {
            (true, true, _) => return Ok(KeyMeaning::This(id)),
            (false, true, true) => {}
            _ => found = KeyMeaning::Another(id),
        }
    }
    Ok(found)
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
        "SELECT count(*) FROM chat.messages WHERE mailbox_id = $1 AND id <= $2",
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
