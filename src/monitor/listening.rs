//! The monitor's thread: a few connections, none of which is ever waited for alone. One that is
//! silent or slow is closed at its deadline, or before, when there is no room for another.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::history::History;
use super::http::{HEAD_BYTES_MAX, Hosts, Request, Response};
use super::readiness::{Known, Readiness};
use super::{Sources, exposition, status};
use crate::service::Service;
use crate::store::Totals;

/// The most connections at a time. One more takes the place of the one that has waited longest
/// without asking for anything.
const CONNECTIONS_MAX: usize = 32;
/// How long the head of a request may take from its first byte on, and the first of a connection
/// from its beginning.
const HEAD_WAIT: Duration = Duration::from_secs(5);
/// How long a connection is kept for another request.
const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(75);
/// How long a response may take to be sent.
const WRITE_WAIT: Duration = Duration::from_secs(10);
/// How long what a peer still sends is read after it was told that the connection ends.
const DRAIN_WAIT: Duration = Duration::from_secs(1);
/// How long whoever asks whether the server is ready waits for the write that shows it.
const READY_WAIT: Duration = Duration::from_secs(2);
/// How often users and sessions are counted.
const CENSUS_INTERVAL: Duration = Duration::from_secs(10);
/// How long the first of these may take.
const CENSUS_WAIT: Duration = Duration::from_secs(60);
/// How long accepting pauses when the system has no room for another connection.
const BACK_OFF: Duration = Duration::from_millis(200);

/// Wakes the monitor's thread.
#[derive(Clone)]
pub(super) struct Waker(Arc<OwnedFd>);

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?)))
    }

    pub(super) fn wake(&self) {
        // Fails only where it is awake anyhow.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    fn reset(&self) {
        let _ = rustix::io::read(&*self.0, &mut [0; 8]);
    }
}

/// See the module.
pub(super) struct Listening {
    listener: TcpListener,
    hosts: Hosts,
    sources: Sources,
    /// The server stops.
    stopping: Arc<AtomicBool>,
    /// So does the monitor.
    ended: Arc<AtomicBool>,
    waker: Waker,
    peers: Vec<Peer>,
    readiness: Readiness,
    census: Arc<Mutex<Totals>>,
    census_at: Instant,
    history: History,
    /// No accepting before this moment.
    accept_at: Instant,
    began: SystemTime,
}

struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
    unsent: Vec<u8>,
    sent: usize,
    phase: Phase,
    /// When it is closed, or, where it waits to hear whether the server is ready, answered.
    by: Instant,
}

enum Phase {
    /// For a request.
    Reading,
    /// For the answer to whether the server is ready.
    Waiting(Request),
    /// For the peer to take the response.
    Writing { keep_alive: bool },
    /// For the peer to have read the last response.
    Draining,
}

/// What is to become of a connection.
#[derive(PartialEq, Eq)]
enum Next {
    /// It waits for its socket.
    Wait,
    /// It can go on at once, when the others have had their turn.
    GoOn,
    Close,
}

impl Listening {
    pub(super) fn new(
        listener: TcpListener,
        hosts: Hosts,
        sources: Sources,
        stopping: Arc<AtomicBool>,
        ended: Arc<AtomicBool>,
        waker: Waker,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let census = first_census(&sources.service)?;
        let history = History::new(&sources);
        let now = Instant::now();
        Ok(Self {
            listener,
            hosts,
            sources,
            stopping,
            ended,
            waker,
            peers: Vec::new(),
            readiness: Readiness::default(),
            census: Arc::new(Mutex::new(census)),
            census_at: now + CENSUS_INTERVAL,
            history,
            accept_at: now,
            began: SystemTime::now(),
        })
    }

    pub(super) fn run(mut self) {
        let mut unfinished = false;
        while !self.ended.load(Ordering::SeqCst) {
            let ready = self.wait(unfinished);
            let now = Instant::now();
            self.count_totals(now);
            if self.history.due() <= now {
                self.history.look(&self.sources);
            }
            self.answer_waiting(now);
            unfinished = self.serve_ready(&ready, now);
            self.accept_all(now);
        }
    }

    /// Waits until something happens or is due; tells which peers something has happened to.
    fn wait(&self, unfinished: bool) -> Vec<bool> {
        let now = Instant::now();
        let accepting = self.accept_at <= now;
        let due = self.peers.iter().map(|peer| peer.by).chain([self.census_at, self.history.due()]);
        let due = due.chain((!accepting).then_some(self.accept_at)).min().unwrap_or(now);
        let wait = if unfinished { Duration::ZERO } else { due.saturating_duration_since(now) };
        let mut files = Vec::with_capacity(self.peers.len() + 2);
        files.extend(self.peers.iter().map(|peer| PollFd::new(&peer.stream, peer.awaits())));
        files.push(PollFd::new(&*self.waker.0, PollFlags::IN));
        let listening = if accepting { PollFlags::IN } else { PollFlags::empty() };
        files.push(PollFd::from_borrowed_fd(self.listener.as_fd(), listening));
        let timeout =
            Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
        if let Err(error) = poll(&mut files, Some(&timeout))
            && error != rustix::io::Errno::INTR
        {
            tracing::error!(%error, "the monitor cannot wait");
            std::thread::park_timeout(BACK_OFF);
        }
        let ready: Vec<bool> = files.iter().map(|file| !file.revents().is_empty()).collect();
        if ready[self.peers.len()] {
            self.waker.reset();
        }
        ready
    }

    /// Has users and sessions counted every now and then; what is told is what was found last.
    fn count_totals(&mut self, now: Instant) {
        if now < self.census_at {
            return;
        }
        self.census_at = now + CENSUS_INTERVAL;
        let found = Arc::clone(&self.census);
        self.sources.service.count_totals(move |census| {
            // A census that was not taken is taken again soon.
            if let Ok(census) = census {
                *found.lock().unwrap_or_else(PoisonError::into_inner) = census;
            }
        });
    }

    fn answer_waiting(&mut self, now: Instant) {
        if !self.peers.iter().any(|peer| matches!(peer.phase, Phase::Waiting(_))) {
            return;
        }
        let known = self.readiness.look();
        for peer in &mut self.peers {
            let Phase::Waiting(request) = &peer.phase else { continue };
            let response = match &known {
                Known::NotYet if peer.by > now => continue,
                Known::NotYet => {
                    let wait = READY_WAIT.as_secs();
                    not_ready(&format!("the writer has not answered for {wait} s"))
                }
                Known::Ready => ready(),
                Known::NotReady(why) => not_ready(why),
            };
            let (head_only, keep_alive) = (request.head_only, request.keep_alive);
            peer.answer(&response, head_only, keep_alive, now);
        }
    }

    /// Serves those whose sockets are ready or who are due; tells whether one can go on at once.
    fn serve_ready(&mut self, ready: &[bool], now: Instant) -> bool {
        let mut unfinished = false;
        let mut index = 0;
        let mut peers = std::mem::take(&mut self.peers);
        peers.retain_mut(|peer| {
            index += 1;
            let over = peer.by <= now;
            let has_input = !peer.received.is_empty() && matches!(peer.phase, Phase::Reading);
            let turn = ready.get(index - 1).copied().unwrap_or(true) || has_input;
            let writes = matches!(peer.phase, Phase::Writing { .. });
            let next = if turn || writes { self.serve(peer, now) } else { Next::Wait };
            unfinished |= next == Next::GoOn;
            next != Next::Close && !(over && peer.by <= now)
        });
        self.peers = peers;
        unfinished
    }

    fn serve(&mut self, peer: &mut Peer, now: Instant) -> Next {
        match peer.phase {
            Phase::Reading => self.read(peer, now),
            Phase::Writing { keep_alive } => peer.write(keep_alive, now),
            Phase::Draining => peer.drain(),
            // Nothing is awaited of it: this is its end.
            Phase::Waiting(_) => Next::Close,
        }
    }

    /// Reads a request, and answers it as far as the socket takes it.
    fn read(&mut self, peer: &mut Peer, now: Instant) -> Next {
        loop {
            match Request::parse(&peer.received, &self.hosts) {
                Ok(Some((request, length))) => {
                    peer.received.drain(..length);
                    self.begin_answer(peer, request, now);
                    break;
                }
                Ok(None) => match peer.receive(now) {
                    Next::GoOn => {}
                    next => return next,
                },
                Err(fault) => {
                    peer.received.clear();
                    peer.answer(&fault.into(), false, false, now);
                    break;
                }
            }
        }
        match peer.phase {
            Phase::Writing { keep_alive } => peer.write(keep_alive, now),
            _ => Next::Wait,
        }
    }

    fn begin_answer(&mut self, peer: &mut Peer, request: Request, now: Instant) {
        let responded = catch_unwind(AssertUnwindSafe(|| self.respond(&request)));
        let response = match responded {
            Ok(Some(response)) => response,
            Ok(None) => {
                peer.by = now + READY_WAIT;
                peer.phase = Phase::Waiting(request);
                return;
            }
            Err(_) => {
                tracing::error!(path = request.path, "the monitor panicked");
                Response::text(500, "a fault of the server")
            }
        };
        peer.answer(&response, request.head_only, request.keep_alive, now);
    }

    /// The response to a request; `None` where it is not known yet whether the server is ready.
    fn respond(&mut self, request: &Request) -> Option<Response> {
        let census = *self.census.lock().unwrap_or_else(PoisonError::into_inner);
        let stopping = self.stopping.load(Ordering::SeqCst);
        Some(match request.path.as_str() {
            "/" => status::page(),
            "/status.json" => {
                status::figures(&self.sources, census, self.began, stopping, &self.history)
            }
            "/metrics" => {
                let text = exposition::render(&self.sources, census, self.began);
                Response::new(200, exposition::CONTENT_TYPE, text)
            }
            "/healthz" => Response::text(200, "ok"),
            "/readyz" if stopping => not_ready("the server is stopping"),
            "/readyz" => match self.readiness.ask(&self.sources.service, &self.waker) {
                Known::Ready => ready(),
                Known::NotReady(why) => not_ready(&why),
                Known::NotYet => return None,
            },
            _ => Response::text(
                404,
                "there is nothing here; there are /, /status.json, /metrics, /healthz and /readyz",
            ),
        })
    }

    fn accept_all(&mut self, now: Instant) {
        while self.accept_at <= now {
            match self.listener.accept() {
                Ok((stream, _)) => self.take_in(stream, now),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => self.accept_at = now + BACK_OFF,
                },
            }
        }
    }

    fn take_in(&mut self, stream: TcpStream, now: Instant) {
        if stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).is_err() {
            return;
        }
        if self.peers.len() >= CONNECTIONS_MAX {
            let idle = self.peers.iter().position(|peer| matches!(peer.phase, Phase::Reading));
            // Those at the front have been there longest.
            self.peers.remove(idle.unwrap_or(0));
        }
        self.peers.push(Peer {
            stream,
            received: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            phase: Phase::Reading,
            by: now + HEAD_WAIT,
        });
    }
}

impl Peer {
    fn awaits(&self) -> PollFlags {
        match self.phase {
            Phase::Reading | Phase::Draining => PollFlags::IN,
            Phase::Waiting(_) => PollFlags::empty(),
            Phase::Writing { .. } => PollFlags::OUT,
        }
    }

    fn answer(&mut self, response: &Response, head_only: bool, keep_alive: bool, now: Instant) {
        let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        self.unsent = response.encode(head_only, keep_alive, &date);
        self.sent = 0;
        self.phase = Phase::Writing { keep_alive };
        self.by = now + WRITE_WAIT;
    }

    /// Reads once; there is something new where it can go on.
    fn receive(&mut self, now: Instant) -> Next {
        let mut chunk = [0; 2048];
        let room = HEAD_BYTES_MAX.saturating_sub(self.received.len()).clamp(1, chunk.len());
        match self.stream.read(&mut chunk[..room]) {
            Ok(0) => Next::Close,
            Ok(count) => {
                if self.received.is_empty() {
                    self.by = self.by.min(now + HEAD_WAIT);
                }
                self.received.extend_from_slice(&chunk[..count]);
                Next::GoOn
            }
            Err(error) => after_error(&error),
        }
    }

    fn write(&mut self, keep_alive: bool, now: Instant) -> Next {
        while self.sent < self.unsent.len() {
            match self.stream.write(&self.unsent[self.sent..]) {
                Ok(0) => return Next::Close,
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return after_error(&error),
            }
        }
        self.unsent = Vec::new();
        if keep_alive {
            self.phase = Phase::Reading;
            self.by = now + if self.received.is_empty() { KEEP_ALIVE_WAIT } else { HEAD_WAIT };
            return if self.received.is_empty() { Next::Wait } else { Next::GoOn };
        }
        // Closed at once, with something unread in the socket, the response would be lost.
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return Next::Close;
        }
        self.phase = Phase::Draining;
        self.by = now + DRAIN_WAIT;
        self.drain()
    }

    fn drain(&mut self) -> Next {
        match self.stream.read(&mut [0; 4096]) {
            Ok(0) => Next::Close,
            Ok(_) => Next::GoOn,
            Err(error) => after_error(&error),
        }
    }
}

/// Counted before anybody is answered.
fn first_census(service: &Service) -> io::Result<Totals> {
    let (sender, receiver) = mpsc::channel();
    service.count_totals(move |census| {
        let _ = sender.send(census);
    });
    let census = receiver.recv_timeout(CENSUS_WAIT).map_err(io::Error::other)?;
    census.map_err(io::Error::other)
}

fn after_error(error: &io::Error) -> Next {
    match error.kind() {
        ErrorKind::WouldBlock => Next::Wait,
        ErrorKind::Interrupted => Next::GoOn,
        _ => Next::Close,
    }
}

fn ready() -> Response {
    Response::text(200, "ready")
}

fn not_ready(why: &str) -> Response {
    Response::text(503, format!("not ready: {why}"))
}
