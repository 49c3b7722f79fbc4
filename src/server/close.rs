//! Why connections end.

use std::fmt;

/// Every way a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The other side has closed it, and everything it asked for is answered.
    PeerClosed,
    /// The connection broke.
    Broken,
    /// Nothing was asked for that could be done, for too long after connecting.
    NoRequest,
    /// The rest of a line did not come for too long.
    PartialLine,
    /// What was answered was not read for too long.
    WriteStalled,
    /// Too much that was sent is unread.
    SlowConsumer,
    /// Too many others have come by a proxy from the same address.
    TooManyConnections,
    /// It speaks another protocol.
    WrongProtocol,
    /// It does not speak TLS, where nothing else is spoken.
    NotTls,
    /// The handshake, or what came after it, is not as TLS has it; or a certificate was not accepted.
    TlsFailed,
    /// The handshake took too long.
    TlsTimeout,
    /// The server stops.
    Stopping,
    /// A fault of the server.
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

    /// The word for it.
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

    /// It is how connections end when all is well.
    pub fn is_ordinary(self) -> bool {
        matches!(self, Self::PeerClosed | Self::Broken | Self::Stopping)
    }

    /// The server ends it, and has said why, or has said all that it had to.
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
