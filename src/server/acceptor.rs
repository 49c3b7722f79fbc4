//! Accepts connections and gives them to the workers in turn.

use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};

use super::admission::Admission;
use super::encryption::Encryption;
use super::listener::{Listener, Origin};
use super::mailbox::{Arrival, Mailbox};
use super::metrics::Metrics;
use super::proxies::Proxies;
use super::socket::Socket;
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;

/// How long the acceptor waits when the system has no room for another connection.
const BACK_OFF: Duration = Duration::from_millis(200);
/// The minimum time between two log lines about that.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);

pub(super) struct Acceptor {
    stopping: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Acceptor {
    pub(super) fn start(
        listeners: Vec<Listener>,
        admission: Admission,
        proxies: Proxies,
        mailboxes: Vec<Arc<Mailbox>>,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (index, listener) in listeners.iter().enumerate() {
            listener.set_nonblocking()?;
            let mut source = mio::unix::SourceFd(&listener.as_raw_fd());
            poll.registry().register(&mut source, Token(index), Interest::READABLE)?;
        }
        let waker = Waker::new(poll.registry(), Token(listeners.len()))?;
        let stopping = Arc::new(AtomicBool::new(false));
        let accept_loop = AcceptLoop {
            poll,
            listeners,
            admission,
            proxies,
            mailboxes,
            next: 0,
            metrics,
            stopping: Arc::clone(&stopping),
            complained: None,
        };
        let thread =
            thread::Builder::new().name("acceptor".to_owned()).spawn(move || accept_loop.run())?;
        Ok(Self { stopping, waker, thread })
    }

    /// Closes the listeners. Blocks until they are closed.
    pub(super) fn stop(self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the acceptor could not be woken");
            return;
        }
        let _ = self.thread.join();
    }
}

struct AcceptLoop {
    poll: Poll,
    listeners: Vec<Listener>,
    admission: Admission,
    proxies: Proxies,
    mailboxes: Vec<Arc<Mailbox>>,
    /// The worker that gets the next connection.
    next: usize,
    metrics: Arc<Metrics>,
    stopping: Arc<AtomicBool>,
    complained: Option<Instant>,
}

impl AcceptLoop {
    fn run(mut self) {
        let mut events = Events::with_capacity(16);
        let mut wait = None;
        while !self.stopping.load(Ordering::SeqCst) {
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "waiting for connections failed");
                thread::park_timeout(BACK_OFF);
            }
            // Tries all listeners, whatever the event. There are few, and a listener after a
            // back-off reports no new event.
            let listeners = std::mem::take(&mut self.listeners);
            let starved =
                listeners.iter().filter(|listener| !self.accept_all(listener)).count() > 0;
            self.listeners = listeners;
            wait = starved.then_some(BACK_OFF);
        }
    }

    /// Accepts all waiting connections. `false` if the system has no resources for another.
    fn accept_all(&mut self, listener: &Listener) -> bool {
        loop {
            match listener.accept() {
                Ok((socket, origin)) => self.take_in(socket, origin, listener),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return true,
                    io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.complain(&error);
                        return false;
                    }
                },
            }
        }
    }

    fn take_in(&mut self, socket: Socket, origin: Origin, listener: &Listener) {
        let preamble = self.proxies.preamble(origin.address());
        // A proxy's client is not known yet.
        let from = origin.far().filter(|_| !preamble.is_expected());
        let Some(permit) = self.admission.admit(from) else {
            self.metrics.refused.increment();
            return turn_away(socket);
        };
        let encryption = match listener.identity() {
            None => None,
            Some(identity) => match Encryption::new(identity.config(), Instant::now()) {
                Ok(encryption) => Some(Box::new(encryption)),
                Err(error) => {
                    tracing::error!(%error, "a connection could not be encrypted");
                    return;
                }
            },
        };
        self.next = (self.next + 1) % self.mailboxes.len();
        self.mailboxes[self.next].connect(Arrival { socket, origin, preamble, encryption, permit });
    }

    fn complain(&mut self, error: &io::Error) {
        if self.complained.is_none_or(|last| last.elapsed() >= COMPLAINT_INTERVAL) {
            self.complained = Some(Instant::now());
            tracing::warn!(%error, "a connection could not be accepted; trying again");
        }
    }
}

/// Sends the refusal, if the socket accepts it at once.
fn turn_away(mut socket: Socket) {
    let mut refusal = Vec::new();
    Reply::from(Code::TooManyConnections).encode(&mut refusal);
    let _ = socket.write(&refusal);
    let _ = socket.shutdown(std::net::Shutdown::Write);
}
