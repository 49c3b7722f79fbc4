//! Unix-domain sockets: made, found and removed, however long their paths are.

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

/// Makes a socket at `path`, where there is nothing, and listens on it. From the moment it is there
/// it has the permissions `mode`, whatever the umask. It does not block when it is accepted from.
/// The system keeps `backlog` connections until then.
///
/// # Errors
/// What the system says; `AddrInUse` where there is anything at `path`.
pub fn listen(path: &Path, mode: u32, backlog: i32) -> io::Result<UnixListener> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    // What is made by `bind` takes its mode from the descriptor, less the umask (unix(7) leaves it
    // to the system; Linux does so). For others it is set afterwards as well.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode))?;
    at_address(path, |address| Ok(rustix::net::bind(&socket, address)?))?;
    fs::set_permissions(path, Permissions::from_mode(mode))?;
    rustix::net::listen(&socket, backlog)?;
    Ok(UnixListener::from(socket))
}

/// Removes the socket at `path`, if there is one.
///
/// # Errors
/// What the system says; or that something lies there that is no socket, which is left alone.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path),
        Ok(_) => Err(io::Error::new(ErrorKind::AlreadyExists, "it is there and is no socket")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Connects to whoever listens at `path`. Waits for at most `wait`, where so many wait already that
/// there is no room for another.
///
/// # Errors
/// What the system says: `NotFound` where there is nothing, `ConnectionRefused` where nobody
/// listens any more.
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

/// Calls `action` with the address of a path. An address holds about a hundred bytes: a longer path
/// is said by way of its folder, opened.
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
    fn path_may_be_longer_than_an_address() {
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
    fn what_is_there_is_told_apart() {
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
