//! Servers on a PostgreSQL database, next to one server on a file. Run it with `cargo bench --bench
//! nodes`; docs/performance.md explains the output. Without PostgreSQL it measures nothing and says
//! so. Every run has a new database, and fails unless exactly the acknowledged messages are stored.

#[path = "../harness/mod.rs"]
mod harness;
mod service;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use harness::figures::{median, quantile, spread, summary};
use harness::generator::{self, Extent, Load, Outcome};
use harness::machine;
use harness::peers::client::Client;
use harness::peers::cluster::Programs;
use harness::peers::{Messages, Verb, chat, recipient};
use harness::place::{self, Place, chat_server};
use service::Service;

/// The number of users with an inbox.
const USERS: usize = 1000;
const MESSAGES: Messages = Messages { recipients: USERS, body_bytes: 64 };
/// The numbers of connections.
const CONNECTIONS: [usize; 3] = [1, 32, 64];
/// The numbers of servers on one database, and of their connections together.
const NODES: [usize; 3] = [1, 2, 4];
const NODES_CONNECTIONS: usize = 256;
/// The pause before each message that is pushed to a watcher of another server.
const REST: Duration = Duration::from_millis(5);

/// Measures servers on a PostgreSQL database.
#[derive(Debug, Parser)]
#[command(name = "nodes", bin_name = "cargo bench --bench nodes --", max_term_width = 100)]
struct Arguments {
    /// What to measure; everything, if nothing is named.
    parts: Vec<Part>,
    /// How long each run measures, after a warm-up of half a second.
    #[arg(long, value_name = "TIME", default_value_t = 2.0)]
    seconds: f64,
    /// How often everything is measured, in turns.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// The server to measure instead of the one of this build.
    #[arg(long, value_name = "PATH", default_value_os_t = chat_server())]
    server: PathBuf,
    /// Wait until other programs use little CPU.
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Sends a second on a file, on PostgreSQL without and with a standby, and pgbench's inserts.
    Sends,
    /// Sends a second of several servers on one database.
    Nodes,
    /// How long after it was sent a message reaches a watcher of another server.
    Push,
    /// The bytes that a message takes in the database and in the WAL.
    Size,
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.place.is_quick() {
        (arguments.seconds, arguments.runs) = (0.2, 1);
    }
    if arguments.parts.is_empty() {
        arguments.parts = Part::value_variants().to_vec();
    }
    let Some(programs) = Programs::find() else {
        println!("skipped: needs PostgreSQL (Debian: postgresql)");
        return Ok(());
    };
    let folder = arguments.place.temporary("nodes-")?;
    place::raise_descriptor_limit(NODES_CONNECTIONS + 64)?;
    println!("{}; {}", machine::description(folder.path()), programs.version());
    let folder_of = |name: &str| -> Result<PathBuf> {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder)?;
        Ok(folder)
    };
    let server = &arguments.server;
    let alone = Service::on_postgres(&programs, server, &folder_of("alone")?, 0)?;
    let doubled = Service::on_postgres(&programs, server, &folder_of("doubled")?, 1)?;
    let file = Service::on_file(server, &folder_of("file")?)?;
    let bench = Bench { arguments: &arguments, programs: &programs };
    for part in &arguments.parts {
        println!();
        match part {
            Part::Sends => bench.measure_sends([&file, &alone, &doubled])?,
            Part::Nodes => bench.measure_nodes([&alone, &doubled])?,
            Part::Push => bench.measure_push([&alone, &doubled])?,
            Part::Size => bench.measure_size(&alone)?,
        }
    }
    alone.stop()?;
    doubled.stop()
}

struct Bench<'a> {
    arguments: &'a Arguments,
    programs: &'a Programs,
}

/// The figures of all runs of one measurement.
#[derive(Default)]
struct Figures {
    rates: Vec<f64>,
    /// The p99 of the latency in milliseconds.
    latest: Vec<f64>,
}

impl Figures {
    fn add(&mut self, outcome: &Outcome) {
        self.rates.push(outcome.rate);
        self.latest.push(quantile(&outcome.latencies, 0.99));
    }

    fn cell(&self) -> String {
        let rate = summary(&self.rates, 0);
        match self.latest.is_empty() {
            true => rate,
            false => format!("{rate}, {:.2} ms", median(self.latest.iter().copied())),
        }
    }

    /// The ratios to another measurement, run by run.
    fn over(&self, other: &Self) -> String {
        let ratios: Vec<f64> =
            self.rates.iter().zip(&other.rates).map(|(own, other)| own / other).collect();
        let (low, high) = spread(&ratios);
        format!("{:.2} ({low:.2}–{high:.2})", median(ratios.iter().copied()))
    }
}

impl Bench<'_> {
    fn load(&self, connections: usize) -> Load {
        Load {
            connections,
            pipeline: 1,
            rate: None,
            extent: Extent::Time(Duration::from_secs_f64(self.arguments.seconds)),
            warm_up: Duration::from_millis(500),
        }
    }

    fn wait(&self) -> Result<()> {
        if self.arguments.quiet { machine::wait_for_quiet() } else { Ok(()) }
    }

    /// The server on each engine, and the single inserts of pgbench without and with a standby.
    fn measure_sends(&self, services: [&Service; 3]) -> Result<()> {
        let names = ["file", "PostgreSQL", "with a standby", "pgbench", "pgbench with a standby"];
        let mut figures: Vec<Vec<Figures>> = (0..CONNECTIONS.len())
            .map(|_| names.iter().map(|_| Figures::default()).collect())
            .collect();
        for _ in 0..self.arguments.runs {
            for (row, connections) in CONNECTIONS.into_iter().enumerate() {
                for (column, figures) in figures[row].iter_mut().enumerate() {
                    self.wait()?;
                    match services.get(column) {
                        Some(service) => figures
                            .add(&self.sends(service, 1, connections).context(names[column])?),
                        // The services before these two are without and with a standby, too.
                        None => figures.rates.push(
                            services[column - 2]
                                .inserts(self.programs, connections, self.arguments.seconds)
                                .context(names[column])?,
                        ),
                    }
                }
            }
        }
        println!("| connections | {} |", names.join(" | "));
        println!("| --- |{}", " --- |".repeat(names.len()));
        for (connections, figures) in CONNECTIONS.into_iter().zip(&figures) {
            let cells: Vec<String> = figures.iter().map(Figures::cell).collect();
            println!("| {connections} | {} |", cells.join(" | "));
        }
        println!(
            "\n| connections | PostgreSQL ÷ file | with a standby ÷ file | PostgreSQL ÷ pgbench | both with a standby |"
        );
        println!("| --- | --- | --- | --- | --- |");
        for (connections, figures) in CONNECTIONS.into_iter().zip(&figures) {
            let [file, alone, doubled, pgbench, both] = &figures[..] else { continue };
            println!(
                "| {connections} | {} | {} | {} | {} |",
                alone.over(file),
                doubled.over(file),
                alone.over(pgbench),
                doubled.over(both)
            );
        }
        Ok(())
    }

    /// Sends to `nodes` servers on a new database.
    fn sends(&self, service: &Service, nodes: usize, connections: usize) -> Result<Outcome> {
        let run = service.start(nodes)?;
        let token = run.nodes[0].log_in_sender()?;
        let mut protocol = chat::protocol(Verb::Send, &token, MESSAGES);
        let addresses: Vec<_> = run.nodes.iter().map(chat::Server::address).collect();
        let outcome = generator::run_on(&addresses, protocol.as_mut(), &self.load(connections))?;
        run.stop(outcome.acknowledged)?;
        Ok(outcome)
    }

    fn measure_nodes(&self, services: [&Service; 2]) -> Result<()> {
        println!("{NODES_CONNECTIONS} connections together");
        println!("\n| servers | PostgreSQL | with a standby |");
        println!("| --- | --- | --- |");
        for nodes in NODES {
            let mut figures = [Figures::default(), Figures::default()];
            for _ in 0..self.arguments.runs {
                for (figures, service) in figures.iter_mut().zip(services) {
                    self.wait()?;
                    figures.add(&self.sends(service, nodes, NODES_CONNECTIONS)?);
                }
            }
            let [alone, doubled] = figures;
            println!("| {nodes} | {} | {} |", alone.cell(), doubled.cell());
        }
        Ok(())
    }

    /// Sends from 64 connections. The WAL includes the full pages after checkpoints.
    fn measure_size(&self, service: &Service) -> Result<()> {
        println!("| messages of 64 bytes | bytes a message in the database | in the WAL |");
        println!("| --- | --- | --- |");
        let run = service.start(1)?;
        let [database, wal] = run.bytes()?;
        let mut protocol = chat::protocol(Verb::Send, &run.nodes[0].log_in_sender()?, MESSAGES);
        let outcome = generator::run(run.nodes[0].address(), protocol.as_mut(), &self.load(64))?;
        let after = run.bytes()?;
        let each = |bytes: u64| bytes as f64 / outcome.acknowledged as f64;
        let figures = [each(after[0] - database), each(after[1] - wal)];
        println!("| {} | {:.0} | {:.0} |", outcome.acknowledged, figures[0], figures[1]);
        run.stop(outcome.acknowledged)
    }

    /// From one server to a watcher of another, one message at a time.
    fn measure_push(&self, services: [&Service; 2]) -> Result<()> {
        println!("| from the request on one server to the event on another, ms | p50 | p99 |");
        println!("| --- | --- | --- |");
        for (service, name) in services.into_iter().zip(["PostgreSQL", "with a standby"]) {
            let mut figures = [Vec::new(), Vec::new()];
            for _ in 0..self.arguments.runs {
                self.wait()?;
                let mut times = self.push_times(service)?;
                times.sort_by(f64::total_cmp);
                for (figures, part) in figures.iter_mut().zip([0.5, 0.99]) {
                    figures.push(times[((times.len() - 1) as f64 * part) as usize]);
                }
            }
            let [middle, late] = figures.map(|figures| summary(&figures, 2));
            println!("| {name} | {middle} | {late} |");
        }
        Ok(())
    }

    fn push_times(&self, service: &Service) -> Result<Vec<f64>> {
        let run = service.start(2)?;
        let [first, second] = &run.nodes[..] else { unreachable!("two servers") };
        let line = format!("send {} {} hai", first.log_in_sender()?, recipient(0));
        let mut sender = first.connect()?;
        let mut watcher = watch(second)?;
        let (begin, mut times) = (Instant::now(), Vec::new());
        while begin.elapsed().as_secs_f64() < self.arguments.seconds {
            std::thread::sleep(REST);
            let asked = Instant::now();
            sender.ask_raw(&line)?;
            watcher.hear()?;
            times.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        run.end()?;
        Ok(times)
    }
}

/// A stream of the first user's new messages.
fn watch(server: &chat::Server) -> Result<Client> {
    let token = server.log_in(&recipient(0))?;
    let mut watcher = server.connect()?;
    watcher.ask_raw(&format!("watch {token} {{\"from\": \"new\"}}"))?;
    watcher.hear()?;
    Ok(watcher)
}
