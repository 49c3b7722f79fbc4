//! Appending messages to the message log.

use rusqlite::{Connection, params};
use smallvec::SmallVec;

use crate::model::{CursorName, Message, MessageId, Timestamp, UserId, UserName};
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::operations::{cursors, users};
use crate::store::sqlite::projection::keys::{self, KeyLookup};
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::messages::{Append, Appended, Copies};

/// An inbox takes in a part of its limit, one of so many, before its messages are counted.
const UNCOUNTED_PART: usize = 100;

impl Apply for Append {
    const STATEMENTS: Statements = Statements::Later;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<Appended> {
        take(context, self)
    }
}

/// Takes a message into the transaction.
fn take(context: &mut WriteContext<'_>, append: Append) -> rusqlite::Result<Appended> {
    if let Some(key) = &append.key
        && let Some(appended) = find_by_key(context, &append, key.as_str())?
    {
        return Ok(appended);
    }
    let mut copies = Copies::with_capacity(append.to.len());
    let mut unknown = Vec::new();
    for name in &append.to {
        match users::resolve(context, name)? {
            Some(recipient) => copies.push((recipient, MessageId::ZERO)),
            None => unknown.push(name.clone()),
        }
    }
    if !unknown.is_empty() {
        return Ok(Appended::UnknownRecipients(unknown));
    }
    let mut full = Vec::new();
    for (&(recipient, _), name) in copies.iter().zip(&append.to) {
        if is_full(context, recipient)? {
            full.push(name.clone());
        }
    }
    if !full.is_empty() {
        return Ok(Appended::InboxFull(full));
    }
    // Who is no user any more sends nothing: the file's schema does not see to it.
    let Some(from) = users::recall_name(context, append.sender)? else {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    };
    let at = Timestamp::now();
    let mut newest = context.newest()?;
    // From here on nothing fails.
    for ((recipient, id), to) in copies.iter_mut().zip(&append.to) {
        newest = MessageId(newest.0 + 1);
        *id = newest;
        context.deliveries.append_delivery(*recipient, *id);
        if context.deliveries.is_watched(*recipient) {
            let (from, to, body) = (from.clone(), to.clone(), append.body.clone());
            context.deliveries.keep_text(Message { id: *id, at, from, to, body });
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
    let Append { sender, to: _, body, key } = append;
    context.pending_inserts.push(sender, at, key, body, &copies);
    Ok(Appended::Stored { copies, at, duplicate: false })
}

/// What an earlier message of the sender with the same key says of this one; `None` where there is
/// none.
fn find_by_key(
    context: &mut WriteContext<'_>,
    append: &Append,
    key: &str,
) -> rusqlite::Result<Option<Appended>> {
    match context.keys.look_up(append.sender, key) {
        KeyLookup::New => return Ok(None),
        KeyLookup::NotInMemory => {}
        // This transaction may have taken it in.
        KeyLookup::InMemory => context.pending_inserts.write(context.connection)?,
    }
    let messages = context.keys.messages(context.connection, append.sender, key)?;
    if messages.is_empty() {
        return Ok(None);
    }
    compare_with_earlier(context.connection, append, key, &messages)
}

/// [`find_by_key`], of the messages that have the key. What the key means was fixed when it was
/// stored: the users, and not their names. So the names are read as they were then. A sender who
/// uses the names of today means the same users.
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
    for Earlier { at, copies, .. } in posts.iter().filter(|post| post.same_text) {
        let Some(&(_, then)) = copies.first() else { continue };
        let then = recipients(append, |name| users::id_then(connection, name, then))?;
        let now = recipients(append, |name| users::id_of(connection, name))?;
        for recipients in [then, now].iter().flatten() {
            if let Some(copies) = copies_for(recipients, copies) {
                return Ok(Some(Appended::Stored { copies, at: *at, duplicate: true }));
            }
        }
    }
    Ok(Some(Appended::KeyConflict))
}

/// A message that was stored with a key.
struct Earlier {
    at: Timestamp,
    /// It has the text that is asked for now.
    same_text: bool,
    copies: Copies,
}

/// The messages that were stored with a key of the sender, each with its copies: those were taken
/// at the same moment. There is one, unless an import of an earlier version brought another.
fn posts_of_key(
    connection: &Connection,
    append: &Append,
    key: &str,
    messages: &keys::Messages,
) -> rusqlite::Result<SmallVec<[Earlier; 1]>> {
    let mut select = connection.prepare_cached(
        "SELECT sent_at, recipient_id, body = ?4 FROM messages
          WHERE id = ?1 AND key = ?2 AND sender_id = ?3",
    )?;
    let mut posts: SmallVec<[Earlier; 1]> = SmallVec::new();
    for &id in messages {
        let mut rows = select.query(params![id.0, key, append.sender.0, append.body.as_str()])?;
        let Some(row) = rows.next()? else { continue };
        let (at, copy) = (Timestamp(row.get(0)?), (UserId(row.get(1)?), id));
        let same_text = row.get(2)?;
        match posts.iter_mut().find(|post| post.at == at && post.same_text == same_text) {
            Some(post) => post.copies.push(copy),
            None => posts.push(Earlier { at, same_text, copies: [copy].into_iter().collect() }),
        }
    }
    Ok(posts)
}

/// Who the recipients are; `None` where one is nobody.
fn recipients(
    append: &Append,
    find: impl Fn(&UserName) -> rusqlite::Result<Option<UserId>>,
) -> rusqlite::Result<Option<Vec<UserId>>> {
    append.to.iter().map(find).collect()
}

/// The copies of exactly these recipients, in their order; `None` where there are others.
fn copies_for(recipients: &[UserId], copies: &Copies) -> Option<Copies> {
    let is_asked_for = |(user, _): &(UserId, MessageId)| recipients.contains(user);
    if recipients.len() != copies.len() || !copies.iter().all(is_asked_for) {
        return None;
    }
    let copy = |user| copies.iter().find(|(recipient, _)| recipient == user).copied();
    recipients.iter().map(copy).collect()
}

/// Whether an inbox has as many unread messages as it may have, from memory where that is there. Counting
/// looks into every run of deliveries, so for an inbox that nobody has written to since the start it is
/// put off: an inbox may come to so much more than the limit, once a start.
fn is_full(context: &mut WriteContext<'_>, user: UserId) -> rusqlite::Result<bool> {
    let max = context.inbox_unread_max;
    if let Some(&unread) = context.cache.unread_counts.get(&user) {
        return Ok(unread >= max);
    }
    if context.cache.uncounted_messages.get(&user).copied().unwrap_or(0) < max / UNCOUNTED_PART {
        return Ok(false);
    }
    let cursor = CursorName::inbox();
    let seen = cursors::position(context.connection, user, &cursor)?.unwrap_or(MessageId::ZERO);
    // No further than the limit: beyond it the number makes no difference.
    let bounds = (seen, MessageId(i64::MAX));
    let unread = context.deliveries.count(context.connection, user, bounds, max)?;
    context.cache.unread_counts.insert(user, unread);
    context.cache.uncounted_messages.remove(&user);
    Ok(unread >= max)
}
