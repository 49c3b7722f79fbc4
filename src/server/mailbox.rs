//! How other threads reach a worker: they leave it something, and wake it if it sleeps.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mio::Waker;

use super::admission::Permit;
use crate::metrics::Stages;
use crate::service::{Answer, Deliver, LiveSession, Ticket};

/// What is left for a worker. It is bounded by what the workers' connections may have under way,
/// and by the number of connections.
#[derive(Default)]
pub(super) struct Letters {
    pub(super) answers: Vec<(Ticket, Answer, Stages)>,
    /// Whose requests are under way, where that has just been found out.
    pub(super) introductions: Vec<(Ticket, Arc<LiveSession>)>,
    /// Streams that may have more to read: each at most once until it reads.
    pub(super) hints: Vec<Ticket>,
    pub(super) connections: Vec<(TcpStream, SocketAddr, Permit)>,
    /// Stop, and be done with it by then.
    pub(super) stop_by: Option<Instant>,
}

impl Letters {
    fn is_empty(&self) -> bool {
        let Self { answers, introductions, hints, connections, stop_by } = self;
        answers.is_empty()
            && introductions.is_empty()
            && hints.is_empty()
            && connections.is_empty()
            && stop_by.is_none()
    }
}

pub(super) struct Mailbox {
    letters: Mutex<Letters>,
    /// The worker waits, or is about to, and has to be woken: said once a sleep.
    asleep: AtomicBool,
    waker: Waker,
}

impl Mailbox {
    pub(super) fn new(waker: Waker) -> Self {
        Self { letters: Mutex::default(), asleep: AtomicBool::new(false), waker }
    }

    /// Gives the worker a connection.
    pub(super) fn connect(&self, stream: TcpStream, address: SocketAddr, permit: Permit) {
        self.leave(|letters| letters.connections.push((stream, address, permit)));
    }

    /// Tells the worker to stop.
    pub(super) fn stop(&self, by: Instant) {
        self.leave(|letters| letters.stop_by = Some(by));
    }

    /// For the worker: what has been left, into the empty `letters`.
    pub(super) fn collect(&self, letters: &mut Letters) {
        self.asleep.store(false, Ordering::SeqCst);
        std::mem::swap(&mut *self.lock(), letters);
    }

    /// For the worker, before it sleeps: whether it may. From here on it is woken for what is left.
    pub(super) fn may_sleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        self.lock().is_empty()
    }

    fn leave(&self, letter: impl FnOnce(&mut Letters)) {
        letter(&mut self.lock());
        if self.asleep.swap(false, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            log_wake(&error);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Letters> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deliver for Mailbox {
    fn deliver(&self, ticket: Ticket, answer: Answer) {
        let stages = Stages::current();
        self.leave(|letters| letters.answers.push((ticket, answer, stages)));
    }

    fn introduce(&self, ticket: Ticket, session: Arc<LiveSession>) {
        // Nobody is woken for this: the answer follows.
        self.lock().introductions.push((ticket, session));
    }

    fn hint(&self, ticket: Ticket) {
        self.leave(|letters| letters.hints.push(ticket));
    }
}

fn log_wake(error: &io::Error) {
    tracing::error!(%error, "a worker could not be woken");
}
