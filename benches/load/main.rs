//! Acknowledged sends per second of the real server, next to the disk's fsync rate and every other
//! server installed. Run it with `cargo bench --bench load`; docs/performance.md explains the
//! output. Every run starts a new server on an empty database on a real disk and checks every
//! reply. It fails unless exactly the acknowledged messages are stored at the end.

#[path = "../harness/mod.rs"]
mod harness;
mod oneshot;
mod report;
mod sqlite;
mod stall;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Parser;

use harness::generator::{self, Extent, Load};
use harness::machine::{self, OTHER_LOAD_MAX, OtherLoad, Usage, Written};
use harness::peers::{self, BODY_NUMBER_BYTES, Chat, Key, Messages, Peer, Verb};
use harness::place::{self, Place};
use report::{Report, Sample};
use sqlite::Ceiling;

/// How long each run measures the disk's fsync rate, and each row of raw SQLite.
const FSYNC_TIME: Duration = Duration::from_millis(500);
/// How often `--quiet` attempts a run before it accepts a disturbed one.
const ATTEMPTS_MAX: usize = 10;
/// The rows of the table: connections, and requests in flight on each.
const SCENARIOS: [(usize, usize); 6] = [(1, 1), (8, 1), (64, 1), (256, 1), (1000, 1), (64, 16)];
/// The rows of a quick run, which only checks that the benchmark works.
const QUICK_SCENARIOS: [(usize, usize); 3] = [(1, 1), (64, 16), (200, 1)];

/// Measures acknowledged sends per second; without options, the table of docs/performance.md.
#[derive(Debug, Parser)]
#[command(name = "load", bin_name = "cargo bench --bench load --", max_term_width = 100)]
struct Arguments {
    /// How many connections; several numbers, separated by commas, are measured in turn.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    connections: Vec<usize>,
    /// How many requests are in flight on each connection.
    #[arg(long, value_name = "N", requires = "connections", default_value_t = 1)]
    pipeline: usize,
    /// Requests per second at fixed times, whether or not the server keeps up; latencies count from
    /// these times.
    #[arg(long, value_name = "N", requires = "connections")]
    rate: Option<f64>,
    /// How long each run measures, after a warm-up of half a second.
    #[arg(long, value_name = "TIME", default_value_t = 3.0)]
    seconds: f64,
    /// How many requests each run sends, instead of a time.
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    requests: Option<u64>,
    /// How often every measurement is repeated, in turns.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// The length of a message in bytes, at least 16.
    #[arg(long, value_name = "N", default_value_t = 64)]
    body_bytes: usize,
    /// How many users receive the messages.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    recipients: usize,
    #[command(flatten)]
    place: Place,
    /// A server to measure instead of the one of this build; several are compared.
    #[arg(long, value_name = "NAME=PATH", value_parser = parse_server)]
    server: Vec<(String, PathBuf)>,
    /// The `chat-cli` whose one-shot `send` is timed, instead of the one of this build.
    #[arg(long, value_name = "PATH")]
    cli: Option<PathBuf>,
    /// Which of the other installed servers to measure; all, if none is named.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    peers: Vec<String>,
    /// Leave out the other servers, `post`, raw SQLite and the one-shot processes.
    #[arg(long)]
    only: bool,
    /// Also measure `post` with a UUID v7 for each server, even with `--only`.
    #[arg(long)]
    post: bool,
    /// Also measure POST over HTTP, with a UUID v7 for each message, even with `--only`.
    #[arg(long)]
    http: bool,
    /// Measure only the one-shot processes.
    #[arg(long, conflicts_with = "only")]
    one_shot: bool,
    /// Wait until other programs use little CPU, and repeat a run in which they used a tenth or
    /// more.
    #[arg(long)]
    quiet: bool,
}

fn parse_server(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("it is not NAME=PATH")?;
    Ok((name.to_owned(), path.into()))
}

/// Starts a server in `folder`, runs `load` against it, measures its resources, and checks what it
/// stored.
fn measure_once(peer: &dyn Peer, load: &Load, messages: Messages, folder: &Path) -> Result<Sample> {
    let server = peer.start(folder)?;
    let mut protocol = server.protocol(messages);
    let (before, other_load) = (Usage::of(server.process())?, OtherLoad::watch(server.process())?);
    let outcome = generator::run(server.address(), protocol.as_mut(), load)?;
    let usage = Usage::of(server.process())?.since(before);
    let sample = Sample::new(&outcome, usage, other_load.share()?);
    server.stop(messages, outcome.acknowledged)?;
    Ok(sample)
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.place.is_quick() {
        stall::check()?;
        arguments.place.quick = true;
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
    let folder = arguments.place.temporary("load-")?;
    let folder = folder.path();
    let scenarios = scenarios(arguments);
    let most = scenarios.iter().map(|(connections, _)| *connections).max().unwrap_or(1);
    place::raise_descriptor_limit(most)?;
    let chats = chats(arguments, folder)?;
    let targets = targets(arguments, &chats);
    println!("{}", machine::description(folder));
    for peer in &targets {
        println!("{}: {}", peer.name(), peer.description());
    }
    println!(
        "messages of {} bytes to {} recipients; load average {} before",
        arguments.body_bytes,
        arguments.recipients,
        machine::load_average()
    );
    let mut report = Report::new(&scenarios, targets.iter().map(|peer| peer.name()));
    let mut ceiling = Ceiling::default();
    let runs = if arguments.one_shot { 0 } else { arguments.runs };
    for run in 0..runs {
        let time = if arguments.place.quick { FSYNC_TIME / 10 } else { FSYNC_TIME };
        if arguments.quiet {
            machine::wait_for_quiet()?;
        }
        for (kind, written) in Written::ALL.into_iter().enumerate() {
            report.add_fsync_rate(kind, machine::fsync_rate(folder, time, written)?);
        }
        if !arguments.only {
            ceiling.measure(folder, messages(arguments), time)?;
        }
        for (row, &(connections, pipeline)) in scenarios.iter().enumerate() {
            let load = load(arguments, connections, pipeline);
            for turn in 0..targets.len() {
                // Each run starts with another target, so that the order favours none.
                let column = (run + turn) % targets.len();
                let sample = measure(arguments, targets[column].as_ref(), &load, folder)?;
                report.add(row, column, sample);
            }
        }
    }
    if runs > 0 {
        report.print();
    }
    if !arguments.only && runs > 0 {
        ceiling.print();
    }
    if !arguments.only && !arguments.place.quick {
        if arguments.quiet {
            machine::wait_for_quiet()?;
        }
        let place = tempfile::tempdir_in(folder)?;
        let peers: Vec<&dyn Peer> = targets.iter().map(AsRef::as_ref).collect();
        println!("\n{}", oneshot::measure(&peers, messages(arguments), place.path())?);
    }
    println!("\nload average {} after", machine::load_average());
    Ok(())
}

/// Measures one run; with `--quiet`, repeats it until other programs do not disturb it.
fn measure(arguments: &Arguments, peer: &dyn Peer, load: &Load, folder: &Path) -> Result<Sample> {
    let messages = messages(arguments);
    let what = format!("{} with {} × {}", peer.name(), load.connections, load.pipeline);
    let mut attempt = 0;
    loop {
        attempt += 1;
        if arguments.quiet {
            machine::wait_for_quiet()?;
        }
        let place = tempfile::tempdir_in(folder)?;
        let sample =
            measure_once(peer, load, messages, place.path()).with_context(|| what.clone())?;
        let other_load = sample.other_load * 100.0;
        eprintln!("{what}: {:.0}/s; others took {other_load:.0} %", sample.rate);
        if !arguments.quiet || sample.other_load < OTHER_LOAD_MAX || attempt == ATTEMPTS_MAX {
            return Ok(sample);
        }
    }
}

fn messages(arguments: &Arguments) -> Messages {
    Messages { recipients: arguments.recipients, body_bytes: arguments.body_bytes }
}

fn scenarios(arguments: &Arguments) -> Vec<(usize, usize)> {
    if !arguments.connections.is_empty() {
        return arguments.connections.iter().map(|&n| (n, arguments.pipeline)).collect();
    }
    if arguments.place.quick { QUICK_SCENARIOS.to_vec() } else { SCENARIOS.to_vec() }
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

fn chats(arguments: &Arguments, folder: &Path) -> Result<Vec<Chat>> {
    let own = [("chat-server".to_owned(), place::chat_server())];
    let servers = if arguments.server.is_empty() { &own[..] } else { &arguments.server };
    let client = arguments.cli.clone().or(option_env!("CARGO_BIN_EXE_chat-cli").map(PathBuf::from));
    let prepare = |(name, program): &(String, PathBuf)| {
        Chat::prepare(name, program, client.clone(), folder, arguments.recipients)
            .with_context(|| name.clone())
    };
    servers.iter().map(prepare).collect()
}

/// Everything that is measured, our own server first.
fn targets(arguments: &Arguments, chats: &[Chat]) -> Vec<Box<dyn Peer>> {
    let mut targets = Vec::<Box<dyn Peer>>::new();
    for chat in chats {
        targets.push(Box::new(chat.clone()));
        if arguments.post {
            targets.push(Box::new(chat.with(Verb::Post(Key::TimeOrdered))));
        }
        if arguments.http {
            targets.push(Box::new(chat.with(Verb::Http)));
        }
    }
    if arguments.only {
        return targets;
    }
    if let Some(chat) = chats.first() {
        for key in [Key::TimeOrdered, Key::Random] {
            if key != Key::TimeOrdered || !arguments.post {
                targets.push(Box::new(chat.with(Verb::Post(key))));
            }
        }
    }
    let wanted = |peer: &dyn Peer| {
        arguments.peers.is_empty()
            || arguments.peers.iter().any(|name| name.eq_ignore_ascii_case(peer.name()))
    };
    targets.extend(peers::installed().into_iter().filter(|peer| wanted(peer.as_ref())));
    targets
}
