//! A worker: a thread that owns its connections. It waits until a socket is ready or an outcome
//! arrives.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read};
use std::net::Shutdown;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use slab::Slab;

use super::Options;
use super::close::CloseReason;
use super::connection::{PendingRequest, READ_BYTES, TakenLine};
use super::mailbox::{Inbound, Mailbox};
use super::metrics::{ConnectionState, RequestResult, WorkerMetrics};
use super::peer::{Peer, seconds};
use super::return_predictor::{ReturnPredictor, Wait};
use crate::adjustable::Adjustable;
use crate::log::LineRate;
use crate::metrics::Stages;
use crate::protocol::verb::Verb;
use crate::service::{Deliver, Expect, Flush, Responder, Service, Ticket};

/// The token of the waker. The token of a connection is its index in the slab.
const WAKER: Token = Token(usize::MAX);
/// The maximum number of reads, or of resumptions after congestion, per turn of a connection.
const TURNS_MAX: usize = 4;
/// How long a worker sleeps at most while its batch is deferred because another thread commits.
const DEFERRED_WAIT: Duration = Duration::from_millis(1);
/// How long the worker reads on after it has sent its last bytes.
const LINGER_WAIT: Duration = Duration::from_secs(2);
/// The maximum number of streams served before requests are served again. It bounds how long
/// senders wait for streams.
const STREAMS_MAX: usize = 16;
/// The maximum number of events per poll.
const EVENTS_MAX: usize = 1024;
/// The maximum number of server log lines a second about ended connections, and about slow
/// requests.
const LOG_LINES_PER_SECOND_MAX: u32 = 20;

pub(super) struct Worker {
    poll: Poll,
    mailbox: Arc<Mailbox>,
    /// The mailbox, as the service uses it.
    deliver: Arc<dyn Deliver>,
    service: Arc<Service>,
    heartbeat: Adjustable<Duration>,
    slow_request: Adjustable<Duration>,
    metrics: Arc<WorkerMetrics>,
    /// Separate rates, so that ordinary ends do not suppress other ends.
    ordinary_ends_logged: LineRate,
    other_ends_logged: LineRate,
    slow_logged: LineRate,
    connections: Slab<Peer>,
    generation: u32,
    deadlines: BinaryHeap<Reverse<(Instant, usize, u32)>>,
    /// The read buffer, used within one read only.
    scratch: Box<[u8]>,
    /// Connections that need another turn before the worker waits.
    unfinished: Vec<usize>,
    /// Streams that may have new messages.
    streams: VecDeque<usize>,
    stop_by: Option<Instant>,
    return_predictor: ReturnPredictor,
    /// It is the only worker. Once the clients that it answered have sent their next requests, no
    /// other client will send.
    is_alone: bool,
}

impl Worker {
    /// Starts a worker's thread.
    pub(super) fn start(
        index: usize,
        service: Arc<Service>,
        options: &Options,
        metrics: Arc<WorkerMetrics>,
    ) -> io::Result<(Arc<Mailbox>, JoinHandle<()>)> {
        // A waiting worker occupies a processor. On a single one it would delay the clients that it
        // waits for. With several workers it would delay other connections.
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
            // All their writes are committed together.
            flush = service.collect_batch(|| {
                self.serve_all(&mut ready, now);
                self.serve_returning(&mut events, &mut ready)
            });
            self.serve_streams();
        }
    }

    /// Serves clients that were answered in this round and send their next request at once. It ends
    /// when none comes for a while or when there is other work.
    fn serve_returning(&mut self, events: &mut Events, ready: &mut Vec<usize>) -> Expect {
        let waits = self.return_predictor.is_worth_waiting();
        // Their writes would join the collected ones, and one poll costs little.
        let looks = self.return_predictor.has_answered() && self.service.has_collected();
        if !(waits || looks) {
            return Expect::MoreRequests;
        }
        let mut now = Instant::now();
        let mut wait = Wait::begin(now);
        loop {
            let returned = self.return_predictor.returned();
            self.poll(events, Some(Duration::ZERO));
            self.note_readiness(events, ready, now);
            self.serve_all(ready, now);
            if !waits {
                return Expect::MoreRequests;
            }
            now = Instant::now();
            if self.return_predictor.returned() > returned {
                wait.extend(now);
            }
            if self.return_predictor.all_returned() || wait.is_over(now) {
                // Most clients have sent their next request, so they are request-response clients,
                // and no more input is expected.
                return match self.return_predictor.end_wait() {
                    true if self.is_alone => Expect::Nothing,
                    _ => Expect::MoreRequests,
                };
            }
            if self.has_turns() || self.mailbox.has_inbound() {
                return Expect::MoreRequests;
            }
        }
    }

    /// Whether a connection needs another turn without a new event.
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
                self.return_predictor.note_request(&mut peer.mark);
            }
            ready.push(event.token().0);
        }
    }

    fn take_answers(&mut self, inbound: &mut Inbound, now: Instant, ready: &mut Vec<usize>) {
        for (ticket, session) in inbound.attached_sessions.drain(..) {
            let Some(peer) = holder(&mut self.connections, ticket) else { continue };
            peer.connection.attach_session(ticket.sequence, session);
        }
        for (ticket, answer, stages) in inbound.answers.drain(..) {
            let heartbeat = self.heartbeat.get();
            let Some(peer) = holder(&mut self.connections, ticket) else { continue };
            if let Some((pending, result)) =
                peer.connection.take_outcome(ticket.sequence, answer, heartbeat, now)
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

    fn take_connections(&mut self, inbound: &mut Inbound, now: Instant, ready: &mut Vec<usize>) {
        for mut arrival in inbound.connections.drain(..) {
            if self.stop_by.is_some() {
                continue;
            }
            self.generation = self.generation.wrapping_add(1);
            let entry = self.connections.vacant_entry();
            let interest = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) =
                self.poll.registry().register(&mut arrival.socket, Token(entry.key()), interest)
            {
                tracing::error!(%error, "a connection could not be watched");
                continue;
            }
            ready.push(entry.key());
            self.metrics.opened.increment();
            self.metrics.connections[ConnectionState::New as usize].add(1);
            entry.insert(Peer::new(arrival, self.generation, now));
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
        // The store's writer thread may have become runnable on this processor. All senders of its
        // last commit wait until it runs.
        thread::yield_now();
    }

    /// Serves a connection. A panic ends only this connection. Its requests in progress are still
    /// executed by the store.
    fn serve_guarded(&mut self, index: usize, now: Instant) {
        if catch_unwind(AssertUnwindSafe(|| self.serve(index, now))).is_err() {
            tracing::error!("serving a connection panicked");
            self.remove(index, CloseReason::Panicked, now);
        }
    }

    /// Executes requests, writes and reads for one connection, until it has to wait or its turns
    /// are used up.
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
                let responder = Responder::new(Arc::clone(&self.deliver), ticket, network)
                    .from_peer(peer.unix_user());
                let in_flight = self.service.execute(request, responder);
                peer.connection.note_in_flight(in_flight);
            }
            let more = peer.connection.read_stream(now);
            let was_congested = peer.connection.is_congested();
            peer.write(now, &self.metrics);
            // Requests held back by congestion go on now, as no further event comes.
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

    /// Begins to close a connection after the server's last bytes. Closing a socket with unread
    /// input sends a reset, and the peer loses what it has not read yet. So if the peer is sending,
    /// the worker reads on until the peer closes.
    fn begin_linger(&mut self, index: usize, reason: CloseReason, now: Instant) {
        let Some(peer) = self.connections.get_mut(index) else { return };
        peer.say_last();
        let _ = peer.socket.shutdown(Shutdown::Write);
        let until = self.stop_by.unwrap_or(now + LINGER_WAIT).min(now + LINGER_WAIT);
        peer.lingering = Some((reason, until));
        peer.note_state(ConnectionState::Closing, &self.metrics);
        // The readiness event may have come before.
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
        // An earlier deadline on the heap fires first and adds this one then.
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

/// The peer of a ticket, unless it has gone and another peer has its index.
fn holder(connections: &mut Slab<Peer>, ticket: Ticket) -> Option<&mut Peer> {
    let peer = connections.get_mut(ticket.connection)?;
    (peer.generation == ticket.generation).then_some(peer)
}
