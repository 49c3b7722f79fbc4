//! Linux.

mod medium;
mod owner;
mod process;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{
    AtFlags, CWD, FallocateFlags, Mode, OFlags, StatxFlags, fallocate, makedev, statx,
};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::Uid;
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::time::{ClockId, clock_gettime};

pub(super) use medium::of as medium;
pub use owner::of_connection as connection_owner;
pub use process::{ignored_signals, process_seen, wait_for_process};
pub(super) use process::{open_descriptors, usage};

use super::ByteLock;

/// What the server promises on Linux but not on this system: sentences for the server log.
pub const LIMITS: &[&str] = &[];

/// The default of `/proc/sys/kernel/overflowuid`: usually it is called `nobody`.
const OVERFLOW_USER: u32 = 65_534;

/// Whether a lock of [`File::lock`] (flock) does not affect SQLite's own locks (fcntl) on the same
/// file. Only then may a process take both.
pub const FLOCK_IGNORES_FCNTL: bool = true;

/// The user at the other end of a Unix-domain socket, as of `connect` or `listen`.
///
/// # Errors
/// The system's error.
pub fn peer_user(socket: impl AsFd) -> io::Result<Uid> {
    Ok(socket_peercred(socket)?.uid)
}

/// The number by which the kernel names a user that has no number in this user namespace.
pub fn overflow_user() -> u32 {
    let told = fs::read_to_string("/proc/sys/kernel/overflowuid");
    // A service may not see this file. The number is the kernel's default, which nobody changes.
    told.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(OVERFLOW_USER)
}

/// The time since the machine started, including sleep. Setting the wall clock does not change it.
pub fn since_boot() -> Duration {
    // The value is not negative, and it fits into a duration.
    clock_gettime(ClockId::Boottime).try_into().unwrap_or_default()
}

/// Fills `bytes`, at most 256, with random numbers that nobody can predict.
///
/// # Errors
/// The system's error, or `UnexpectedEof` if the system has too few random bytes.
pub fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    let expected = bytes.len();
    let count = getrandom(bytes, GetRandomFlags::empty())?;
    if count == expected { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
}

/// Creates a Unix-domain stream socket that child processes do not inherit.
///
/// # Errors
/// The system's error.
pub fn unix_socket(is_nonblocking: bool) -> io::Result<OwnedFd> {
    let blocking = if is_nonblocking { SocketFlags::NONBLOCK } else { SocketFlags::empty() };
    let flags = SocketFlags::CLOEXEC | blocking;
    Ok(rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// Limits the permissions of the file that `bind` will create for `socket` to `mode`.
///
/// # Errors
/// The system's error.
pub fn limit_socket_mode(socket: &OwnedFd, mode: u32) -> io::Result<()> {
    Ok(rustix::fs::fchmod(socket, Mode::from_raw_mode(mode))?)
}

/// Calls `action` with the socket address of `path`. An address holds only about a hundred bytes,
/// so a longer path is expressed through an open descriptor of its folder.
///
/// # Errors
/// The error of `action`, the system's error, or `InvalidInput` if the name alone is too long.
pub fn at_socket_address<T>(
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

/// The address of a socket that has a name but no file.
///
/// # Errors
/// `InvalidInput` if the name is too long.
pub fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(name)
}

/// The device of a file, and its number there. It reads nothing else: since Linux 6.13, a process
/// that asks when a file last changed makes the file's next fsync take 1.5 times as long.
///
/// # Errors
/// The system's error.
pub fn file_id(path: &Path) -> io::Result<(u64, u64)> {
    match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        Ok(found) => Ok((makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino)),
        Err(error) if is_no_call(error) => {
            let found = fs::metadata(path)?;
            Ok((found.dev(), found.ino()))
        }
        Err(error) => Err(error.into()),
    }
}

/// The length of a file, in bytes. It reads nothing else: see [`file_id`].
///
/// # Errors
/// The system's error.
pub fn file_length(file: &File) -> io::Result<u64> {
    match statx(file.as_fd(), "", AtFlags::EMPTY_PATH, StatxFlags::SIZE) {
        Ok(found) => Ok(found.stx_size),
        Err(error) if is_no_call(error) => Ok(file.metadata()?.len()),
        Err(error) => Err(error.into()),
    }
}

/// Gives the file room on the disk for `end` bytes. The file keeps its length. `false` if the file
/// system cannot do so.
///
/// # Errors
/// The disk is full, or another error of the system.
pub fn reserve(file: &File, end: u64) -> io::Result<bool> {
    allocate(file, FallocateFlags::KEEP_SIZE, end)
}

/// Gives each of the first `end` bytes of the file room on the disk. Changes none of them; new ones
/// are zeros. `false` if the file system cannot do so.
///
/// # Errors
/// The disk is full, or another error of the system.
pub fn fill(file: &File, end: u64) -> io::Result<bool> {
    allocate(file, FallocateFlags::empty(), end)
}

fn allocate(file: &File, flags: FallocateFlags, end: u64) -> io::Result<bool> {
    match fallocate(file, flags, 0, end) {
        Ok(()) => Ok(true),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Locks one byte for the open file, without waiting. Unlike a lock of the process, this one also
/// holds against other open files of the process. `false` if another has the lock, or the system
/// does not know such locks.
pub fn lock_byte(file: &File, at: i32, kind: ByteLock) -> bool {
    let kind = match kind {
        ByteLock::Shared => libc::F_RDLCK,
        ByteLock::Exclusive => libc::F_WRLCK,
        ByteLock::None => libc::F_UNLCK,
    };
    let lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: at.into(),
        l_len: 1,
        l_pid: 0,
    };
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLK(&lock)) {
            Err(nix::errno::Errno::EINTR) => {}
            locked => return locked.is_ok(),
        }
    }
}

/// Some kernels and sandboxes do not have `statx`.
fn is_no_call(error: Errno) -> bool {
    matches!(error, Errno::NOSYS | Errno::PERM)
}

/// A file that becomes readable when a thread calls [`Waker::wake`]. All clones are the same file.
#[derive(Debug, Clone)]
pub struct Waker(Arc<OwnedFd>);

impl Waker {
    /// Creates one that is not readable.
    ///
    /// # Errors
    /// The system's error: the process has too many open files.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?)))
    }

    /// Makes the file readable. Never blocks.
    pub fn wake(&self) {
        // It fails only if the counter is full, and then the file is readable already.
        let _ = rustix::io::write(&*self.0, &1_u64.to_ne_bytes());
    }

    /// Makes the file unreadable until the next wake-up. Never blocks.
    pub fn reset(&self) {
        let _ = rustix::io::read(&*self.0, &mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
