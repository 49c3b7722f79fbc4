//! The way back to whoever asked.

use std::sync::Arc;

use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;

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

/// Takes answers back to where the connections are. Must not block.
pub trait Deliver: Send + Sync {
    /// Takes one answer.
    fn deliver(&self, ticket: Ticket, reply: Reply);
}

/// Answers one request, once, from any thread. Dropped without an answer (a panic has unwound
/// through its owner) it answers for itself that the outcome is not known.
pub struct Responder {
    back: Arc<dyn Deliver>,
    ticket: Ticket,
    answered: bool,
}

impl Responder {
    /// For the request of `ticket`.
    pub fn new(back: Arc<dyn Deliver>, ticket: Ticket) -> Self {
        Self { back, ticket, answered: false }
    }

    /// Gives the answer. Never blocks.
    pub fn answer(mut self, reply: impl Into<Reply>) {
        self.answered = true;
        self.back.deliver(self.ticket, reply.into());
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.answered {
            self.back.deliver(self.ticket, Code::Internal.into());
        }
    }
}
