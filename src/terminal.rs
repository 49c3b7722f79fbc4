//! The user's terminal: whether there is one, its width, safe display of foreign text, questions,
//! and prompts for secrets.

pub mod progress;
pub mod question;
pub mod quiet;
pub mod reason;
pub mod relative;
pub mod secret;
pub mod text;

use std::io::{IsTerminal, stderr, stdin, stdout};
use std::os::fd::AsFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags, Stat, fcntl_getfl, fstat, stat};

/// The assumed width of a terminal that does not report one.
const COLUMNS_DEFAULT: usize = 80;

/// Whether both standard input and standard output are a terminal.
pub fn is_prompted() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Whether standard output is a terminal.
pub fn is_shown() -> bool {
    stdout().is_terminal()
}

/// Whether standard output and standard error are the same terminal.
pub fn is_one_terminal() -> bool {
    let device = |stat: rustix::fs::Stat| stat.st_rdev;
    let (output, errors) = (rustix::fs::fstat(stdout()), rustix::fs::fstat(stderr()));
    stdout().is_terminal()
        && stderr().is_terminal()
        && output.is_ok_and(|output| errors.is_ok_and(|errors| device(output) == device(errors)))
}

/// Whether the reader of standard output has closed it. A write would reveal that too, but there
/// may be nothing to write for hours. Does not block.
pub fn is_output_closed() -> bool {
    let output = stdout();
    let mut polled = [PollFd::new(&output, PollFlags::empty())];
    let gone = PollFlags::ERR | PollFlags::HUP;
    poll(&mut polled, Some(&Timespec::default())).is_ok() && polled[0].revents().intersects(gone)
}

/// Whether standard output is open for writing. Check it before any work: a write to a closed
/// standard output would seem to succeed.
///
/// Rust's standard library ignores the error of a write to a read-only descriptor. If descriptor 1
/// is closed, it opens `/dev/null` there before `main`, for reading and writing. A shell
/// (`>/dev/null`) and a service manager open `/dev/null` for writing only, so the cases differ.
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

/// The width of the terminal on standard output, in columns.
pub fn columns() -> usize {
    match rustix::termios::tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => COLUMNS_DEFAULT,
    }
}
