//! Marks: how far a reader has read a conversation, beside the cursor `inbox`. A message is unread
//! if it comes after both. The cursor is the floor: it rises by itself when a mark moves.

use std::collections::HashMap;

use crate::model::{MailboxId, MailboxName, MessageId, UserId};
use crate::store::operation::Write;
use crate::store::types::rooms::Unreadable;

/// The maximum number of marks of one user that are after the cursor `inbox`.
pub const MARKS_MAX: usize = if cfg!(test) { 7 } else { 10_000 };

/// How many incoming messages the move of a mark looks at to raise the floor. The next move goes on
/// from there.
pub const FLOOR_MESSAGES_MAX: usize = if cfg!(test) { 8 } else { 256 };

/// Moves the mark of a conversation forward to `upto`. In the same transaction the cursor `inbox`
/// rises to the last message before the oldest unread one, as far as [`FLOOR_MESSAGES_MAX`] allows. A
/// message that has expired is not unread. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct MoveMark {
    /// The reader.
    pub user: UserId,
    /// The user who sends the messages, or the room.
    pub with: MailboxName,
    /// The newest message of the conversation that the reader has read.
    pub upto: MessageId,
}

impl Write for MoveMark {
    type Answer = Marked;
}

/// The result of [`MoveMark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marked {
    /// The conversation is read up to this message, by its mark or by the cursor `inbox`.
    At(MessageId),
    /// No message has that id yet. The mark did not move.
    BeyondTheLog,
    /// The user already has [`MARKS_MAX`] marks. No mark was created.
    TooMany,
    /// The reader cannot read the conversation.
    Unreadable(Unreadable),
}

/// A reader's marks.
#[derive(Debug, Default)]
pub(in crate::store) struct Marks {
    /// By the mailbox of the conversation: that of the other user, or of the room.
    pub(in crate::store) by_mailbox: HashMap<MailboxId, MessageId>,
}

impl Marks {
    /// The mailbox that stands for the conversation of an incoming message.
    pub(in crate::store) fn conversation(sender: UserId, mailbox: MailboxId) -> MailboxId {
        if mailbox.room().is_some() { mailbox } else { sender.into() }
    }

    /// How far the conversation is read, without the cursor `inbox`.
    pub(in crate::store) fn upto(&self, conversation: MailboxId) -> MessageId {
        self.by_mailbox.get(&conversation).copied().unwrap_or(MessageId::ZERO)
    }

    /// Whether a mark says that an incoming message was read.
    pub(in crate::store) fn cover(
        &self,
        id: MessageId,
        sender: UserId,
        mailbox: MailboxId,
    ) -> bool {
        !self.by_mailbox.is_empty() && id <= self.upto(Self::conversation(sender, mailbox))
    }
}
