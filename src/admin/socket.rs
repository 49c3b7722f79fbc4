//! The path, the creation and the permissions of the admin socket.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::geteuid;

use crate::system;
use crate::unix;

/// How many connections the system queues until they are accepted.
const BACKLOG: i32 = 128;
/// Only the owner may use the socket.
const MODE: u32 = 0o600;

/// The path of the socket, which is next to the database. `database` must be absolute.
pub fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".admin");
    name.into()
}

/// Creates the socket of `database` and listens on it. Only its owner can ever connect. Call it
/// with the database's lock held: an existing socket is then left over from a killed server, and is
/// replaced.
///
/// # Errors
/// The system's error, or `AlreadyExists` if the path holds something other than a socket. It is
/// left alone.
pub fn bind(database: &Path) -> io::Result<UnixListener> {
    let path = path(database);
    unix::remove(&path)?;
    unix::listen(&path, MODE, BACKLOG)
}

/// Removes the socket of `database`, if it exists. Call it with the database's lock held.
///
/// # Errors
/// The system's error, or `AlreadyExists` if the path holds something other than a socket. It is
/// left alone.
pub fn remove(database: &Path) -> io::Result<()> {
    unix::remove(&path(database))
}

/// Connects to the server of `database`. `None` if no process listens. It takes at most `wait`: a
/// suspended server accepts nothing, and the system's queue of connections can be full.
///
/// # Errors
/// The system's error. Or `PermissionDenied` if the listening process belongs neither to this user,
/// nor to root, nor to the owner of the database: in a world-writable folder, anybody can create a
/// socket.
pub fn connect(database: &Path, wait: Duration) -> io::Result<Option<UnixStream>> {
    match unix::connect(&path(database), wait) {
        Ok(stream) => {
            let server = system::peer_user(&stream)?;
            let owner = fs::metadata(database).ok().map(|file| file.uid());
            if server.is_root() || server == geteuid() || owner == Some(server.as_raw()) {
                return Ok(Some(stream));
            }
            let uid = server.as_raw();
            let message = format!("user {uid} listens there, but does not own the database");
            Err(io::Error::new(ErrorKind::PermissionDenied, message))
        }
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(None),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(database: &Path) -> u32 {
        fs::metadata(path(database)).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn bind_creates_a_private_socket_and_replaces_a_dead_one() {
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
    fn bind_refuses_a_path_that_is_not_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("chat.sqlite");
        fs::write(path(&database), "mine").unwrap();
        assert_eq!(bind(&database).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(path(&database)).unwrap(), "mine");
    }
}
