//! Why connections end.

use std::fmt;

/// The reasons for which connections end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The peer closed it, and all its requests were answered.
    PeerClosed,
    /// The connection broke.
    Broken,
    /// No request succeeded for too long after connecting.
    NoRequest,
    /// A line was incomplete for too long.
    PartialLine,
    /// The peer read no replies for too long.
    WriteStalled,
    /// Too many bytes were unsent.
    SlowConsumer,
    /// Too many connections from the client's address came through a proxy.
    TooManyConnections,
    /// The peer uses another protocol.
    WrongProtocol,
    /// The peer does not use TLS on a TLS port.
    NotTls,
    /// The TLS handshake or a later TLS record was invalid, or a certificate was not accepted.
    TlsFailed,
    /// The handshake took too long.
    TlsTimeout,
    /// The server is stopping.
    Stopping,
    /// Serving it panicked.
    Panicked,
}

impl CloseReason {
    /// Every reason.
    pub const ALL: &[Self] = &[
        Self::PeerClosed,
        Self::Broken,
        Self::NoRequest,
        Self::PartialLine,
        Self::WriteStalled,
        Self::SlowConsumer,
        Self::TooManyConnections,
        Self::WrongProtocol,
        Self::NotTls,
        Self::TlsFailed,
        Self::TlsTimeout,
        Self::Stopping,
        Self::Panicked,
    ];

    /// The name of the reason, as in the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PeerClosed => "peer_closed",
            Self::Broken => "broken",
            Self::NoRequest => "no_request",
            Self::PartialLine => "partial_line",
            Self::WriteStalled => "write_stalled",
            Self::SlowConsumer => "slow_consumer",
            Self::TooManyConnections => "too_many_connections",
            Self::WrongProtocol => "wrong_protocol",
            Self::NotTls => "not_tls",
            Self::TlsFailed => "tls_failed",
            Self::TlsTimeout => "tls_timeout",
            Self::Stopping => "stopping",
            Self::Panicked => "panicked",
        }
    }

    /// Whether it is an ordinary reason.
    pub fn is_ordinary(self) -> bool {
        matches!(self, Self::PeerClosed | Self::Broken | Self::Stopping)
    }

    /// Whether the server closes the connection after its last bytes.
    pub fn is_ours(self) -> bool {
        matches!(
            self,
            Self::TooManyConnections
                | Self::WrongProtocol
                | Self::NotTls
                | Self::TlsFailed
                | Self::Stopping
        )
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
