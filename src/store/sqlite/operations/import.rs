//! Importing records of another database.

use rusqlite::{Connection, params};

use crate::model::{
    CursorName, Details, Key, MailboxId, MailboxName, MessageId, Timestamp, UserId,
};
use crate::store::sqlite::expiry::{self, Expiry};
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::operations::{blocks, cursors, everybody, rooms, users};
use crate::store::sqlite::projection::delivery_cursor::{self, DeliveryCursor, Direction};
use crate::store::sqlite::write::context::WriteContext;
use crate::store::sqlite::{self, marks, message_log};
use crate::store::types::marks::MARKS_MAX;
use crate::store::types::transfer::{Import, Imported, KEPT_ID_MAX, refused_id, refused_user};
use crate::transfer::{Cursor, Mark, Message, Step, Taken, User};

impl Apply for Import {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Imported> {
        import(context, &self.steps, self.locked)
    }
}

/// The result of a step, or why it was refused.
type Outcome = Result<Taken, String>;

fn import(
    context: &mut WriteContext<'_>,
    steps: &[Step],
    locked: &str,
) -> rusqlite::Result<Imported> {
    users::mark_as_seeded(context.connection, Timestamp::now())?;
    let mut imported = Imported::default();
    for step in steps {
        let outcome = match step {
            Step::User(user) => add_user(context.connection, user, locked)?,
            Step::Room(room) => rooms::importing::add_room(context, room)?,
            Step::Membership(of) => rooms::importing::add_membership(context, of)?,
            Step::Everybody => {
                let added = everybody::complete(context, None)?;
                Ok(if added.is_empty() { Taken::Already } else { Taken::Done })
            }
            Step::Invitation(of) => rooms::importing::add_invitation(context, of)?,
            Step::Block(block) => blocks::import(context, block)?,
            Step::Message(message) => add_message(context, message, &mut imported.recipients)?,
            Step::Floor(floor) => match refused_id(*floor) {
                Some(refused) => Err(refused),
                None => {
                    message_log::raise_floor(context.connection, (*floor).min(KEPT_ID_MAX))?;
                    context.cache.newest = None;
                    Ok(Taken::Done)
                }
            },
            Step::Cursor { cursor, messages } => place_cursor(context, cursor, *messages)?,
            Step::Mark { mark, messages } => place_mark(context, mark, *messages)?,
            Step::Dead { user, cursor, id } => {
                let Some(user) = users::id_of(context.connection, user)? else {
                    imported.refused = Some(format!("there is no user {user}"));
                    break;
                };
                // Without the cursor, there can be no dead letter at it.
                let added = cursors::position(context.connection, user, cursor)?.is_some()
                    && message_log::is_for(context.connection, user, *id)?
                    && cursors::insert_dead_letter(context.connection, user, cursor, *id)?;
                Ok(if added { Taken::Done } else { Taken::Already })
            }
        };
        match outcome {
            Ok(taken) => imported.taken.push(taken),
            Err(refused) => {
                imported.refused = Some(refused);
                break;
            }
        }
    }
    Ok(imported)
}

fn add_user(connection: &Connection, user: &User, locked: &str) -> rusqlite::Result<Outcome> {
    if users::id_of(connection, &user.name)?.is_some() {
        return Ok(Ok(Taken::Already));
    }
    if let Some(refused) = refused_user(user) {
        return Ok(Err(refused));
    }
    let password = user.password.as_ref();
    let moment = |at: Option<Timestamp>| at.map(|at| at.0);
    connection
        .prepare_cached(
            "INSERT INTO users (name, display_name, password_hash, password_is_published,
                                created_at, disabled_at, deleted_at, receipts, status,
                                is_invisible)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            user.name.as_str(),
            user.display_name,
            password.map_or(locked, |password| password.hash.as_str()),
            password.is_some_and(|password| password.is_published),
            user.created_at.0,
            // A deleted user cannot log in either.
            moment(user.disabled_at.or(user.deleted_at)),
            moment(user.deleted_at),
            !user.receipts_off,
            user.status.as_str(),
            user.invisible,
        ])?;
    Ok(Ok(Taken::Done))
}

/// Imports a message. It keeps its id if that is the next id here, or a higher one up to
/// [`KEPT_ID_MAX`]. Otherwise it gets the next id, and a key by which a second import recognises
/// it.
fn add_message(
    context: &mut WriteContext<'_>,
    message: &Message,
    recipients: &mut Vec<MailboxId>,
) -> rusqlite::Result<Outcome> {
    if let Some(refused) = refused_id(message.id) {
        return Ok(Err(refused));
    }
    let connection = context.connection;
    // A message without an id is sent now, so its users must not be deleted.
    let mut id_of = |name| match message.id {
        MessageId::ZERO => users::resolve(context, name),
        _ => users::id_of(connection, name),
    };
    let Some(sender) = id_of(&message.from)? else {
        return Ok(Err(format!("there is no user {}", message.from)));
    };
    let recipient = match &message.to {
        MailboxName::User(name) => id_of(name)?.map(MailboxId::from),
        MailboxName::Room(name) => sqlite::rooms::id_of(connection, name)?.map(MailboxId::from),
    };
    let Some(recipient) = recipient else {
        let kind = if message.to.room().is_some() { "room" } else { "user" };
        return Ok(Err(format!("there is no {kind} {}", message.to)));
    };
    if is_there(connection, message, sender, recipient)? {
        return Ok(Ok(Taken::There(message.id)));
    }
    let next = MessageId(context.newest()?.0 + 1);
    let keeps_id = message.id == next || (next..=KEPT_ID_MAX).contains(&message.id);
    // A message without a key is known by its content if its id here is, or may be from an earlier
    // import, another one.
    let may_have_another_id = !keeps_id || message.id > KEPT_ID_MAX;
    let by_content = || may_have_another_id.then(|| message.key_of_content());
    let key = message.key.clone().or_else(by_content);
    if let Some(key) = &key {
        match find_by_key(context, message, key.as_str(), sender, recipient)? {
            KeyMeaning::Free => {}
            KeyMeaning::This(id) => return Ok(Ok(Taken::There(id))),
            KeyMeaning::Another(id) => {
                let (key, from) = (key.as_str(), &message.from);
                return Ok(Err(format!("the key {key:?} of {from} belongs to message {}", id.0)));
            }
        }
    }
    let (id, key) = if keeps_id { (message.id, message.key.clone()) } else { (next, key) };
    insert(connection, id, message, (sender, recipient), key.as_ref())?;
    context.deliveries.append_delivery(recipient, id);
    context.cache.newest = Some(id);
    if let Some(key) = &key {
        context.keys.insert(sender, key.as_str(), [id]);
    }
    if recipient.user().is_some() {
        context.cache.must_count(recipient);
    }
    if !recipients.contains(&recipient) {
        recipients.push(recipient);
    }
    Ok(Ok(Taken::Stored(id)))
}

/// Inserts a message with this id and this key.
fn insert(
    connection: &Connection,
    id: MessageId,
    message: &Message,
    (sender, recipient): (UserId, MailboxId),
    key: Option<&Key>,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO messages (id, sent_at, sender_id, recipient_id, key, body, details)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            id.0,
            message.at.0,
            sender.0,
            recipient.0,
            key.map(Key::as_str),
            message.body.as_str(),
            message.details.as_deref().map(Details::to_json),
        ])?;
    // What it was sent with holds by the clock of today.
    if let Some(expiry) = Expiry::of(message.details.as_deref(), message.at, || message.at) {
        expiry::insert(connection, (id, recipient), expiry)?;
    }
    match message.details.as_ref().and_then(|details| details.reply_to) {
        Some(reply_to) => message_log::join_thread(connection, id, reply_to),
        None => Ok(()),
    }
}

/// Whether this very message exists, with its id. An edited message has another text here, if the edit
/// is newer than the copy.
fn is_there(
    connection: &Connection,
    message: &Message,
    sender: UserId,
    recipient: MailboxId,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT 1 FROM messages
              WHERE id = ?1 AND sent_at = ?2 AND sender_id = ?3 AND recipient_id = ?4
                AND key IS ?5 AND (?8 OR body = ?6 AND details IS ?7)",
        )?
        .exists(params![
            message.id.0,
            message.at.0,
            sender.0,
            recipient.0,
            message.key.as_ref().map(|key| key.as_str()),
            message.body.as_str(),
            message.details.as_deref().map(Details::to_json),
            message.details.as_ref().is_some_and(|details| details.edited.is_some()),
        ])
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
    context: &WriteContext<'_>,
    message: &Message,
    key: &str,
    sender: UserId,
    recipient: MailboxId,
) -> rusqlite::Result<KeyMeaning> {
    let mut select = context.connection.prepare_cached(
        "SELECT recipient_id = ?4, body = ?5 AND details IS ?7, sent_at = ?6 FROM messages
          WHERE id = ?1 AND key = ?2 AND sender_id = ?3",
    )?;
    let details = message.details.as_deref().map(Details::to_json);
    let mut found = KeyMeaning::Free;
    for id in context.keys.messages(context.connection, sender, key)? {
        let (text, at) = (message.body.as_str(), message.at.0);
        let mut rows =
            select.query(params![id.0, key, sender.0, recipient.0, text, at, details])?;
        let Some(row) = rows.next()? else { continue };
        match (row.get(0)?, row.get(1)?, row.get(2)?) {
            (true, true, _) => return Ok(KeyMeaning::This(id)),
            (false, true, true) => {}
            _ => found = KeyMeaning::Another(id),
        }
    }
    Ok(found)
}

fn place_cursor(
    context: &mut WriteContext<'_>,
    cursor: &Cursor,
    imported: u64,
) -> rusqlite::Result<Outcome> {
    let connection = context.connection;
    let Some(user) = users::id_of(connection, &cursor.user)? else {
        return Ok(Err(format!("there is no user {}", cursor.user)));
    };
    if cursors::position(connection, user, &cursor.cursor)?.is_some_and(|at| at >= cursor.upto) {
        return Ok(Ok(Taken::Already));
    }
    if cursor.upto > context.newest()? {
        return Ok(Err(format!("there is no message {} yet", cursor.upto.0)));
    }
    let bounds = (MessageId::ZERO, cursor.upto);
    let there = context.deliveries.count(connection, user, bounds, usize::MAX)?;
    if there as u64 != imported {
        return Ok(Ok(Taken::Left));
    }
    cursors::upsert(connection, user, &cursor.cursor, cursor.upto, cursor.moved_at)?;
    context.cache.must_count(user);
    Ok(Ok(Taken::Done))
}

fn place_mark(
    context: &mut WriteContext<'_>,
    mark: &Mark,
    imported: u64,
) -> rusqlite::Result<Outcome> {
    let connection = context.connection;
    let Some(user) = users::id_of(connection, &mark.user)? else {
        return Ok(Err(format!("there is no user {}", mark.user)));
    };
    let conversation = match &mark.with {
        MailboxName::User(name) => users::id_of(connection, name)?.map(MailboxId::from),
        MailboxName::Room(name) => sqlite::rooms::id_of(connection, name)?.map(MailboxId::from),
    };
    let Some(conversation) = conversation else {
        let kind = if mark.with.room().is_some() { "room" } else { "user" };
        return Ok(Err(format!("there is no {kind} {}", mark.with)));
    };
    let floor = cursors::position(connection, user, &CursorName::inbox())?;
    let floor = floor.unwrap_or(MessageId::ZERO);
    let there = marks::of(connection, user, floor)?;
    if floor.max(there.upto(conversation)) >= mark.upto {
        return Ok(Ok(Taken::Already));
    }
    if mark.upto > context.newest()? {
        return Ok(Err(format!("there is no message {} yet", mark.upto.0)));
    }
    let is_new = !there.by_mailbox.contains_key(&conversation);
    let is_full = is_new && there.by_mailbox.len() >= MARKS_MAX;
    if is_full || count_in_conversation(context, user, conversation, mark.upto)? != imported {
        return Ok(Ok(Taken::Left));
    }
    marks::put(connection, user, conversation, mark.upto, mark.moved_at)?;
    Ok(Ok(Taken::Done))
}

/// The number of messages up to `upto` from a user to the reader, or to a room.
fn count_in_conversation(
    context: &WriteContext<'_>,
    reader: UserId,
    conversation: MailboxId,
    upto: MessageId,
) -> rusqlite::Result<u64> {
    let (connection, bounds) = (context.connection, (MessageId::ZERO, upto));
    if conversation.room().is_some() {
        let count = context.deliveries.count(connection, conversation, bounds, usize::MAX)?;
        return Ok(count as u64);
    }
    let in_memory = context.deliveries.in_memory(reader.into(), bounds);
    let direction = Direction::After(MessageId::ZERO);
    let mut statement = delivery_cursor::prepare(connection, direction)?;
    let mut cursor =
        DeliveryCursor::begin(connection, &mut statement, reader, direction, in_memory)?;
    let mut is_from =
        connection.prepare_cached("SELECT 1 FROM messages WHERE id = ?1 AND sender_id = ?2")?;
    let mut count = 0;
    while let Some(id) = cursor.next()?.filter(|id| *id <= upto) {
        count += u64::from(is_from.exists(params![id.0, conversation.0])?);
    }
    Ok(count)
}
