//! TLS between a connection and its socket. It owns neither, and no clock.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};

use crate::tls::{self, HANDSHAKE_BYTE};

/// How long a handshake may take.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// The maximum number of bytes encrypted at a time. No more are encrypted until the system has
/// taken them.
const ENCRYPTED_BYTES_MAX: usize = 64 * 1024;

/// The TLS state of a connection: see the module.
pub(super) struct Encryption {
    tls: ServerConnection,
    /// The time limit of the handshake. `None` after it.
    handshake_by: Option<Instant>,
    has_begun: bool,
    /// The number of unsent bytes that are encrypted but not yet taken by the system.
    under_way: usize,
}

/// Why the connection can receive no more.
#[derive(Debug)]
pub(super) enum Broken {
    /// The first bytes are not TLS.
    NotTls,
    /// The handshake or a later record is invalid. TLS may have an alert to send.
    Tls(rustls::Error),
}

impl Encryption {
    /// Creates the TLS state of a new connection.
    pub(super) fn new(config: Arc<ServerConfig>, now: Instant) -> Result<Self, rustls::Error> {
        let tls = ServerConnection::new(config)?;
        let handshake_by = Some(now + HANDSHAKE_WAIT);
        Ok(Self { tls, handshake_by, has_begun: false, under_way: 0 })
    }

    /// Decrypts bytes from the socket and passes the plain text to `take`. Returns whether the
    /// input has ended.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        take: impl FnMut(&[u8]),
    ) -> Result<bool, Broken> {
        if !self.has_begun && bytes.first().is_some_and(|&first| first != HANDSHAKE_BYTE) {
            return Err(Broken::NotTls);
        }
        self.has_begun = true;
        let ended = tls::receive(&mut self.tls, bytes, take).map_err(Broken::Tls)?;
        if !self.tls.is_handshaking() {
            self.handshake_by = None;
        }
        Ok(ended)
    }

    /// Whether there is anything to [`write`](Self::write) for a connection with these unsent
    /// bytes.
    pub(super) fn has_output(&self, unsent: &[u8]) -> bool {
        self.tls.wants_write() || (!unsent.is_empty() && !self.tls.is_handshaking())
    }

    /// Writes once: TLS's own output, or else the start of `unsent`. Returns how many bytes of
    /// `unsent` the system has by then. At least one byte is kept back until all of its record is
    /// written.
    ///
    /// # Errors
    /// The errors of the socket. The rest is written next time.
    pub(super) fn write(&mut self, unsent: &[u8], socket: &mut impl Write) -> io::Result<usize> {
        if !self.tls.wants_write() {
            let next = &unsent[..unsent.len().min(ENCRYPTED_BYTES_MAX)];
            self.under_way = self.tls.writer().write(next)?;
        }
        let written = self.tls.write_tls(socket)?;
        let sent = if self.tls.wants_write() {
            // A record is longer than its plain text.
            written.min(self.under_way.saturating_sub(1))
        } else {
            self.under_way
        };
        self.under_way -= sent;
        Ok(sent)
    }

    /// Sends the close message, if the socket accepts it.
    pub(super) fn close(&mut self, socket: &mut impl Write) {
        self.tls.send_close_notify();
        while self.tls.wants_write() {
            if self.tls.write_tls(socket).unwrap_or(0) == 0 {
                break;
            }
        }
    }

    /// The time limit of the handshake, if it is not done.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.handshake_by
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore};

    /// Accepts this many bytes at a time, and no more until the next call.
    struct Narrow {
        width: usize,
        taken: Vec<u8>,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let count = bytes.len().min(self.width);
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn sides(now: Instant) -> (ClientConnection, Encryption) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let certificate = made.cert.der().clone();
        let server = ServerConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], key)
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let client = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let client = ClientConnection::new(Arc::new(client), name).unwrap();
        (client, Encryption::new(Arc::new(server), now).unwrap())
    }

    /// Passes bytes between the client and the server until the handshake is done.
    fn shake_hands(client: &mut ClientConnection, server: &mut Encryption) {
        while client.is_handshaking() || client.wants_write() || server.has_output(b"") {
            let mut said = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut said).unwrap();
            }
            assert!(!server.receive(&said, |_| panic!("nothing was said yet")).unwrap());
            let mut socket = Narrow { width: usize::MAX, taken: Vec::new() };
            while server.has_output(b"") {
                assert_eq!(server.write(b"", &mut socket).unwrap(), 0);
            }
            tls::receive(client, &socket.taken, |_| panic!("nothing was said yet")).unwrap();
        }
    }

    #[test]
    fn handshake_has_a_deadline_until_it_is_done() {
        let now = Instant::now();
        let (mut client, mut server) = sides(now);
        assert_eq!(server.deadline(), Some(now + HANDSHAKE_WAIT));
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        server.receive(&hello, |_| {}).unwrap();
        assert_eq!(server.deadline(), Some(now + HANDSHAKE_WAIT));
        let (mut client, mut server) = sides(now);
        shake_hands(&mut client, &mut server);
        assert_eq!(server.deadline(), None);
    }

    #[test]
    fn what_counts_as_sent_is_with_the_system_whole_however_little_it_takes() {
        for width in [1, 7, 1000, 1 << 20] {
            let (mut client, mut server) = sides(Instant::now());
            shake_hands(&mut client, &mut server);
            let text: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
            let mut socket = Narrow { width, taken: Vec::new() };
            let (mut sent, mut told) = (0, Vec::new());
            while server.has_output(&text[sent..]) {
                sent += server.write(&text[sent..], &mut socket).unwrap();
                assert!(sent <= socket.taken.len());
            }
            assert_eq!(sent, text.len());
            let heard = |bytes: &[u8]| told.extend_from_slice(bytes);
            assert!(!tls::receive(&mut client, &socket.taken, heard).unwrap());
            assert!(told == text, "width {width}");
        }
    }

    #[test]
    fn text_before_a_handshake_is_no_tls_and_the_end_is_told_once_it_is_said() {
        let (mut client, mut server) = sides(Instant::now());
        assert!(matches!(server.receive(b"hello\n", |_| {}), Err(Broken::NotTls)));
        shake_hands(&mut client, &mut server);
        io::Write::write_all(&mut client.writer(), b"hello\n").unwrap();
        client.send_close_notify();
        let mut said = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut said).unwrap();
        }
        let mut heard = Vec::new();
        assert!(server.receive(&said, |text| heard.extend_from_slice(text)).unwrap());
        assert_eq!(heard, b"hello\n");
    }
}
