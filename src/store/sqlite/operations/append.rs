//! Appending messages to the message log.

use rusqlite::{Connection, params};
use smallvec::SmallVec;

use crate::model::{
    CursorName, Details, MailboxId, MailboxName, Message, MessageId, RoomName, Timestamp, UserId,
    UserName,
};
use crate::store::sqlite::expiry::Expiry;
use crate::store::sqlite::message_log;
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::operations::{blocks, cursors, tokens, users};
use crate::store::sqlite::projection::keys::{self, KeyLookup};
use crate::store::sqlite::rooms;
use crate::store::sqlite::write::context::WriteContext;
use crate::store::sqlite::write::pending_inserts::Text;
use crate::store::types::messages::{Append, Appended, Copies, Recipients, as_room};
use crate::store::types::rooms::{Act, Actor, RoomRefused};

/// An inbox whose messages were never counted may receive one part in this many of its limit. Then
/// it is counted.
const UNCOUNTED_DIVISOR: usize = 100;

impl Apply for Append {
    const STATEMENTS: Statements = Statements::Later;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Appended> {
        take(context, self)
    }
}

/// Adds a message to the open transaction.
fn take(context: &mut WriteContext<'_>, mut append: Append) -> rusqlite::Result<Appended> {
    if let Some(answer) = decided(context, &append)? {
        return Ok(answer);
    }
    if append.or_room {
        match choose(context, &append)? {
            Ok(chosen) => append.to = chosen,
            Err(refused) => return Ok(refused),
        }
    }
    let copies = find_mailboxes(context, append.sender, &append.to)?;
    let mut copies = match copies {
        Ok(copies) => copies,
        Err(refused) => return Ok(refused),
    };
    let mut full = Vec::new();
    for (&(recipient, _), name) in copies.iter().zip(&append.to) {
        if is_full(context, recipient)? {
            full.push(name.clone());
        }
    }
    if !full.is_empty() {
        return Ok(Appended::InboxFull(full));
    }
    let thread = match append.reply_to() {
        None => None,
        Some(id) => match find_thread(context, id, append.sender)? {
            None => return Ok(Appended::UnknownMessage),
            thread => thread,
        },
    };
    // A removed user can send nothing. The schema does not check that.
    let Some(from) = users::recall_name(context, append.sender)? else {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    };
    let at = Timestamp::now();
    let mut newest = context.newest()?;
    // Nothing fails from here on.
    for ((recipient, id), to) in copies.iter_mut().zip(&append.to) {
        newest = MessageId(newest.0 + 1);
        *id = newest;
        context.deliveries.append_delivery(*recipient, *id);
        if context.deliveries.is_watched(*recipient) {
            let (from, to, body) = (from.clone(), to.clone(), append.body.clone());
            let details = append.details.clone().map(|details| details.of_sent(at));
            let message = Message { id: *id, at, from, to, body, details };
            context.deliveries.keep_text(append.sender, message);
        }
        if recipient.room().is_some() {
            continue;
        }
        match context.cache.unread_counts.get_mut(recipient) {
            Some(unread) => *unread += 1,
            None => {
                let uncounted = context.cache.uncounted_messages.entry(*recipient).or_default();
                *uncounted = uncounted.saturating_add(1);
            }
        }
    }
    context.cache.newest = Some(newest);
    if let Some(key) = &append.key {
        context.keys.insert(append.sender, key.as_str(), copies.iter().map(|&(_, id)| id));
    }
    let Append { sender, body, key, details, .. } = append;
    let expiry = Expiry::of(details.as_deref(), at, || context.clock.now());
    let text = Text::new(sender, at, key, body).with(details.as_deref(), thread, expiry);
    context.pending_inserts.push(text, &copies);
    Ok(Appended::Stored { copies, at, duplicate: false })
}

/// The answer to a message that does not depend on its recipients: they are no targets of the
/// sender's access token, or the message is in the message log with its key.
pub(in crate::store) fn decided(
    context: &mut WriteContext<'_>,
    append: &Append,
) -> rusqlite::Result<Option<Appended>> {
    let others = not_among(context, append, &append.to)?;
    if !others.is_empty() {
        let room = if append.or_room { as_room(&append.to) } else { append.to.clone() };
        if !not_among(context, append, &room)?.is_empty() {
            return Ok(Some(Appended::UnknownRecipients(others)));
        }
    }
    match &append.key {
        Some(key) => find_by_key(context, append, key.as_str()),
        None => Ok(None),
    }
}

/// The recipients that the sender's access token may not send to.
fn not_among(
    context: &mut WriteContext<'_>,
    append: &Append,
    to: &[MailboxName],
) -> rusqlite::Result<Vec<MailboxName>> {
    match &append.only {
        Some(targets) => tokens::not_among(context, targets, to),
        None => Ok(Vec::new()),
    }
}

/// The mailboxes of the recipients, or why the sender may not send this to them, but for a full
/// inbox.
pub(in crate::store) fn check(
    context: &mut WriteContext<'_>,
    append: &Append,
) -> rusqlite::Result<Result<Vec<MailboxId>, Appended>> {
    let chosen = match append.or_room {
        true => choose(context, append)?,
        false => Ok(append.to.clone()),
    };
    let copies = match chosen {
        Ok(chosen) => find_mailboxes(context, append.sender, &chosen)?,
        Err(refused) => Err(refused),
    };
    let copies = match copies {
        Ok(copies) => copies,
        Err(refused) => return Ok(Err(refused)),
    };
    if let Some(id) = append.reply_to()
        && find_thread(context, id, append.sender)?.is_none()
    {
        return Ok(Err(Appended::UnknownMessage));
    }
    Ok(Ok(copies.into_iter().map(|(mailbox, _)| mailbox).collect()))
}

/// The recipient that is meant by a name that may be a user's or a room's. One that the sender's
/// access token may not send to is none.
fn choose(
    context: &mut WriteContext<'_>,
    append: &Append,
) -> rusqlite::Result<Result<Recipients, Appended>> {
    let (room, mut post) = (as_room(&append.to), Err(RoomRefused::Unknown));
    if not_among(context, append, &room)?.is_empty() {
        for name in room.iter().filter_map(MailboxName::room) {
            post = find_room(context, append.sender, name)?.map(drop);
        }
    }
    let mut is_user = not_among(context, append, &append.to)?.is_empty();
    for name in append.to.iter().filter_map(MailboxName::user) {
        is_user &= users::resolve(context, name)?.is_some();
    }
    Ok(append.choose(is_user, post))
}

/// The mailboxes of the recipients, or why the sender may not post to them.
fn find_mailboxes(
    context: &mut WriteContext<'_>,
    sender: UserId,
    to: &[MailboxName],
) -> rusqlite::Result<Result<Copies, Appended>> {
    let mut copies = Copies::with_capacity(to.len());
    let (mut unknown, mut forbidden, mut archived) = (Vec::new(), Vec::new(), Vec::new());
    for name in to {
        let found = match name {
            MailboxName::User(user) => find_user(context, sender, user)?,
            MailboxName::Room(room) => find_room(context, sender, room)?,
        };
        match found {
            Ok(recipient) => copies.push((recipient, MessageId::ZERO)),
            Err(RoomRefused::NotAllowed) => forbidden.push(name.clone()),
            Err(RoomRefused::Archived) => archived.push(name.clone()),
            Err(_) => unknown.push(name.clone()),
        }
    }
    Ok(if !unknown.is_empty() {
        Err(Appended::UnknownRecipients(unknown))
    } else if !forbidden.is_empty() {
        Err(Appended::NotAllowed(forbidden))
    } else if !archived.is_empty() {
        Err(Appended::RoomArchived(archived))
    } else {
        Ok(copies)
    })
}

/// The mailbox of a user, if the user does not block the sender.
fn find_user(
    context: &mut WriteContext<'_>,
    sender: UserId,
    name: &UserName,
) -> rusqlite::Result<Result<MailboxId, RoomRefused>> {
    let Some(user) = users::resolve(context, name)? else { return Ok(Err(RoomRefused::Unknown)) };
    Ok(match blocks::is_blocked(context, sender, user)? {
        true => Err(RoomRefused::NotAllowed),
        false => Ok(user.into()),
    })
}

/// The mailbox of a room, if the sender may post there. Cached if possible.
fn find_room(
    context: &mut WriteContext<'_>,
    sender: UserId,
    name: &RoomName,
) -> rusqlite::Result<Result<MailboxId, RoomRefused>> {
    if let Some(&room) = context.cache.posters.get(&(sender, name.clone())) {
        return Ok(Ok(room.into()));
    }
    let Some((room, place)) = rooms::place(context.connection, Actor::User(sender), name)? else {
        return Ok(Err(RoomRefused::Unknown));
    };
    Ok(place.may(Act::Post).map(|()| {
        context.cache.remember_poster(sender, name.clone(), room);
        room.into()
    }))
}

/// The oldest message of the thread of a message. `None` if `reader` can read no such message.
fn find_thread(
    context: &mut WriteContext<'_>,
    id: MessageId,
    reader: UserId,
) -> rusqlite::Result<Option<MessageId>> {
    // The open transaction may have appended that message, so it must be in the table first.
    if context.pending_inserts.may_have(id) {
        context.pending_inserts.write(context.connection)?;
    }
    message_log::thread_of(context.connection, id, reader)
}

/// Looks for an earlier message of the sender with the same key, and compares it with this one.
/// `None` if there is no such message.
fn find_by_key(
    context: &mut WriteContext<'_>,
    append: &Append,
    key: &str,
) -> rusqlite::Result<Option<Appended>> {
    match context.keys.look_up(append.sender, key) {
        KeyLookup::New => return Ok(None),
        KeyLookup::NotInMemory => {}
        // The open transaction may have appended that message, so it must be in the table first.
        KeyLookup::InMemory => context.pending_inserts.write(context.connection)?,
    }
    let messages = context.keys.messages(context.connection, append.sender, key)?;
    if messages.is_empty() {
        return Ok(None);
    }
    compare_with_earlier(context.connection, append, key, &messages)
}

/// Compares a message with the earlier messages that have its key. A key means what it meant when
/// it was stored: the recipients are users, not names. So the names are resolved as of that time.
/// If the sender uses the current names, they mean the same users.
fn compare_with_earlier(
    connection: &Connection,
    append: &Append,
    key: &str,
    messages: &keys::Messages,
) -> rusqlite::Result<Option<Appended>> {
    let posts = posts_of_key(connection, append, key, messages)?;
    if posts.is_empty() {
        return Ok(None);
    }
    let is_same = |post: &&Earlier| post.is_same && append.may_reach(&post.copies);
    for Earlier { at, copies, .. } in posts.iter().filter(is_same) {
        let Some(&(_, then)) = copies.first() else { continue };
        for to in append.readings() {
            let then = recipients(connection, &to, |user| users::id_then(connection, user, then))?;
            let now = recipients(connection, &to, |user| users::id_of(connection, user))?;
            for recipients in [then, now].iter().flatten() {
                if let Some(copies) = copies_for(recipients, copies) {
                    return Ok(Some(Appended::Stored { copies, at: *at, duplicate: true }));
                }
            }
        }
    }
    Ok(Some(Appended::KeyConflict))
}

/// An earlier message with the key.
struct Earlier {
    at: Timestamp,
    /// Whether its text and details are those of the new message.
    is_same: bool,
    copies: Copies,
}

/// The earlier messages with a sender's key. The copies of one message have the same time. There is
/// one message, unless an import into an earlier version added another.
fn posts_of_key(
    connection: &Connection,
    append: &Append,
    key: &str,
    messages: &keys::Messages,
) -> rusqlite::Result<SmallVec<[Earlier; 1]>> {
    // A message that came late says when it was due. It is the same message as without that.
    let mut select = connection.prepare_cached(
        "SELECT sent_at, recipient_id,
                body = ?4 AND iif(details LIKE '%\"due_at\":%',
                                  nullif(json_remove(details, '$.due_at'), '{}'), details) IS ?5
           FROM messages WHERE id = ?1 AND key = ?2 AND sender_id = ?3",
    )?;
    let details = append.details.as_deref().cloned().and_then(|details| details.on_time().if_any());
    let details = details.as_deref().map(Details::to_json);
    let mut posts: SmallVec<[Earlier; 1]> = SmallVec::new();
    for &id in messages {
        let text = append.body.as_str();
        let mut rows = select.query(params![id.0, key, append.sender.0, text, details])?;
        let Some(row) = rows.next()? else { continue };
        let (at, copy) = (Timestamp(row.get(0)?), (MailboxId(row.get(1)?), id));
        let is_same = row.get(2)?;
        match posts.iter_mut().find(|post| post.at == at && post.is_same == is_same) {
            Some(post) => post.copies.push(copy),
            None => posts.push(Earlier { at, is_same, copies: [copy].into_iter().collect() }),
        }
    }
    Ok(posts)
}

/// The recipients. `None` if a name is unknown. A room keeps its name.
pub(in crate::store) fn recipients(
    connection: &Connection,
    to: &[MailboxName],
    find: impl Fn(&UserName) -> rusqlite::Result<Option<UserId>>,
) -> rusqlite::Result<Option<Vec<MailboxId>>> {
    let mailbox = |name: &MailboxName| match name {
        MailboxName::User(name) => Ok(find(name)?.map(MailboxId::from)),
        MailboxName::Room(name) => Ok(rooms::id_of(connection, name)?.map(MailboxId::from)),
    };
    to.iter().map(mailbox).collect()
}

/// The copies, in the order of the recipients. `None` if the copies have other recipients.
fn copies_for(recipients: &[MailboxId], copies: &Copies) -> Option<Copies> {
    let is_asked_for = |(mailbox, _): &(MailboxId, MessageId)| recipients.contains(mailbox);
    if recipients.len() != copies.len() || !copies.iter().all(is_asked_for) {
        return None;
    }
    let copy = |mailbox| copies.iter().find(|(recipient, _)| recipient == mailbox).copied();
    recipients.iter().map(copy).collect()
}

/// Whether an inbox has reached its limit of unread messages. Counting reads every run of
/// deliveries, so it is postponed for an inbox that has received few messages since the start. Such
/// an inbox may exceed its limit by that many messages, once after each start.
fn is_full(context: &mut WriteContext<'_>, mailbox: MailboxId) -> rusqlite::Result<bool> {
    if mailbox.room().is_some() {
        // A room has no limit: its messages are not lost for one member who does not read.
        return Ok(false);
    }
    let max = context.inbox_unread_max;
    if let Some(&unread) = context.cache.unread_counts.get(&mailbox) {
        return Ok(unread >= max);
    }
    if context.cache.uncounted_messages.get(&mailbox).copied().unwrap_or(0)
        < max / UNCOUNTED_DIVISOR
    {
        return Ok(false);
    }
    let cursor = CursorName::inbox();
    let seen = cursors::position(context.connection, UserId(mailbox.0), &cursor)?
        .unwrap_or(MessageId::ZERO);
    // Counting stops at the limit, because a higher count makes no difference.
    let bounds = (seen, MessageId(i64::MAX));
    let unread = context.deliveries.count(context.connection, mailbox, bounds, max)?;
    context.cache.unread_counts.insert(mailbox, unread);
    context.cache.uncounted_messages.remove(&mailbox);
    Ok(unread >= max)
}
