//! A peer: a connection, its socket, and the TLS between them.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::admission::Permit;
use super::close::CloseReason;
use super::connection::Connection;
use super::encryption::{Broken, Encryption};
use super::listener::Origin;
use super::mailbox::Arrival;
use super::metrics::{ConnectionState, WorkerMetrics};
use super::proxies::{Beginning, Preamble};
use super::return_predictor::Mark;
use super::socket::Socket;
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::verb::Verb;
use crate::service::Network;

/// The message to a client that does not use TLS on a TLS port.
const TLS_ONLY: &str = "this port speaks TLS: use chats://HOST:PORT";

/// A connection and its socket.
pub(super) struct Peer {
    pub(super) socket: Socket,
    pub(super) origin: Origin,
    /// The network that its failed logins count for.
    network: Network,
    /// Whether a proxy's header comes first.
    preamble: Preamble,
    /// TLS, if the connection uses it.
    encryption: Option<Box<Encryption>>,
    since: Instant,
    /// Totals for the line in the server log.
    pub(super) requests: u64,
    received_bytes: u64,
    sent_bytes: u64,
    /// The state it is counted in.
    pub(super) state: ConnectionState,
    pub(super) connection: Connection,
    pub(super) generation: u32,
    /// The socket's readiness. The system reports only changes.
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// The peer has shut down its side. The end has to be read, as no further event comes.
    pub(super) read_closed: bool,
    /// Whether it was answered in this round of the worker.
    pub(super) mark: Mark,
    /// The earliest deadline of this connection on the heap.
    pub(super) awaited: Option<Instant>,
    /// It is in the worker's queue of streams, which holds each peer at most once.
    pub(super) is_hinted: bool,
    /// The server has sent its last bytes: the reason, and until when it reads on.
    pub(super) lingering: Option<(CloseReason, Instant)>,
    /// It was sending, or waiting for a reply, when the end began.
    pub(super) was_sending: bool,
    permit: Permit,
}

impl Peer {
    /// Creates the peer of an accepted connection. `generation` distinguishes it from an earlier
    /// one with the same index.
    pub(super) fn new(arrival: Arrival, generation: u32, now: Instant) -> Self {
        let Arrival { socket, origin, preamble, encryption, permit } = arrival;
        Self {
            socket,
            origin,
            network: origin.network(),
            preamble,
            encryption,
            since: now,
            requests: 0,
            received_bytes: 0,
            sent_bytes: 0,
            state: ConnectionState::New,
            connection: Connection::new(now),
            generation,
            readable: true,
            writable: true,
            read_closed: false,
            mark: Mark::default(),
            awaited: None,
            is_hinted: false,
            lingering: None,
            was_sending: false,
            permit,
        }
    }

    /// The network of a request. For `auth`, `passwd` and `accept` from this machine it looks up the
    /// system user.
    pub(super) fn network(&mut self, verb: Verb) -> Network {
        if self.network == Network::ThisMachine
            && matches!(verb, Verb::Auth | Verb::Passwd | Verb::Accept)
            && let Some(user) = self.socket.owner()
        {
            self.network = Network::User(user);
        }
        self.network
    }

    /// The user of this machine at the other end of a Unix-domain socket, as of `connect`.
    pub(super) fn unix_user(&self) -> Option<u32> {
        match self.origin {
            Origin::Unix(user) => Some(user),
            Origin::Network(_) => None,
        }
    }

    pub(super) fn note_state(&mut self, state: ConnectionState, metrics: &WorkerMetrics) {
        if state != self.state {
            metrics.connections[self.state as usize].add(-1);
            metrics.connections[state as usize].add(1);
            self.state = state;
        }
    }

    /// Logs the end of the connection, at `debug` for ordinary reasons.
    pub(super) fn log_end(&self, reason: CloseReason, now: Instant, left_out: u64) {
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    reason = reason.as_str(),
                    address = %self.origin,
                    user = self.connection.session().map(|session| session.user().0),
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

    /// Writes the output, until the socket accepts no more.
    pub(super) fn write(&mut self, now: Instant, metrics: &WorkerMetrics) {
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
    pub(super) fn read(&mut self, scratch: &mut [u8], metrics: &WorkerMetrics) {
        match self.socket.read(scratch) {
            Ok(0) => self.connection.end_input(),
            Ok(count) => {
                let before = self.received_bytes;
                self.receive(&scratch[..count]);
                metrics.received_bytes.add(self.received_bytes - before);
                // A short read: the socket is empty, and the system reports new input (epoll(7),
                // question 9).
                self.readable = count == scratch.len() || self.read_closed;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.connection.close(CloseReason::Broken),
        }
    }

    /// Processes bytes from the socket.
    fn receive(&mut self, bytes: &[u8]) {
        if self.preamble.is_over() {
            return self.receive_from_client(bytes);
        }
        match self.preamble.look(bytes) {
            Beginning::Client => self.receive_from_client(bytes),
            Beginning::Incomplete => {}
            Beginning::Header(client, rest) => {
                client.into_iter().for_each(|client| self.represent(client));
                self.receive_from_client(&rest);
            }
            Beginning::Refused(refusal) => self.refuse(refusal, CloseReason::WrongProtocol),
        }
    }

    /// Counts the connection for the client of a proxy, and closes it if that client has too many.
    fn represent(&mut self, client: SocketAddr) {
        self.origin = Origin::Network(client);
        self.network = self.origin.network();
        if !self.permit.count_for(client.ip()) {
            self.refuse(Code::TooManyConnections.into(), CloseReason::TooManyConnections);
        }
    }

    /// Refuses the connection in plain text, before TLS begins, so that any client can read it.
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
                self.refuse(Refusal::new(Code::WrongProtocol, TLS_ONLY), CloseReason::NotTls);
            }
            Err(Broken::Tls(error)) => {
                tracing::debug!(%error, address = %self.origin, "no TLS with this peer");
                self.connection.close(CloseReason::TlsFailed);
            }
        }
    }

    pub(super) fn close_reason(&self, now: Instant) -> Option<CloseReason> {
        let late = self.handshake_by().is_some_and(|by| by <= now);
        self.connection.close_reason(now).or(late.then_some(CloseReason::TlsTimeout))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.handshake_by().into_iter().chain(self.connection.deadline()).min()
    }

    fn handshake_by(&self) -> Option<Instant> {
        self.encryption.as_ref().and_then(|encryption| encryption.deadline())
    }

    /// Sends the close message of TLS, once.
    pub(super) fn say_last(&mut self) {
        if let Some(mut encryption) = self.encryption.take() {
            encryption.close(&mut self.socket);
        }
    }
}

/// Seconds for the server log, with microseconds.
pub(super) fn seconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e6
}
