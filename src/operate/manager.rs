//! The service manager: systemd, or a program with the same protocol. The server notifies it when
//! it is ready, reloads, stops and is alive. The manager may pass on the sockets to listen on.

use std::env;
use std::io;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use listenfd::ListenFd;
use rustix::time::{ClockId, clock_gettime};

use super::address::{Listen, ListenOn};
use super::failure::{Exit, Failure};
use crate::catalogue::serve as texts;
use crate::system;

/// The socket for notifications.
const NOTIFY_VARIABLE: &str = "NOTIFY_SOCKET";
/// The microseconds without a sign of life after which it restarts the server, and the process that
/// this is for.
const WATCHDOG_VARIABLE: &str = "WATCHDOG_USEC";
const WATCHDOG_PID_VARIABLE: &str = "WATCHDOG_PID";
/// The names of the passed sockets, and the name of those for TLS.
const NAMES_VARIABLE: &str = "LISTEN_FDNAMES";
const TLS_NAME: &str = "tls";
/// The number of signs of life within the manager's time limit.
const SIGNS_OF_LIFE: u32 = 2;

/// The manager that started this process, if one did. The server runs on if a notification fails.
#[derive(Debug, Clone, Default)]
pub(super) struct Manager {
    socket: Option<Arc<UnixDatagram>>,
    /// The interval between signs of life.
    pub(super) interval: Option<Duration>,
}

impl Manager {
    /// The manager that the environment names.
    pub(super) fn of_environment() -> Self {
        let socket = env::var_os(NOTIFY_VARIABLE).and_then(|name| {
            let connected = connect(name.as_bytes());
            if let Err(error) = &connected {
                tracing::warn!(%error, "the service manager cannot be notified");
            }
            connected.ok().map(Arc::new)
        });
        Self { socket, interval: interval() }
    }

    /// Connections are accepted; or a reload is done.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}\n"));
    }

    /// The configuration is read again, until [`Self::ready`].
    pub(super) fn reloading(&self) {
        let now = clock_gettime(ClockId::Monotonic);
        let microseconds = now.tv_sec * 1_000_000 + now.tv_nsec / 1_000;
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={microseconds}\n"));
    }

    /// Only requests in progress are answered.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping\n");
    }

    /// The server works.
    pub(super) fn alive(&self) {
        self.tell("WATCHDOG=1\n");
    }

    /// Never waits. A manager that does not read gets no notification.
    fn tell(&self, what: &str) {
        if let Some(socket) = &self.socket
            && let Err(error) = socket.send(what.as_bytes())
        {
            tracing::debug!(%error, "a notification did not reach the service manager");
        }
    }
}

/// The passed sockets, which replace the configured addresses. Empty if none were passed.
///
/// # Errors
/// One of them is not a listening socket.
pub(super) fn inherited() -> Result<Vec<ListenOn>, Failure> {
    let names = env::var(NAMES_VARIABLE).unwrap_or_default();
    let mut names = names.split(':');
    let mut passed = ListenFd::from_env();
    let count = passed.len();
    let listen_on = |index| {
        let is_tls = names.next() == Some(TLS_NAME);
        let listen = take(&mut passed, index)?;
        Ok(if is_tls { ListenOn::Tls(listen) } else { ListenOn::Plain(listen) })
    };
    (0..count).map(listen_on).collect()
}

fn take(passed: &mut ListenFd, index: usize) -> Result<Listen, Failure> {
    let refused = |error: io::Error| {
        Failure::new(Exit::Configuration, texts::passed_socket(index, error))
            .hint(texts::pass_sockets())
    };
    let listener = passed.take_tcp_listener(index).map_err(refused)?;
    let listener = listener.ok_or_else(|| refused(io::ErrorKind::NotFound.into()))?;
    let address = listener.local_addr().map_err(refused)?;
    Ok(Listen::inherited(address, listener))
}

impl Listen {
    fn inherited(address: std::net::SocketAddr, listener: TcpListener) -> Self {
        let listener = Some(Arc::new(listener));
        Self { given: address.to_string(), addresses: vec![address], inherited: listener }
    }
}

fn connect(name: &[u8]) -> io::Result<UnixDatagram> {
    let address = match name.strip_prefix(b"@") {
        Some(name) => system::abstract_address(name)?,
        None => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(name))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn interval() -> Option<Duration> {
    let number = |name| env::var(name).ok()?.parse::<u64>().ok();
    let is_meant = env::var_os(WATCHDOG_PID_VARIABLE).is_none()
        || number(WATCHDOG_PID_VARIABLE) == Some(u64::from(std::process::id()));
    let microseconds = number(WATCHDOG_VARIABLE).filter(|number| *number > 0 && is_meant)?;
    Some(Duration::from_micros(microseconds) / SIGNS_OF_LIFE)
}
