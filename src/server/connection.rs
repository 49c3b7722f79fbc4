//! A connection without its socket and clock. It turns bytes into requests, and replies into bytes,
//! in the order of the requests. The caller passes the time.

mod outbox;
mod outcome;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memchr;
use outbox::{OUTBOX_BYTES_BUSY, Outbox};
pub use outbox::{OUTBOX_BYTES_MAX, WRITE_WAIT};

use super::close::CloseReason;
use super::metrics::ConnectionState;
use super::stream::Stream;
use crate::model::{MessageId, Token};
use crate::protocol::command::Request;
use crate::protocol::framing::{LINE_BYTES_MAX, LineDecoder, LineError};
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::{REPLY_BYTES_MAX, Reply};
use crate::protocol::verb::Verb;
use crate::service::{Concurrency, InFlight, LiveSession, OpenConnection, StreamPage, Watcher};

/// The maximum number of requests of a connection that wait for replies. At this number the server
/// does not read from it.
pub const PIPELINED_REQUESTS_MAX: usize = 128;
/// Once the lines of waiting requests have this many bytes, the server does not read from the
/// connection.
const PIPELINED_BYTES_MAX: usize = 256 * 1024;
/// How long a new connection may go without a successful request.
pub const FIRST_REQUEST_WAIT: Duration = Duration::from_secs(30);
/// How long a line may take from its first byte to its last.
pub const LINE_WAIT: Duration = Duration::from_secs(10);
/// The number of bytes that the worker reads at a time.
pub(super) const READ_BYTES: usize = 64 * 1024;

/// The maximum memory of a connection before login: an incomplete line, the last read, and the
/// unsent replies.
pub const STRANGER_BYTES_MAX: usize =
    LINE_BYTES_MAX + READ_BYTES + OUTBOX_BYTES_BUSY + SMALL_BYTES_MAX;
/// The maximum memory of a connection in a session, including requests in progress and the largest
/// reply. docs/reliability.md has the whole sum, and tests/faults/overload.rs compares it with the
/// process.
pub const CONNECTION_BYTES_MAX: usize =
    STRANGER_BYTES_MAX + PIPELINED_BYTES_MAX + LINE_BYTES_MAX + REPLY_BYTES_MAX;
/// The maximum memory of the small parts: the connection, its slots, its entry in the worker, and
/// one small reply.
const SMALL_BYTES_MAX: usize = 32 * 1024;

/// The state of a connection: see the module.
pub struct Connection {
    decoder: LineDecoder,
    /// The requests that wait for their replies, or for the replies of earlier requests.
    slots: VecDeque<Slot>,
    /// The sequence number of the first slot.
    first_sequence: u32,
    /// The total length of the lines of requests in progress.
    pipelined_bytes: u32,
    /// The next request, which waits until the slots are empty.
    held: Option<Box<Request>>,
    /// A request is in progress that no other may overlap.
    is_exclusive: bool,
    /// The stream, after a `watch`.
    stream: Option<Box<Stream>>,
    /// Reads the stream's messages.
    watcher: Option<Watcher>,
    /// The session of the last request that had one. Its user counts as connected.
    open: Option<OpenConnection>,
    /// Stands behind a `-` in the place of a token.
    own_token: Option<Token>,
    outbox: Outbox,
    /// No more input will come.
    input_ended: bool,
    /// The peer reads no more.
    abandoned: bool,
    /// Accepts no more requests. Once all replies are sent, close for this reason.
    closing: Option<CloseReason>,
    /// Close for this reason now.
    closed: Option<CloseReason>,
    /// When to close the connection, if no request has succeeded. `None` after the first success.
    first_request_by: Option<Instant>,
    partial_line_by: Option<Instant>,
}

enum Slot {
    Waiting(PendingRequest),
    /// Answered before earlier requests. Boxed because that is rare and keeps slots small.
    Answered(Box<Reply>),
}

/// A line taken from the input.
#[allow(clippy::large_enum_variant, reason = "most lines are requests; a box is an allocation")]
pub enum TakenLine {
    /// A request to execute, with its sequence number.
    Request(u32, Request),
    /// The line is invalid and was refused.
    Refused(Code),
}

/// A request in progress.
pub struct PendingRequest {
    /// When it started.
    pub since: Instant,
    /// Its verb.
    pub verb: Verb,
    /// Its session, if known.
    pub session: Option<Arc<LiveSession>>,
    /// The length of its line. 0 for a request that had to wait.
    bytes: u32,
}

impl Connection {
    /// Creates a connection.
    pub fn new(now: Instant) -> Self {
        Self {
            decoder: LineDecoder::default(),
            slots: VecDeque::new(),
            first_sequence: 0,
            pipelined_bytes: 0,
            held: None,
            is_exclusive: false,
            stream: None,
            watcher: None,
            open: None,
            own_token: None,
            outbox: Outbox::default(),
            input_ended: false,
            abandoned: false,
            closing: None,
            closed: None,
            first_request_by: Some(now + FIRST_REQUEST_WAIT),
            partial_line_by: None,
        }
    }

    /// Whether to read from the peer: not while earlier input is unprocessed.
    pub fn wants_input(&self) -> bool {
        !self.input_ended && self.can_take_request() && self.held.is_none()
    }

    /// Takes bytes that the peer sent.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.decoder.feed(bytes);
    }

    /// Takes a line that came whole, without its ending. A line end in it is a forbidden byte.
    pub fn receive_line(&mut self, line: &str) {
        match memchr(b'\n', line.as_bytes()) {
            None => self.decoder.feed(line.as_bytes()),
            Some(_) => self.decoder.feed(b"\0"),
        }
        self.decoder.feed(b"\n");
    }

    /// Lets `-` stand for this token in a line. The transport has carried it beside the lines, and
    /// found its session, so no request needs to succeed in time.
    pub fn set_own_token(&mut self, token: Token) {
        self.own_token = Some(token);
        self.first_request_by = None;
    }

    /// Records the end of the input. Requests are still answered. An incomplete last line is no
    /// request.
    pub fn end_input(&mut self) {
        self.input_ended = true;
    }

    /// Handles the peer's shutdown of its side. A stream sends a heartbeat at once. A peer that has
    /// closed its socket answers with a reset; one that still reads gets a heartbeat.
    pub fn probe(&mut self, now: Instant) {
        if let Some(stream) = &mut self.stream {
            stream.probe(now);
        }
    }

    /// Records that the peer has closed both directions, so it reads no stream.
    pub fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// Takes the next line. `None` if there is none yet, or if it has to wait for earlier replies.
    pub fn next_request(&mut self, now: Instant) -> Option<TakenLine> {
        if !self.can_take_request() {
            return None;
        }
        let (request, bytes) = match self.held.take() {
            Some(request) => (Ok(*request), 0),
            None => match self.next_line() {
                Some(parsed) => parsed,
                None => {
                    self.wait_for_line(now);
                    return None;
                }
            },
        };
        match request {
            Ok(request) if self.slots.is_empty() || request.may_overlap() => {
                let sequence = self.first_sequence.wrapping_add(self.slots.len() as u32);
                let verb = request.verb();
                self.pipelined_bytes += bytes;
                let pending = PendingRequest { since: now, verb, session: None, bytes };
                if self.slots.is_empty() {
                    // Usually it is the only one.
                    self.slots.reserve_exact(1);
                }
                self.slots.push_back(Slot::Waiting(pending));
                Some(TakenLine::Request(sequence, request))
            }
            Ok(request) => {
                self.held = Some(Box::new(request));
                None
            }
            Err(refusal) => {
                let code = refusal.code;
                self.slots.push_back(Slot::Answered(Box::new(refusal.into())));
                self.collect_answers();
                Some(TakenLine::Refused(code))
            }
        }
    }

    /// Whether so much is unsent that no request is executed and no stream reads.
    pub fn is_congested(&self) -> bool {
        self.outbox.is_congested()
    }

    /// Whether there is a request without a reply, an unsent reply, or an incomplete line.
    pub fn is_busy(&self) -> bool {
        !self.is_waiting_for_peer() || !self.unsent().is_empty() || self.decoder.has_partial_line()
    }

    /// Records how the service executes the last request.
    pub fn note_in_flight(&mut self, in_flight: InFlight) {
        self.is_exclusive |= in_flight.concurrency == Concurrency::Exclusive;
        if let Some(session) = &in_flight.session {
            self.note_session(session);
        }
        if let Some(Slot::Waiting(pending)) = self.slots.back_mut() {
            pending.session = in_flight.session;
        }
    }

    fn note_session(&mut self, session: &Arc<LiveSession>) {
        if self.session().is_none_or(|known| !Arc::ptr_eq(known, session)) {
            self.open = Some(OpenConnection::of(session));
        }
    }

    /// The session of the last request that had one.
    pub fn session(&self) -> Option<&Arc<LiveSession>> {
        self.open.as_ref().map(OpenConnection::session)
    }

    /// Attaches the session to a request.
    pub fn attach_session(&mut self, sequence: u32, session: Arc<LiveSession>) {
        self.note_session(&session);
        let place = sequence.wrapping_sub(self.first_sequence) as usize;
        if let Some(Slot::Waiting(pending)) = self.slots.get_mut(place) {
            pending.session = Some(session);
        }
    }

    /// Takes the reply to a request and returns the request.
    pub fn answer(&mut self, sequence: u32, reply: Reply) -> Option<PendingRequest> {
        if reply.is_ok() {
            self.first_request_by = None;
        }
        let place = sequence.wrapping_sub(self.first_sequence) as usize;
        let Some(Slot::Waiting(_)) = self.slots.get(place) else { return None };
        let answered = if place == 0 {
            let first = self.slots.pop_front()?;
            self.encode_next(&reply);
            first
        } else {
            std::mem::replace(self.slots.get_mut(place)?, Slot::Answered(Box::new(reply)))
        };
        self.collect_answers();
        let Slot::Waiting(pending) = answered else { return None };
        self.pipelined_bytes -= pending.bytes;
        Some(pending)
    }

    /// The state of the connection.
    pub fn state(&self) -> ConnectionState {
        if self.closing.is_some() || self.closed.is_some() {
            ConnectionState::Closing
        } else if self.stream.is_some() {
            ConnectionState::Watching
        } else if self.first_request_by.is_some() {
            ConnectionState::New
        } else {
            ConnectionState::Open
        }
    }

    /// Starts a stream for a `watch` request. It replaces an earlier stream.
    pub fn begin_stream(
        &mut self,
        sequence: u32,
        after: MessageId,
        heartbeat: Duration,
        now: Instant,
    ) {
        self.stream = Some(Box::new(Stream::new(sequence, after, heartbeat, now)));
    }

    /// Records that there may be more for the stream of this request.
    pub fn hint(&mut self, sequence: u32) {
        if let Some(stream) = self.stream_of(sequence) {
            stream.hint();
        }
    }

    /// The id to read the stream after, if a read is due. A congested connection reads nothing: the
    /// message log is its queue.
    pub fn next_read(&mut self, now: Instant) -> Option<MessageId> {
        if self.closing.is_some() || self.closed.is_some() || self.is_congested() {
            return None;
        }
        let stream = self.stream.as_mut()?;
        stream.beat(now, &mut self.outbox.bytes);
        stream.next_read(now)
    }

    /// Takes a page for the stream of this request. Returns whether there is still a stream.
    pub fn push_events(&mut self, sequence: u32, page: StreamPage, now: Instant) -> bool {
        if self.stream_of(sequence).is_none() {
            return self.stream.is_some();
        }
        self.push_events_now(page, now)
    }

    /// Takes a page for the current stream. Returns whether there is still a stream.
    pub fn push_events_now(&mut self, page: StreamPage, now: Instant) -> bool {
        let is_behind = self.outbox.unsent().len() > OUTBOX_BYTES_BUSY;
        let Some(stream) = self.stream.as_deref_mut() else { return false };
        match page {
            StreamPage::Messages { messages, changes, more, upto } => {
                let out = &mut self.outbox.bytes;
                stream.push_events((&messages, changes, upto), more, now, out);
            }
            StreamPage::Sent { .. } | StreamPage::Read(_) | StreamPage::Changed { .. }
                if is_behind => {}
            StreamPage::Sent { id, to } => Stream::push_sent(id, to, &mut self.outbox.bytes),
            StreamPage::Read(read) => Stream::push_read(read, &mut self.outbox.bytes),
            StreamPage::Changed { id, to } => Stream::push_changed(id, to, &mut self.outbox.bytes),
            StreamPage::Receipt(id) => Stream::push_receipt(id, &mut self.outbox.bytes),
            StreamPage::Later => stream.put_off(now),
            StreamPage::Over(refusal) => {
                self.stream = None;
                refusal.encode_end(&mut self.outbox.bytes);
            }
        }
        self.stream.is_some()
    }

    /// The bytes to send next.
    pub fn unsent(&self) -> &[u8] {
        self.outbox.unsent()
    }

    /// Records that bytes of [`Self::unsent`] were sent: 0 if the socket accepts no more.
    pub fn sent(&mut self, count: usize, now: Instant) {
        self.outbox.sent(count, now);
    }

    /// Accepts no more requests. Closes once the replies to earlier ones are sent.
    pub fn stop(&mut self) {
        self.closing.get_or_insert(CloseReason::Stopping);
        self.held = None;
    }

    /// Refuses the connection, and closes it once the refusal is sent.
    pub fn refuse(&mut self, refusal: Refusal, reason: CloseReason) {
        self.closing.get_or_insert(reason);
        self.slots.push_back(Slot::Answered(Box::new(refusal.into())));
        self.collect_answers();
    }

    /// Closes the connection at once.
    pub fn close(&mut self, reason: CloseReason) {
        self.closed.get_or_insert(reason);
    }

    /// The reason to close the connection now, if there is one.
    pub fn close_reason(&self, now: Instant) -> Option<CloseReason> {
        if self.closed.is_some() {
            return self.closed;
        }
        let over = |by: Option<Instant>| by.is_some_and(|by| by <= now);
        if over(self.outbox.write_by) {
            return Some(CloseReason::WriteStalled);
        }
        if self.is_waiting_for_peer() {
            if over(self.partial_line_by) {
                return Some(CloseReason::PartialLine);
            }
            if over(self.first_request_by) {
                return Some(CloseReason::NoRequest);
            }
            if self.unsent().is_empty() {
                // A stream goes on after the end of the input.
                let ended = self.input_ended && (self.stream.is_none() || self.abandoned);
                let ended = ended.then_some(CloseReason::PeerClosed);
                return self.closing.or(ended);
            }
        }
        None
    }

    /// When to call [`Self::close_reason`] again without an event.
    pub fn deadline(&self) -> Option<Instant> {
        let reading_by = [self.first_request_by, self.partial_line_by];
        let reading_by = reading_by.into_iter().filter(|_| self.is_waiting_for_peer());
        // A congested stream waits for writes only.
        let tells = !self.is_congested() && self.closing.is_none();
        let stream = self.stream.as_ref().filter(|_| tells).map(|stream| stream.deadline());
        reading_by.chain([self.outbox.write_by, stream]).flatten().min()
    }

    fn stream_of(&mut self, sequence: u32) -> Option<&mut Stream> {
        self.stream.as_deref_mut().filter(|stream| stream.sequence == sequence)
    }

    /// Whether no request is in progress.
    fn is_waiting_for_peer(&self) -> bool {
        self.slots.is_empty() && self.held.is_none()
    }

    fn can_take_request(&self) -> bool {
        self.closing.is_none()
            && self.closed.is_none()
            && !self.is_exclusive
            && self.slots.len() < PIPELINED_REQUESTS_MAX
            && (self.pipelined_bytes as usize) < PIPELINED_BYTES_MAX
            && !self.is_congested()
    }

    /// The next line, parsed, and its length.
    fn next_line(&mut self) -> Option<(Result<Request, Refusal>, u32)> {
        let line = self.decoder.next_line()?;
        self.partial_line_by = None;
        Some(match line {
            Ok(line) => (Request::parse_as(line, self.own_token), line.len() as u32),
            Err(error) => {
                let code = match error {
                    LineError::TooLong => Code::LineTooLong,
                    LineError::NotUtf8 => Code::BadEncoding,
                    LineError::ForbiddenByte => Code::BadLine,
                    LineError::TlsHandshake => Code::WrongProtocol,
                };
                (Err(code.into()), 0)
            }
        })
    }

    /// Updates the deadline of an incomplete line.
    fn wait_for_line(&mut self, now: Instant) {
        if self.decoder.has_partial_line() {
            self.partial_line_by.get_or_insert(now + LINE_WAIT);
        } else {
            self.partial_line_by = None;
        }
    }

    /// Encodes the reply to the first request in progress.
    fn encode_next(&mut self, reply: &Reply) {
        self.first_sequence = self.first_sequence.wrapping_add(1);
        if self.unsent().len() > OUTBOX_BYTES_MAX {
            return self.close(CloseReason::SlowConsumer);
        }
        reply.encode(&mut self.outbox.bytes);
        if let Reply::Refused(Refusal { code, .. }) = reply
            && code.closes()
        {
            let wrong = *code == Code::WrongProtocol;
            let reason = if wrong { CloseReason::WrongProtocol } else { CloseReason::Stopping };
            self.closing.get_or_insert(reason);
        }
    }

    /// Encodes the replies at the front.
    fn collect_answers(&mut self) {
        while let Some(Slot::Answered(_)) = self.slots.front() {
            let Some(Slot::Answered(reply)) = self.slots.pop_front() else { break };
            self.encode_next(&reply);
        }
        if self.slots.is_empty() {
            self.is_exclusive = false;
            // Frees the memory: ten thousand idle connections hold no slots.
            self.slots = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests;
