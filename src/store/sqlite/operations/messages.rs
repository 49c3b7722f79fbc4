//! The log: appending to it, and reading it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, params};

use smallvec::SmallVec;

use crate::model::{Body, CursorName, Key, Message, MessageId, Timestamp, UserId, UserName};
use crate::store::Store;
use crate::store::Watched;
use crate::store::error::StoreError;
use crate::store::sqlite::operations::cursors;
use crate::store::sqlite::operations::users;
use crate::store::sqlite::projection::deliveries::{self, Walk, Way};
use crate::store::sqlite::projection::keys::{self, Known};
use crate::store::sqlite::writer::{Context, Statements};

/// An inbox takes in a part of its limit, one of so many, before its messages are counted.
const UNCOUNTED_PART: usize = 100;

/// A message to be stored, one copy for each recipient.
#[derive(Debug, Clone)]
pub struct Append {
    /// Who sends it.
    pub sender: UserId,
    /// Whom it is for: at least one, none twice.
    pub to: SmallVec<[UserName; 1]>,
    /// Its text.
    pub body: Body,
    /// The sender's key for it: the same again is the same message.
    pub key: Option<Key>,
}

/// The copies of a message: each recipient, and the id.
pub type Copies = SmallVec<[(UserId, MessageId); 1]>;

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is in the log.
    Stored {
        /// Each recipient and the id of the copy, in the order of [`Append::to`].
        copies: Copies,
        /// When it was taken.
        at: Timestamp,
        /// It was there already, by its key.
        duplicate: bool,
    },
    /// Nothing was stored: these are no users.
    UnknownRecipients(Vec<UserName>),
    /// Nothing was stored: these have too many unread messages.
    InboxFull(Vec<UserName>),
    /// Nothing was stored: the key belongs to another text or other recipients.
    KeyConflict,
}

/// Messages out of an inbox, and where they were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Where the cursor stood.
    pub seen: MessageId,
    /// What comes after it, in the order of the log.
    pub messages: Vec<Message>,
    /// There is more.
    pub more: bool,
}

/// How much is unread from one sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadFrom {
    /// Who.
    pub from: UserName,
    /// How many messages.
    pub count: usize,
    /// The newest of them.
    pub newest: MessageId,
}

/// A part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// In the order of the log.
    pub messages: Vec<Message>,
    /// There is more in the direction of the reading.
    pub more: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageStart {
    /// With the oldest after this id.
    After(MessageId),
    /// With the newest before this id.
    Before(MessageId),
    /// With the oldest after this cursor of the reader.
    Cursor(CursorName),
    /// With the oldest after this id of the reader's dead letters at this cursor.
    Dead(CursorName, MessageId),
}

/// Where a stream begins that no cursor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStart {
    /// After this id.
    After(MessageId),
    /// After the newest message there is.
    Newest,
    /// After the cursor `inbox`.
    Inbox,
}

/// What ends a page.
pub struct PageBounds {
    /// So many messages.
    pub messages: usize,
    /// So much of what `measure` says; the first message always fits.
    pub size: usize,
    /// What a message counts for.
    pub measure: fn(&Message) -> usize,
}

impl Store {
    /// Appends a message to the log. Durable, and in the recipients' inboxes, when `done` is
    /// called; messages are in the log in the order of the calls.
    pub fn append(
        &self,
        append: Append,
        done: impl FnOnce(Result<Appended, StoreError>) + Send + 'static,
    ) {
        let bytes = append.body.as_str().len() * append.to.len();
        let take = move |context: &mut Context<'_>| take(context, append);
        self.writer.submit_sized(Statements::Later, bytes, take, done);
    }

    /// Reads what is after a cursor of the reader. The cursor stays where it is.
    pub fn read_unread(
        &self,
        reader: UserId,
        cursor: CursorName,
        bounds: PageBounds,
        done: impl FnOnce(Result<Unread, StoreError>) + Send + 'static,
    ) {
        let tail = Arc::clone(&self.tail);
        let read = move |connection: &Connection| {
            let moment = tail.moment();
            let in_tail = deliveries::in_tail(&tail, reader, MessageId::ZERO);
            let seen = cursors::position(connection, reader, &cursor)?.unwrap_or(MessageId::ZERO);
            let mut page = Filling::new(connection, &bounds);
            page.fill(reader, Way::After(seen), in_tail)?;
            if page.messages.is_empty() && cursor == CursorName::inbox() {
                tail.note_empty(reader, moment);
            }
            Ok(Unread { seen, messages: page.messages, more: page.more })
        };
        self.readers.submit(Some(reader), read, done);
    }

    /// Whether it is known, without a look into the file, that nothing is unread after the reader's
    /// cursor `inbox`. Never blocks. Says `false` where it is not known: [`Self::read_unread`] tells.
    pub fn inbox_is_known_to_be_empty(&self, reader: UserId) -> bool {
        self.tail.is_known_to_be_empty(reader)
    }

    /// Reads a part of the log as `reader` may see it: what came in; with `with`, the
    /// conversation with that user in both directions. `None` where `with` is no user.
    pub fn read_page(
        &self,
        reader: UserId,
        start: PageStart,
        with: Option<UserName>,
        since: Option<Timestamp>,
        bounds: PageBounds,
        done: impl FnOnce(Result<Option<Page>, StoreError>) + Send + 'static,
    ) {
        let tail = Arc::clone(&self.tail);
        let read = move |connection: &Connection| {
            let with = match with {
                None => None,
                Some(name) => match users::id_of(connection, &name)? {
                    Some(id) => {
                        deliveries::renew_snapshot(connection)?;
                        Some(id)
                    }
                    None => return Ok(None),
                },
            };
            let after = match start {
                PageStart::After(id) => id,
                _ => MessageId::ZERO,
            };
            let in_tail = |user| deliveries::in_tail(&tail, user, after);
            let (incoming, outgoing) = (in_tail(reader), with.map(in_tail));
            let mut page = Filling::new(connection, &bounds);
            page.since = since;
            let way = match start {
                PageStart::After(id) => Way::After(id),
                PageStart::Before(id) => Way::Before(id),
                PageStart::Cursor(name) => Way::After(
                    cursors::position(connection, reader, &name)?.unwrap_or(MessageId::ZERO),
                ),
                PageStart::Dead(cursor, after) => {
                    page.fill_with_dead(reader, &cursor, after)?;
                    return Ok(Some(page.end()));
                }
            };
            match (with, outgoing) {
                (Some(with), Some(outgoing)) => {
                    let sides = [(reader, with, incoming), (with, reader, outgoing)];
                    page.fill_with_conversation(way, sides)?;
                }
                _ => page.fill(reader, way, incoming)?,
            }
            if let Way::Before(_) = way {
                page.messages.reverse();
            }
            Ok(Some(page.end()))
        };
        self.readers.submit(Some(reader), read, done);
    }

    /// The inbox of `user` is watched, until what this gives is dropped: what is committed from now on can
    /// be had by [`Watched::newer`], for a while.
    pub fn watch(&self, user: UserId) -> Watched {
        Arc::clone(&self.recent).watch(user)
    }

    /// How much is unread after the cursor `inbox`, by sender, in the order of each one's first.
    pub fn count_unread(
        &self,
        reader: UserId,
        done: impl FnOnce(Result<Vec<UnreadFrom>, StoreError>) + Send + 'static,
    ) {
        let tail = Arc::clone(&self.tail);
        let read = move |connection: &Connection| {
            let in_tail = deliveries::in_tail(&tail, reader, MessageId::ZERO);
            let seen = cursors::position(connection, reader, &CursorName::inbox())?;
            count_by_sender(connection, reader, seen.unwrap_or(MessageId::ZERO), in_tail)
        };
        self.readers.submit(Some(reader), read, done);
    }

    /// Where a stream of `reader` begins: at the cursor, if there is one; else where `start` says.
    /// The reader's name as well; `None` where there is no such user any more.
    pub fn find_start(
        &self,
        reader: UserId,
        cursor: Option<CursorName>,
        start: StreamStart,
        done: impl FnOnce(Result<Option<(UserName, MessageId)>, StoreError>) + Send + 'static,
    ) {
        let read = move |connection: &Connection| {
            let Some(name) = users::name_of(connection, reader)? else { return Ok(None) };
            let position = |cursor| cursors::position(connection, reader, cursor);
            if let Some(cursor) = &cursor
                && let Some(seen) = position(cursor)?
            {
                return Ok(Some((name, seen)));
            }
            let after = match start {
                StreamStart::After(id) => id,
                StreamStart::Newest => newest_given(connection)?,
                StreamStart::Inbox => position(&CursorName::inbox())?.unwrap_or(MessageId::ZERO),
            };
            Ok(Some((name, after)))
        };
        self.readers.submit(Some(reader), read, done);
    }
}

impl Watched {
    /// What came for the inbox after `after`, as far as it fits, and whether there is more. Never
    /// blocks. `None` where it is not known: [`Store::read_page`] tells.
    pub fn newer(
        &self,
        after: MessageId,
        bounds: &PageBounds,
    ) -> Option<(Vec<Arc<Message>>, bool)> {
        // One more, to know whether there is more; and a text is never longer than it is measured.
        let mut found = self.after(after, bounds.messages.saturating_add(1), bounds.size)?;
        let mut size = 0;
        let is_over = |(index, message): (usize, &Arc<Message>)| {
            size += (bounds.measure)(message);
            index > 0 && (index >= bounds.messages || size > bounds.size)
        };
        let fits = found.iter().enumerate().position(is_over);
        found.truncate(fits.unwrap_or(found.len()));
        Some((found, fits.is_some()))
    }
}

/// Takes a message into the transaction.
fn take(context: &mut Context<'_>, append: Append) -> rusqlite::Result<Appended> {
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
    let mut newest = newest(context)?;
    // From here on nothing fails.
    for ((recipient, id), to) in copies.iter_mut().zip(&append.to) {
        newest = MessageId(newest.0 + 1);
        *id = newest;
        context.deliveries.place(*recipient, *id);
        if context.deliveries.is_watched(*recipient) {
            let (from, to, body) = (from.clone(), to.clone(), append.body.clone());
            context.deliveries.keep(Message { id: *id, at, from, to, body });
        }
        match context.memory.unread.get_mut(recipient) {
            Some(unread) => *unread += 1,
            None => {
                let uncounted = context.memory.uncounted.entry(*recipient).or_default();
                *uncounted = uncounted.saturating_add(1);
            }
        }
    }
    context.memory.newest = Some(newest);
    if let Some(key) = &append.key {
        context.keys.note(append.sender, key.as_str(), copies.iter().map(|&(_, id)| id));
    }
    let Append { sender, to: _, body, key } = append;
    context.unwritten.push(sender, at, key, body, &copies);
    Ok(Appended::Stored { copies, at, duplicate: false })
}

/// What an earlier message of the sender with the same key says of this one; `None` where there is
/// none.
fn find_by_key(
    context: &mut Context<'_>,
    append: &Append,
    key: &str,
) -> rusqlite::Result<Option<Appended>> {
    match context.keys.look_up(append.sender, key) {
        Known::New => return Ok(None),
        Known::Unknown => {}
        // This transaction may have taken it in.
        Known::Noted => context.unwritten.write(context.connection)?,
    }
    let messages = context.keys.messages(context.connection, append.sender, key)?;
    if messages.is_empty() {
        return Ok(None);
    }
    compare_with_earlier(context.connection, append, key, &messages)
}

/// [`find_by_key`], of the messages that have the key.
fn compare_with_earlier(
    connection: &Connection,
    append: &Append,
    key: &str,
    messages: &keys::Messages,
) -> rusqlite::Result<Option<Appended>> {
    let mut same_text = true;
    let mut at = Timestamp(0);
    let mut select = connection.prepare_cached(
        "SELECT m.sent_at, m.recipient_id, u.name, m.body = ?4
           FROM messages m JOIN users u ON u.id = m.recipient_id
          WHERE m.id = ?1 AND m.key = ?2 AND m.sender_id = ?3",
    )?;
    let mut earlier: Vec<(UserName, (UserId, MessageId))> = Vec::with_capacity(messages.len());
    for &id in messages {
        let mut rows = select.query(params![id.0, key, append.sender.0, append.body.as_str()])?;
        let Some(row) = rows.next()? else { continue };
        at = Timestamp(row.get(0)?);
        same_text &= row.get::<_, bool>(3)?;
        earlier.push((users::name(row, 2)?, (UserId(row.get(1)?), id)));
    }
    if earlier.is_empty() {
        return Ok(None);
    }
    let copy = |to: &UserName| earlier.iter().find(|(name, _)| name == to).map(|(_, copy)| *copy);
    let copies: Option<Copies> = append.to.iter().map(copy).collect();
    Ok(Some(match copies {
        Some(copies) if same_text && copies.len() == earlier.len() => {
            Appended::Stored { copies, at, duplicate: true }
        }
        _ => Appended::KeyConflict,
    }))
}

/// The id of the newest message, from memory where it is there.
pub(in crate::store) fn newest(context: &mut Context<'_>) -> rusqlite::Result<MessageId> {
    if let Some(newest) = context.memory.newest {
        return Ok(newest);
    }
    let newest = newest_given(context.connection)?;
    context.memory.newest = Some(newest);
    Ok(newest)
}

/// The newest id that was given to a message: the log's newest, or the floor where messages after
/// it are gone.
pub(in crate::store) fn newest_given(connection: &Connection) -> rusqlite::Result<MessageId> {
    connection
        .prepare_cached(
            "SELECT max((SELECT coalesce(max(id), 0) FROM messages),
                        (SELECT coalesce(max(CAST(value AS INTEGER)), 0)
                           FROM meta WHERE name = 'message_id_floor'))",
        )?
        .query_row([], |row| Ok(MessageId(row.get(0)?)))
}

/// From here on no message is given an id up to and with `floor`, whatever is in the log.
pub(in crate::store) fn raise_floor(
    connection: &Connection,
    floor: MessageId,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES ('message_id_floor', CAST(?1 AS TEXT))
             ON CONFLICT (name) DO UPDATE SET value = excluded.value
              WHERE CAST(excluded.value AS INTEGER) > CAST(value AS INTEGER)",
        )?
        .execute([floor.0])
        .map(drop)
}

/// Whether there is a message of this id for `user`.
pub(in crate::store) fn is_for(
    connection: &Connection,
    user: UserId,
    id: MessageId,
) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM messages WHERE id = ?1 AND recipient_id = ?2")?
        .exists([id.0, user.0])
}

/// Whether an inbox has as many unread messages as it may have, from memory where that is there. Counting
/// looks into every run of deliveries, so for an inbox that nobody has written to since the start it is
/// put off: an inbox may come to so much more than the limit, once a start.
fn is_full(context: &mut Context<'_>, user: UserId) -> rusqlite::Result<bool> {
    let max = context.inbox_unread_max;
    if let Some(&unread) = context.memory.unread.get(&user) {
        return Ok(unread >= max);
    }
    if context.memory.uncounted.get(&user).copied().unwrap_or(0) < max / UNCOUNTED_PART {
        return Ok(false);
    }
    let cursor = CursorName::inbox();
    let seen = cursors::position(context.connection, user, &cursor)?.unwrap_or(MessageId::ZERO);
    // No further than the limit: beyond it the number makes no difference.
    let bounds = (seen, MessageId(i64::MAX));
    let unread = context.deliveries.count(context.connection, user, bounds, max)?;
    context.memory.unread.insert(user, unread);
    context.memory.uncounted.remove(&user);
    Ok(unread >= max)
}

/// Takes note that the inbox cursor moves from `seen` to `upto`.
pub(in crate::store) fn forget_unread(
    context: &mut Context<'_>,
    user: UserId,
    seen: MessageId,
    upto: MessageId,
) -> rusqlite::Result<()> {
    let Some(&unread) = context.memory.unread.get(&user) else { return Ok(()) };
    // At the limit the count may have stopped short of the truth, and backwards there is more
    // than was counted: look again when it is needed.
    if upto < seen || unread >= context.inbox_unread_max {
        context.memory.recount(user);
        return Ok(());
    }
    let read = context.deliveries.count(context.connection, user, (seen, upto), unread)?;
    context.memory.unread.insert(user, unread - read);
    Ok(())
}

/// [`Store::count_unread`]: what is for `reader` after `seen`.
fn count_by_sender(
    connection: &Connection,
    reader: UserId,
    seen: MessageId,
    in_tail: Vec<MessageId>,
) -> rusqlite::Result<Vec<UnreadFrom>> {
    let way = Way::After(seen);
    let mut statement = deliveries::prepare_walk(connection, way)?;
    let mut walk = Walk::begin(connection, &mut statement, reader, way, in_tail)?;
    let mut find = connection.prepare_cached("SELECT sender_id FROM messages WHERE id = ?1")?;
    let mut places: HashMap<UserId, usize> = HashMap::new();
    let mut counted: Vec<(UserId, usize, MessageId)> = Vec::new();
    while let Some(id) = walk.next()? {
        let sender = find.query_row([id.0], |row| row.get(0).map(UserId)).optional()?;
        let Some(sender) = sender else { continue };
        let place = *places.entry(sender).or_insert(counted.len());
        match counted.get_mut(place) {
            Some((_, count, newest)) => (*count, *newest) = (*count + 1, id),
            None => counted.push((sender, 1, id)),
        }
    }
    let mut found = Vec::with_capacity(counted.len());
    for (sender, count, newest) in counted {
        if let Some(from) = users::name_of(connection, sender)? {
            found.push(UnreadFrom { from, count, newest });
        }
    }
    Ok(found)
}

/// A page that is being read: until it is full or the log ends.
struct Filling<'a> {
    connection: &'a Connection,
    /// Of those who wrote or got what was read so far: mostly few.
    names: HashMap<UserId, Option<UserName>>,
    messages: Vec<Message>,
    size: usize,
    more: bool,
    /// What was taken before is left out.
    since: Option<Timestamp>,
    bounds: &'a PageBounds,
}

impl<'a> Filling<'a> {
    fn new(connection: &'a Connection, bounds: &'a PageBounds) -> Self {
        let (names, messages) = (HashMap::new(), Vec::new());
        Self { connection, names, messages, size: 0, more: false, since: None, bounds }
    }

    fn end(self) -> Page {
        Page { messages: self.messages, more: self.more }
    }

    /// With what is for `reader`. Nothing is read that does not go into the page, but what `since`
    /// leaves out.
    fn fill(&mut self, reader: UserId, way: Way, in_tail: Vec<MessageId>) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut statement = deliveries::prepare_walk(connection, way)?;
        let mut walk = Walk::begin(connection, &mut statement, reader, way, in_tail)?;
        let mut find = connection.prepare_cached(ONE)?;
        while let Some(id) = walk.next()? {
            if self.take(&mut find, id, None)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// With what each of two users has from the other: the messages for both are gone through side
    /// by side, in the order of the log.
    fn fill_with_conversation(
        &mut self,
        way: Way,
        [incoming, outgoing]: [(UserId, UserId, Vec<MessageId>); 2],
    ) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut statements = [
            deliveries::prepare_walk(connection, way)?,
            deliveries::prepare_walk(connection, way)?,
        ];
        let [first, second] = &mut statements;
        let mut find = connection.prepare_cached(ONE)?;
        let (reader, with, in_tail) = incoming;
        let mut ours = Walk::begin(connection, first, reader, way, in_tail)?;
        let mut theirs = Walk::begin(connection, second, with, way, outgoing.2)?;
        let is_first = |one: MessageId, other: MessageId| match way {
            Way::After(_) => one < other,
            Way::Before(_) => one > other,
        };
        let (mut our_next, mut their_next) = (ours.next()?, theirs.next()?);
        loop {
            let (id, sender) = match (our_next, their_next) {
                (None, None) => return Ok(()),
                (Some(our), their) if their.is_none_or(|their| !is_first(their, our)) => {
                    our_next = ours.next()?;
                    if their == Some(our) {
                        // A user's messages to themselves are on both sides.
                        their_next = theirs.next()?;
                    }
                    (our, with)
                }
                (_, Some(their)) => {
                    their_next = theirs.next()?;
                    (their, reader)
                }
                (Some(_), None) => return Ok(()),
            };
            if self.take(&mut find, id, Some(sender))?.is_break() {
                return Ok(());
            }
        }
    }

    /// With the reader's dead letters at a cursor, after an id.
    fn fill_with_dead(
        &mut self,
        reader: UserId,
        cursor: &CursorName,
        after: MessageId,
    ) -> rusqlite::Result<()> {
        let connection = self.connection;
        let mut statement = connection.prepare_cached(
            "SELECT message_id FROM dead_letters
              WHERE user_id = ?1 AND cursor = ?2 AND message_id > ?3 ORDER BY message_id",
        )?;
        let mut find = connection.prepare_cached(ONE)?;
        let mut rows = statement.query(params![reader.0, cursor.as_str(), after.0])?;
        while let Some(row) = rows.next()? {
            if self.take(&mut find, MessageId(row.get(0)?), None)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Takes the message of this id, if it is there, fits, and is `sender`'s where that is asked
    /// for; breaks off where there is no room for it.
    fn take(
        &mut self,
        find: &mut CachedStatement<'_>,
        id: MessageId,
        sender: Option<UserId>,
    ) -> rusqlite::Result<ControlFlow<()>> {
        let since = self.since.map_or(i64::MIN, |since| since.0);
        let mut rows = find.query(params![id.0, since, sender.map(|sender| sender.0)])?;
        let Some(row) = rows.next()? else { return Ok(ControlFlow::Continue(())) };
        let Some(message) = self.message(row)? else { return Ok(ControlFlow::Continue(())) };
        self.size += (self.bounds.measure)(&message);
        let full = self.messages.len() >= self.bounds.messages || self.size > self.bounds.size;
        if full && !self.messages.is_empty() {
            self.more = true;
            return Ok(ControlFlow::Break(()));
        }
        self.messages.push(message);
        Ok(ControlFlow::Continue(()))
    }

    /// The message of a row of [`ONE`]; none where it is not known who wrote or got it.
    fn message(&mut self, row: &Row<'_>) -> rusqlite::Result<Option<Message>> {
        let mut name = |column| {
            let user = UserId(row.get(column)?);
            match self.names.get(&user) {
                Some(name) => Ok(name.clone()),
                None => {
                    let name = users::name_of(self.connection, user)?;
                    self.names.insert(user, name.clone());
                    Ok::<_, rusqlite::Error>(name)
                }
            }
        };
        let (Some(from), Some(to)) = (name(2)?, name(3)?) else { return Ok(None) };
        let body: Box<str> = row.get(4)?;
        let body = Body::try_from(body).map_err(|error| crate::store::not_a_value(4, error))?;
        let (id, at) = (MessageId(row.get(0)?), Timestamp(row.get(1)?));
        Ok(Some(Message { id, at, from, to, body }))
    }
}

/// The messages whose sender or recipient there is not. No message is to be there without them, and the
/// file's schema does not see to it: who writes one has found both.
pub(in crate::store) const WITHOUT_USERS: &str = "SELECT id FROM messages
      WHERE sender_id NOT IN (SELECT id FROM users) OR recipient_id NOT IN (SELECT id FROM users)";

const ONE: &str = "SELECT id, sent_at, sender_id, recipient_id, body FROM messages
      WHERE id = ?1 AND sent_at >= ?2 AND (?3 IS NULL OR sender_id = ?3)";
