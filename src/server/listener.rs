//! The listeners of the server: network addresses, with or without TLS, and Unix sockets.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;

use super::identity::Identity;
use super::socket::Socket;
use crate::service::Network;
use crate::system;
use crate::unix;

/// A listening socket. Accepting does not block.
pub enum Listener {
    /// Without encryption.
    Plain(TcpListener),
    /// TLS only.
    Tls(TcpListener, Arc<Identity>),
    /// A Unix socket. The mode of its file decides who can connect.
    Unix(UnixSocket),
}

/// A listening socket in the file system. It is removed when this is dropped.
pub struct UnixSocket {
    /// The socket.
    pub listener: UnixListener,
    /// Its absolute path.
    pub path: PathBuf,
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if let Err(error) = unix::remove(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the socket is left behind");
        }
    }
}

/// The place of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A network address.
    Plain(SocketAddr),
    /// A network address with TLS.
    Tls(SocketAddr),
    /// A path in the file system.
    Unix(PathBuf),
}

impl Place {
    /// The protocol, as the server log names it.
    pub fn protocol(&self) -> &'static str {
        match self {
            Self::Plain(_) => "plain",
            Self::Tls(_) => "tls",
            Self::Unix(_) => "unix",
        }
    }

    /// The address or the path, without the protocol.
    pub fn address(&self) -> String {
        match self {
            Self::Plain(address) | Self::Tls(address) => address.to_string(),
            Self::Unix(path) => path.display().to_string(),
        }
    }
}

/// In the form that `--listen` accepts.
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(address) => address.fmt(formatter),
            Self::Tls(address) => write!(formatter, "tls:{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Network(SocketAddr),
    /// A process of this machine, over a socket in the file system, and its user.
    Unix(u32),
}

impl Origin {
    /// The address, if there is one.
    pub(super) fn address(self) -> Option<IpAddr> {
        match self {
            Self::Network(address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }

    /// The address, unless it is loopback.
    pub(super) fn far(self) -> Option<IpAddr> {
        match self {
            Self::Network(address) => {
                let address = address.ip();
                (!address.to_canonical().is_loopback()).then_some(address)
            }
            Self::Unix(_) => None,
        }
    }

    /// The network that its failed logins count for.
    pub(super) fn network(self) -> Network {
        match self {
            Self::Network(address) => Network::of(address.ip()),
            Self::Unix(uid) => Network::User(uid),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address) => address.fmt(formatter),
            Self::Unix(_) => formatter.write_str("unix"),
        }
    }
}

impl Listener {
    /// Its place, with the port that the system chose.
    pub(super) fn place(&self) -> io::Result<Place> {
        Ok(match self {
            Self::Plain(listener) => Place::Plain(listener.local_addr()?),
            Self::Tls(listener, _) => Place::Tls(listener.local_addr()?),
            Self::Unix(socket) => Place::Unix(socket.path.clone()),
        })
    }

    pub(super) fn set_nonblocking(&self) -> io::Result<()> {
        match self {
            Self::Plain(listener) | Self::Tls(listener, _) => listener.set_nonblocking(true),
            Self::Unix(socket) => socket.listener.set_nonblocking(true),
        }
    }

    /// The next connection. Reading and writing do not block.
    pub(super) fn accept(&self) -> io::Result<(Socket, Origin)> {
        match self {
            Self::Plain(listener) | Self::Tls(listener, _) => {
                let (stream, address) = listener.accept()?;
                Ok((Socket::of_tcp(stream)?, Origin::Network(address)))
            }
            Self::Unix(socket) => {
                let (stream, _) = socket.listener.accept()?;
                let user = system::peer_user(stream.as_fd())?;
                Ok((Socket::of_unix(stream)?, Origin::Unix(user.as_raw())))
            }
        }
    }

    /// The certificate of its connections, if they use TLS.
    pub(super) fn identity(&self) -> Option<&Identity> {
        match self {
            Self::Tls(_, identity) => Some(identity),
            Self::Plain(_) | Self::Unix(_) => None,
        }
    }
}

impl AsRawFd for Listener {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Plain(listener) | Self::Tls(listener, _) => listener.as_raw_fd(),
            Self::Unix(socket) => socket.listener.as_raw_fd(),
        }
    }
}
