//! Returns outcomes to the connections.

use std::sync::Arc;

use super::hub::Hint;
use super::sessions::LiveSession;
use super::stream::{Stream, StreamPage};
use super::throttle::Network;
use crate::protocol::refusal::Code;
use crate::protocol::reply::{Reply, Watching};

/// Identifies a request of a connection. The service only passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The index of the connection.
    pub connection: usize,
    /// Distinguishes the connection from an earlier one with the same index.
    pub generation: u32,
    /// The request's sequence number on its connection.
    pub sequence: u32,
}

/// The service's part of a connection's stream.
pub type Watcher = Stream<ReplyAddress>;

/// The outcome of a request.
pub enum Outcome {
    /// The reply.
    Reply(Reply),
    /// The reply of `watch`. The connection is a stream from now on.
    Stream(Watching, Watcher),
    /// A page for the stream that this request started.
    Page(StreamPage),
}

/// Delivers outcomes to connections. Its methods must not block.
pub trait Deliver: Send + Sync {
    /// Delivers one outcome.
    fn deliver(&self, ticket: Ticket, answer: Outcome);

    /// Attaches the session to a request, if it was unknown at the start of the request. Comes
    /// before the outcome.
    fn attach_session(&self, ticket: Ticket, session: Arc<LiveSession>);

    /// Tells the stream that this request started to read again, as there may be new messages.
    fn hint(&self, ticket: Ticket);
}

/// Where the outcomes of a request go.
#[derive(Clone)]
pub struct ReplyAddress {
    deliver: Arc<dyn Deliver>,
    ticket: Ticket,
}

impl ReplyAddress {
    /// Delivers one outcome. Never blocks.
    pub(super) fn deliver(&self, outcome: Outcome) {
        self.deliver.deliver(self.ticket, outcome);
    }
}

impl Hint for ReplyAddress {
    fn hint(&self) {
        self.deliver.hint(self.ticket);
    }
}

/// Answers one request, once, from any thread. If a panic drops it without an answer, it answers
/// that the outcome is unknown.
pub struct Responder {
    address: ReplyAddress,
    /// Where the request comes from.
    network: Network,
    /// The user of this machine whom the kernel named at the other end of a Unix-domain socket.
    peer: Option<u32>,
    answered: bool,
}

impl Responder {
    /// Creates the responder of the request `ticket`, which comes from `network`.
    pub fn new(deliver: Arc<dyn Deliver>, ticket: Ticket, network: Network) -> Self {
        let address = ReplyAddress { deliver, ticket };
        Self { address, network, peer: None, answered: false }
    }

    /// The same, for a request over a Unix-domain socket: `peer` is the user at its other end.
    pub fn from_peer(self, peer: Option<u32>) -> Self {
        let mut responder = self;
        responder.peer = peer;
        responder
    }

    /// Where the request comes from.
    pub(super) fn network(&self) -> Network {
        self.network
    }

    /// The user at the other end of a Unix-domain socket. `None` for every other connection, also
    /// over the loopback.
    pub(super) fn peer(&self) -> Option<u32> {
        self.peer
    }

    /// Attaches the session to the request.
    pub(super) fn attach_session(&self, session: &Arc<LiveSession>) {
        self.address.deliver.attach_session(self.address.ticket, Arc::clone(session));
    }

    /// Gives the reply. Never blocks.
    pub fn answer(self, reply: impl Into<Reply>) {
        self.give(Outcome::Reply(reply.into()));
    }

    /// Gives the reply of `watch`. Never blocks.
    pub(super) fn answer_stream(self, watching: Watching, watcher: Watcher) {
        self.give(Outcome::Stream(watching, watcher));
    }

    /// The address that the outcome goes to.
    pub(super) fn reply_address(&self) -> ReplyAddress {
        self.address.clone()
    }

    fn give(mut self, answer: Outcome) {
        self.answered = true;
        self.address.deliver(answer);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.answered {
            self.address.deliver(Outcome::Reply(Code::Internal.into()));
        }
    }
}
