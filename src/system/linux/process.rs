//! What `/proc` says about this process.

use std::fs;
use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::since_boot;
use crate::system::{Process, ProcessSeen};

/// The field of `/proc/PID/stat` with the start of the process, in clock ticks after the start of
/// the machine.
const STARTED_AT: usize = 22;

/// See [`Process::look`].
pub(in crate::system) fn usage() -> Option<Process> {
    parse(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// The number of open file descriptors.
pub(in crate::system) fn open_descriptors() -> Option<u64> {
    // The descriptor of the listed folder itself is not counted.
    let open = fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    Some(open as u64)
}

/// The signals that this process ignores, one bit each. 0 if the system does not say.
pub fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// What the system says about another process. `None` if there is none, or it is hidden.
pub fn process_seen(number: u32) -> Option<ProcessSeen> {
    let stat = fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    let (before, rest) = stat.rsplit_once(')')?;
    let (_, name) = before.split_once('(')?;
    let ticks: u64 = rest.split_whitespace().nth(STARTED_AT - 3)?.parse().ok()?;
    let begun = Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64);
    Some(ProcessSeen { name: name.to_owned(), age: since_boot().saturating_sub(begun) })
}

/// Waits until the process has ended. Blocks meanwhile. A later process with the same number is not
/// mistaken for it.
///
/// # Errors
/// `NotFound` if there is no such process, or the system's error.
pub fn wait_for_process(number: u32) -> io::Result<()> {
    let number = i32::try_from(number).ok().and_then(Pid::from_raw);
    let number = number.ok_or(io::ErrorKind::NotFound)?;
    let process = pidfd_open(number, PidfdFlags::empty()).map_err(|error| match error {
        Errno::SRCH => io::ErrorKind::NotFound.into(),
        error => io::Error::from(error),
    })?;
    loop {
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], None) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Parses the format of proc_pid_stat(5). The second field is the process name in parentheses.
/// The name may itself contain spaces and parentheses.
fn parse(stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The first field after the name is the third of the line.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Process {
        cpu_seconds: (field(14)? + field(15)?) as f64 / clock_ticks_per_second() as f64,
        threads: field(20)?,
        virtual_bytes: field(23)?,
        resident_bytes: field(24)? * page_size() as u64,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_any_process_name_is_parsed() {
        let stat =
            "7 (a ) b (c) S 1 7 7 0 -1 4194560 97 0 0 0 250 50 0 0 20 0 12 0 5 4096000 300 1";
        let process = parse(stat).unwrap();
        assert_eq!(process.cpu_seconds, 300.0 / clock_ticks_per_second() as f64);
        assert_eq!((process.threads, process.virtual_bytes), (12, 4_096_000));
        assert_eq!(process.resident_bytes, 300 * page_size() as u64);
    }
}
