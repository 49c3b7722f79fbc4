//! Receipts: who has read a message, as far as marks and the cursor `inbox` tell, and as far as the
//! readers allow it.

use crate::model::{MessageId, Notify, UserId, UserName, mentions};
use crate::store::operation::{Party, Read};

/// The most readers that a stream can wait for.
pub const AWAITED_READERS_MAX: usize = if cfg!(test) { 3 } else { 1_000 };

/// Lists the users who have read a message, in the order of their names. They are its recipient, or
/// those who were members of its room when it was sent. A user who has receipts off counts as one
/// who has not read it.
pub struct ListReceipts {
    /// Who asks: the sender of the message.
    pub asker: UserId,
    /// The message.
    pub of: MessageId,
    /// Only names after this one.
    pub after: Option<UserName>,
    /// The maximum number of names.
    pub max: usize,
}

impl Read for ListReceipts {
    type Answer = Result<Receipts, ReceiptsRefused>;

    fn party(&self) -> Party {
        Some(self.asker)
    }
}

/// The answer of [`ListReceipts`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipts {
    /// Who has read the message.
    pub readers: Vec<UserName>,
    /// There are more, after the last of these.
    pub more: bool,
    /// How many users got the message, whatever they have read.
    pub recipients: usize,
}

/// Why nobody is told who has read a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptsRefused {
    /// The asker has receipts off.
    Off,
    /// The asker can read no message with this id.
    Unknown,
    /// The asker can read the message, but has not sent it.
    OfAnother,
    /// More than [`AWAITED_READERS_MAX`] users could read the messages.
    TooMany,
}

/// Which of these messages somebody has read. A message that the asker has not sent is left out.
pub struct FindRead {
    /// Who asks: the sender of the messages.
    pub asker: UserId,
    /// The messages.
    pub messages: Vec<MessageId>,
}

impl Read for FindRead {
    type Answer = FoundRead;

    fn party(&self) -> Party {
        Some(self.asker)
    }
}

/// The answer of [`FindRead`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundRead {
    /// The messages that somebody has read.
    pub read: Vec<MessageId>,
    /// Those who got the others, and let their sender know what they have read.
    pub awaited: Vec<UserId>,
    /// Why some are left out.
    pub refused: Option<ReceiptsRefused>,
}

/// A user who got a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Recipient {
    pub(in crate::store) user: UserId,
    pub(in crate::store) name: UserName,
    /// Whether the user has receipts on.
    pub(in crate::store) shows: bool,
    pub(in crate::store) has_read: bool,
}

/// Whether a recipient has read a message that has not expired: it counted as unread, and no longer
/// does. What a member
/// has muted never counts, because the cursor `inbox` goes past it unseen. Nor does what was sent by
/// a user whom the recipient had blocked.
pub(in crate::store) fn has_read(
    (id, body): (MessageId, &str),
    (name, notify): (&UserName, Notify),
    (inbox, mark): (MessageId, MessageId),
) -> bool {
    let is_counted = || match notify {
        Notify::All => true,
        Notify::Mentions => mentions(body, name),
        Notify::None => false,
    };
    inbox.max(mark) >= id && is_counted()
}

/// What an engine finds of one message: its recipients in the order of their names.
pub(in crate::store) type Found = Result<Vec<Recipient>, ReceiptsRefused>;

/// A page of those who have read a message.
pub(in crate::store) fn choose(
    recipients: Vec<Recipient>,
    after: Option<&UserName>,
    max: usize,
) -> Receipts {
    let count = recipients.len();
    let is_listed =
        |of: &Recipient| of.shows && of.has_read && after.is_none_or(|after| of.name > *after);
    let mut readers: Vec<UserName> =
        recipients.into_iter().filter(is_listed).map(|of| of.name).take(max + 1).collect();
    let more = readers.len() > max;
    readers.truncate(max);
    Receipts { readers, more, recipients: count }
}

impl FoundRead {
    /// Adds what was found of one message.
    pub(in crate::store) fn add(&mut self, message: MessageId, found: Found) {
        let recipients = match found {
            Ok(recipients) => recipients,
            Err(refused) => {
                self.refused = Some(refused);
                return;
            }
        };
        if recipients.iter().any(|of| of.shows && of.has_read) {
            return self.read.push(message);
        }
        self.awaited.extend(recipients.into_iter().filter(|of| of.shows).map(|of| of.user));
        self.awaited.sort_unstable();
        self.awaited.dedup();
        if self.awaited.len() > AWAITED_READERS_MAX {
            self.awaited.clear();
            self.refused = Some(ReceiptsRefused::TooMany);
        }
    }
}
