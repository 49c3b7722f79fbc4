//! The admin socket: where it lies, and whose it is.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use crate::unix;

/// How many connections the system keeps until they are accepted.
const BACKLOG: i32 = 128;
/// The socket is for its owner only.
const MODE: u32 = 0o600;

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
    unix::remove(&path)?;
    unix::listen(&path, MODE, BACKLOG)
}

/// Removes the socket of `database`, if there is one. To be called with the database's lock held.
///
/// # Errors
/// What the system says; or that something lies there that is no socket, which is left alone.
pub fn remove(database: &Path) -> io::Result<()> {
    unix::remove(&path(database))
}

/// Connects to the server of `database`. `None` where none listens. Takes no longer than `wait`: a
/// process that is stopped accepts nobody, and the system keeps only so many.
///
/// # Errors
/// What the system says; or that whoever listens is neither this user, nor root, nor whom the
/// database belongs to: in a folder that anybody may write to, anybody may put a socket.
pub fn connect(database: &Path, wait: Duration) -> io::Result<Option<UnixStream>> {
    match unix::connect(&path(database), wait) {
        Ok(stream) => {
            let server = socket_peercred(&stream)?.uid;
            let owner = fs::metadata(database).ok().map(|file| file.uid());
            if server.is_root() || server == geteuid() || owner == Some(server.as_raw()) {
                return Ok(Some(stream));
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
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("chat.sqlite");
        fs::write(path(&database), "mine").unwrap();
        assert_eq!(bind(&database).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(path(&database)).unwrap(), "mine");
    }
}
