//! The monitor's event loop. It serves a few connections on one thread and never blocks on one of
//! them. A silent or slow connection is closed at its deadline, or earlier if a new one needs its
//! place.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::history::History;
use super::http::{HEAD_BYTES_MAX, Hosts, Request, Response};
use super::readiness::{self, Readiness};
use super::{Sources, exposition, status};
use crate::service::Service;
use crate::store::Totals;
use crate::system::Waker;

/// The most connections at a time. A new one replaces the oldest connection without a complete
/// request, or else the oldest of all.
const CONNECTIONS_MAX: usize = 32;
/// How long the head of a request may take. The time counts from its first byte; for the first
/// request, from the start of the connection.
const HEAD_WAIT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for another request.
const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(75);
/// How long sending a response may take.
const WRITE_WAIT: Duration = Duration::from_secs(10);
/// How long the rest of a client's input is read after the last response.
const DRAIN_WAIT: Duration = Duration::from_secs(1);
/// How long a request for readiness waits for the probe write.
const READY_WAIT: Duration = Duration::from_secs(2);
/// How often users and sessions are counted.
const TOTALS_INTERVAL: Duration = Duration::from_secs(10);
/// How long the first count may take.
const TOTALS_WAIT: Duration = Duration::from_secs(60);
/// How long accepting pauses when the system cannot accept another connection.
const BACK_OFF: Duration = Duration::from_millis(200);

/// The event loop: see the module documentation.
pub(super) struct EventLoop {
    listener: TcpListener,
    hosts: Hosts,
    sources: Sources,
    /// The server is stopping.
    stopping: Arc<AtomicBool>,
    /// The monitor must end.
    ended: Arc<AtomicBool>,
    waker: Waker,
    peers: Vec<Peer>,
    readiness: Readiness,
    totals: Arc<Mutex<Totals>>,
    totals_at: Instant,
    history: History,
    /// Accepting pauses until this time.
    accept_at: Instant,
    started_at: SystemTime,
}

struct Peer {
    stream: TcpStream,
    received: Vec<u8>,
    unsent: Vec<u8>,
    sent: usize,
    phase: Phase,
    /// When the connection is closed or, if it waits for readiness, gets its response.
    deadline: Instant,
}

enum Phase {
    /// Reading a request.
    Reading,
    /// Waiting for the probe write before answering this request.
    Waiting(Request),
    /// Sending the response.
    Writing { keep_alive: bool },
    /// Reading the rest of the input, until the client closes.
    Draining,
}

/// What happens to a connection next.
#[derive(PartialEq, Eq)]
enum Next {
    /// It waits for its socket.
    Wait,
    /// It can continue at once, after the other connections had their turn.
    Continue,
    Close,
}

impl EventLoop {
    pub(super) fn new(
        listener: TcpListener,
        hosts: Hosts,
        sources: Sources,
        stopping: Arc<AtomicBool>,
        ended: Arc<AtomicBool>,
        waker: Waker,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let totals = first_totals(&sources.service)?;
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
            totals: Arc::new(Mutex::new(totals)),
            totals_at: now + TOTALS_INTERVAL,
            history,
            accept_at: now,
            started_at: SystemTime::now(),
        })
    }

    pub(super) fn run(mut self) {
        let mut has_more_work = false;
        while !self.ended.load(Ordering::SeqCst) {
            let ready = self.wait(has_more_work);
            let now = Instant::now();
            self.count_totals(now);
            if self.history.due() <= now {
                self.history.look(&self.sources);
            }
            self.answer_waiting(now);
            has_more_work = self.serve_ready(&ready, now);
            self.accept_all(now);
        }
    }

    /// Waits for an event or the next deadline. The result says for each file whether it is ready:
    /// first the connections, then the waker and the listener.
    fn wait(&self, has_more_work: bool) -> Vec<bool> {
        let now = Instant::now();
        let accepting = self.accept_at <= now;
        let due =
            self.peers.iter().map(|peer| peer.deadline).chain([self.totals_at, self.history.due()]);
        let due = due.chain((!accepting).then_some(self.accept_at)).min().unwrap_or(now);
        let wait = if has_more_work { Duration::ZERO } else { due.saturating_duration_since(now) };
        let mut files = Vec::with_capacity(self.peers.len() + 2);
        files.extend(self.peers.iter().map(|peer| PollFd::new(&peer.stream, peer.interest())));
        files.push(PollFd::new(&self.waker, PollFlags::IN));
        let interest = if accepting { PollFlags::IN } else { PollFlags::empty() };
        files.push(PollFd::from_borrowed_fd(self.listener.as_fd(), interest));
        let timeout =
            Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
        if let Err(error) = poll(&mut files, Some(&timeout))
            && error != rustix::io::Errno::INTR
        {
            tracing::error!(%error, "the monitor cannot poll its connections");
            std::thread::park_timeout(BACK_OFF);
        }
        let ready: Vec<bool> = files.iter().map(|file| !file.revents().is_empty()).collect();
        if ready[self.peers.len()] {
            self.waker.reset();
        }
        ready
    }

    /// Starts a count of users and sessions every [`TOTALS_INTERVAL`]. Responses use the last
    /// result.
    fn count_totals(&mut self, now: Instant) {
        if now < self.totals_at {
            return;
        }
        self.totals_at = now + TOTALS_INTERVAL;
        let found = Arc::clone(&self.totals);
        self.sources.service.count_totals(move |totals| {
            // A failed count is repeated after the next interval.
            if let Ok(totals) = totals {
                *found.lock().unwrap_or_else(PoisonError::into_inner) = totals;
            }
        });
    }

    fn answer_waiting(&mut self, now: Instant) {
        if !self.peers.iter().any(|peer| matches!(peer.phase, Phase::Waiting(_))) {
            return;
        }
        let state = self.readiness.poll();
        for peer in &mut self.peers {
            let Phase::Waiting(request) = &peer.phase else { continue };
            let response = match &state {
                readiness::State::Pending if peer.deadline > now => continue,
                readiness::State::Pending => {
                    let wait = READY_WAIT.as_secs();
                    not_ready(&format!("the writer has not answered for {wait} s"))
                }
                readiness::State::Ready => ready(),
                readiness::State::NotReady(why) => not_ready(why),
            };
            let (head_only, keep_alive) = (request.head_only, request.keep_alive);
            peer.answer(&response, head_only, keep_alive, now);
        }
    }

    /// Serves the connections that are ready, and closes those past their deadline. The result is
    /// whether one of them can continue at once.
    fn serve_ready(&mut self, ready: &[bool], now: Instant) -> bool {
        let mut has_more_work = false;
        let mut index = 0;
        let mut peers = std::mem::take(&mut self.peers);
        peers.retain_mut(|peer| {
            index += 1;
            let expired = peer.deadline <= now;
            let has_input = !peer.received.is_empty() && matches!(peer.phase, Phase::Reading);
            let turn = ready.get(index - 1).copied().unwrap_or(true) || has_input;
            let writes = matches!(peer.phase, Phase::Writing { .. });
            let next = if turn || writes { self.serve(peer, now) } else { Next::Wait };
            has_more_work |= next == Next::Continue;
            next != Next::Close && !(expired && peer.deadline <= now)
        });
        self.peers = peers;
        has_more_work
    }

    fn serve(&mut self, peer: &mut Peer, now: Instant) -> Next {
        match peer.phase {
            Phase::Reading => self.read(peer, now),
            Phase::Writing { keep_alive } => peer.write(keep_alive, now),
            Phase::Draining => peer.drain(),
            // Polling requested no events, so this is an error or a hang-up.
            Phase::Waiting(_) => Next::Close,
        }
    }

    /// Reads a request, and sends as much of the response as the socket accepts.
    fn read(&mut self, peer: &mut Peer, now: Instant) -> Next {
        loop {
            match Request::parse(&peer.received, &self.hosts) {
                Ok(Some((request, length))) => {
                    peer.received.drain(..length);
                    self.start_response(peer, request, now);
                    break;
                }
                Ok(None) => match peer.receive(now) {
                    Next::Continue => {}
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

    fn start_response(&mut self, peer: &mut Peer, request: Request, now: Instant) {
        let responded = catch_unwind(AssertUnwindSafe(|| self.respond(&request)));
        let response = match responded {
            Ok(Some(response)) => response,
            Ok(None) => {
                peer.deadline = now + READY_WAIT;
                peer.phase = Phase::Waiting(request);
                return;
            }
            Err(_) => {
                tracing::error!(path = request.path, "the monitor panicked");
                Response::text(500, "internal server error")
            }
        };
        peer.answer(&response, request.head_only, request.keep_alive, now);
    }

    /// The response to a request. `None` if a probe write has to end first.
    fn respond(&mut self, request: &Request) -> Option<Response> {
        let totals = *self.totals.lock().unwrap_or_else(PoisonError::into_inner);
        let stopping = self.stopping.load(Ordering::SeqCst);
        Some(match request.path.as_str() {
            "/" => status::page(),
            "/status.json" => {
                status::figures(&self.sources, totals, self.started_at, stopping, &self.history)
            }
            "/metrics" => {
                let text = exposition::render(&self.sources, totals, self.started_at);
                Response::new(200, exposition::CONTENT_TYPE, text)
            }
            "/healthz" => Response::text(200, "ok"),
            "/readyz" if stopping => not_ready("the server is stopping"),
            "/readyz" => match self.readiness.check(&self.sources.service, &self.waker) {
                readiness::State::Ready => ready(),
                readiness::State::NotReady(why) => not_ready(&why),
                readiness::State::Pending => return None,
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
                Ok((stream, _)) => self.add_peer(stream, now),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => self.accept_at = now + BACK_OFF,
                },
            }
        }
    }

    fn add_peer(&mut self, stream: TcpStream, now: Instant) {
        if stream.set_nonblocking(true).and_then(|()| stream.set_nodelay(true)).is_err() {
            return;
        }
        if self.peers.len() >= CONNECTIONS_MAX {
            let idle = self.peers.iter().position(|peer| matches!(peer.phase, Phase::Reading));
            // The connections are in the order of their arrival.
            self.peers.remove(idle.unwrap_or(0));
        }
        self.peers.push(Peer {
            stream,
            received: Vec::new(),
            unsent: Vec::new(),
            sent: 0,
            phase: Phase::Reading,
            deadline: now + HEAD_WAIT,
        });
    }
}

impl Peer {
    fn interest(&self) -> PollFlags {
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
        self.deadline = now + WRITE_WAIT;
    }

    /// Reads once; there is something new where it can go on.
    fn receive(&mut self, now: Instant) -> Next {
        let mut chunk = [0; 2048];
        let room = HEAD_BYTES_MAX.saturating_sub(self.received.len()).clamp(1, chunk.len());
        match self.stream.read(&mut chunk[..room]) {
            Ok(0) => Next::Close,
            Ok(count) => {
                if self.received.is_empty() {
                    self.deadline = self.deadline.min(now + HEAD_WAIT);
                }
                self.received.extend_from_slice(&chunk[..count]);
                Next::Continue
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
            self.deadline =
                now + if self.received.is_empty() { KEEP_ALIVE_WAIT } else { HEAD_WAIT };
            return if self.received.is_empty() { Next::Wait } else { Next::Continue };
        }
        // Shut down only the write side first: closing a socket with unread input would discard the
        // response.
        if self.stream.shutdown(Shutdown::Write).is_err() {
            return Next::Close;
        }
        self.phase = Phase::Draining;
        self.deadline = now + DRAIN_WAIT;
        self.drain()
    }

    fn drain(&mut self) -> Next {
        match self.stream.read(&mut [0; 4096]) {
            Ok(0) => Next::Close,
            Ok(_) => Next::Continue,
            Err(error) => after_error(&error),
        }
    }
}

/// Counts users and sessions before the first response.
fn first_totals(service: &Service) -> io::Result<Totals> {
    let (sender, receiver) = mpsc::channel();
    service.count_totals(move |totals| {
        let _ = sender.send(totals);
    });
    let totals = receiver.recv_timeout(TOTALS_WAIT).map_err(io::Error::other)?;
    totals.map_err(io::Error::other)
}

fn after_error(error: &io::Error) -> Next {
    match error.kind() {
        ErrorKind::WouldBlock => Next::Wait,
        ErrorKind::Interrupted => Next::Continue,
        _ => Next::Close,
    }
}

fn ready() -> Response {
    Response::text(200, "ready")
}

fn not_ready(why: &str) -> Response {
    Response::text(503, format!("not ready: {why}"))
}
