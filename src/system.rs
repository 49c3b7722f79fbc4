//! What differs between operating systems. No other module asks which system it runs on.
//!
//! Linux is the system that the tests run on. macOS compiles and is checked, with the differences
//! that each function names; docs/install.md lists them for users. Another system needs a file
//! beside `linux.rs` that has the same functions.

use std::io;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::{Uid, User};
use rustix::process::{Resource, getrlimit};

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
use linux as here;
#[cfg(target_os = "macos")]
use macos as here;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!("chat runs on Linux and macOS; src/system.rs says what another system needs");

pub use here::{
    FLOCK_IGNORES_FCNTL, LIMITS, Waker, abstract_address, at_socket_address, connection_owner,
    file_id, file_length, fill, fill_random, ignored_signals, limit_socket_mode, lock_byte,
    overflow_user, peer_user, process_seen, reserve, since_boot, unix_socket, wait_for_process,
};

/// A lock of one byte of a file, which belongs to the open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteLock {
    /// Others may have it too.
    Shared,
    /// Nobody else may have one.
    Exclusive,
    /// Ends the lock.
    None,
}

/// Another process, when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSeen {
    /// The name of its program.
    pub name: String,
    /// How long it has run.
    pub age: Duration,
}

/// The resources that this process uses, named like those of Prometheus's own libraries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Process {
    /// Processor time since the start, of the program and of the system for it.
    pub cpu_seconds: f64,
    /// Its threads.
    pub threads: u64,
    /// Its address space.
    pub virtual_bytes: u64,
    /// Its memory.
    pub resident_bytes: u64,
}

impl Process {
    /// The current figures. `None` if the system does not provide them.
    pub fn look() -> Option<Self> {
        here::usage()
    }
}

/// The number of open file descriptors, and their limit. It takes longer the more are open.
pub fn open_files() -> (Option<u64>, Option<u64>) {
    (here::open_descriptors(), getrlimit(Resource::Nofile).current)
}

/// The name of the user with this number, if there is one. Blocks: the system may ask another
/// machine (nsswitch.conf(5)).
///
/// # Errors
/// The system could not find out.
pub fn user_name(uid: u32) -> io::Result<Option<String>> {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(user) => Ok(user.map(|user| user.name)),
        // Some sources report an unknown user so (getpwuid(3)).
        Err(Errno::ENOENT | Errno::ESRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A file system that does not keep what was synced as a disk does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// Memory: everything is gone when the machine stops.
    Memory(&'static str),
    /// Another machine, or a program: it alone decides what locks, syncs and shared memory mean.
    Remote(&'static str),
}

impl Medium {
    /// The medium of the file system that holds `path`. `None` for a disk, and if the system does
    /// not tell.
    pub fn of(path: &Path) -> Option<Self> {
        here::medium(path)
    }

    /// The name of the file system.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory(name) | Self::Remote(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::net::UnixStream;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    #[test]
    fn peer_of_a_socket_is_its_user() {
        let (one, _other) = UnixStream::pair().unwrap();
        assert_eq!(peer_user(one.as_fd()).unwrap(), rustix::process::geteuid());
    }

    #[test]
    fn users_of_the_system_have_names_and_unknown_numbers_have_none() {
        assert_eq!(user_name(0).unwrap().as_deref(), Some("root"));
        assert_eq!(user_name(3_999_999_999).unwrap(), None);
    }

    #[test]
    fn end_of_a_process_is_waited_for() {
        let mut child = std::process::Command::new("sleep").arg("0.3").spawn().unwrap();
        let number = child.id();
        if let Some(seen) = process_seen(number) {
            assert!(seen.age < Duration::from_secs(60), "{seen:?}");
        }
        let waiter = std::thread::spawn(move || wait_for_process(number));
        assert!(child.wait().unwrap().success());
        waiter.join().unwrap().unwrap();
        assert_eq!(wait_for_process(number).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn waker_is_readable_from_a_wake_until_a_reset() {
        let waker = Waker::new().unwrap();
        let is_readable = || {
            let mut polled = [PollFd::new(&waker, PollFlags::IN)];
            poll(&mut polled, Some(&Timespec::default())).unwrap() == 1
        };
        assert!(!is_readable());
        waker.wake();
        waker.clone().wake();
        assert!(is_readable());
        waker.reset();
        assert!(!is_readable(), "one reset takes back every wake-up before it");
        waker.reset();
        waker.wake();
        assert!(is_readable());
    }

    #[test]
    fn file_is_known_by_its_number_and_length() {
        let folder = tempfile::tempdir().unwrap();
        let (path, second) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&path, "four").unwrap();
        fs::hard_link(&path, &second).unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!(file_id(&path).unwrap(), (metadata.dev(), metadata.ino()));
        assert_eq!(file_id(&path).unwrap(), file_id(&second).unwrap());
        assert_eq!(file_length(&File::open(&path).unwrap()).unwrap(), 4);
    }

    #[test]
    fn random_bytes_differ() {
        let (mut one, mut other) = ([0; 16], [0; 16]);
        fill_random(&mut one).unwrap();
        fill_random(&mut other).unwrap();
        assert_ne!(one, other);
    }

    #[test]
    fn clock_never_goes_back() {
        let before = since_boot();
        assert!(!before.is_zero() && since_boot() >= before);
    }
}
