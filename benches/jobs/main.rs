//! What messages that are sent later, and expectations, cost: on a file and on PostgreSQL. Run it
//! with `cargo bench --bench jobs`; docs/performance.md explains the output. Without PostgreSQL it
//! measures the file only.

mod expectations;
#[path = "../harness/mod.rs"]
mod harness;
mod requests;
mod scheduled;
mod sends;
#[path = "../nodes/service.rs"]
#[allow(dead_code, reason = "the benchmarks `nodes` and `search` use the rest")]
mod service;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};

use harness::machine;
use harness::peers::chat::Server;
use harness::peers::cluster::Programs;
use harness::peers::{Messages, recipient};
use harness::place::{Place, chat_server};
use service::{Run, Service};

/// The users who get messages.
const RECIPIENTS: usize = 1000;
const MESSAGES: Messages = Messages { recipients: RECIPIENTS, body_bytes: 64 };
/// The users who schedule messages. Each may have [`SCHEDULED_MAX`].
const OWNERS: usize = 100;
/// Recipients, then owners, then the user who watches.
const USERS: usize = RECIPIENTS + OWNERS + 1;
/// The most scheduled messages of a user, and the most expectations.
const SCHEDULED_MAX: usize = 10_000;
const EXPECTATIONS_MAX: usize = 1_000;

/// Measures scheduled messages and expectations.
#[derive(Debug, Parser)]
#[command(name = "jobs", bin_name = "cargo bench --bench jobs --", max_term_width = 100)]
struct Arguments {
    /// What to measure; everything, if nothing is named.
    parts: Vec<Part>,
    /// Where to measure it; both, if nothing is named.
    #[arg(long, value_name = "ENGINE")]
    on: Vec<Engine>,
    /// How many messages wait.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    scheduled: usize,
    /// How many messages become due in each second of `deliver`, and together at its end.
    #[arg(long, value_name = "N", default_value_t = 500)]
    due: u32,
    /// How many sends a second there are beside them.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    rate: u32,
    /// How many expectations there are.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    expectations: usize,
    /// How long `deliver` takes, and each load of `sends`.
    #[arg(long, value_name = "TIME", default_value_t = 10.0)]
    seconds: f64,
    /// How often `start` and `sends` are measured.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// The seconds of a minute of `expectations` and `late`.
    #[arg(long, value_name = "TIME", default_value_t = 60)]
    minute: u32,
    /// The server to measure instead of the one of this build.
    #[arg(long, value_name = "PATH", default_value_os_t = chat_server())]
    server: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The start of the server and its memory, without and with the messages that wait.
    Start,
    /// How late messages arrive that are due one by one, and together, beside sends.
    Deliver,
    /// Sends a second beside waiting messages and expectations ÷ without them.
    Sends,
    /// Processor time a minute without expectations, with them, and with a report of each.
    Expectations,
    /// Processor time of a minute in which the report of each expectation is missing.
    Late,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    File,
    Postgres,
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.place.is_quick() {
        (arguments.scheduled, arguments.due, arguments.rate) = (1_000, 50, 500);
        (arguments.expectations, arguments.seconds) = (20, 0.2);
        (arguments.runs, arguments.minute) = (1, 1);
    }
    if arguments.parts.is_empty() {
        arguments.parts = Part::value_variants().to_vec();
    }
    if arguments.on.is_empty() {
        arguments.on = Engine::value_variants().to_vec();
    }
    let most = OWNERS * SCHEDULED_MAX;
    ensure!(arguments.scheduled <= most, "--scheduled may be at most {most}");
    let most = OWNERS * EXPECTATIONS_MAX;
    ensure!(arguments.expectations <= most, "--expectations may be at most {most}");
    let folder = arguments.place.temporary("jobs-")?;
    println!("{}", machine::description(folder.path()));
    for engine in &arguments.on {
        let name = engine.to_possible_value().context("a name")?.get_name().to_owned();
        let folder = folder.path().join(&name);
        fs::create_dir(&folder)?;
        let service = match (engine, Programs::find()) {
            (Engine::File, _) => Service::on_file(&arguments.server, &folder)?,
            (Engine::Postgres, Some(programs)) => {
                println!("\n{}", programs.version());
                Service::on_postgres(&programs, &arguments.server, &folder, 0)?
            }
            (Engine::Postgres, None) => {
                println!("\nskipped: PostgreSQL (Debian: postgresql)");
                continue;
            }
        };
        println!("\n{name}:");
        Bench { arguments: &arguments, service: &service }.measure().context(name)?;
        service.stop()?;
    }
    Ok(())
}

/// The shared state of all parts.
struct Bench<'a> {
    arguments: &'a Arguments,
    service: &'a Service,
}

impl Bench<'_> {
    fn measure(&self) -> Result<()> {
        let parts = &self.arguments.parts;
        let mut empty = self.service.start(1)?;
        let mut full = self.service.start(1)?;
        if parts.iter().any(|part| [Part::Start, Part::Deliver, Part::Sends].contains(part)) {
            scheduled::fill(self, &full)?;
        }
        for part in parts {
            match part {
                Part::Start => scheduled::start(self, &mut empty, &mut full)?,
                Part::Deliver => scheduled::deliver(self, &full)?,
                Part::Sends => sends::measure(self, &empty, &full)?,
                Part::Expectations => expectations::measure(self, &empty)?,
                Part::Late => expectations::late(self, &empty)?,
            }
        }
        empty.end()?;
        full.end()
    }

    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.arguments.seconds)
    }
}

/// The server of a run.
fn server<'a>(run: &'a Run<'_>) -> &'a Server {
    &run.nodes[0]
}

/// A session of each of the first owners.
fn owners(server: &Server, count: usize) -> Result<Vec<String>> {
    (0..count).map(|index| server.log_in(&recipient(RECIPIENTS + index))).collect()
}

/// The user who watches.
fn watcher() -> String {
    recipient(RECIPIENTS + OWNERS)
}
