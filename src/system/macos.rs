//! macOS. `linux.rs` documents the functions; the comments here name what differs.
//!
//! `fsync` does not reach the disk on this system. Rust's [`File::sync_all`] and
//! [`File::sync_data`] use `F_FULLFSYNC` here, and the store sets `PRAGMA fullfsync`.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::net;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::statfs;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::{Pid, Uid, test_kill_process};
use rustix::time::{ClockId, clock_gettime};

use super::{ByteLock, Medium, Process, ProcessSeen};

/// What the server promises on Linux but not on this system: sentences for the server log.
pub const LIMITS: &[&str] = &[
    "commits need F_FULLFSYNC, because fsync does not reach the disk; a file system without it may \
     lose acknowledged messages in a power cut",
    "no room on the disk is reserved: a full disk may stop the server until there is room again",
    "only the lock file keeps a second server away from the database",
];

/// How often to look whether a process has ended.
const PROCESS_LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Both kinds of locks are one here: a lock of [`File::lock`] on the database would lock
/// out SQLite in the same process. So only the lock file beside the database is locked.
pub const FLOCK_IGNORES_FCNTL: bool = false;

/// The effective user (getpeereid(3)).
///
/// # Errors
/// The system's error.
pub fn peer_user(socket: impl AsFd) -> io::Result<Uid> {
    let (user, _) = nix::unistd::getpeereid(socket)?;
    Ok(Uid::from_raw(user.as_raw()))
}

/// The number of the user `nobody`. There are no user namespaces.
pub fn overflow_user() -> u32 {
    u32::MAX - 1
}

/// The system does not tell.
pub fn connection_owner(_client: net::SocketAddr, _server: net::SocketAddr) -> Option<u32> {
    None
}

/// The system has no `/proc`.
pub fn process_seen(_number: u32) -> Option<ProcessSeen> {
    None
}

/// Waits until the process has ended, and looks every fifth of a second. A later process with the
/// same number is mistaken for it.
///
/// # Errors
/// `NotFound` if there is no such process.
pub fn wait_for_process(number: u32) -> io::Result<()> {
    let number = i32::try_from(number).ok().and_then(Pid::from_raw);
    let number = number.ok_or(ErrorKind::NotFound)?;
    let is_there = || test_kill_process(number) != Err(Errno::SRCH);
    if !is_there() {
        return Err(ErrorKind::NotFound.into());
    }
    while is_there() {
        std::thread::sleep(PROCESS_LOOK_INTERVAL);
    }
    Ok(())
}

/// The monotonic clock of this system includes sleep.
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::Monotonic).try_into().unwrap_or_default()
}

/// Fills `bytes` with random numbers that nobody can predict.
///
/// # Errors
/// The system's error.
pub fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    File::open("/dev/urandom")?.read_exact(bytes)
}

/// A child process that starts between the two calls inherits the socket.
///
/// # Errors
/// The system's error.
pub fn unix_socket(is_nonblocking: bool) -> io::Result<OwnedFd> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, is_nonblocking)?;
    Ok(socket)
}

/// This system refuses to change the mode of a socket that has no file. The caller sets the mode
/// of the file before it listens, so no client connects with another.
///
/// # Errors
/// None.
pub fn limit_socket_mode(_socket: &OwnedFd, _mode: u32) -> io::Result<()> {
    Ok(())
}

/// A path that is longer than an address (103 bytes) is refused.
///
/// # Errors
/// The error of `action`, or `InvalidInput` if the path is too long.
pub fn at_socket_address<T>(
    path: &Path,
    action: impl FnOnce(&SocketAddrUnix) -> io::Result<T>,
) -> io::Result<T> {
    let address = SocketAddrUnix::new(path).map_err(|_| {
        io::Error::new(
            ErrorKind::InvalidInput,
            "the path is too long for a socket: macOS allows 103 bytes",
        )
    })?;
    action(&address)
}

/// This system has no such addresses.
///
/// # Errors
/// Always `Unsupported`.
pub fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(ErrorKind::Unsupported.into())
}

/// The device of a file, and its number there.
///
/// # Errors
/// The system's error.
pub fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// The length of a file, in bytes.
///
/// # Errors
/// The system's error.
pub fn file_length(file: &File) -> io::Result<u64> {
    Ok(file.metadata()?.len())
}

/// This system can reserve room only through a call that this program has not been tested with.
///
/// # Errors
/// None.
pub fn reserve(_file: &File, _end: u64) -> io::Result<bool> {
    Ok(false)
}

/// As [`reserve`]: the caller writes zeros instead.
///
/// # Errors
/// None.
pub fn fill(_file: &File, _end: u64) -> io::Result<bool> {
    Ok(false)
}

/// This system has no such locks for programs.
pub fn lock_byte(_file: &File, _at: i32, _kind: ByteLock) -> bool {
    false
}

/// The system does not say without a call that needs unsafe code.
pub(super) fn usage() -> Option<Process> {
    None
}

/// The number of open file descriptors.
pub(super) fn open_descriptors() -> Option<u64> {
    // The descriptor of the listed folder itself is not counted.
    let open = fs::read_dir("/dev/fd").ok()?.count().saturating_sub(1);
    Some(open as u64)
}

/// The system does not say without a call that needs unsafe code.
pub fn ignored_signals() -> u64 {
    0
}

/// This system names the kinds of file systems.
pub(super) fn medium(path: &Path) -> Option<Medium> {
    let found = statfs(path).ok()?;
    let name: Vec<u8> = found
        .f_fstypename
        .iter()
        .map(|byte| byte.cast_unsigned())
        .take_while(|byte| *byte != 0)
        .collect();
    Some(match name.as_slice() {
        b"tmpfs" => Medium::Memory("tmpfs"),
        b"nfs" => Medium::Remote("NFS"),
        b"smbfs" => Medium::Remote("SMB"),
        b"afpfs" => Medium::Remote("AFP"),
        b"webdav" => Medium::Remote("WebDAV"),
        b"macfuse" | b"osxfuse" => Medium::Remote("FUSE"),
        _ => return None,
    })
}

/// A pair of sockets: the first is written to, the second is read.
#[derive(Debug, Clone)]
pub struct Waker(Arc<(UnixStream, UnixStream)>);

impl Waker {
    /// Creates one that is not readable.
    ///
    /// # Errors
    /// The system's error: the process has too many open files.
    pub fn new() -> io::Result<Self> {
        let (writer, reader) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        reader.set_nonblocking(true)?;
        Ok(Self(Arc::new((writer, reader))))
    }

    /// Makes the file readable. Never blocks.
    pub fn wake(&self) {
        // It fails only if the buffer is full, and then the file is readable already.
        let _ = (&self.0.0).write(&[1]);
    }

    /// Makes the file unreadable until the next wake-up. Never blocks.
    pub fn reset(&self) {
        while (&self.0.1).read(&mut [0; 256]).is_ok_and(|count| count > 0) {}
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.1.as_fd()
    }
}
