//! The admin socket: where it lies, and how to get to it however long the path is.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::net::sockopt::{Timeout, set_socket_timeout, socket_peercred};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::geteuid;

/// How many connections the system keeps until they are accepted.
const BACKLOG: i32 = 128;

/// The socket beside a database whose path is absolute.
pub fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".admin");
    name.into()
}

/// Makes the socket of `database` and listens on it. From the moment it is there it is for its
/// owner only. To be called with the database's lock held: one that is there already is then that
/// of a server that was killed, and is replaced.
///
/// # Errors
/// What the system says; or that something lies there that is no socket, which is left alone.
pub fn bind(database: &Path) -> io::Result<UnixListener> {
    let path = path(database);
    remove(database)?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    // What is made by `bind` takes its mode from the descriptor, less the umask (unix(7) leaves it
    // to the system; Linux does so). For others it is set afterwards as well.
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    at_address(&path, |address| Ok(rustix::net::bind(&socket, address)?))?;
    fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// Removes the socket of `database`, if there is one. To be called with the database's lock held.
///
/// # Errors
/// What the system says; or that something lies there that is no socket, which is left alone.
pub fn remove(database: &Path) -> io::Result<()> {
    let path = path(database);
    match fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(&path),
        Ok(_) => Err(io::Error::new(ErrorKind::AlreadyExists, "it is there and is no socket")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Connects to the server of `database`. `None` where none listens. Takes no longer than `wait`: a
/// process that is stopped accepts nobody, and the system keeps only so many.
///
/// # Errors
/// What the system says; or that whoever listens is neither this user, nor root, nor whom the
/// database belongs to: in a folder that anybody may write to, anybody may put a socket.
pub fn connect(database: &Path, wait: Duration) -> io::Result<Option<UnixStream>> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&socket, Timeout::Send, Some(wait))?;
    let connected =
        at_address(&path(database), |address| Ok(rustix::net::connect(&socket, address)?));
    match connected {
        Ok(()) => {
            let server = socket_peercred(&socket)?.uid;
            let owner = fs::metadata(database).ok().map(|file| file.uid());
            if server.is_root() || server == geteuid() || owner == Some(server.as_raw()) {
                return Ok(Some(UnixStream::from(socket)));
            }
            let uid = server.as_raw();
            let message = format!("user {uid} listens there, to whom the database does not belong");
            Err(io::Error::new(ErrorKind::PermissionDenied, message))
        }
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
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

    fn mode(database: &Path) -> u32 {
        fs::metadata(path(database)).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn is_for_its_owner_only_and_replaces_one_that_nobody_listens_on() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("chat.sqlite");
        assert!(connect(&database, Duration::from_secs(60)).unwrap().is_none());
        drop(bind(&database).unwrap());
        assert!(connect(&database, Duration::from_secs(60)).unwrap().is_none());
        let _listener = bind(&database).unwrap();
        assert_eq!(mode(&database), 0o600);
        assert!(connect(&database, Duration::from_secs(60)).unwrap().is_some());
        remove(&database).unwrap();
        assert!(connect(&database, Duration::from_secs(60)).unwrap().is_none());
    }

    #[test]
    fn path_may_be_longer_than_an_address() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(120)).join("y".repeat(120));
        fs::create_dir_all(&deep).unwrap();
        let database = deep.join("chat.sqlite");
        let _listener = bind(&database).unwrap();
        assert_eq!(mode(&database), 0o600);
        assert!(connect(&database, Duration::from_secs(60)).unwrap().is_some());
        let endless = deep.join("z".repeat(120));
        assert_eq!(bind(&endless).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("chat.sqlite");
        fs::write(path(&database), "mine").unwrap();
        assert_eq!(bind(&database).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(path(&database)).unwrap(), "mine");
    }
}
