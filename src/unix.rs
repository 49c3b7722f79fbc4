//! Unix-domain sockets: creates, connects to and removes them. On Linux their paths may
//! have any length.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::net::sockopt::{Timeout, set_socket_timeout};

use crate::system::{self, at_socket_address};

/// Creates a socket at `path` and listens on it. The socket never has wider permissions than
/// `mode`, and exactly those before the first client can connect, whatever the umask. `accept` on
/// it does not block. The system queues up to `backlog` connections.
///
/// # Errors
/// The system's error; `AddrInUse` if anything exists at `path`.
pub fn listen(path: &Path, mode: u32, backlog: i32) -> io::Result<UnixListener> {
    let socket = system::unix_socket(true)?;
    // Linux gives the new file the mode of the descriptor, minus the umask; unix(7) leaves that to
    // the system. `set_permissions` below covers other systems and restores bits that the umask
    // removed.
    system::limit_socket_mode(&socket, mode)?;
    at_socket_address(path, |address| Ok(rustix::net::bind(&socket, address)?))?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    rustix::net::listen(&socket, backlog)?;
    Ok(UnixListener::from(socket))
}

/// Whether there is a socket at `path` that this process may connect to. A server may have left it
/// behind: only [`connect`] tells.
pub fn may_connect(path: &Path) -> bool {
    let is_socket = fs::metadata(path).is_ok_and(|found| found.file_type().is_socket());
    is_socket && access(path, Access::WRITE_OK).is_ok()
}

/// Removes the socket at `path`, if it exists.
///
/// # Errors
/// The system's error, or `AlreadyExists` if `path` is not a socket. Such a file is left alone.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(ErrorKind::AlreadyExists, "it exists and is not a socket")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Connects to the socket at `path`. If the server's queue of connections is full, it waits for at
/// most `wait`.
///
/// # Errors
/// The system's error: `NotFound` if `path` does not exist, `ConnectionRefused` if no process
/// listens.
pub fn connect(path: &Path, wait: Duration) -> io::Result<UnixStream> {
    let socket = system::unix_socket(false)?;
    set_socket_timeout(&socket, Timeout::Send, Some(wait))?;
    at_socket_address(path, |address| Ok(rustix::net::connect(&socket, address)?))?;
    Ok(UnixStream::from(socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(20);

    #[test]
    fn path_longer_than_an_address_works() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(120)).join("y".repeat(120));
        fs::create_dir_all(&deep).unwrap();
        let path = deep.join("socket");
        let _listener = listen(&path, 0o640, 8).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o640);
        connect(&path, WAIT).unwrap();
        let endless = deep.join("z".repeat(120));
        assert_eq!(listen(&endless, 0o600, 8).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn errors_distinguish_missing_dead_and_foreign_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let kind = |path: &Path| connect(path, WAIT).unwrap_err().kind();
        assert_eq!(kind(&path), ErrorKind::NotFound);
        let listener = listen(&path, 0o600, 8).unwrap();
        assert_eq!(listen(&path, 0o600, 8).unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        assert_eq!(kind(&path), ErrorKind::ConnectionRefused);
        remove(&path).unwrap();
        remove(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        assert_eq!(remove(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
