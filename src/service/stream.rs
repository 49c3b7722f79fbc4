//! What the service keeps of a stream, and what a read of it gives.

use std::sync::Arc;

use super::Service;
use super::awaited::Registered;
use super::hub::Subscription;
use super::sessions::OpenStream;
use crate::model::{Change, Filter, MailboxName, Message, MessageId};
use crate::protocol::event::ReadUpto;
use crate::protocol::refusal::Refusal;
use crate::store::{Changes, FollowedReading, LiveInbox, Wanted};

/// A stream that gets its hints and pages at an address of type `A`. Dropping it ends the stream.
pub struct Stream<A> {
    pub(super) service: Arc<Service>,
    pub(super) stream: OpenStream,
    /// Shared with a read that is in progress, as the next field is.
    pub(super) subscription: Arc<Subscription<A>>,
    pub(super) watched: Arc<LiveInbox>,
    /// Which messages of rooms it gets.
    pub(super) wanted: Wanted,
    /// Only messages that pass it.
    pub(super) filter: Box<Filter>,
    /// For a stream that waits for others to read messages.
    pub(super) receipts: Option<Registered<A>>,
    /// Whether it tells of edits and deletions.
    pub(super) changes: Changes,
    /// For a stream that also tells what its user has read.
    pub(super) _reading: Option<FollowedReading>,
}

/// The result of a read of a stream.
#[derive(Debug)]
pub enum StreamPage {
    /// The next messages of the message log.
    Messages {
        /// The messages, in log order. Several watchers of one inbox share them.
        messages: Vec<Arc<Message>>,
        /// Edits and deletions between and after them, in log order.
        changes: Vec<Change>,
        /// There are more messages after them.
        more: bool,
        /// The last message that was looked at, if the filter left messages out after these.
        upto: Option<MessageId>,
    },
    /// The user has sent this. Dropped where the peer is behind.
    Sent {
        /// The message.
        id: MessageId,
        /// Its recipient.
        to: MailboxName,
    },
    /// The user has read this. Dropped where the peer is behind.
    Read(ReadUpto),
    /// A message that the user has sent was edited or deleted. Dropped where the peer is behind.
    Changed {
        /// The message.
        id: MessageId,
        /// Its recipient.
        to: MailboxName,
    },
    /// Somebody has read this message, which the user has sent.
    Receipt(MessageId),
    /// The store is busy: read again a little later.
    Later,
    /// The stream has ended, for this reason.
    Over(Refusal),
}
