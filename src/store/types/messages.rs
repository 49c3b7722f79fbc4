//! Messages: appending them, and reading pages of the message log.

use smallvec::SmallVec;

use crate::model::{Body, CursorName, Key, Message, MessageId, Timestamp, UserId, UserName};
use crate::store::operation::{Party, Read, Write};

/// Appends a message to the message log, one copy for each recipient. When the answer comes, the
/// copies are durable and in the recipients' inboxes. The message log has messages in the order
/// of the calls.
#[derive(Debug, Clone)]
pub struct Append {
    /// The sender.
    pub sender: UserId,
    /// The recipients: at least one, none twice.
    pub to: SmallVec<[UserName; 1]>,
    /// The text.
    pub body: Body,
    /// The sender's key: the same message with the same key is stored once.
    pub key: Option<Key>,
}

impl Write for Append {
    type Answer = Appended;

    fn text_bytes(&self) -> usize {
        self.body.as_str().len() * self.to.len()
    }
}

/// The copies of a message: each recipient, and the id.
pub type Copies = SmallVec<[(UserId, MessageId); 1]>;

/// What came of [`Append`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// It is in the message log.
    Stored {
        /// Each recipient and the id of the copy, in the order of [`Append::to`].
        copies: Copies,
        /// When the store took it.
        at: Timestamp,
        /// An earlier message with the same key is this message; nothing was stored now.
        duplicate: bool,
    },
    /// Nothing was stored: there are no users of these names.
    UnknownRecipients(Vec<UserName>),
    /// Nothing was stored: these inboxes have too many unread messages.
    InboxFull(Vec<UserName>),
    /// Nothing was stored: the key belongs to a message with another text or other recipients.
    KeyConflict,
}

/// Reads a page of the message log as `reader` may see it: messages for the reader, or with
/// `with` the conversation with that user in both directions. `None` where there is no user of
/// that name. Moves no cursor.
pub struct ReadPage {
    /// The user who reads.
    pub reader: UserId,
    /// Where the page begins.
    pub start: PageStart,
    /// Only the conversation with this user.
    pub with: Option<UserName>,
    /// Leaves out messages from before this moment.
    pub since: Option<Timestamp>,
    /// Where the page ends.
    pub bounds: PageBounds,
}

impl Read for ReadPage {
    type Answer = Option<Page>;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// A page of the message log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where the page began, in the direction of reading: for [`PageStart::Cursor`] the place of
    /// the cursor in the same snapshot.
    pub start: MessageId,
    /// In the order of the message log.
    pub messages: Vec<Message>,
    /// There are more messages in the direction of reading.
    pub more: bool,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageStart {
    /// With the oldest message after this id.
    After(MessageId),
    /// With the newest message before this id.
    Before(MessageId),
    /// With the oldest message after this cursor of the reader.
    Cursor(CursorName),
    /// With the oldest of the reader's dead letters at this cursor after this id.
    Dead(CursorName, MessageId),
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

/// Counts what is unread after the cursor `inbox`, by sender, in the order of each sender's first
/// unread message.
pub struct CountUnread {
    /// The user who reads.
    pub reader: UserId,
}

impl Read for CountUnread {
    type Answer = Vec<UnreadFrom>;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// How much is unread from one sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnreadFrom {
    /// The sender.
    pub from: UserName,
    /// How many messages.
    pub count: usize,
    /// The newest of them.
    pub newest: MessageId,
}

/// Finds where a stream begins: at the cursor, if there is one; else where `start` says. The
/// answer has the reader's name as well; `None` where that user no longer exists.
pub struct FindStart {
    /// The user who watches.
    pub reader: UserId,
    /// The cursor that the stream goes on from.
    pub cursor: Option<CursorName>,
    /// Where a stream without that cursor begins.
    pub start: StreamStart,
}

impl Read for FindStart {
    type Answer = Option<(UserName, MessageId)>;

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// Where a stream begins that has no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamStart {
    /// After this id.
    After(MessageId),
    /// After the newest message.
    Newest,
    /// After the cursor `inbox`.
    Inbox,
}
