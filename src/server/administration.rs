//! The server side of the admin socket: one thread that never blocks on a client. A silent client
//! is closed after a while, or at once if another needs its place.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::metrics::{ConnectionState, Metrics};
use crate::admin::answer::{self, AdminReply, Code, Refusal};
use crate::admin::socket::Place;
use crate::admin::{LINE_BYTES_MAX, decode_request, encode_result};
use crate::model::Timestamp;
use crate::service::{AdminResponder, Service};
use crate::system;

/// The maximum number of connections. A further one replaces the client that was idle longest.
const PEERS_MAX: usize = 32;
/// A client without a request in progress is closed after this long, if it neither completes a
/// request nor reads its reply.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long a client may take to read its last answer when the server stops.
const LAST_WORDS_WAIT: Duration = Duration::from_secs(1);
/// The maximum number of bytes read from one client per turn.
const TURN_BYTES_MAX: usize = 256 * 1024;
/// How long the thread waits if the system has no resources for another connection.
const BACK_OFF: Duration = Duration::from_millis(200);

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const PEER: Token = Token(2);

/// Answers operators' commands until it is stopped.
pub struct Administration {
    inbound: Arc<Inbound>,
    thread: JoinHandle<()>,
}

/// Messages to the thread.
struct Inbound {
    waker: Waker,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    /// The client, and its line.
    answers: Vec<(u64, Vec<u8>)>,
    /// Stop by this time.
    stop_by: Option<Instant>,
}

impl Administration {
    /// Answers on the admin socket, which is at `place`. Removes it at the end.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(
        place: Place,
        listener: UnixListener,
        service: &Arc<Service>,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        register(&poll, listener.as_raw_fd(), LISTENER)?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let inbound = Arc::new(Inbound { waker, content: Mutex::default() });
        let admin_loop = AdminLoop {
            poll,
            place,
            listener: Some(listener),
            info: Arc::new(ServerInfo {
                service: Arc::clone(service),
                metrics,
                started_at: Timestamp::now(),
                since: Instant::now(),
            }),
            inbound: Arc::clone(&inbound),
            peers: Vec::new(),
            next: 0,
        };
        let thread =
            thread::Builder::new().name("admin".to_owned()).spawn(move || admin_loop.run())?;
        Ok(Self { inbound, thread })
    }

    /// Removes the socket. Requests in progress are answered until `deadline`. Returns at once: see
    /// [`Stopping::wait`].
    pub fn stop(self, deadline: Instant) -> Stopping {
        self.inbound.push(|content| content.stop_by = Some(deadline));
        Stopping(self.thread)
    }
}

/// An [`Administration`] that accepts no new requests.
pub struct Stopping(JoinHandle<()>);

impl Stopping {
    /// Blocks until the thread has ended.
    pub fn wait(self) {
        // If it panicked, there is nothing left to stop.
        let _ = self.0.join();
    }
}

impl Inbound {
    fn push(&self, add: impl FnOnce(&mut Content)) {
        add(&mut self.content.lock().unwrap_or_else(PoisonError::into_inner));
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the thread of the admin socket could not be woken");
        }
    }

    fn collect(&self) -> Content {
        std::mem::take(&mut self.content.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The state of the thread.
struct AdminLoop {
    poll: Poll,
    place: Place,
    /// `None` while it is stopping.
    listener: Option<UnixListener>,
    info: Arc<ServerInfo>,
    inbound: Arc<Inbound>,
    peers: Vec<Peer>,
    /// The number of the next client.
    next: u64,
}

impl AdminLoop {
    fn run(mut self) {
        let mut events = Events::with_capacity(PEERS_MAX + 2);
        let mut stop: Option<Stop> = None;
        let mut wait = None;
        loop {
            if let Err(error) = self.poll.poll(&mut events, wait)
                && error.kind() != ErrorKind::Interrupted
            {
                tracing::error!(%error, "waiting for operators failed");
                thread::park_timeout(BACK_OFF);
            }
            let content = self.inbound.collect();
            if let Some(by) = content.stop_by {
                stop = Some(Stop { since: Instant::now(), by });
                self.close_listener();
            }
            for (number, line) in content.answers {
                if let Some(peer) = self.peers.iter_mut().find(|peer| peer.number == number) {
                    peer.answer(line);
                }
            }
            let starved = !self.accept_all();
            // Serves all clients, whatever the event. There are few, and a client that could not
            // go on before may do so now.
            let now = Instant::now();
            let mut more = false;
            for mut peer in std::mem::take(&mut self.peers) {
                let turn = self.take_turn(&mut peer, now, stop.as_ref());
                more |= turn == Turn::More;
                if turn != Turn::Over {
                    self.peers.push(peer);
                }
            }
            if stop.as_ref().is_some_and(|stop| self.peers.is_empty() || now >= stop.by) {
                return;
            }
            let deadlines = self.peers.iter().filter_map(|peer| peer.deadline(stop.as_ref()));
            let deadline = deadlines.chain(stop.as_ref().map(|stop| stop.by)).min();
            wait = deadline.map(|at| at.saturating_duration_since(now));
            if starved {
                wait = Some(wait.map_or(BACK_OFF, |wait| wait.min(BACK_OFF)));
            }
            if more {
                wait = Some(Duration::ZERO);
            }
        }
    }

    fn close_listener(&mut self) {
        if self.listener.take().is_some()
            && let Err(error) = self.place.remove()
        {
            tracing::warn!(%error, "the admin socket was not removed");
        }
    }

    /// Accepts all waiting connections. `false` if the system has no resources for another.
    fn accept_all(&mut self) -> bool {
        loop {
            if self.peers.len() >= PEERS_MAX && !self.dismiss_silent() {
                // The waiting client is accepted once a request is done.
                return true;
            }
            let Some(listener) = &self.listener else { return true };
            match listener.accept() {
                Ok((stream, _)) => self.take_in(stream),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return true,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => return false,
                },
            }
        }
    }

    /// Accepts a client of the server's own user or of root. The mode of the socket excludes
    /// others, and this check still does if someone loosens the mode.
    fn take_in(&mut self, stream: UnixStream) {
        let owner = rustix::process::geteuid();
        match system::peer_user(stream.as_fd()) {
            Ok(peer) if peer == owner || peer.is_root() => {}
            Ok(peer) => {
                let uid = peer.as_raw();
                return tracing::warn!(uid, "the admin socket is not for this user");
            }
            Err(error) => return tracing::warn!(%error, "an operator could not be identified"),
        }
        let number = self.next;
        let token = Token(PEER.0.wrapping_add(number as usize));
        let registered = stream
            .set_nonblocking(true)
            .and_then(|()| register(&self.poll, stream.as_raw_fd(), token));
        if let Err(error) = registered {
            return tracing::warn!(%error, "an operator's connection could not be set up");
        }
        self.next += 1;
        self.peers.push(Peer::new(number, stream));
    }

    /// Closes the client that was idle longest. `false` if all have requests in progress.
    fn dismiss_silent(&mut self) -> bool {
        let idle = self.peers.iter().enumerate().filter(|(_, peer)| !peer.is_waiting);
        let Some((index, _)) = idle.min_by_key(|(_, peer)| peer.active_at) else { return false };
        self.peers.swap_remove(index);
        true
    }

    fn take_turn(&self, peer: &mut Peer, now: Instant, stop: Option<&Stop>) -> Turn {
        if peer.deadline(stop).is_some_and(|at| now >= at) || peer.write().is_err() {
            return Turn::Over;
        }
        if peer.is_waiting || peer.has_output() {
            return Turn::Waits;
        }
        if stop.is_some() || peer.is_closing {
            return Turn::Over;
        }
        let turn = peer.read();
        if let Some(line) = peer.take_line() {
            peer.is_waiting = true;
            let (inbound, number) = (Arc::clone(&self.inbound), peer.number);
            let info = Arc::clone(&self.info);
            let responder = AdminResponder::new(move |mut result| {
                if let Ok(AdminReply::Stats(stats)) = &mut result {
                    stats.server = Some(info.describe());
                }
                let line = encode_result(&result);
                inbound.push(|content| content.answers.push((number, line)));
            });
            match decode_request(&line) {
                Ok(request) => self.info.service.administer(request, responder),
                Err(refusal) => responder.answer(Err(refusal)),
            }
            return Turn::Waits;
        }
        if peer.input.len() >= LINE_BYTES_MAX {
            let refusal =
                Refusal::new(Code::LineTooLong, "the request is longer than a line may be");
            peer.answer(encode_result(&Err(refusal)));
            peer.is_closing = true;
            return Turn::More;
        }
        turn
    }
}

/// The figures of the running server.
struct ServerInfo {
    service: Arc<Service>,
    metrics: Arc<Metrics>,
    started_at: Timestamp,
    since: Instant,
}

impl ServerInfo {
    fn describe(&self) -> answer::Server {
        let connections: i64 =
            ConnectionState::ALL.iter().map(|&state| self.metrics.connections(state)).sum();
        answer::Server {
            pid: std::process::id(),
            started_at: self.started_at,
            uptime_seconds: self.since.elapsed().as_secs(),
            // A sum over several threads. It may be below zero for a moment.
            connections: connections.max(0).unsigned_abs(),
            watchers: self.service.watchers() as u64,
        }
    }
}

/// When the server began to stop, and when it must have stopped.
struct Stop {
    since: Instant,
    by: Instant,
}

#[derive(PartialEq, Eq)]
enum Turn {
    /// It waits for an event.
    Waits,
    /// It needs another turn.
    More,
    /// The connection has ended.
    Over,
}

/// A connection. It executes one request at a time.
struct Peer {
    number: u64,
    stream: UnixStream,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    /// A request is in progress.
    is_waiting: bool,
    /// To be closed once its output is written.
    is_closing: bool,
    /// When it connected, or got its last answer.
    active_at: Instant,
}

impl Peer {
    fn new(number: u64, stream: UnixStream) -> Self {
        Self {
            number,
            stream,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            is_waiting: false,
            is_closing: false,
            active_at: Instant::now(),
        }
    }

    fn answer(&mut self, line: Vec<u8>) {
        self.output = line;
        self.written = 0;
        self.is_waiting = false;
        self.active_at = Instant::now();
    }

    fn has_output(&self) -> bool {
        self.written < self.output.len()
    }

    /// `None` while a request is in progress, which has no time limit.
    fn deadline(&self, stop: Option<&Stop>) -> Option<Instant> {
        if self.is_waiting {
            return None;
        }
        let silence = self.active_at + SILENCE_MAX;
        Some(match stop {
            Some(stop) => silence.min(self.active_at.max(stop.since) + LAST_WORDS_WAIT),
            None => silence,
        })
    }

    /// Writes until the socket accepts no more.
    fn write(&mut self) -> io::Result<()> {
        while self.has_output() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output = Vec::new();
        self.written = 0;
        Ok(())
    }

    /// Reads for one turn, and at most the longest line.
    fn read(&mut self) -> Turn {
        let mut chunk = [0; 16 * 1024];
        let mut room = TURN_BYTES_MAX.min(LINE_BYTES_MAX.saturating_sub(self.input.len()));
        while room > 0 {
            let size = chunk.len().min(room);
            match self.stream.read(&mut chunk[..size]) {
                // An incomplete request is dropped.
                Ok(0) => return Turn::Over,
                Ok(count) => {
                    self.input.extend_from_slice(&chunk[..count]);
                    room -= count;
                    if chunk[..count].contains(&b'\n') {
                        return Turn::More;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Turn::Waits,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Turn::Over,
            }
        }
        Turn::More
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let end = self.input.iter().position(|&byte| byte == b'\n')?;
        Some(self.input.drain(..=end).collect())
    }
}

fn register(poll: &Poll, fd: RawFd, token: Token) -> io::Result<()> {
    poll.registry().register(&mut SourceFd(&fd), token, Interest::READABLE | Interest::WRITABLE)
}
