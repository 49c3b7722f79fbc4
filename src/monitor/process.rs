//! Figures of this process from the operating system, named like those of Prometheus's own
//! libraries.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// The resources that the process uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    pub(super) threads: u64,
    pub(super) virtual_bytes: u64,
    pub(super) resident_bytes: u64,
}

/// The number of open file descriptors, and their limit. It takes longer the more are open.
pub(super) fn open_files() -> (Option<u64>, Option<u64>) {
    // The descriptor of the listed folder itself is not counted.
    let open = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1));
    (open.map(|open| open as u64), getrlimit(Resource::Nofile).current)
}

impl Process {
    /// The current figures. `None` if the system does not provide them (`/proc` is missing).
    pub(super) fn look() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// Parses the format of proc_pid_stat(5). The second field is the process name in parentheses.
    /// The name may itself contain spaces and parentheses.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The first field after the name is the third of the line.
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) as f64 / clock_ticks_per_second() as f64,
            threads: field(20)?,
            virtual_bytes: field(23)?,
            resident_bytes: field(24)? * page_size() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_any_process_name_is_parsed() {
        let stat =
            "7 (a ) b (c) S 1 7 7 0 -1 4194560 97 0 0 0 250 50 0 0 20 0 12 0 5 4096000 300 1";
        let process = Process::parse(stat).unwrap();
        assert_eq!(process.cpu_seconds, 300.0 / clock_ticks_per_second() as f64);
        assert_eq!((process.threads, process.virtual_bytes), (12, 4_096_000));
        assert_eq!(process.resident_bytes, 300 * page_size() as u64);
    }
}
