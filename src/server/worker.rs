//! A worker: a thread that owns its connections outright and waits until one of their sockets is
//! ready or an answer has come for one of them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use super::Options;
use super::admission::Permit;
use super::close::CloseReason;
use super::connection::{Connection, PendingRequest, READ_BYTES, TakenLine};
use super::encryption::{Broken, Encryption};
use super::listener::Origin;
use super::mailbox::{Arrival, Inbound, Mailbox};
use super::metrics::{ConnectionState, RequestResult, WorkerMetrics};
use super::proxies::{Beginning, Preamble};
use super::return_predictor::{Mark, ReturnPredictor, Wait};
use super::socket::Socket;
use crate::adjustable::Adjustable;
use crate::log::LineRate;
use crate::metrics::Stages;
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::Reply;
use crate::protocol::verb::Verb;
use crate::service::{
    Deliver, Expect, Flush, LiveSession, Network, Outcome, Responder, Service, StreamPage, Ticket,
    Watcher,
};

/// The token of the waker; the connections' tokens are their places in the slab.
const WAKER: Token = Token(usize::MAX);
/// How often one connection is read in a row, or how often a congested connection goes on, before
/// it is another connection's turn.
const TURNS_MAX: usize = 4;
/// How long a worker sleeps at most while its batch is deferred because another thread commits.
const DEFERRED_WAIT: Duration = Duration::from_millis(1);
/// How long what a peer still sends is read after the server has said its last.
const LINGER_WAIT: Duration = Duration::from_secs(2);
/// How many streams are told what is new before it is the turn of requests again: whoever sends does not
/// wait for all who watch.
const STREAMS_MAX: usize = 16;
/// How many events are taken from the system at a time.
const EVENTS_MAX: usize = 1024;
/// How many ends of connections, and how many slow requests, a worker logs a second; all are
/// counted.
const LOG_LINES_PER_SECOND_MAX: u32 = 20;

/// What whoever speaks anything else is told where TLS is spoken.
const TLS_ONLY: &str = "this port speaks TLS: use chats://HOST:PORT";

pub(super) struct Worker {
    poll: Poll,
    mailbox: Arc<Mailbox>,
    /// The same, as the service sees it.
    deliver: Arc<dyn Deliver>,
    service: Arc<Service>,
    heartbeat: Adjustable<Duration>,
    slow_request: Adjustable<Duration>,
    metrics: Arc<WorkerMetrics>,
    /// Ordinary ends must not use up what there is for the others.
    ordinary_ends_logged: LineRate,
    other_ends_logged: LineRate,
    slow_logged: LineRate,
    connections: Slab<Peer>,
    generation: u32,
    deadlines: BinaryHeap<Reverse<(Instant, usize, u32)>>,
    /// Where to read to; what was read is the connection's before anything else is.
    scratch: Box<[u8]>,
    /// Those whose turn it is again before anyone waits.
    unfinished: Vec<usize>,
    /// Those that watch, where there may be something new.
    streams: VecDeque<usize>,
    stop_by: Option<Instant>,
    return_predictor: ReturnPredictor,
    /// All connections are its own: when those whom it has answered lately have asked again, nobody else asks.
    is_alone: bool,
}

/// A connection and its socket.
struct Peer {
    socket: Socket,
    origin: Origin,
    /// As what it counts where passwords are guessed.
    network: Network,
    /// What comes before all else.
    preamble: Preamble,
    /// Between the two, where what is said is encrypted.
    encryption: Option<Box<Encryption>>,
    since: Instant,
    /// What came and went, for the end's line.
    requests: u64,
    received_bytes: u64,
    sent_bytes: u64,
    /// Whose the last request was that was one in a session.
    session: Option<Arc<LiveSession>>,
    /// As what it is counted.
    state: ConnectionState,
    connection: Connection,
    generation: u32,
    /// As far as is known: readiness is told once a change.
    readable: bool,
    writable: bool,
    /// The end of what the peer sends has been announced: it has to be read, not waited for.
    read_closed: bool,
    /// Whether it has been answered in this round of the worker's.
    mark: Mark,
    /// The earliest deadline of this connection that is on the heap.
    awaited: Option<Instant>,
    /// What the connection's stream reads with, where it is one.
    watcher: Option<Watcher>,
    /// It waits in [`Worker::streams`], where each has one place.
    is_hinted: bool,
    /// Everything has been said; why, and until when the rest is read.
    lingering: Option<(CloseReason, Instant)>,
    /// It was sending, or waiting for an answer, when the end began.
    was_sending: bool,
    permit: Permit,
}

impl Worker {
    /// Starts a worker's thread.
    pub(super) fn start(
        index: usize,
        service: Arc<Service>,
        options: &Options,
        metrics: Arc<WorkerMetrics>,
    ) -> io::Result<(Arc<Mailbox>, JoinHandle<()>)> {
        // A worker that waits takes a processor: where there is one, those who were answered may be waiting for it,
        // and where there are several workers, others have to be served.
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let awaited_max = match (processors, options.workers) {
            (1, _) => 0,
            (_, 1) => usize::MAX,
            _ => 1,
        };
        let poll = Poll::new()?;
        let mailbox = Arc::new(Mailbox::new(Waker::new(poll.registry(), WAKER)?));
        let worker = Self {
            poll,
            mailbox: Arc::clone(&mailbox),
            deliver: Arc::clone(&mailbox) as Arc<dyn Deliver>,
            service,
            heartbeat: options.heartbeat.clone(),
            slow_request: options.slow_request.clone(),
            metrics,
            ordinary_ends_logged: LineRate::new(LOG_LINES_PER_SECOND_MAX),
            other_ends_logged: LineRate::new(LOG_LINES_PER_SECOND_MAX),
            slow_logged: LineRate::new(LOG_LINES_PER_SECOND_MAX),
            connections: Slab::new(),
            generation: 0,
            deadlines: BinaryHeap::new(),
            scratch: vec![0; READ_BYTES].into_boxed_slice(),
            unfinished: Vec::new(),
            streams: VecDeque::new(),
            stop_by: None,
            return_predictor: ReturnPredictor::new(awaited_max),
            is_alone: options.workers == 1,
        };
        let thread =
            thread::Builder::new().name(format!("worker-{index}")).spawn(move || worker.run())?;
        Ok((mailbox, thread))
    }

    fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut inbound = Inbound::default();
        let mut ready = Vec::new();
        let service = Arc::clone(&self.service);
        let mut flush = Flush::Done;
        while self.stop_by.is_none() || !self.connections.is_empty() {
            self.wait(&mut events, flush);
            self.mailbox.collect(&mut inbound);
            let now = Instant::now();
            ready.append(&mut self.unfinished);
            self.return_predictor.begin_round();
            self.note_readiness(&events, &mut ready, now);
            self.take_answers(&mut inbound, now, &mut ready);
            self.take_connections(&mut inbound, now, &mut ready);
            self.take_deadlines(now, &mut ready);
            if let Some(by) = inbound.stop_by.take() {
                self.begin_stop(by, &mut ready);
            }
            // What all of them send is committed together.
            flush = service.collect_batch(|| {
                self.serve_all(&mut ready, now);
                self.serve_returning(&mut events, &mut ready)
            });
            self.serve_streams();
        }
    }

    /// Serves those who were answered in this round and ask again at once, as long as one comes soon after the
    /// other and there is nothing else to do.
    fn serve_returning(&mut self, events: &mut Events, ready: &mut Vec<usize>) -> Expect {
        let waits = self.return_predictor.is_worth_waiting();
        // Whatever they ask for would go with what others have asked for: a look costs little.
        let looks = self.return_predictor.has_answered() && self.service.has_collected();
        if !(waits || looks) {
            return Expect::MoreRequests;
        }
        let mut now = Instant::now();
        let mut wait = Wait::begin(now);
        loop {
            let come = self.return_predictor.come();
            self.poll(events, Some(Duration::ZERO));
            self.note_readiness(events, ready, now);
            self.serve_all(ready, now);
            if !waits {
                return Expect::MoreRequests;
            }
            now = Instant::now();
            if self.return_predictor.come() > come {
                wait.go_on(now);
            }
            if self.return_predictor.all_have_come() || wait.is_over(now) {
                // Where most have, they wait for an answer before they ask again, and all of them do so now.
                return match self.return_predictor.judge() {
                    true if self.is_alone => Expect::Nothing,
                    _ => Expect::MoreRequests,
                };
            }
            if self.has_turns() || self.mailbox.has_inbound() {
                return Expect::MoreRequests;
            }
        }
    }

    /// Whether it is somebody's turn again though nothing happens.
    fn has_turns(&self) -> bool {
        !self.unfinished.is_empty() || !self.streams.is_empty()
    }

    fn wait(&mut self, events: &mut Events, flush: Flush) {
        let idle = self.mailbox.may_sleep() && !self.has_turns();
        let deadline = self.deadlines.peek().map(|Reverse((at, ..))| *at);
        let flush_again = (flush == Flush::Deferred).then(|| Instant::now() + DEFERRED_WAIT);
        let deadline = deadline.into_iter().chain(self.stop_by).chain(flush_again).min();
        let wait = match deadline {
            _ if !idle => Some(Duration::ZERO),
            Some(at) => Some(at.saturating_duration_since(Instant::now())),
            None => None,
        };
        self.poll(events, wait);
    }

    fn poll(&mut self, events: &mut Events, wait: Option<Duration>) {
        if let Err(error) = self.poll.poll(events, wait)
            && error.kind() != io::ErrorKind::Interrupted
        {
            tracing::error!(%error, "waiting for readiness failed");
        }
    }

    fn note_readiness(&mut self, events: &Events, ready: &mut Vec<usize>, now: Instant) {
        for event in events {
            let Some(peer) = self.connections.get_mut(event.token().0) else { continue };
            if event.is_read_closed() && !peer.read_closed {
                peer.connection.probe(now);
            }
            if event.is_write_closed() {
                peer.connection.abandon();
            }
            peer.read_closed |= event.is_read_closed() || event.is_error();
            peer.readable |= event.is_readable() || peer.read_closed;
            peer.writable |= event.is_writable() || event.is_write_closed() || event.is_error();
            if peer.readable {
                self.return_predictor.note_asking(&mut peer.mark);
            }
            ready.push(event.token().0);
        }
    }

    fn take_answers(&mut self, inbound: &mut Inbound, now: Instant, ready: &mut Vec<usize>) {
        for (ticket, session) in inbound.attached_sessions.drain(..) {
            let Some(peer) = holder(&mut self.connections, ticket) else { continue };
            peer.note_session(Some(&session));
            peer.connection.attach_session(ticket.sequence, session);
        }
        for (ticket, answer, stages) in inbound.answers.drain(..) {
            let heartbeat = self.heartbeat.get();
            let Some(peer) = holder(&mut self.connections, ticket) else { continue };
            if let Some((pending, result)) =
                peer.take_answer(ticket.sequence, answer, heartbeat, now)
            {
                self.return_predictor.note_answer(&mut peer.mark);
                self.note_answer(pending, result, stages, now);
            }
            if ready.last() != Some(&ticket.connection) {
                ready.push(ticket.connection);
            }
        }
        for ticket in inbound.hints.drain(..) {
            let Some(peer) = holder(&mut self.connections, ticket) else { continue };
            peer.connection.hint(ticket.sequence);
            if !std::mem::replace(&mut peer.is_hinted, true) {
                self.streams.push_back(ticket.connection);
            }
        }
    }

    fn note_answer(
        &mut self,
        request: PendingRequest,
        result: RequestResult,
        stages: Stages,
        now: Instant,
    ) {
        let time = now.saturating_duration_since(request.since);
        self.metrics.count_request(request.verb, result, Some(time));
        if time < self.slow_request.get() {
            return;
        }
        self.metrics.slow_requests.increment();
        let Some(left_out) = self.slow_logged.admit(now) else { return };
        tracing::info!(
            verb = request.verb.as_str(),
            result = result.map_or("ok", |code| code.as_str()),
            user = request.session.as_ref().map(|session| session.user().0),
            seconds = seconds(time),
            queued = seconds(stages.queued),
            executed = seconds(stages.executed),
            committed = seconds(stages.committed),
            hashed = seconds(stages.hashed),
            left_out = (left_out > 0).then_some(left_out),
            "slow request"
        );
    }

    fn take_connections(&mut self, letters: &mut Inbound, now: Instant, ready: &mut Vec<usize>) {
        for Arrival { mut socket, origin, preamble, encryption, permit } in
            letters.connections.drain(..)
        {
            if self.stop_by.is_some() {
                continue;
            }
            self.generation = self.generation.wrapping_add(1);
            let entry = self.connections.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) =
                self.poll.registry().register(&mut socket, Token(entry.key()), interest)
            {
                tracing::error!(%error, "a connection could not be watched");
                continue;
            }
            ready.push(entry.key());
            self.metrics.opened.increment();
            self.metrics.connections[ConnectionState::New as usize].add(1);
            entry.insert(Peer {
                socket,
                origin,
                network: origin.network(),
                preamble,
                encryption,
                since: now,
                requests: 0,
                received_bytes: 0,
                sent_bytes: 0,
                session: None,
                state: ConnectionState::New,
                connection: Connection::new(now),
                generation: self.generation,
                readable: true,
                writable: true,
                read_closed: false,
                awaited: None,
                watcher: None,
                is_hinted: false,
                mark: Mark::default(),
                lingering: None,
                was_sending: false,
                permit,
            });
        }
    }

    fn take_deadlines(&mut self, now: Instant, ready: &mut Vec<usize>) {
        while let Some(&Reverse((at, index, generation))) = self.deadlines.peek()
            && at <= now
        {
            self.deadlines.pop();
            if let Some(peer) = self.connections.get_mut(index)
                && peer.generation == generation
            {
                peer.awaited = None;
                ready.push(index);
            }
        }
        if self.stop_by.is_some_and(|by| by <= now) {
            for (index, peer) in &mut self.connections {
                peer.connection.close(CloseReason::Stopping);
                ready.push(index);
            }
        }
    }

    fn begin_stop(&mut self, by: Instant, ready: &mut Vec<usize>) {
        self.stop_by = Some(by);
        for (index, peer) in &mut self.connections {
            peer.was_sending = peer.connection.is_busy();
            peer.connection.stop();
            ready.push(index);
        }
    }

    fn serve_all(&mut self, ready: &mut Vec<usize>, now: Instant) {
        for index in ready.drain(..) {
            self.serve_guarded(index, now);
        }
    }

    fn serve_streams(&mut self) {
        if self.streams.is_empty() {
            return;
        }
        let now = Instant::now();
        for _ in 0..STREAMS_MAX {
            let Some(index) = self.streams.pop_front() else { break };
            if let Some(peer) = self.connections.get_mut(index) {
                peer.is_hinted = false;
            }
            self.serve_guarded(index, now);
        }
        // The disk may have woken the store's thread `writer` on this processor: all whose messages it has just
        // committed wait until it has its turn.
        thread::yield_now();
    }

    /// A panic ends the connection it happened on, and no other. What it had under way in the
    /// store is done all the same.
    fn serve_guarded(&mut self, index: usize, now: Instant) {
        if catch_unwind(AssertUnwindSafe(|| self.serve(index, now))).is_err() {
            tracing::error!("serving a connection panicked");
            self.remove(index, CloseReason::Panicked, now);
        }
    }

    /// Does all that can be done for one connection without waiting: executes, writes and reads
    /// until it has to wait or others have waited long enough.
    fn serve(&mut self, index: usize, now: Instant) {
        let Some(peer) = self.connections.get_mut(index) else { return };
        if peer.lingering.is_some() {
            return self.linger(index, now);
        }
        let mut turns = 0;
        loop {
            while let Some(taken) = peer.connection.next_request(now) {
                peer.requests += 1;
                let (sequence, request) = match taken {
                    TakenLine::Request(sequence, request) => (sequence, request),
                    TakenLine::Refused(code) => {
                        self.metrics.count_request(Verb::Invalid, Some(code), None);
                        continue;
                    }
                };
                let generation = peer.generation;
                let ticket = Ticket { connection: index, generation, sequence };
                let network = peer.network(request.verb());
                let responder = Responder::new(Arc::clone(&self.deliver), ticket, network);
                let executing = self.service.execute(request, responder);
                peer.note_session(executing.session.as_ref());
                peer.connection.executing(executing);
            }
            let more = peer.read_stream(now);
            let was_congested = peer.connection.is_congested();
            peer.write(now, &self.metrics);
            // What was held back because too much was unsent goes on now: nothing else calls.
            let relieved = was_congested && !peer.connection.is_congested();
            let readable = peer.readable && peer.connection.wants_input();
            if !relieved && !readable && !more {
                break;
            }
            if turns == TURNS_MAX {
                self.unfinished.push(index);
                break;
            }
            if !relieved && readable {
                peer.read(&mut self.scratch, &self.metrics);
            }
            turns += 1;
        }
        peer.note_state(peer.connection.state(), &self.metrics);
        match peer.close_reason(now) {
            Some(reason) if reason.is_ours() => self.begin_linger(index, reason, now),
            Some(reason) => self.remove(index, reason, now),
            None => self.await_deadline(index),
        }
    }

    /// The server has said its last. A socket that is closed with something unread in it sends a
    /// reset, which takes from the peer what it has not read yet: so the rest of what it sends is
    /// read first, if it is sending anything, until it has read that there is nothing more.
    fn begin_linger(&mut self, index: usize, reason: CloseReason, now: Instant) {
        let Some(peer) = self.connections.get_mut(index) else { return };
        peer.say_last();
        let _ = peer.socket.shutdown(Shutdown::Write);
        let until = self.stop_by.unwrap_or(now + LINGER_WAIT).min(now + LINGER_WAIT);
        peer.lingering = Some((reason, until));
        peer.note_state(ConnectionState::Closing, &self.metrics);
        // Readiness may have been told already.
        peer.readable = true;
        self.linger(index, now);
    }

    fn linger(&mut self, index: usize, now: Instant) {
        let Some(peer) = self.connections.get_mut(index) else { return };
        let Some((reason, until)) = peer.lingering else { return };
        let mut turns = 0;
        while peer.readable && turns < TURNS_MAX {
            match peer.socket.read(&mut self.scratch) {
                Ok(0) => return self.remove(index, reason, now),
                Ok(_) => peer.was_sending = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => peer.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.remove(index, reason, now),
            }
            turns += 1;
        }
        if !peer.was_sending || until <= now {
            return self.remove(index, reason, now);
        }
        if peer.readable {
            self.unfinished.push(index);
        }
        if peer.awaited.is_none_or(|awaited| until < awaited) {
            peer.awaited = Some(until);
            self.deadlines.push(Reverse((until, index, peer.generation)));
        }
    }

    fn await_deadline(&mut self, index: usize) {
        let Some(peer) = self.connections.get_mut(index) else { return };
        let Some(deadline) = peer.deadline() else { return };
        // One that is earlier already is looked at first, and finds this one then.
        if peer.awaited.is_none_or(|awaited| deadline < awaited) {
            peer.awaited = Some(deadline);
            self.deadlines.push(Reverse((deadline, index, peer.generation)));
        }
    }

    fn remove(&mut self, index: usize, reason: CloseReason, now: Instant) {
        let Some(mut peer) = self.connections.try_remove(index) else { return };
        peer.say_last();
        let _ = self.poll.registry().deregister(&mut peer.socket);
        self.metrics.connections[peer.state as usize].add(-1);
        self.metrics.closed[reason as usize].increment();
        let logged = if reason.is_ordinary() {
            &mut self.ordinary_ends_logged
        } else {
            &mut self.other_ends_logged
        };
        if let Some(left_out) = logged.admit(now) {
            peer.log_end(reason, now, left_out);
        }
    }
}

impl Peer {
    /// Takes an answer; tells which request it was the answer to, where it was.
    fn take_answer(
        &mut self,
        sequence: u32,
        answer: Outcome,
        heartbeat: Duration,
        now: Instant,
    ) -> Option<(PendingRequest, RequestResult)> {
        match answer {
            Outcome::Reply(reply) => {
                let result = match &reply {
                    Reply::Refused(Refusal { code, .. }) => Some(*code),
                    _ => None,
                };
                Some((self.connection.answer(sequence, reply)?, result))
            }
            Outcome::Stream(watching, watcher) => {
                let after = watching.after;
                let pending = self.connection.answer(sequence, Reply::Watching(watching));
                self.connection.begin_stream(sequence, after, heartbeat, now);
                self.watcher = Some(watcher);
                Some((pending?, None))
            }
            Outcome::Page(page) => {
                if !self.connection.push_events(sequence, page, now) {
                    self.watcher = None;
                }
                None
            }
        }
    }

    /// Where a request of this verb comes from. Processes of this machine are told apart by their user,
    /// once that counts.
    fn network(&mut self, verb: Verb) -> Network {
        if self.network == Network::ThisMachine
            && matches!(verb, Verb::Auth | Verb::Passwd)
            && let Some(user) = self.socket.owner()
        {
            self.network = Network::User(user);
        }
        self.network
    }

    /// Has the stream read on, where there may be more, and tells what is read at once. Whether there
    /// is more right behind that.
    fn read_stream(&mut self, now: Instant) -> bool {
        let (Some(after), Some(watcher)) = (self.connection.next_read(now), &self.watcher) else {
            return false;
        };
        let Some(page) = watcher.read(after) else { return false };
        let more = matches!(page, StreamPage::Messages { more: true, .. });
        if !self.connection.push_events_now(page, now) {
            self.watcher = None;
        }
        more
    }

    fn note_session(&mut self, session: Option<&Arc<LiveSession>>) {
        let Some(session) = session else { return };
        if self.session.as_ref().is_none_or(|known| !Arc::ptr_eq(known, session)) {
            self.session = Some(Arc::clone(session));
        }
    }

    fn note_state(&mut self, state: ConnectionState, metrics: &WorkerMetrics) {
        if state != self.state {
            metrics.connections[self.state as usize].add(-1);
            metrics.connections[state as usize].add(1);
            self.state = state;
        }
    }

    /// One line for the whole connection: at `debug` where it ended as connections do.
    fn log_end(&self, reason: CloseReason, now: Instant, left_out: u64) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    reason = reason.as_str(),
                    address = %self.origin,
                    user = self.session.as_ref().map(|session| session.user().0),
                    seconds = seconds(now.saturating_duration_since(self.since)),
                    requests = self.requests,
                    received_bytes = self.received_bytes,
                    sent_bytes = self.sent_bytes,
                    left_out = (left_out > 0).then_some(left_out),
                    "connection ended"
                )
            };
        }
        if reason.is_ordinary() { line!(debug) } else { line!(info) }
    }

    /// Sends what there is to send, as far as the socket takes it.
    fn write(&mut self, now: Instant, metrics: &WorkerMetrics) {
        while self.writable && self.has_output() {
            let unsent = self.connection.unsent();
            let written = match &mut self.encryption {
                None => self.socket.write(unsent).and_then(|count| match count {
                    0 => Err(io::ErrorKind::WouldBlock.into()),
                    count => Ok(count),
                }),
                Some(encryption) => encryption.write(unsent, &mut self.socket),
            };
            match written {
                Ok(count) => {
                    metrics.sent_bytes.add(count as u64);
                    self.sent_bytes += count as u64;
                    self.connection.sent(count, now);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.writable = false;
                    self.connection.sent(0, now);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.connection.close(CloseReason::Broken),
            }
        }
    }

    fn has_output(&self) -> bool {
        let unsent = self.connection.unsent();
        match &self.encryption {
            None => !unsent.is_empty(),
            Some(encryption) => encryption.has_output(unsent),
        }
    }

    /// Reads once.
    fn read(&mut self, scratch: &mut [u8], metrics: &WorkerMetrics) {
        match self.socket.read(scratch) {
            Ok(0) => self.connection.end_input(),
            Ok(count) => {
                let before = self.received_bytes;
                self.receive(&scratch[..count]);
                metrics.received_bytes.add(self.received_bytes - before);
                // Less than was asked for: the socket is empty, and what comes next will be told
                // (epoll(7), question 9).
                self.readable = count == scratch.len() || self.read_closed;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.connection.close(CloseReason::Broken),
        }
    }

    /// Takes what the socket gave.
    fn receive(&mut self, bytes: &[u8]) {
        if self.preamble.is_over() {
            return self.receive_from_client(bytes);
        }
        match self.preamble.look(bytes) {
            Beginning::Client => self.receive_from_client(bytes),
            Beginning::Incomplete => {}
            Beginning::Header(client, rest) => {
                client.into_iter().for_each(|client| self.speak_for(client));
                self.receive_from_client(&rest);
            }
            Beginning::Refused(refusal) => self.refuse(refusal, CloseReason::WrongProtocol),
        }
    }

    /// From now on the connection is that of a proxy's client.
    fn speak_for(&mut self, client: SocketAddr) {
        self.origin = Origin::Network(client);
        self.network = self.origin.network();
        if !self.permit.count_for(client.ip()) {
            self.refuse(Code::TooManyConnections.into(), CloseReason::TooManyConnections);
        }
    }

    /// Says, in the clear, why nothing can be done here: nothing was said before, so no TLS either.
    fn refuse(&mut self, refusal: Refusal, reason: CloseReason) {
        self.encryption = None;
        self.connection.refuse(refusal, reason);
    }

    fn receive_from_client(&mut self, bytes: &[u8]) {
        let (connection, received_bytes) = (&mut self.connection, &mut self.received_bytes);
        let mut take = |text: &[u8]| {
            *received_bytes += text.len() as u64;
            connection.receive(text);
        };
        let Some(encryption) = &mut self.encryption else { return take(bytes) };
        match encryption.receive(bytes, take) {
            Ok(false) => {}
            Ok(true) => self.connection.end_input(),
            Err(Broken::NotTls) => {
                // In the clear, so that whoever speaks it understands.
                self.refuse(Refusal::new(Code::WrongProtocol, TLS_ONLY), CloseReason::NotTls);
            }
            Err(Broken::Tls(error)) => {
                tracing::debug!(%error, address = %self.origin, "no TLS with this peer");
                self.connection.close(CloseReason::TlsFailed);
            }
        }
    }

    fn close_reason(&self, now: Instant) -> Option<CloseReason> {
        let late = self.handshake_by().is_some_and(|by| by <= now);
        self.connection.close_reason(now).or(late.then_some(CloseReason::TlsTimeout))
    }

    fn deadline(&self) -> Option<Instant> {
        self.handshake_by().into_iter().chain(self.connection.deadline()).min()
    }

    fn handshake_by(&self) -> Option<Instant> {
        self.encryption.as_ref().and_then(|encryption| encryption.deadline())
    }

    /// Nothing more is sent: a peer with TLS is told so, once.
    fn say_last(&mut self) {
        if let Some(mut encryption) = self.encryption.take() {
            encryption.close(&mut self.socket);
        }
    }
}

/// Whoever holds a ticket, unless it has gone (and somebody else has come in the same place).
fn holder(connections: &mut Slab<Peer>, ticket: Ticket) -> Option<&mut Peer> {
    let peer = connections.get_mut(ticket.connection)?;
    (peer.generation == ticket.generation).then_some(peer)
}

/// For the log: to the microsecond.
fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}
