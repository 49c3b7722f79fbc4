//! A worker's mailbox. Other threads add to it and wake the worker if it sleeps.

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

/// The content of a mailbox. Its size is bounded by the worker's connections and their requests in
/// progress.
#[derive(Default)]
pub(super) struct Inbound {
    pub(super) answers: Vec<(Ticket, Outcome, Stages)>,
    /// The sessions of requests in progress, where the store had to be read for them.
    pub(super) attached_sessions: Vec<(Ticket, Arc<LiveSession>)>,
    /// Streams that may have more to read, each at most once until its next read.
    pub(super) hints: Vec<Ticket>,
    pub(super) connections: Vec<Arrival>,
    /// The deadline of a stop, if the worker has to stop.
    pub(super) stop_by: Option<Instant>,
}

/// An accepted connection.
pub(super) struct Arrival {
    pub(super) socket: Socket,
    pub(super) origin: Origin,
    /// Whether a proxy's header comes first.
    pub(super) preamble: Preamble,
    /// TLS, if the listener uses it. Boxed, as most connections do not use it.
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
    /// The worker sleeps or is about to, and needs a wake-up. Cleared by the first wake-up of each
    /// sleep.
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

    /// Moves the content into the empty `inbound`. For the worker only.
    pub(super) fn collect(&self, inbound: &mut Inbound) {
        // A swap rather than a store (the same instruction on x86-64) gives one total order, which
        // the loom model can check.
        self.asleep.swap(false, Ordering::SeqCst);
        std::mem::swap(&mut *self.lock(), inbound);
    }

    /// Returns whether the worker may sleep. From then on, additions wake it. For the worker only.
    pub(super) fn may_sleep(&self) -> bool {
        self.asleep.swap(true, Ordering::SeqCst);
        !self.has_inbound()
    }

    /// Whether the mailbox has content. For the worker only.
    pub(super) fn has_inbound(&self) -> bool {
        !self.lock().is_empty()
    }

    fn push(&self, add: impl FnOnce(&mut Inbound)) {
        add(&mut self.lock());
        if self.asleep.swap(false, Ordering::SeqCst) {
            let waker = Arc::clone(&self.waker);
            wake::defer(move || {
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
        // No wake-up is needed, as the request's reply follows.
        self.lock().attached_sessions.push((ticket, session));
    }

    fn hint(&self, ticket: Ticket) {
        self.push(|inbound| inbound.hints.push(ticket));
    }
}

fn log_wake(error: &io::Error) {
    tracing::error!(%error, "a worker could not be woken");
}
