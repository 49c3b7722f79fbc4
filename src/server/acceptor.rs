//! Takes connections in and deals them out to the workers, in turn.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use rustix::net::sockopt;

use super::admission::Admission;
use super::mailbox::Mailbox;
use super::measures::Measures;
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;

/// How long the acceptor waits when the system has no room for another connection.
const BACK_OFF: Duration = Duration::from_millis(200);
/// How often at most it complains of that.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(10);
/// When keepalive asks a silent peer whether it is still there, how often, and how many times
/// before the peer counts as dead.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

pub(super) struct Acceptor {
    stopping: Arc<AtomicBool>,
    waker: Waker,
    thread: JoinHandle<()>,
}

impl Acceptor {
    pub(super) fn start(
        listeners: Vec<TcpListener>,
        admission: Admission,
        mailboxes: Vec<Arc<Mailbox>>,
        measures: Arc<Measures>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (index, listener) in listeners.iter().enumerate() {
            listener.set_nonblocking(true)?;
            let mut source = mio::unix::SourceFd(&std::os::fd::AsRawFd::as_raw_fd(listener));
            poll.registry().register(&mut source, Token(index), Interest::READABLE)?;
        }
        let waker = Waker::new(poll.registry(), Token(listeners.len()))?;
        let stopping = Arc::new(AtomicBool::new(false));
        let accepting = Accepting {
            poll,
            listeners,
            admission,
            mailboxes,
            next: 0,
            measures,
            stopping: Arc::clone(&stopping),
            complained: None,
        };
        let thread =
            thread::Builder::new().name("acceptor".to_owned()).spawn(move || accepting.run())?;
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

struct Accepting {
    poll: Poll,
    listeners: Vec<TcpListener>,
    admission: Admission,
    mailboxes: Vec<Arc<Mailbox>>,
    /// Whose turn it is.
    next: usize,
    measures: Arc<Measures>,
    stopping: Arc<AtomicBool>,
    complained: Option<Instant>,
}

impl Accepting {
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
            // All of them, whatever the event said: there are few, and one that was backed off
            // from says nothing again.
            let listeners = std::mem::take(&mut self.listeners);
            let starved =
                listeners.iter().filter(|listener| !self.accept_all(listener)).count() > 0;
            self.listeners = listeners;
            wait = starved.then_some(BACK_OFF);
        }
    }

    /// Accepts until nobody waits any more; `false` where the system has no room for another.
    fn accept_all(&mut self, listener: &TcpListener) -> bool {
        loop {
            match listener.accept() {
                Ok((stream, _)) => self.take_in(stream),
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

    fn take_in(&mut self, stream: TcpStream) {
        // A peer that is gone already shows in the next read.
        let Ok(address) = stream.peer_addr() else { return };
        if let Err(error) = set_up(&stream) {
            tracing::debug!(%error, %address, "a connection could not be set up");
            return;
        }
        let Some(permit) = self.admission.admit(address.ip()) else {
            self.measures.refused.increment();
            return turn_away(stream);
        };
        self.next = (self.next + 1) % self.mailboxes.len();
        self.mailboxes[self.next].connect(stream, address, permit);
    }

    fn complain(&mut self, error: &io::Error) {
        if self.complained.is_none_or(|last| last.elapsed() >= COMPLAINT_INTERVAL) {
            self.complained = Some(Instant::now());
            tracing::warn!(%error, "a connection could not be accepted; trying again");
        }
    }
}

/// Answers small and at once, and finds dead peers.
fn set_up(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let socket = stream.as_fd();
    sockopt::set_socket_keepalive(socket, true)?;
    sockopt::set_tcp_keepidle(socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(socket, KEEPALIVE_PROBES)?;
    Ok(())
}

/// Says why, as far as the socket takes it without waiting.
fn turn_away(mut stream: TcpStream) {
    let mut refusal = Vec::new();
    Reply::from(Code::TooManyConnections).encode(&mut refusal);
    let _ = stream.write(&refusal);
    let _ = stream.shutdown(std::net::Shutdown::Write);
}
