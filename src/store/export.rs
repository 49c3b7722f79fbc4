//! Exports a database, or the data of one user, as records: what every engine has in common. An
//! engine only reads, as a [`Source`].

use std::collections::HashMap;

use crate::model::{
    Body, CursorName, Details, Key, MailboxId, MailboxName, MessageId, RoomId, RoomName, Timestamp,
    UserId, UserName,
};
use crate::transfer::{
    Block, Cursor, CursorOf, FORMAT, Header, Invitation, Mark, Membership, Message, Record, Room,
    User, VERSION, VERSION_WITHOUT_ROOMS,
};

/// The maximum size of one read, in bytes of text. It bounds the memory of an export, and keeps each
/// read short, even if the consumer of the records is slow.
pub(in crate::store) const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What to export.
#[derive(Debug, Clone)]
pub struct Export {
    /// Only messages that this user has sent or may read, with the users named in them.
    pub user: Option<UserName>,
    /// Only messages from this id on.
    pub from_id: MessageId,
    /// Whether to include password hashes; with `user`, only the hash of that user.
    pub with_secrets: bool,
}

impl Export {
    /// The messages after this id are exported.
    pub(in crate::store) fn after(&self) -> MessageId {
        MessageId(self.from_id.0.saturating_sub(1))
    }
}

/// Why an export stopped.
#[derive(Debug)]
pub enum ExportError<E> {
    /// The user does not exist.
    UnknownUser,
    /// The database cannot be read, with its own message.
    Database(String),
    /// The consumer of the records failed.
    Output(E),
}

/// What an engine reads of one state of a database.
pub(in crate::store) trait Source {
    /// Reads what comes before the messages. `None` if the selected user does not exist.
    fn start(&mut self, export: &Export) -> Result<Option<Start>, String>;

    /// Reads the next messages of the export, in the order of their ids. None are left if it reads
    /// none.
    fn next_messages(&mut self) -> Result<Vec<ExportedMessage>, String>;
}

/// The data that is read first, from one snapshot.
pub(in crate::store) struct Start {
    /// The newest id that a message has ever had.
    pub(in crate::store) newest: MessageId,
    /// The selected user.
    pub(in crate::store) only: Option<UserId>,
    /// All users, in the order of their ids.
    pub(in crate::store) users: Vec<ExportedUser>,
    /// The rooms that the selected users are or were in, or are invited to, with their numbers, in
    /// that order. Without a selected user, all rooms.
    pub(in crate::store) rooms: Vec<(RoomId, Room)>,
    /// The memberships of the selected users, in the order of the numbers of rooms and users, and of
    /// their beginnings.
    pub(in crate::store) memberships: Vec<Membership>,
    /// The invitations of the selected users, in the order of the numbers of rooms and users, and
    /// who invited them.
    pub(in crate::store) invitations: Vec<(Option<UserId>, Invitation)>,
    /// The cursors of the selected users, in the order of their ids and of the cursors' names.
    pub(in crate::store) cursors: Vec<Cursor>,
    /// The marks of the selected users that are after the cursor `inbox`, in the order of the numbers
    /// of users and mailboxes.
    pub(in crate::store) marks: Vec<Mark>,
    /// Whom the selected users block, in the order of the numbers of both.
    pub(in crate::store) blocks: Vec<Block>,
}

/// A user, whose record is taken out once it is exported.
pub(in crate::store) struct ExportedUser {
    id: UserId,
    name: UserName,
    record: Option<User>,
}

impl ExportedUser {
    pub(in crate::store) fn new(id: UserId, record: User) -> Self {
        Self { id, name: record.name.clone(), record: Some(record) }
    }
}

/// A message, whose users are numbers.
pub(in crate::store) struct ExportedMessage {
    /// Its id.
    pub(in crate::store) id: MessageId,
    /// When it was sent.
    pub(in crate::store) at: Timestamp,
    /// Its sender.
    pub(in crate::store) sender: UserId,
    /// The mailbox that it was sent to.
    pub(in crate::store) recipient: MailboxId,
    /// Its text.
    pub(in crate::store) body: Body,
    /// What it carries beside the text.
    pub(in crate::store) details: Option<Box<Details>>,
    /// The sender's key.
    pub(in crate::store) key: Option<Key>,
    /// The recipient's cursors at which it is a dead letter, in the order of their names. Nobody
    /// else's export has them.
    pub(in crate::store) dead: Vec<CursorName>,
    /// The same of a message to a room, in the order of the numbers of users and of the names.
    pub(in crate::store) dead_for: Vec<CursorOf>,
}

/// Passes a header, users, cursors, marks and messages to `take`, always in the same order. It reads a page
/// at a time, so `take` may be slow.
pub(in crate::store) fn export<E>(
    source: &mut impl Source,
    export: &Export,
    mut take: impl FnMut(Record) -> Result<(), E>,
) -> Result<(), ExportError<E>> {
    let mut take = |record| take(record).map_err(ExportError::Output);
    let start = source.start(export).map_err(ExportError::Database)?;
    let start = start.ok_or(ExportError::UnknownUser)?;
    let Start { newest, only, rooms, memberships, invitations, cursors, marks, .. } = start;
    let (blocks, mut users) = (start.blocks, start.users);
    let has_settings = |user: &ExportedUser| user.record.as_ref().is_some_and(User::has_settings);
    let is_old = rooms.is_empty()
        && marks.is_empty()
        && blocks.is_empty()
        && !users.iter().any(has_settings);
    let version = if is_old { VERSION_WITHOUT_ROOMS } else { VERSION };
    take(Record::Header(Header { format: FORMAT.to_owned(), version, newest }))?;
    // All users, or the selected one. The other users of that one's messages come when they are
    // first named.
    for user in users.iter_mut().filter(|user| only.is_none_or(|only| user.id == only)) {
        if let Some(record) = user.record.take() {
            take(Record::User(record))?;
        }
    }
    let rooms_by_id: HashMap<RoomId, RoomName> =
        rooms.iter().map(|(id, record)| (*id, record.room.clone())).collect();
    rooms.into_iter().try_for_each(|(_, room)| take(Record::Room(room)))?;
    memberships.into_iter().try_for_each(|of| take(Record::Membership(of)))?;
    let places: HashMap<UserId, usize> =
        users.iter().enumerate().map(|(place, user)| (user.id, place)).collect();
    for (by, invitation) in invitations {
        let by = by.and_then(|by| places.get(&by));
        if let Some(record) = by.and_then(|&place| users[place].record.take()) {
            take(Record::User(record))?;
        }
        take(Record::Invitation(invitation))?;
    }
    cursors.into_iter().try_for_each(|cursor| take(Record::Cursor(cursor)))?;
    for mark in marks {
        let is_with = |user: &&mut ExportedUser| mark.with == user.name;
        if let Some(record) = users.iter_mut().find(is_with).and_then(|user| user.record.take()) {
            take(Record::User(record))?;
        }
        take(Record::Mark(mark))?;
    }
    for block in blocks {
        let is_other = |user: &&mut ExportedUser| block.blocked == user.name;
        if let Some(record) = users.iter_mut().find(is_other).and_then(|user| user.record.take()) {
            take(Record::User(record))?;
        }
        take(Record::Block(block))?;
    }
    loop {
        let messages = source.next_messages().map_err(ExportError::Database)?;
        if messages.is_empty() {
            return Ok(());
        }
        for message in messages {
            let sender = places.get(&message.sender).copied();
            let recipient = message.recipient.user().and_then(|user| places.get(&user)).copied();
            let to: Option<MailboxName> = match message.recipient.room() {
                Some(room) => rooms_by_id.get(&room).cloned().map(MailboxName::Room),
                None => recipient.map(|place| users[place].name.clone().into()),
            };
            let (Some(from), Some(to)) = (sender, to) else {
                let problem = format!("message {} is of a user who is not there", message.id.0);
                return Err(ExportError::Database(problem));
            };
            for place in [Some(from), recipient].into_iter().flatten() {
                if let Some(record) = users[place].record.take() {
                    take(Record::User(record))?;
                }
            }
            take(Record::Message(Message {
                id: message.id,
                at: message.at,
                from: users[from].name.clone(),
                to,
                body: message.body,
                details: message.details,
                key: message.key,
                dead: message.dead,
                dead_for: message.dead_for,
            }))?;
        }
    }
}
