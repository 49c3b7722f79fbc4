//! TLS between a connection and its socket. It owns neither, and no clock.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection};

use crate::tls::{self, HANDSHAKE_BYTE};

/// How long a handshake may take.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// How much is encrypted at a time: no more before that is with the system.
const ENCRYPTED_BYTES_MAX: usize = 64 * 1024;

/// See the module.
pub(super) struct Encryption {
    tls: ServerConnection,
    /// When the handshake has to be done; `None` once it is.
    handshake_by: Option<Instant>,
    has_begun: bool,
    /// How much of what the connection has unsent is encrypted, but not with the system yet.
    under_way: usize,
}

/// Why nothing more can be received.
#[derive(Debug)]
pub(super) enum Broken {
    /// What came first is no TLS.
    NotTls,
    /// The handshake, or what came after it, is not as it must be. There may be something to be
    /// told about it.
    Tls(rustls::Error),
}

impl Encryption {
    /// For a connection that begins now.
    pub(super) fn new(config: Arc<ServerConfig>, now: Instant) -> Result<Self, rustls::Error> {
        let tls = ServerConnection::new(config)?;
        let handshake_by = Some(now + HANDSHAKE_WAIT);
        Ok(Self { tls, handshake_by, has_begun: false, under_way: 0 })
    }

    /// Takes what the socket gave, and hands on the text in it; gives whether no more will come.
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

    /// Whether there is something to [`write`](Self::write) for a connection with so much unsent.
    pub(super) fn has_output(&self, unsent: &[u8]) -> bool {
        self.tls.wants_write() || (!unsent.is_empty() && !self.tls.is_handshaking())
    }

    /// Writes once: what TLS itself has to say, else the beginning of `unsent`. Gives how much of
    /// `unsent` is with the system by that; at least one byte of it is left while not all that belongs
    /// to it is.
    ///
    /// # Errors
    /// Those of the socket. What could not be written is written next time.
    pub(super) fn write(&mut self, unsent: &[u8], socket: &mut impl Write) -> io::Result<usize> {
        if !self.tls.wants_write() {
            let next = &unsent[..unsent.len().min(ENCRYPTED_BYTES_MAX)];
            self.under_way = self.tls.writer().write(next)?;
        }
        let written = self.tls.write_tls(socket)?;
        let sent = if self.tls.wants_write() {
            // What is encrypted is longer than what it says.
            written.min(self.under_way.saturating_sub(1))
        } else {
            self.under_way
        };
        self.under_way -= sent;
        Ok(sent)
    }

    /// Says that nothing more comes, as far as the socket takes it.
    pub(super) fn close(&mut self, socket: &mut impl Write) {
        self.tls.send_close_notify();
        while self.tls.wants_write() {
            if self.tls.write_tls(socket).unwrap_or(0) == 0 {
                break;
            }
        }
    }

    /// When the handshake has to be done, if it is not.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.handshake_by
    }
}
