//! What follows the acknowledgement of a send, and what many connections cost: live push, a mixed
//! load and idle connections. Run it with `cargo bench --bench live`; docs/performance.md explains
//! the output.

#[path = "../harness/mod.rs"]
mod harness;
mod idle;
mod mixed;
mod push;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use harness::generator::{self, Extent, Load, Outcome, Protocol};
use harness::machine;
use harness::peers::chat::{self, Server};
use harness::peers::{Messages, Verb, recipient};
use harness::place::{self, Place, chat_server};

/// The number of users with an inbox.
const USERS: usize = 1000;
const MESSAGES: Messages = Messages { recipients: USERS, body_bytes: 64 };

/// Measures live push, mixed load and idle connections.
#[derive(Debug, Parser)]
#[command(name = "live", bin_name = "cargo bench --bench live --", max_term_width = 100)]
struct Arguments {
    /// What to measure; everything, if nothing is named.
    parts: Vec<Part>,
    /// How long each load is measured.
    #[arg(long, value_name = "TIME", default_value_t = 3.0)]
    seconds: f64,
    /// How often everything is measured.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// How many connections are idle; several numbers, separated by commas.
    #[arg(long, value_name = "N", value_delimiter = ',')]
    idle: Vec<usize>,
    /// The server to measure instead of the one of this build.
    #[arg(long, value_name = "PATH", default_value_os_t = chat_server())]
    server: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// How long after its acknowledgement a message reaches its watcher.
    Push,
    /// How many deliveries per second there are with many watchers of one inbox.
    Fan,
    /// Sends at half the maximum rate, next to watchers, histories and inboxes.
    Mixed,
    /// The memory of idle connections, and sends among them.
    Idle,
    /// The memory of idle streams over HTTP.
    Sse,
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.place.is_quick() {
        arguments.seconds = 0.2;
        arguments.runs = 1;
        arguments.idle = vec![500];
    }
    if arguments.idle.is_empty() {
        arguments.idle = vec![10_000, place::connections_max().min(20_000)];
    }
    if arguments.parts.is_empty() {
        arguments.parts = Part::value_variants().to_vec();
    }
    let most = arguments.idle.iter().copied().max().unwrap_or(0).max(2 * USERS);
    place::raise_descriptor_limit(most.min(place::connections_max()))?;
    let folder = arguments.place.temporary("live-")?;
    let template = folder.path().join("template.sqlite");
    let names: Vec<String> = (0..USERS).map(recipient).collect();
    chat::create(&arguments.server, &template, names.iter().map(String::as_str))?;
    let bench = Bench { arguments: &arguments, folder: folder.path(), template };
    println!("{}", machine::description(folder.path()));
    for part in &arguments.parts {
        println!();
        match part {
            Part::Push => push::measure_latency(&bench)?,
            Part::Fan => push::measure_fan(&bench)?,
            Part::Mixed => mixed::measure(&bench)?,
            Part::Idle => idle::measure(&bench)?,
            Part::Sse => idle::measure_streams(&bench)?,
        }
    }
    Ok(())
}

/// The shared state of all parts.
struct Bench<'a> {
    arguments: &'a Arguments,
    folder: &'a Path,
    /// The database with the users.
    template: PathBuf,
}

impl Bench<'_> {
    fn runs(&self) -> usize {
        self.arguments.runs
    }

    fn time(&self) -> Duration {
        Duration::from_secs_f64(self.arguments.seconds)
    }

    /// Calls a function with a server on a new database.
    fn with_server<T>(
        &self,
        options: &[&str],
        what: impl FnOnce(&Server) -> Result<T>,
    ) -> Result<T> {
        let place = tempfile::tempdir_in(self.folder)?;
        let database = place.path().join("chat.sqlite");
        fs::copy(&self.template, &database)?;
        let server = Server::start_under(&self.arguments.server, &database, &[], options)?;
        let done = what(&server)?;
        server.stop()?;
        Ok(done)
    }

    /// The protocol for sends from one user to all.
    fn sends(&self, server: &Server) -> Result<Box<dyn Protocol>> {
        Ok(chat::protocol(Verb::Send, &server.log_in_sender()?, MESSAGES))
    }

    fn load(
        &self,
        server: &Server,
        protocol: &mut dyn Protocol,
        connections: usize,
        rate: Option<f64>,
    ) -> Result<Outcome> {
        let load = Load {
            connections,
            pipeline: 1,
            rate,
            extent: Extent::Time(self.time()),
            warm_up: self.time() / 6,
        };
        generator::run(server.address(), protocol, &load)
    }
}

/// Opens a session of each of the first `count` users.
fn log_in_users(server: &Server, count: usize) -> Result<Vec<String>> {
    let session = |index| server.log_in(&recipient(index)).with_context(|| recipient(index));
    (0..count).map(session).collect()
}
