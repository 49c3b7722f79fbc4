//! The person at the terminal: whether there is one, how wide it is, what may be shown there of
//! what others wrote, and asking for a secret.

pub mod quiet;
pub mod reason;
pub mod relative;
pub mod secret;
pub mod text;

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, Stat, fcntl_getfl, fstat, stat};

/// How wide a terminal is that does not say.
const COLUMNS_DEFAULT: usize = 80;

/// Whether a person types, and reads at the same place.
pub fn is_prompted() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Whether what is written to standard output is shown to a person.
pub fn is_shown() -> bool {
    stdout().is_terminal()
}

/// Whether standard output and standard error are shown to a person on the same terminal, one below the
/// other.
pub fn is_one_terminal() -> bool {
    let device = |stat: rustix::fs::Stat| stat.st_rdev;
    let (output, errors) = (rustix::fs::fstat(stdout()), rustix::fs::fstat(stderr()));
    stdout().is_terminal()
        && stderr().is_terminal()
        && output.is_ok_and(|output| errors.is_ok_and(|errors| device(output) == device(errors)))
}

/// Whether whoever read standard output has gone away. Writing would tell, but there may be nothing
/// to write for hours. Does not block.
pub fn is_output_closed() -> bool {
    let output = stdout();
    let mut polled = [PollFd::new(&output, PollFlags::empty())];
    let gone = PollFlags::ERR | PollFlags::HUP;
    poll(&mut polled, Some(&Timespec::default())).is_ok() && polled[0].revents().intersects(gone)
}

/// Whether standard output is open for writing. Asked before anything is done: what is written to a
/// closed one would seem to have arrived.
///
/// Rust's standard library takes a write to a descriptor that only reads for done. And where
/// descriptor 1 is closed, it opens `/dev/null` there before `main`, for reading and writing. A shell
/// (`>/dev/null`) and a service manager open it for writing only, so the two can be told apart.
pub fn is_output_open() -> bool {
    let output = stdout();
    let Ok(flags) = fcntl_getfl(&output) else { return false };
    match flags & OFlags::RWMODE {
        OFlags::WRONLY => true,
        OFlags::RDWR => !is_null_device(&output),
        _ => false,
    }
}

fn is_null_device(file: impl AsFd) -> bool {
    let device = |stat: Stat| {
        (FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice).then_some(stat.st_rdev)
    };
    let (file, null) = (fstat(file).ok().and_then(device), stat("/dev/null").ok().and_then(device));
    file.is_some() && file == null
}

/// The columns of the terminal that standard output is.
pub fn columns() -> usize {
    match rustix::termios::tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => COLUMNS_DEFAULT,
    }
}
