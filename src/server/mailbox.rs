//! How other threads reach a worker: they push it something, and wake it if it sleeps.

use std::io;
use std::time::Instant;

use mio::Waker;

use super::admission::Permit;
use super::encryption::Encryption;
use super::listener::Origin;
use super::proxies::Preamble;
use super::socket::Socket;
use crate::metrics::Stages;
use crate::service::{Deliver, LiveSession, Outcome, Ticket};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};
use crate::wake;

/// What is left for a worker. It is bounded by what the workers' connections may have under way,
/// and by the number of connections.
#[derive(Default)]
pub(super) struct Inbound {
    pub(super) answers: Vec<(Ticket, Outcome, Stages)>,
    /// Whose requests are under way, where that has just been found out.
    pub(super) attached_sessions: Vec<(Ticket, Arc<LiveSession>)>,
    /// Streams that may have more to read: each at most once until it reads.
    pub(super) hints: Vec<Ticket>,
    pub(super) connections: Vec<Arrival>,
    /// Stop, and be done with it by then.
    pub(super) stop_by: Option<Instant>,
}

/// A connection that was accepted.
pub(super) struct Arrival {
    pub(super) socket: Socket,
    pub(super) origin: Origin,
    /// Whether a proxy's header comes first.
    pub(super) preamble: Preamble,
    /// Where what is said is encrypted. Boxed: most are not.
    pub(super) encryption: Option<Box<Encryption>>,
    pub(super) permit: Permit,
}

impl Inbound {
    fn is_empty(&self) -> bool {
        let Self { answers, attached_sessions, hints, connections, stop_by } = self;
        answers.is_empty()
            && attached_sessions.is_empty()
            && hints.is_empty()
            && connections.is_empty()
            && stop_by.is_none()
    }
}

pub(super) struct Mailbox {
    inbound: Mutex<Inbound>,
    /// The worker waits, or is about to, and has to be woken: said once a sleep.
    asleep: AtomicBool,
    waker: Arc<Waker>,
}

impl Mailbox {
    pub(super) fn new(waker: Waker) -> Self {
        Self { inbound: Mutex::default(), asleep: AtomicBool::new(false), waker: Arc::new(waker) }
    }

    /// Gives the worker a connection.
    pub(super) fn connect(&self, arrival: Arrival) {
        self.push(|inbound| inbound.connections.push(arrival));
    }

    /// Tells the worker to stop.
    pub(super) fn stop(&self, by: Instant) {
        self.push(|inbound| inbound.stop_by = Some(by));
    }

    /// For the worker: what has been left, into the empty `inbound`.
    pub(super) fn collect(&self, inbound: &mut Inbound) {
        // Swaps and no stores (on x86-64 the same instruction): one order of them all, which a
        // model can check.
        self.asleep.swap(false, Ordering::SeqCst);
        std::mem::swap(&mut *self.lock(), inbound);
    }

    /// For the worker, before it sleeps: whether it may. From here on it is woken for what is left.
    pub(super) fn may_sleep(&self) -> bool {
        self.asleep.swap(true, Ordering::SeqCst);
        !self.has_inbound()
    }

    /// For the worker: whether anything has been left.
    pub(super) fn has_inbound(&self) -> bool {
        !self.lock().is_empty()
    }

    fn push(&self, add: impl FnOnce(&mut Inbound)) {
        add(&mut self.lock());
        if self.asleep.swap(false, Ordering::SeqCst) {
            let waker = Arc::clone(&self.waker);
            wake::soon(move || {
                if let Err(error) = waker.wake() {
                    log_wake(&error);
                }
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbound> {
        self.inbound.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deliver for Mailbox {
    fn deliver(&self, ticket: Ticket, answer: Outcome) {
        let stages = Stages::current();
        self.push(|inbound| inbound.answers.push((ticket, answer, stages)));
    }

    fn attach_session(&self, ticket: Ticket, session: Arc<LiveSession>) {
        // Nobody is woken for this: the answer follows.
        self.lock().attached_sessions.push((ticket, session));
    }

    fn hint(&self, ticket: Ticket) {
        self.push(|inbound| inbound.hints.push(ticket));
    }
}

fn log_wake(error: &io::Error) {
    tracing::error!(%error, "a worker could not be woken");
}
