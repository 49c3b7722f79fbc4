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

/// How long to wait for the server that may have a socket already.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// Where the admin socket of a server is.
#[derive(Debug, Clone)]
pub struct Place {
    path: PathBuf,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Next to this database file. The process that holds its lock owns the socket.
    Beside(PathBuf),
    /// In this folder, where the settings say.
    Configured(PathBuf),
}

impl Place {
    /// The socket next to a database file. `database` must be absolute.
    pub fn beside(database: &Path) -> Self {
        let mut name = database.as_os_str().to_owned();
        name.push(".admin");
        Self { path: name.into(), kind: Kind::Beside(database.to_owned()) }
    }

    /// The socket at this path.
    pub fn at(path: &Path) -> Self {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new(".")).to_owned();
        Self { path: path.to_owned(), kind: Kind::Configured(folder) }
    }

    /// The path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Creates the socket and listens on it. Only its owner can ever connect. A socket that a
    /// killed server has left is replaced. Beside a database, call it with the database's lock
    /// held: then every existing socket is left over.
    ///
    /// # Errors
    /// The system's error. `AddrInUse` if another server listens at a configured path.
    /// `AlreadyExists` if the path holds something other than a socket. It is left alone.
    pub fn bind(&self) -> io::Result<UnixListener> {
        if let Kind::Beside(_) = self.kind {
            self.remove()?;
        }
        match unix::listen(&self.path, MODE, BACKLOG) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                match unix::connect(&self.path, PROBE_WAIT) {
                    Err(gone) if gone.kind() == ErrorKind::ConnectionRefused => {
                        self.remove()?;
                        unix::listen(&self.path, MODE, BACKLOG)
                    }
                    _ => Err(error),
                }
            }
            listened => listened,
        }
    }

    /// Removes the socket, if it exists. Only the server that has it may call it.
    ///
    /// # Errors
    /// The system's error, or `AlreadyExists` if the path holds something other than a socket. It
    /// is left alone.
    pub fn remove(&self) -> io::Result<()> {
        unix::remove(&self.path)
    }

    /// Connects to the server. `None` if no process listens. It takes at most `wait`: a suspended
    /// server accepts nothing, and the system's queue of connections can be full.
    ///
    /// # Errors
    /// The system's error. Or `PermissionDenied` if the listening process belongs neither to this
    /// user, nor to root, nor to the owner of the database (of the folder, if the path is
    /// configured): in a world-writable folder, anybody can create a socket.
    pub fn connect(&self, wait: Duration) -> io::Result<Option<UnixStream>> {
        let (Kind::Beside(owned) | Kind::Configured(owned)) = &self.kind;
        match unix::connect(&self.path, wait) {
            Ok(stream) => {
                let server = system::peer_user(&stream)?;
                let owner = fs::metadata(owned).ok().map(|file| file.uid());
                if server.is_root() || server == geteuid() || owner == Some(server.as_raw()) {
                    return Ok(Some(stream));
                }
                let uid = server.as_raw();
                let owned = match self.kind {
                    Kind::Beside(_) => "the database",
                    Kind::Configured(_) => "the folder",
                };
                let message = format!("user {uid} listens there, but does not own {owned}");
                Err(io::Error::new(ErrorKind::PermissionDenied, message))
            }
            Err(error) => match error.kind() {
                ErrorKind::NotFound | ErrorKind::ConnectionRefused => Ok(None),
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const WAIT: Duration = Duration::from_secs(60);

    fn mode(place: &Place) -> u32 {
        fs::metadata(place.path()).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn bind_creates_a_private_socket_and_replaces_a_dead_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chat.sqlite");
        for place in [Place::beside(&file), Place::at(&folder.path().join("admin.sock"))] {
            assert!(place.connect(WAIT).unwrap().is_none());
            drop(place.bind().unwrap());
            assert!(place.connect(WAIT).unwrap().is_none());
            let _listener = place.bind().unwrap();
            assert_eq!(mode(&place), 0o600);
            assert!(place.connect(WAIT).unwrap().is_some());
            place.remove().unwrap();
            assert!(place.connect(WAIT).unwrap().is_none());
        }
    }

    #[test]
    fn bind_refuses_a_path_that_is_not_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::beside(&folder.path().join("chat.sqlite"));
        fs::write(place.path(), "mine").unwrap();
        assert_eq!(place.bind().unwrap_err().kind(), ErrorKind::AlreadyExists);
        let configured = Place::at(place.path());
        assert!(configured.bind().is_err());
        assert_eq!(fs::read_to_string(place.path()).unwrap(), "mine");
    }

    #[test]
    fn configured_socket_of_a_running_server_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::at(&folder.path().join("admin.sock"));
        let listener = place.bind().unwrap();
        assert_eq!(place.bind().unwrap_err().kind(), ErrorKind::AddrInUse);
        assert!(place.connect(WAIT).unwrap().is_some());
        drop(listener);
    }
}
