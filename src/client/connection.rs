//! One connection to a server: it sends a request and reads the reply, both before a deadline. It
//! does not know what a request means and never repeats one; [`link`](super::link) does.

mod socket;

use std::io::{self, ErrorKind, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::{CertificateError, ClientConfig, ClientConnection};

use socket::{Socket, is_timeout, remaining};

use super::address::Host;
use super::failure::{Refused, Untrusted, fields_of};
use super::trust::server_name;
use crate::catalogue::client;
use crate::protocol::reply::{DecodeError, DecodedReply, REPLY_BYTES_MAX, REPLY_END};
use crate::tls::{self, ALERT_BYTE, HANDSHAKE_BYTE};
use crate::unix;

/// How many bytes one read takes from the socket.
const READ_BYTES: usize = 16 * 1024;

/// A connection without a request in progress.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    /// `None` on a connection without TLS.
    tls: Option<Box<ClientConnection>>,
}

/// Why a connection could not be encrypted. Only the handshake was sent.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The deadline passed, or the connection ended.
    #[error("{0}")]
    Unanswered(io::Error),
    /// The server speaks another protocol, or it was too busy and refused before the handshake.
    #[error("no_tls")]
    NoTls(Option<Refused>),
    /// The server's identity could not be verified.
    #[error("{0}")]
    Untrusted(Untrusted),
    /// The handshake failed.
    #[error("{0}")]
    Failed(rustls::Error),
}

/// Why there is no answer. The connection must not be used again, because its next bytes may answer
/// the previous request.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The deadline passed.
    #[error("{}", io::Error::from(ErrorKind::TimedOut))]
    TimedOut,
    /// The connection ended or failed before the whole answer had arrived.
    #[error(transparent)]
    Broken(io::Error),
    /// The bytes that arrived are not a reply.
    #[error("{0}")]
    NotUnderstood(String),
}

impl Connection {
    /// Connects to the first address of the host that accepts the connection. Blocks until
    /// `deadline` at the longest, plus the time that the resolver takes.
    pub fn open(host: &Host, deadline: Instant) -> io::Result<Self> {
        let mut failure = io::Error::from(ErrorKind::TimedOut);
        for address in host.resolve()? {
            let Some(remaining) = remaining(deadline) else { break };
            match TcpStream::connect_timeout(&address, remaining) {
                Ok(stream) => {
                    // Otherwise the last piece of a long request may wait for a TCP
                    // acknowledgement.
                    stream.set_nodelay(true)?;
                    return Ok(Self { socket: Socket::Tcp(stream), tls: None });
                }
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// Connects to the socket at this path. Blocks until `deadline` at the longest.
    pub fn open_unix(path: &Path, deadline: Instant) -> io::Result<Self> {
        let remaining = remaining(deadline).ok_or(ErrorKind::TimedOut)?;
        let stream = unix::connect(path, remaining)?;
        Ok(Self { socket: Socket::Unix(stream), tls: None })
    }

    /// Performs the TLS handshake, which verifies the server's identity by `config`. Blocks until
    /// `deadline` at the longest.
    pub fn secure(
        mut self,
        config: Arc<ClientConfig>,
        host: &Host,
        deadline: Instant,
    ) -> Result<Self, HandshakeError> {
        let name = server_name(host).map_err(HandshakeError::Untrusted)?;
        let tls = ClientConnection::new(config, name).map_err(HandshakeError::Failed)?;
        let mut tls = Box::new(tls);
        let mut chunk = [0; READ_BYTES];
        let mut has_begun = false;
        while tls.is_handshaking() || tls.wants_write() {
            self.socket.write_tls(&mut tls, deadline).map_err(unanswered)?;
            if !tls.is_handshaking() {
                continue;
            }
            let count = self.socket.read(&mut chunk, deadline).map_err(unanswered)?;
            if count == 0 {
                return Err(HandshakeError::Unanswered(ErrorKind::UnexpectedEof.into()));
            }
            if !has_begun && ![HANDSHAKE_BYTE, ALERT_BYTE].contains(&chunk[0]) {
                return Err(HandshakeError::NoTls(busy_refusal(&chunk[..count])));
            }
            has_begun = true;
            // Nothing may arrive before the first request. If something does, the first exchange
            // reports it.
            if let Err(error) = tls::receive(&mut tls, &chunk[..count], |_| {}) {
                // The alert says why, so that the server's log contains the reason.
                let _ = self.socket.write_tls(&mut tls, deadline);
                return Err(refused(error));
            }
        }
        self.tls = Some(tls);
        Ok(self)
    }

    /// The server's certificates, its own first. Empty without TLS.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        self.tls.as_ref().and_then(|tls| tls.peer_certificates()).unwrap_or_default()
    }

    /// Sends one request line and reads its one reply. Blocks until `deadline` at the longest.
    pub fn exchange(
        &mut self,
        line: &str,
        deadline: Instant,
    ) -> Result<DecodedReply, ExchangeError> {
        self.write(line.as_bytes(), deadline)?;
        decode(&self.read_reply(deadline)?)
    }

    /// Whether a request may be sent. It may not if the server has closed the connection, or has
    /// sent something unasked, which would be taken for the answer. Does not block.
    pub fn is_quiet(&mut self) -> bool {
        let Some(tls) = &mut self.tls else { return self.socket.is_quiet() };
        // TLS records without data, such as tickets, may arrive at any time.
        while !self.socket.is_quiet() {
            let mut said = false;
            let mut chunk = [0; READ_BYTES];
            let soon = Instant::now() + Duration::from_millis(1);
            match self.socket.read(&mut chunk, soon) {
                Ok(count) if count > 0 => {
                    let received = tls::receive(tls, &chunk[..count], |_| said = true);
                    if said || received.unwrap_or(true) {
                        return false;
                    }
                }
                _ => return false,
            }
        }
        true
    }

    /// Sends bytes. Blocks until `deadline` at the longest. If the other end has gone, the next
    /// read reports it, because a server that refuses a connection says why before it closes it.
    pub fn write(&mut self, mut bytes: &[u8], deadline: Instant) -> Result<(), ExchangeError> {
        while !bytes.is_empty() {
            let written = match &mut self.tls {
                None => self.socket.write(bytes, deadline),
                Some(tls) => tls.writer().write(bytes).and_then(|count| {
                    self.socket.write_tls(tls, deadline)?;
                    Ok(count)
                }),
            };
            match written {
                Ok(0) => return Err(broken(ErrorKind::WriteZero)),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_timeout(&error) => return Err(ExchangeError::TimedOut),
                Err(_) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Appends received bytes to `bytes`, at least one. Blocks until `deadline` at the longest.
    pub fn read(&mut self, bytes: &mut Vec<u8>, deadline: Instant) -> Result<(), ExchangeError> {
        let mut chunk = [0; READ_BYTES];
        let before = bytes.len();
        while bytes.len() == before {
            let count = match self.socket.read(&mut chunk, deadline) {
                Ok(0) => return Err(broken(ErrorKind::UnexpectedEof)),
                Ok(count) => count,
                Err(error) if is_timeout(&error) => return Err(ExchangeError::TimedOut),
                Err(error) => return Err(ExchangeError::Broken(error)),
            };
            let chunk = &chunk[..count];
            let Some(tls) = &mut self.tls else {
                bytes.extend_from_slice(chunk);
                break;
            };
            let ended = tls::receive(tls, chunk, |text| bytes.extend_from_slice(text))
                .map_err(|error| ExchangeError::Broken(io::Error::other(error)))?;
            if ended && bytes.len() == before {
                return Err(broken(ErrorKind::UnexpectedEof));
            }
            // TLS itself may have to answer.
            self.socket.write_tls(tls, deadline).map_err(ExchangeError::Broken)?;
        }
        Ok(())
    }

    fn read_reply(&mut self, deadline: Instant) -> Result<Vec<u8>, ExchangeError> {
        let mut reply = Vec::new();
        loop {
            // The ending may be split between two pieces.
            let scan_from = reply.len().saturating_sub(REPLY_END.len() - 1);
            self.read(&mut reply, deadline)?;
            if let Some(length) = find_end(&reply, scan_from)? {
                reply.truncate(length);
                return Ok(reply);
            }
        }
    }
}

impl Drop for Connection {
    /// Sends the TLS close notification, if that takes no waiting.
    fn drop(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            let _ = self.socket.write_tls(tls, Instant::now() + Duration::from_millis(1));
        }
    }
}

/// The refusal in plain text of a server that is too busy for a handshake.
fn busy_refusal(said: &[u8]) -> Option<Refused> {
    let reply = DecodedReply::decode(said.strip_suffix(REPLY_END)?).ok()?;
    fields_of(reply).err().filter(Refused::is_temporary)
}

fn unanswered(error: io::Error) -> HandshakeError {
    let error = if is_timeout(&error) { ErrorKind::TimedOut.into() } else { error };
    HandshakeError::Unanswered(error)
}

fn refused(error: rustls::Error) -> HandshakeError {
    if let rustls::Error::InvalidCertificate(CertificateError::Other(other)) = &error
        && let Some(untrusted) = other.0.downcast_ref::<Untrusted>()
    {
        return HandshakeError::Untrusted(untrusted.clone());
    }
    HandshakeError::Failed(error)
}

/// Decodes the bytes of one reply.
pub fn decode(reply: &[u8]) -> Result<DecodedReply, ExchangeError> {
    DecodedReply::decode(reply).map_err(|error| match error {
        // An error message must not contain parts of the reply.
        DecodeError::Json(_) => ExchangeError::NotUnderstood(client::reply_unreadable().to_owned()),
        error => ExchangeError::NotUnderstood(reason(&error)),
    })
}

/// What is wrong with a reply, for a person.
pub fn reason(error: &DecodeError) -> String {
    match error {
        DecodeError::Json(error) => client::reply_unreadable_because(error),
        DecodeError::Status => client::reply_without_status().to_owned(),
        DecodeError::Field(field) => client::reply_lacks(field),
    }
}

/// The end of the reply in `bytes`, if it has arrived.
fn find_end(bytes: &[u8], scan_from: usize) -> Result<Option<usize>, ExchangeError> {
    let end = bytes[scan_from..].windows(REPLY_END.len()).position(|found| found == REPLY_END);
    match end.map(|at| scan_from + at) {
        Some(end) if end + REPLY_END.len() < bytes.len() => {
            Err(ExchangeError::NotUnderstood(client::several_replies().to_owned()))
        }
        None if bytes.len() > REPLY_BYTES_MAX => {
            Err(ExchangeError::NotUnderstood(client::reply_endless().to_owned()))
        }
        end => Ok(end),
    }
}

fn broken(kind: ErrorKind) -> ExchangeError {
    ExchangeError::Broken(kind.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    const PATIENCE: Duration = Duration::from_secs(20);

    /// A server that accepts one connection, reads one line and then writes `pieces`.
    fn server(pieces: Vec<Vec<u8>>) -> (Host, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let address = Host::parse(&address, None).unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = Vec::new();
            while line.last() != Some(&b'\n') {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                line.extend(byte);
            }
            stream.set_nodelay(true).unwrap();
            for piece in pieces {
                // The client may have closed the connection.
                let _ = stream.write_all(&piece);
            }
            String::from_utf8(line).unwrap()
        });
        (address, thread)
    }

    fn ask(pieces: Vec<Vec<u8>>) -> Result<DecodedReply, ExchangeError> {
        let (address, thread) = server(pieces);
        let deadline = Instant::now() + PATIENCE;
        let mut connection = Connection::open(&address, deadline).unwrap();
        let answer = connection.exchange("hello \r\n", deadline);
        assert_eq!(thread.join().unwrap(), "hello \r\n");
        answer
    }

    fn reason(result: Result<DecodedReply, ExchangeError>) -> String {
        match result {
            Err(ExchangeError::NotUnderstood(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reply_in_any_pieces_is_read() {
        let reply = b"{\"status\": \"OK\", \"message\": \"Message Sent\"}\r\n\r\n";
        let whole = ask(vec![reply.to_vec()]).unwrap();
        let bytes = reply.iter().map(|&byte| vec![byte]).collect();
        assert_eq!(ask(bytes).unwrap(), whole);
    }

    #[test]
    fn connection_that_ends_before_the_reply_does_is_broken() {
        for pieces in [vec![], vec![b"{\"status\": \"OK\"}\r\n\r".to_vec()]] {
            assert!(matches!(ask(pieces), Err(ExchangeError::Broken(_))));
        }
    }

    #[test]
    fn bytes_that_are_no_reply_are_not_understood() {
        for junk in ["\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "{\"status\": 1}\r\n\r\n"] {
            reason(ask(vec![junk.into()]));
        }
        let twice = "{\"status\": \"OK\"}\r\n\r\n".repeat(2);
        assert_eq!(reason(ask(vec![twice.into()])), "there is more than one reply");
    }

    #[test]
    fn endless_reply_is_given_up_with_bounded_memory() {
        let pieces = vec![vec![b'x'; 64 * 1024]; REPLY_BYTES_MAX / (64 * 1024) + 2];
        assert_eq!(reason(ask(pieces)), "the reply has no end");
    }

    #[test]
    fn silent_server_is_given_up_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let address = Host::parse(&address, None).unwrap();
        let mut connection = Connection::open(&address, Instant::now() + PATIENCE).unwrap();
        let deadline = Instant::now() + Duration::from_millis(30);
        let answer = connection.exchange("hello \r\n", deadline);
        assert!(matches!(answer, Err(ExchangeError::TimedOut)));
        assert!(Instant::now() >= deadline);
        // A deadline in the past must not mean "wait forever".
        let answer = connection.exchange("hello \r\n", deadline);
        assert!(matches!(answer, Err(ExchangeError::TimedOut)));
    }

    #[test]
    fn connection_is_quiet_until_the_server_says_something_or_closes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let address = Host::parse(&address, None).unwrap();
        for last_word in [Some("{\"status\": \"ERROR\"}\r\n\r\n"), None] {
            let mut connection = Connection::open(&address, Instant::now() + PATIENCE).unwrap();
            let (mut stream, _) = listener.accept().unwrap();
            assert!(connection.is_quiet());
            if let Some(word) = last_word {
                stream.write_all(word.as_bytes()).unwrap();
            }
            drop(stream);
            let deadline = Instant::now() + PATIENCE;
            while connection.is_quiet() {
                assert!(Instant::now() < deadline, "the end of the connection goes unnoticed");
                thread::yield_now();
            }
        }
    }
}
