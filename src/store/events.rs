//! What other servers on the same database do, as far as a server has to know.

use crate::model::{MailboxId, MailboxName, MessageId, TokenHash, UserId};

/// Something that happened in the database, perhaps by another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// There may be new messages in this mailbox.
    Messages(MailboxId),
    /// A session of this user has ended.
    SessionEnded(UserId, TokenHash),
    /// This user was changed: disabled, renamed, deleted.
    UserChanged(UserId),
    /// At another server, this user has read a conversation up to this message. Without one, the
    /// cursor `inbox` is there now.
    Read(UserId, Option<MailboxName>, MessageId),
    /// So much happened that anything may be new.
    Everything,
}

/// Told of every [`Event`], on a thread of the store. It must not block.
pub type OnEvent = Box<dyn Fn(Event) + Send + Sync>;
