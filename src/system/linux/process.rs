//! What `/proc` says about this process.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};

use crate::system::Process;

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
