//! Facts about the machine: its description, the fsync rate of its disk, and the CPU time and
//! context switches of a process.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::param::clock_ticks_per_second;

const BLOCK_BYTES: usize = 4096;
/// The number of blocks that are overwritten in turn: 1 MiB.
const BLOCKS: u64 = 256;

/// What is written before each fsync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// An existing block is overwritten.
    Over,
    /// An existing block is overwritten, after a stat of the file.
    OverOneThatIsLookedAt,
    /// A block is appended.
    AtTheEnd,
}

impl Written {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Over, Self::OverOneThatIsLookedAt, Self::AtTheEnd];
}

/// How often per second this disk makes 4 KiB durable.
pub fn fsync_rate(folder: &Path, time: Duration, written: Written) -> Result<f64> {
    let path = folder.join("fsync");
    let file = File::create(&path)?;
    let block = [b'x'; BLOCK_BYTES];
    for index in 0..BLOCKS {
        file.write_all_at(&block, index * BLOCK_BYTES as u64)?;
    }
    file.sync_all()?;
    let begin = Instant::now();
    let mut count = 0;
    while begin.elapsed() < time {
        let place = match written {
            Written::AtTheEnd => BLOCKS + count,
            _ => count % BLOCKS,
        };
        file.write_all_at(&block, place * BLOCK_BYTES as u64)?;
        file.sync_data()?;
        if written == Written::OverOneThatIsLookedAt {
            file.metadata()?;
        }
        count += 1;
    }
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    fs::remove_file(path)?;
    Ok(rate)
}

/// The resources that a process has used so far, summed over its threads.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub processor: Duration,
    /// Voluntary and involuntary context switches.
    pub switches: u64,
}

impl Usage {
    /// The usage of a process and its descendants. Threads and processes that have ended are not
    /// counted.
    pub fn of(pid: u32) -> Result<Self> {
        Self::of_all(&family(pid)?)
    }

    fn of_all(processes: &[u32]) -> Result<Self> {
        let mut usage = Self::default();
        for process in processes {
            usage.add_threads(*process)?;
        }
        Ok(usage)
    }

    fn add_threads(&mut self, pid: u32) -> Result<()> {
        let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Ok(()) };
        for task in tasks {
            let task = task?.path();
            let (Ok(times), Ok(status)) = (
                fs::read_to_string(task.join("schedstat")),
                fs::read_to_string(task.join("status")),
            ) else {
                continue;
            };
            let nanoseconds = times.split(' ').next().and_then(|field| field.parse().ok());
            self.processor += Duration::from_nanos(nanoseconds.unwrap_or(0));
            let switches = status.lines().filter(|line| line.contains("ctxt_switches"));
            self.switches += switches
                .filter_map(|line| line.rsplit('\t').next()?.parse::<u64>().ok())
                .sum::<u64>();
        }
        Ok(())
    }

    pub fn since(self, earlier: Self) -> Self {
        Self {
            processor: self.processor.saturating_sub(earlier.processor),
            switches: self.switches.saturating_sub(earlier.switches),
        }
    }
}

/// The resident memory of a process, in KiB.
pub fn resident_kib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let field = line.and_then(|line| line.split_ascii_whitespace().next());
    Ok(field.context("no VmRSS")?.parse()?)
}

/// A process and its descendants. proc_pid_task_children(5) needs a kernel option, so this reads
/// the parent of every process instead.
fn family(pid: u32) -> Result<Vec<u32>> {
    let mut family = vec![pid];
    for entry in fs::read_dir("/proc")? {
        let Ok(process) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = fs::read_to_string(format!("/proc/{process}/stat")) else { continue };
        // The fields after the name, which may contain any character: the state, then the parent.
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1));
        if parent.and_then(|parent| parent.parse().ok()) == Some(pid) {
            family.push(process);
        }
    }
    Ok(family)
}

/// A measurement counts as undisturbed if other programs use a smaller share of the CPUs than this.
pub const OTHER_LOAD_MAX: f64 = 0.1;
/// How long to wait for a quiet machine.
const QUIET_WAIT: Duration = Duration::from_secs(120);
/// How long the machine must stay quiet.
const QUIET_TIME: Duration = Duration::from_millis(300);

/// Waits until other programs use little CPU, for at most [`QUIET_WAIT`].
pub fn wait_for_quiet() -> Result<()> {
    let begin = Instant::now();
    while begin.elapsed() < QUIET_WAIT {
        let other_load = OtherLoad::watch(std::process::id())?;
        thread::sleep(QUIET_TIME);
        if other_load.share()? < OTHER_LOAD_MAX {
            break;
        }
    }
    Ok(())
}

/// Measures the share of the CPUs that unrelated programs use.
pub struct OtherLoad {
    server: u32,
    begin: Instant,
    busy: Duration,
    usage: Usage,
}

impl OtherLoad {
    /// Starts measuring. Every process is unrelated, except `server`, its descendants and this
    /// process.
    pub fn watch(server: u32) -> Result<Self> {
        Ok(Self { server, begin: Instant::now(), busy: busy()?, usage: of_involved(server)? })
    }

    /// The share since the start, from 0 to 1. Kernel threads that write for the server count as
    /// unrelated, which adds some hundredths.
    pub fn share(&self) -> Result<f64> {
        let own = of_involved(self.server)?.since(self.usage).processor;
        let others = (busy()?.saturating_sub(self.busy)).saturating_sub(own);
        let processors = thread::available_parallelism()?.get() as f64;
        Ok(others.as_secs_f64() / self.begin.elapsed().as_secs_f64() / processors)
    }
}

/// The usage of the server's processes and of this one, each counted once.
fn of_involved(server: u32) -> Result<Usage> {
    let mut processes = family(server)?;
    processes.extend(family(std::process::id())?);
    processes.sort_unstable();
    processes.dedup();
    Usage::of_all(&processes)
}

/// The total time that the CPUs were not idle (proc_stat(5)).
fn busy() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().next().context("/proc/stat is empty")?;
    let fields = line.split_ascii_whitespace().skip(1).map(str::parse::<u64>);
    let fields = fields.collect::<Result<Vec<_>, _>>()?;
    // All fields except idle, waiting for the disk, and guest time, which the first two include.
    let ticks: u64 = [0, 1, 2, 5, 6, 7].iter().filter_map(|&index| fields.get(index)).sum();
    Ok(Duration::from_secs_f64(ticks as f64 / clock_ticks_per_second() as f64))
}

/// A paragraph about the machine, its kernel and the file system of `folder`.
pub fn description(folder: &Path) -> String {
    let field = |path: &str, name: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("?").trim().to_owned()
    };
    let processors = thread::available_parallelism().map_or(0, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{} × {} (family {}, model {}), {} memory, Linux {}; database on {}",
        processors,
        field("/proc/cpuinfo", "model name"),
        field("/proc/cpuinfo", "cpu family"),
        field("/proc/cpuinfo", "model\t"),
        field("/proc/meminfo", "MemTotal"),
        kernel.trim(),
        file_system(folder)
    )
}

/// The device and type of a folder's file system.
pub fn file_system(folder: &Path) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let mounts = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let over = mounts.filter(|fields| fields.len() > 2 && folder.starts_with(fields[1]));
    // The longest mount point wins; of several mounts on it, the last one is visible.
    let over = over.max_by_key(|fields| fields[1].len());
    over.map_or("?".to_owned(), |fields| format!("{} ({})", fields[0], fields[2]))
}

/// The load average of the whole machine. It shows whether unrelated programs were running.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}
