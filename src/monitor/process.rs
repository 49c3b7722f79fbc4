//! What the system knows of this process, under the names that Prometheus's own libraries use.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// What a process uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    pub(super) threads: u64,
    pub(super) virtual_bytes: u64,
    pub(super) resident_bytes: u64,
}

/// How many files this process has open, and how many it may. Takes longer, the more there are.
pub(super) fn open_files() -> (Option<u64>, Option<u64>) {
    // The open folder itself is not counted.
    let open = fs::read_dir("/proc/self/fd").ok().map(|entries| entries.count().saturating_sub(1));
    (open.map(|open| open as u64), getrlimit(Resource::Nofile).current)
}

impl Process {
    /// This process as it is now; `None` where the system does not say (`/proc` is not there).
    pub(super) fn look() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// proc_pid_stat(5). The second field is the name in brackets, with whatever is in it.
    fn parse(stat: &str) -> Option<Self> {
        let (_, rest) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // The first field of the rest is the third of all.
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
    fn fields_are_found_behind_a_name_with_anything_in_it() {
        let stat =
            "7 (a ) b (c) S 1 7 7 0 -1 4194560 97 0 0 0 250 50 0 0 20 0 12 0 5 4096000 300 1";
        let process = Process::parse(stat).unwrap();
        assert_eq!(process.cpu_seconds, 300.0 / clock_ticks_per_second() as f64);
        assert_eq!((process.threads, process.virtual_bytes), (12, 4_096_000));
        assert_eq!(process.resident_bytes, 300 * page_size() as u64);
    }
}
