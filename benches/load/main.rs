//! Acknowledged sends a second against the running server, beside the disk's own fsync rate and
//! whatever peer is installed: `cargo bench --bench load` (docs/performance.md tells how to read
//! it). Every run starts its server anew on an empty database on a real disk, checks every reply,
//! and at the end that what was acknowledged is stored, and nothing else: else it fails.

mod generator;
mod machine;
mod oneshot;
mod peers;
mod report;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use generator::{Extent, Load, Outcome, Speech};
use machine::{BYSTANDERS_MAX, Bystanders, Usage};
use peers::{BODY_NUMBER_BYTES, Chat, Messages, Redis};
use report::{Report, Sample};

/// Descriptors for everything that is not a connection.
const OTHER_DESCRIPTORS: u64 = 64;
/// How long the disk's fsync rate is measured in every round.
const FSYNC_TIME: Duration = Duration::from_millis(500);
/// How often a run is tried that is to be a quiet one.
const ATTEMPTS_MAX: usize = 10;
/// The table's rows: connections, and requests under way on each.
const SCENARIOS: [(usize, usize); 6] = [(1, 1), (8, 1), (64, 1), (256, 1), (1000, 1), (64, 16)];
/// What is run where it only matters that it runs.
const QUICK_SCENARIOS: [(usize, usize); 3] = [(1, 1), (64, 16), (200, 1)];

/// Measures acknowledged sends a second; without options, the table of docs/performance.md.
#[derive(Debug, Parser)]
#[command(name = "load", bin_name = "cargo bench --bench load --", max_term_width = 100)]
struct Arguments {
    /// How many connections; several, separated by commas, are measured one after the other.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    connections: Vec<usize>,
    /// How many requests are under way on each connection.
    #[arg(long, value_name = "N", requires = "connections", default_value_t = 1)]
    pipeline: usize,
    /// Requests a second, sent when they are due whatever the server does, and timed from then.
    #[arg(long, value_name = "N", requires = "connections")]
    rate: Option<f64>,
    /// How long each run measures, after half a second that is not measured.
    #[arg(long, value_name = "TIME", default_value_t = 3.0)]
    seconds: f64,
    /// How many requests each run makes, instead of a time.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    requests: Option<u64>,
    /// How often everything is run, in turns.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// How long a message's text is, in bytes: at least 16.
    #[arg(long, value_name = "N", default_value_t = 64)]
    body_bytes: usize,
    /// Among how many users the messages are scattered.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    recipients: usize,
    /// Where the databases are: on the disk that is to be measured.
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_TARGET_TMPDIR"))]
    folder: PathBuf,
    /// A server to measure instead of the one of this build; several are compared.
    #[arg(long, value_name = "NAME=PATH", value_parser = parse_server)]
    server: Vec<(String, PathBuf)>,
    /// The `chat-cli` whose `send` is timed as a process, instead of the one of this build.
    #[arg(long, value_name = "PATH")]
    cli: Option<PathBuf>,
    /// Leave out Redis and the one-shot process.
    #[arg(long)]
    only: bool,
    /// Wait until other programs leave the processors alone, and repeat a run in which they took a
    /// tenth of them or more.
    #[arg(long)]
    quiet: bool,
    /// Only see that it runs, in a second or two.
    #[arg(long)]
    quick: bool,
    /// Given by `cargo bench`, and not by `cargo test --all-targets`, which means `--quick`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn parse_server(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it is not NAME=PATH")?;
    Ok((name.to_owned(), path.into()))
}

/// What is measured.
enum Target {
    Chat(Chat),
    Redis,
}

impl Target {
    fn name(&self) -> &str {
        match self {
            Self::Chat(chat) => &chat.name,
            Self::Redis => "Redis",
        }
    }

    /// Starts it in `folder`, puts `load` on it, checks what it has stored.
    fn measure(&self, load: &Load, messages: Messages, folder: &Path) -> Result<Sample> {
        match self {
            Self::Chat(chat) => {
                let server = chat.start(folder)?;
                let mut speech = server.speech(messages);
                let (outcome, sample) = observe(server.pid(), server.address, &mut speech, load)?;
                server.stop(outcome.acknowledged)?;
                Ok(sample)
            }
            Self::Redis => {
                let server = Redis::start(folder)?;
                let mut speech = server.speech(messages);
                let (outcome, sample) = observe(server.pid(), server.address, &mut speech, load)?;
                server.stop(messages.recipients, outcome.acknowledged)?;
                Ok(sample)
            }
        }
    }
}

/// Puts `load` on a server, and looks at what that costs it.
fn observe<S: Speech>(
    pid: u32,
    address: SocketAddr,
    speech: &mut S,
    load: &Load,
) -> Result<(Outcome, Sample)> {
    let (before, bystanders) = (Usage::of(pid)?, Bystanders::watch(pid)?);
    let outcome = generator::run(address, speech, load)?;
    let usage = Usage::of(pid)?.since(before);
    let sample = Sample::new(&outcome, usage, bystanders.share()?);
    Ok((outcome, sample))
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if !arguments.bench {
        arguments.quick = true;
    }
    if arguments.quick {
        arguments.only = true;
        arguments.runs = 1;
        arguments.requests = Some(500);
    }
    ensure!(
        (BODY_NUMBER_BYTES..=32 * 1024).contains(&arguments.body_bytes),
        "--body-bytes has to be from {BODY_NUMBER_BYTES} to 32768"
    );
    ensure!(
        arguments.recipients > 0 && arguments.runs > 0 && !arguments.connections.contains(&0),
        "--recipients, --runs and --connections have to be at least 1"
    );
    run(&arguments)
}

fn run(arguments: &Arguments) -> Result<()> {
    fs::create_dir_all(&arguments.folder)?;
    let folder = tempfile::Builder::new().prefix("load-").tempdir_in(&arguments.folder)?;
    let folder = folder.path();
    let scenarios = scenarios(arguments);
    let most = scenarios.iter().map(|(connections, _)| *connections).max().unwrap_or(1);
    raise_descriptor_limit(most as u64 + OTHER_DESCRIPTORS)?;
    let targets = targets(arguments, folder)?;
    println!("{}", machine::description(folder));
    println!(
        "messages of {} bytes to {} recipients; load average {} before",
        arguments.body_bytes,
        arguments.recipients,
        machine::load_average()
    );
    let mut report = Report::new(&scenarios, targets.iter().map(Target::name));
    for run in 0..arguments.runs {
        let time = if arguments.quick { FSYNC_TIME / 10 } else { FSYNC_TIME };
        if arguments.quiet {
            machine::wait_for_quiet()?;
        }
        report.add_fsync_rate(machine::fsync_rate(folder, time)?);
        for (row, &(connections, pipeline)) in scenarios.iter().enumerate() {
            let load = load(arguments, connections, pipeline);
            for turn in 0..targets.len() {
                // Another one first in every run.
                let column = (run + turn) % targets.len();
                let sample = measure(arguments, &targets[column], &load, folder)?;
                report.add(row, column, sample);
            }
        }
    }
    report.print();
    print_one_shot(arguments, &targets, folder)?;
    println!("\nload average {} after", machine::load_average());
    Ok(())
}

/// One run that counts.
fn measure(arguments: &Arguments, target: &Target, load: &Load, folder: &Path) -> Result<Sample> {
    let messages = Messages { recipients: arguments.recipients, body_bytes: arguments.body_bytes };
    let what = format!("{} with {} × {}", target.name(), load.connections, load.pipeline);
    let mut attempt = 0;
    loop {
        attempt += 1;
        if arguments.quiet {
            machine::wait_for_quiet()?;
        }
        let place = tempfile::tempdir_in(folder)?;
        let sample = target.measure(load, messages, place.path()).with_context(|| what.clone())?;
        let bystanders = sample.bystanders * 100.0;
        eprintln!("{what}: {:.0}/s; others took {bystanders:.0} %", sample.rate);
        if !arguments.quiet || sample.bystanders < BYSTANDERS_MAX || attempt == ATTEMPTS_MAX {
            return Ok(sample);
        }
    }
}

fn scenarios(arguments: &Arguments) -> Vec<(usize, usize)> {
    if !arguments.connections.is_empty() {
        return arguments.connections.iter().map(|&n| (n, arguments.pipeline)).collect();
    }
    if arguments.quick { QUICK_SCENARIOS.to_vec() } else { SCENARIOS.to_vec() }
}

fn load(arguments: &Arguments, connections: usize, pipeline: usize) -> Load {
    let time = Extent::Time(Duration::from_secs_f64(arguments.seconds));
    Load {
        connections,
        pipeline,
        rate: arguments.rate,
        extent: arguments.requests.map_or(time, Extent::Requests),
        warm_up: Duration::from_millis(500),
    }
}

fn targets(arguments: &Arguments, folder: &Path) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    let own = [("chat-server".to_owned(), PathBuf::from(env!("CARGO_BIN_EXE_chat-server")))];
    let servers = if arguments.server.is_empty() { &own[..] } else { &arguments.server };
    for (name, program) in servers {
        let chat = Chat::prepare(name, program, folder, arguments.recipients);
        targets.push(Target::Chat(chat.with_context(|| name.clone())?));
    }
    if arguments.only {
        return Ok(targets);
    }
    match Redis::version() {
        Some(version) => {
            println!("peer: {version}, appendfsync always");
            targets.push(Target::Redis);
        }
        None => println!("Redis: skipped, there is no redis-server on the PATH"),
    }
    Ok(targets)
}

fn print_one_shot(arguments: &Arguments, targets: &[Target], folder: &Path) -> Result<()> {
    if arguments.only {
        return Ok(());
    }
    let built = option_env!("CARGO_BIN_EXE_chat-cli").map(PathBuf::from);
    let Some(cli) = arguments.cli.clone().or(built) else {
        println!("\none-shot send: skipped, this build has no chat-cli");
        return Ok(());
    };
    let Some(Target::Chat(chat)) = targets.first() else { return Ok(()) };
    let place = tempfile::tempdir_in(folder)?;
    println!("\n{}", oneshot::measure(&cli, chat, arguments.body_bytes, place.path())?);
    Ok(())
}

/// A connection is a descriptor, here and in the servers, which inherit the limit.
fn raise_descriptor_limit(needed: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised)
        .with_context(|| format!("{needed} file descriptors are not allowed (ulimit -Hn)"))
}
