//! Unix-domain sockets: creates, connects to and removes them. Their paths may have any length.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// Creates a socket at `path` and listens on it. The socket never has wider permissions than
/// `mode`, and exactly those before the first client can connect, whatever the umask. `accept` on
/// it does not block. The system queues up to `backlog` connections.
///
/// # Errors
/// The system's error; `AddrInUse` if anything exists at `path`.
pub fn listen(path: &Path, mode: u32, backlog: i32) -> io::Result<UnixListener> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    // Linux gives the new file the mode of the descriptor, minus the umask; unix(7) leaves that to
    // the system. `set_permissions` below covers other systems and restores bits that the umask
    // removed.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode))?;
    at_address(path, |address| Ok(rustix::net::bind(&socket, address)?))?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    rustix::net::listen(&socket, backlog)?;
    Ok(UnixListener::from(socket))
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
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&socket, Timeout::Send, Some(wait))?;
    at_address(path, |address| Ok(rustix::net::connect(&socket, address)?))?;
    Ok(UnixStream::from(socket))
}

/// Calls `action` with the socket address of `path`. An address holds only about a hundred bytes,
/// so a longer path is expressed through an open descriptor of its folder.
fn at_address<T>(
    path: &Path,
    action: impl FnOnce(&SocketAddrUnix) -> io::Result<T>,
) -> io::Result<T> {
    if let Ok(address) = SocketAddrUnix::new(path) {
        return action(&address);
    }
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let folder: OwnedFd = rustix::fs::open(
        folder,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    let address = SocketAddrUnix::new(&short).map_err(|_| {
        io::Error::new(ErrorKind::InvalidInput, "the name is too long for a socket")
    })?;
    action(&address)
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
