//! Messages: appending them, and reading pages of the message log.

use smallvec::SmallVec;

use crate::model::{
    Body, Change, CursorName, Details, Filter, Key, MailboxId, MailboxName, Message, MessageId,
    RoomName, Timestamp, UserId, UserName,
};
use crate::store::operation::{Party, Read, Write};
use crate::store::types::rooms::{LiveRooms, RoomRefused, Unreadable, Wanted};
use crate::store::types::tokens::Targets;

/// Appends a message to the message log, one copy for each recipient. When the answer comes, the
/// copies are durable and in the recipients' inboxes. Messages are in the message log in the order
/// of the calls.
#[derive(Debug, Clone)]
pub struct Append {
    /// The sender.
    pub sender: UserId,
    /// The recipients: at least one, and each once.
    pub to: Recipients,
    /// The name of the one recipient, a user, may also mean the room of that name with a `#`. The
    /// message goes to whichever there is for the sender. If there are both, and the sender may not
    /// post to the room, it goes to the user.
    pub or_room: bool,
    /// The text.
    pub body: Body,
    /// The sender's idempotency key: a message that is sent again with its key is stored once.
    pub key: Option<Key>,
    /// What it carries beside the text. The sender must be able to read the message that it
    /// answers: as its sender, as the user whose mailbox it is in, or as a member of its room.
    pub details: Option<Box<Details>>,
    /// The mailboxes that the sender's access token may send to. `None` means any. Another
    /// recipient is unknown, whether it exists or not, before anything else is looked at.
    pub only: Option<Targets>,
}

/// The names of recipients.
pub type Recipients = SmallVec<[MailboxName; 1]>;

impl Append {
    /// A message with a text and nothing else: to the recipients as they are named, without a key.
    pub fn new(sender: UserId, to: Recipients, body: Body) -> Self {
        Self { sender, to, or_room: false, body, key: None, details: None, only: None }
    }

    /// What the names of its recipients may mean.
    pub(in crate::store) fn readings(&self) -> impl Iterator<Item = Recipients> {
        std::iter::once(self.to.clone()).chain(self.or_room.then(|| as_room(&self.to)))
    }

    /// The recipient that is meant. `post` says whether the sender may post to the room. A room that
    /// the sender does not see decides nothing.
    pub(in crate::store) fn choose(
        &self,
        is_user: bool,
        post: Result<(), RoomRefused>,
    ) -> Result<Recipients, Appended> {
        match (is_user, post) {
            (false, Err(RoomRefused::Unknown)) => {
                Err(Appended::UnknownRecipients(self.to.to_vec()))
            }
            (false, _) => Ok(as_room(&self.to)),
            (true, Ok(())) => Err(Appended::Ambiguous(as_room(&self.to).to_vec())),
            (true, Err(_)) => Ok(self.to.clone()),
        }
    }

    /// Whether the sender's access token may send to all of these.
    pub(in crate::store) fn may_reach(&self, copies: &Copies) -> bool {
        let Some(targets) = &self.only else { return true };
        copies.iter().all(|(mailbox, _)| targets.contains(mailbox))
    }

    /// The recipients of these copies.
    #[cfg(feature = "postgres")]
    pub(in crate::store) fn recipients(&self, copies: &Copies) -> Recipients {
        let is_room = copies.iter().any(|(mailbox, _)| mailbox.room().is_some());
        if self.or_room && is_room { as_room(&self.to) } else { self.to.clone() }
    }

    /// The message that it answers.
    pub(in crate::store) fn reply_to(&self) -> Option<MessageId> {
        self.details.as_ref()?.reply_to
    }
}

impl Write for Append {
    type Answer = Appended;

    fn text_bytes(&self) -> usize {
        let details = self.details.as_ref().map_or(0, |details| details.text_bytes());
        (self.body.as_str().len() + details) * self.to.len()
    }
}

/// The rooms that have the names of these users, with a `#`: see [`Append::or_room`].
pub fn as_room(to: &[MailboxName]) -> Recipients {
    to.iter().filter_map(MailboxName::user).map(|name| RoomName::of_user(name).into()).collect()
}

/// The copies of a message: each recipient's mailbox and the copy's id.
pub type Copies = SmallVec<[(MailboxId, MessageId); 1]>;

/// The result of [`Append`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// The message is in the message log.
    Stored {
        /// Each recipient and the copy's id, in the order of [`Append::to`].
        copies: Copies,
        /// When the store accepted the message.
        at: Timestamp,
        /// The same message was stored earlier with the same key. Nothing was stored now.
        duplicate: bool,
    },
    /// Nothing was stored: no users have these names, and the sender sees no rooms with them.
    UnknownRecipients(Vec<MailboxName>),
    /// Nothing was stored: the sender sees these rooms, but may not post there; or these users block
    /// the sender.
    NotAllowed(Vec<MailboxName>),
    /// Nothing was stored: these rooms are archived.
    RoomArchived(Vec<MailboxName>),
    /// Nothing was stored: these inboxes have too many unread messages.
    InboxFull(Vec<MailboxName>),
    /// Nothing was stored: there is a user of the name, and the sender may post to this room.
    Ambiguous(Vec<MailboxName>),
    /// Nothing was stored: the sender can read no message with the id that this one answers.
    UnknownMessage,
    /// Nothing was stored: the key belongs to a message with another text, other details or other
    /// recipients.
    KeyConflict,
}

/// Reads a page of messages for `reader`: those to them, and those of their rooms. With `with`, it
/// reads the conversation with that user in both directions, or the messages of that room. Moves no
/// cursor.
pub struct ReadPage {
    /// The reader.
    pub reader: UserId,
    /// Where the page begins, and its direction.
    pub start: PageStart,
    /// The other user of the conversation, or the room.
    pub with: Option<MailboxName>,
    /// Which messages of rooms. A page of incoming messages leaves out what has expired, too, and one
    /// that leaves out some also ends after [`FILTERED_MESSAGES_MAX`] messages that it left out.
    pub wanted: Wanted,
    /// Leaves out messages from before this time.
    pub since: Option<Timestamp>,
    /// Leaves out messages that do not pass. Then a page also ends after
    /// [`FILTERED_MESSAGES_MAX`] messages that it looked at.
    pub filter: Filter,
    /// How it shows edits and deletions. A page of dead letters has none.
    pub changes: Changes,
    /// Where the page ends.
    pub bounds: PageBounds,
}

/// The most messages that a page with a filter looks at.
pub const FILTERED_MESSAGES_MAX: usize = if cfg!(test) { 8 } else { 2_048 };

impl ReadPage {
    /// Whether the page leaves out what has expired. A history shows it.
    pub(in crate::store) fn leaves_out_expired(&self) -> bool {
        let is_dead = matches!(self.start, PageStart::Dead(..));
        self.wanted != Wanted::All && !is_dead
    }

    /// Whether the page has unread messages only: those after the cursor `inbox` and the marks.
    pub(in crate::store) fn is_of_unread(&self) -> bool {
        match &self.start {
            PageStart::Cursor(name) => *name == CursorName::inbox(),
            PageStart::Unread(_) => true,
            PageStart::After(_) | PageStart::Before(_) | PageStart::Dead(..) => false,
        }
    }
}

impl Read for ReadPage {
    type Answer = Result<Page, Unreadable>;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// Reads a page of the thread of a message: the messages that answer each other, back to the oldest
/// one. It has those that `reader` has sent or received. The answer is `None` if the message is not
/// one of them, or does not exist. Moves no cursor.
pub struct ReadThread {
    /// The reader.
    pub reader: UserId,
    /// Any message of the thread.
    pub of: MessageId,
    /// Where the page begins, and its direction.
    pub start: ThreadStart,
    /// Leaves out messages from before this time.
    pub since: Option<Timestamp>,
    /// Where the page ends.
    pub bounds: PageBounds,
}

impl Read for ReadThread {
    type Answer = Option<Page>;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// Where a page of a thread begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadStart {
    /// With the oldest message after this id.
    After(MessageId),
    /// With the newest message before this id.
    Before(MessageId),
}

/// A page of the message log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where the page began, in the direction of reading. For [`PageStart::Cursor`] it is the
    /// cursor's place in the same snapshot.
    pub start: MessageId,
    /// The messages, in the order of the message log.
    pub messages: Vec<Message>,
    /// Edits and deletions, in the order of the message log: see [`Changes`].
    pub changes: Vec<Change>,
    /// There are more messages in the direction of reading, or there may be.
    pub more: bool,
    /// The last message that was looked at, in the direction of reading: the last one of the page,
    /// or one after it that the filter left out.
    pub upto: Option<MessageId>,
    /// The rooms that a stream follows, as of the page's snapshot. Only for a page of incoming
    /// messages without `with`.
    pub rooms: LiveRooms,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageStart {
    /// With the oldest message after this id.
    After(MessageId),
    /// With the newest message before this id.
    Before(MessageId),
    /// With the oldest message after this cursor of the reader.
    ///
    /// At the cursor `inbox`, the page has unread messages only: a message that a mark covers is
    /// left out.
    Cursor(CursorName),
    /// As with the cursor `inbox`, but after this id, too.
    Unread(MessageId),
    /// With the oldest of the reader's dead letters at this cursor after this id.
    Dead(CursorName, MessageId),
}

/// How a page shows edits and deletions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Changes {
    /// Messages have their newest text. Those that were deleted are missing.
    #[default]
    Folded,
    /// The same, and the page has the newest change of each message that was changed after the
    /// beginning of the page, and came before it: what a stream tells.
    Told,
    /// Messages have the text that they were sent with, and the page has each edit and each deletion.
    /// The texts of deleted messages are missing all the same.
    Raw,
}

/// The bounds of a page. The page ends at whichever it reaches first.
pub struct PageBounds {
    /// The maximum number of messages.
    pub messages: usize,
    /// The maximum sum of all messages' measures. The first message always fits.
    pub size: usize,
    /// The measure of a message. It is never less than the bytes of the message's text.
    pub measure: fn(&Message) -> usize,
}

/// Counts the messages after the cursor `inbox` that have not expired: by sender, in the order of each
/// sender's first unread message; then those of each room, in the same order. Counting looks at up to
/// [`ROOM_UNREAD_MAX`](crate::store::ROOM_UNREAD_MAX) messages of a room, and at
/// [`ROOMS_UNREAD_MAX`](crate::store::ROOMS_UNREAD_MAX) of all rooms.
pub struct CountUnread {
    /// The reader.
    pub reader: UserId,
}

impl Read for CountUnread {
    type Answer = Vec<UnreadFrom>;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// The unread messages from one sender, or of one room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadFrom {
    /// The sender or the room.
    pub from: MailboxName,
    /// How many messages there are.
    pub count: usize,
    /// The newest of them.
    pub newest: MessageId,
    /// Counting stopped, so there may be more.
    pub more: bool,
}

/// Finds where a stream begins: at `cursor`, if it exists, or else at `start`. The answer is `None`
/// if the user no longer exists.
pub struct FindStart {
    /// The reader.
    pub reader: UserId,
    /// The cursor from which the stream continues.
    pub cursor: Option<CursorName>,
    /// Where the stream begins if it has no cursor.
    pub start: StreamStart,
    /// Which messages of rooms it gets.
    pub wanted: Wanted,
}

impl Read for FindStart {
    type Answer = Option<Start>;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// Where a stream begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The reader's name.
    pub reader: UserName,
    /// It begins after this id.
    pub after: MessageId,
    /// The rooms that it follows, as of the same snapshot.
    pub rooms: LiveRooms,
}

/// Where a stream without a cursor begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStart {
    /// After this id.
    After(MessageId),
    /// After the newest message.
    Newest,
    /// After the cursor `inbox`.
    Inbox,
}
