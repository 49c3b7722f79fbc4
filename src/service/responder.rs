//! The way back to whoever asked.

use std::sync::Arc;

use super::sessions::LiveSession;
use super::throttle::Network;
use super::watch::{StreamPage, Watcher};
use crate::protocol::refusal::Code;
use crate::protocol::reply::{Reply, Watching};

/// Which request of which connection an answer is for. The service only hands it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The connection.
    pub connection: usize,
    /// Tells the connection from an earlier one in the same place.
    pub generation: u32,
    /// The request's number on its connection.
    pub sequence: u32,
}

/// What comes back for a request.
pub enum Outcome {
    /// Its reply.
    Reply(Reply),
    /// Its reply, after which the connection is a stream.
    Stream(Watching, Watcher),
    /// What the stream that it began has read.
    Page(StreamPage),
}

/// Takes answers back to where the connections are. Must not block.
pub trait Deliver: Send + Sync {
    /// Takes one answer.
    fn deliver(&self, ticket: Ticket, answer: Outcome);

    /// Tells whose request this is, where that was not known when it was asked; before its answer.
    fn attach_session(&self, ticket: Ticket, session: Arc<LiveSession>);

    /// Tells the stream that this request began that there may be more to read.
    fn hint(&self, ticket: Ticket);
}

/// Answers one request, once, from any thread. Dropped without an answer (a panic has unwound
/// through its owner) it answers for itself that the outcome is not known.
pub struct Responder {
    deliver: Arc<dyn Deliver>,
    ticket: Ticket,
    /// Where the request comes from.
    network: Network,
    answered: bool,
}

impl Responder {
    /// For the request of `ticket`, which comes from `network`.
    pub fn new(deliver: Arc<dyn Deliver>, ticket: Ticket, network: Network) -> Self {
        Self { deliver, ticket, network, answered: false }
    }

    /// Where the request comes from.
    pub(super) fn network(&self) -> Network {
        self.network
    }

    /// Tells whose request it is that is to be answered.
    pub(super) fn attach_session(&self, session: &Arc<LiveSession>) {
        self.deliver.attach_session(self.ticket, Arc::clone(session));
    }

    /// Gives the answer. Never blocks.
    pub fn answer(self, reply: impl Into<Reply>) {
        self.give(Outcome::Reply(reply.into()));
    }

    /// Gives the answer to `watch`. Never blocks.
    pub(super) fn answer_stream(self, watching: Watching, watcher: Watcher) {
        self.give(Outcome::Stream(watching, watcher));
    }

    /// Where the answer goes.
    pub(super) fn reply_address(&self) -> (Arc<dyn Deliver>, Ticket) {
        (Arc::clone(&self.deliver), self.ticket)
    }

    fn give(mut self, answer: Outcome) {
        self.answered = true;
        self.deliver.deliver(self.ticket, answer);
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.answered {
            self.deliver.deliver(self.ticket, Outcome::Reply(Code::Internal.into()));
        }
    }
}
