//! The cost of one send to the server, in figures that hardly depend on the speed of the machine:
//! system calls (strace or perf), context switches and instructions (callgrind). Run it with `cargo
//! bench --bench cost`; docs/performance.md explains the output.

#[path = "../harness/mod.rs"]
mod harness;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use rustix::process::{Pid, Signal, kill_process};

use harness::generator::{self, Extent, Load, Outcome};
use harness::machine::Usage;
use harness::peers::chat::RunningChat;
use harness::peers::{Chat, Key, Messages, Peer, Running, Verb, find_program};
use harness::place::{Place, chat_server};

const MESSAGES: Messages = Messages { recipients: 1000, body_bytes: 64 };
/// How long strace may take to attach to every thread.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The time that perf needs to start counting.
const PERF_START: Duration = Duration::from_millis(300);
/// A system call is listed if a send makes at least this many of it on average.
const LISTED_MIN: f64 = 0.005;

/// Counts system calls, context switches and instructions for a send and a post.
#[derive(Debug, Parser)]
#[command(name = "cost", bin_name = "cargo bench --bench cost --", max_term_width = 100)]
struct Arguments {
    /// How many connections send.
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// How many messages are sent in each run without callgrind.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    requests: u64,
    /// How many messages are sent under callgrind, which is fifty times slower.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    callgrind_requests: u64,
    /// The server to measure instead of the one of this build.
    #[arg(long, value_name = "PATH", default_value_os_t = chat_server())]
    server: PathBuf,
    /// Keep callgrind's output files, for callgrind_annotate, in this folder.
    #[arg(long, value_name = "PATH")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.place.is_quick() {
        arguments.requests = 1000;
        arguments.callgrind_requests = 200;
    }
    let folder = arguments.place.temporary("cost-")?;
    let users = MESSAGES.recipients;
    let send = Chat::prepare("chat-server", &arguments.server, None, folder.path(), users)?;
    let post = send.with(Verb::Post(Key::TimeOrdered));
    let bench = Bench { arguments: &arguments, folder: folder.path() };
    println!("{} connections; figures for each message\n", arguments.connections);
    for (name, chat) in [("send", &send), ("post with a key (UUID v7)", &post)] {
        println!("{name}:");
        bench.switches(chat)?;
        bench.system_calls_by_perf(chat)?;
        bench.system_calls_by_strace(chat)?;
        bench.instructions(chat)?;
        println!();
    }
    Ok(())
}

struct Bench<'a> {
    arguments: &'a Arguments,
    folder: &'a Path,
}

impl Bench<'_> {
    fn load(&self, server: &RunningChat, requests: u64) -> Result<Outcome> {
        let load = Load {
            connections: self.arguments.connections,
            pipeline: 1,
            rate: None,
            extent: Extent::Requests(requests),
            warm_up: Duration::ZERO,
        };
        generator::run(server.address(), server.protocol(MESSAGES).as_mut(), &load)
    }

    /// Context switches and CPU time, on an undisturbed server.
    fn switches(&self, chat: &Chat) -> Result<()> {
        let place = tempfile::tempdir_in(self.folder)?;
        let server = chat.start_under(place.path(), &[])?;
        let before = Usage::of(server.process())?;
        let outcome = self.load(&server, self.arguments.requests)?;
        let usage = Usage::of(server.process())?.since(before);
        let sends = outcome.acknowledged as f64;
        println!(
            "  {:.3} context switches, {:.1} µs of the processor ({:.1} of the generator's), at {:.0} a second",
            usage.switches as f64 / sends,
            usage.processor.as_secs_f64() * 1e6 / sends,
            outcome.processor.as_secs_f64() * 1e6 / sends,
            outcome.rate,
        );
        Box::new(server).stop(MESSAGES, outcome.acknowledged)
    }

    /// The number of system calls, at almost full speed. It needs the permission to use perf.
    fn system_calls_by_perf(&self, chat: &Chat) -> Result<()> {
        let Some(perf) = find_program("perf") else {
            println!("  perf is not installed: system calls by strace only");
            return Ok(());
        };
        let place = tempfile::tempdir_in(self.folder)?;
        let server = chat.start_under(place.path(), &[])?;
        let file = place.path().join("perf");
        let mut command = Command::new(perf);
        command.args(["stat", "-x", ";", "-e", "raw_syscalls:sys_enter,instructions:u", "-o"]);
        command.arg(&file).args(["-p", &server.process().to_string()]);
        let tracer = Tracer::attach(&mut command)?;
        // perf does not report when it has started. Calls before that are missing from the count.
        std::thread::sleep(PERF_START);
        let outcome = self.load(&server, self.arguments.requests)?;
        let is_done = tracer.detach()?;
        let counts = fs::read_to_string(&file).unwrap_or_default();
        let count = |event: &str| {
            let line = counts.lines().find(|line| line.contains(event))?;
            line.split(';').next()?.parse::<f64>().ok()
        };
        let sends = outcome.acknowledged as f64;
        match count("raw_syscalls:sys_enter") {
            Some(calls) if is_done => println!("  {:.3} system calls, by perf", calls / sends),
            _ => println!("  perf may not trace here: system calls by strace only"),
        }
        if let Some(instructions) = count("instructions:u") {
            println!("  {:.0} instructions in user mode, by perf", instructions / sends);
        }
        Box::new(server).stop(MESSAGES, outcome.acknowledged)
    }

    /// The system calls by name. strace stops the server at each of them, so batches are larger
    /// than usual.
    fn system_calls_by_strace(&self, chat: &Chat) -> Result<()> {
        let Some(strace) = find_program("strace") else {
            println!("  strace is not installed");
            return Ok(());
        };
        let place = tempfile::tempdir_in(self.folder)?;
        let server = chat.start_under(place.path(), &[])?;
        let file = place.path().join("strace");
        let mut command = Command::new(strace);
        command.args(["-f", "-c", "-U", "calls,name", "-o"]).arg(&file);
        command.args(["-p", &server.process().to_string()]);
        let tracer = Tracer::attach(&mut command)?;
        if !tracer.traces(server.process())? {
            println!("  strace may not trace here");
            return Ok(());
        }
        let outcome = self.load(&server, self.arguments.requests / 5)?;
        tracer.detach()?;
        let calls = strace_counts(&fs::read_to_string(&file)?);
        let sends = outcome.acknowledged as f64;
        let total: u64 = calls.values().sum();
        let mut calls: Vec<_> = calls.into_iter().map(|(n, c)| (n, c as f64 / sends)).collect();
        calls.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let listed = calls.iter().filter(|(_, count)| *count >= LISTED_MIN);
        let listed: Vec<_> = listed.map(|(name, count)| format!("{name} {count:.3}")).collect();
        println!(
            "  {:.3} system calls, by strace, which slows it down: {}",
            total as f64 / sends,
            listed.join(", ")
        );
        Box::new(server).stop(MESSAGES, outcome.acknowledged)
    }

    /// Instructions in user mode, which do not depend on the machine. The difference between two
    /// runs excludes the start and the end of the server.
    fn instructions(&self, chat: &Chat) -> Result<()> {
        if find_program("valgrind").is_none() {
            println!("  valgrind is not installed: no instructions");
            return Ok(());
        }
        let few = self.arguments.callgrind_requests / 10;
        let many = few + self.arguments.callgrind_requests;
        let instructions = self.callgrind(chat, many)? - self.callgrind(chat, few)?;
        let each = instructions / (many - few) as f64;
        println!("  {each:.0} instructions in user mode, by callgrind");
        Ok(())
    }

    /// All instructions of the server, from its start to its end.
    fn callgrind(&self, chat: &Chat, requests: u64) -> Result<f64> {
        let place = tempfile::tempdir_in(self.folder)?;
        let file = place.path().join("callgrind.out");
        let valgrind = find_program("valgrind").context("valgrind")?;
        let wrapper = [
            valgrind.display().to_string(),
            "--tool=callgrind".to_owned(),
            "--quiet".to_owned(),
            format!("--callgrind-out-file={}", file.display()),
        ];
        let server = chat.start_under(place.path(), &wrapper)?;
        let outcome = self.load(&server, requests)?;
        Box::new(server).stop(MESSAGES, outcome.acknowledged)?;
        let text = fs::read_to_string(&file)?;
        let mut totals = text.lines().filter_map(|line| line.strip_prefix("totals: "));
        let total: f64 = totals.next_back().context("callgrind wrote no total")?.trim().parse()?;
        if let Some(folder) = &self.arguments.keep {
            fs::create_dir_all(folder)?;
            let name = chat.name().replace([' ', ','], "-");
            fs::copy(&file, folder.join(format!("callgrind.out.{name}.{requests}")))?;
        }
        Ok(total)
    }
}

/// A program that observes the server while it is attached.
struct Tracer(Child);

impl Tracer {
    fn attach(command: &mut Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(command.spawn().with_context(|| format!("{command:?}"))?))
    }

    /// Waits until it traces every thread of the server, for at most [`TIMEOUT`].
    fn traces(&self, server: u32) -> Result<bool> {
        let line = format!("TracerPid:\t{}", self.0.id());
        let begin = Instant::now();
        while !are_all_traced(server, &line)? {
            if begin.elapsed() > TIMEOUT {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(true)
    }

    /// Detaches. The result is whether the program could trace.
    fn detach(mut self) -> Result<bool> {
        // The program may have ended already, if it was not allowed to trace.
        let _ = kill_process(Pid::from_child(&self.0), Signal::INT);
        let status = self.0.wait()?;
        Ok(status.code() != Some(255) && status.code() != Some(129))
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn are_all_traced(server: u32, line: &str) -> Result<bool> {
    for task in fs::read_dir(format!("/proc/{server}/task"))? {
        let status = fs::read_to_string(task?.path().join("status")).unwrap_or_default();
        if !status.lines().any(|its| its == line) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Parses strace's table, which has the lines `calls name`.
fn strace_counts(table: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in table.lines() {
        let mut fields = line.split_ascii_whitespace();
        if let (Some(Ok(count)), Some(name)) = (fields.next().map(str::parse), fields.next())
            && name != "total"
        {
            counts.insert(name.to_owned(), count);
        }
    }
    counts
}
