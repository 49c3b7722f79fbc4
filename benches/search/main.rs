//! How long the first page of a search takes, on a file and on PostgreSQL. Run it with `cargo bench
//! --bench search`; docs/performance.md explains the output. Without PostgreSQL it measures the file
//! only. Every database is new, and is searched when all its messages are indexed.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../nodes/service.rs"]
#[allow(dead_code, reason = "the benchmark `nodes` uses the rest")]
mod service;
mod texts;

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use hdrhistogram::Histogram;

use harness::figures::quantile;
use harness::generator::{self, Extent, Load};
use harness::machine;
use harness::peers::client::Client;
use harness::peers::cluster::Programs;
use harness::peers::recipient;
use harness::place::{Place, chat_server};
use service::{Run, Service};
use texts::{Posts, Random};

/// The number of users who receive the messages. The sender may read all, each of them a thousandth.
const USERS: usize = 1000;
/// How long all messages may take to be indexed.
const INDEXING_WAIT: Duration = Duration::from_secs(3600);
/// How often the benchmark looks whether they are.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Measures searches.
#[derive(Debug, Parser)]
#[command(name = "search", bin_name = "cargo bench --bench search --", max_term_width = 100)]
struct Arguments {
    /// How many messages are searched.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    messages: u64,
    /// How often each search is measured.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    searches: usize,
    /// The server to measure instead of the one of this build.
    #[arg(long, value_name = "PATH", default_value_os_t = chat_server())]
    server: std::path::PathBuf,
    #[command(flatten)]
    place: Place,
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.place.is_quick() {
        (arguments.messages, arguments.searches) = (2000, 20);
    }
    let folder = arguments.place.temporary("search-")?;
    let folder_of = |name: &str| -> Result<std::path::PathBuf> {
        let folder = folder.path().join(name);
        std::fs::create_dir(&folder)?;
        Ok(folder)
    };
    let programs = Programs::find();
    let version = programs.as_ref().map(|programs| format!("; {}", programs.version()));
    println!("{}{}", machine::description(folder.path()), version.unwrap_or_default());
    let file = Service::on_file(&arguments.server, &folder_of("file")?)?;
    arguments.measure("file", &file).context("file")?;
    let Some(programs) = programs else {
        println!("\nskipped: PostgreSQL (Debian: postgresql)");
        return Ok(());
    };
    let folder = folder_of("postgres")?;
    let alone = Service::on_postgres(&programs, &arguments.server, &folder, 0)?;
    arguments.measure("PostgreSQL", &alone).context("PostgreSQL")?;
    alone.stop()
}

impl Arguments {
    /// Fills a database, waits for the index, and measures each search for two readers.
    fn measure(&self, name: &str, service: &Service) -> Result<()> {
        let run = service.start(1)?;
        let server = &run.nodes[0];
        let sender = server.log_in_sender()?;
        let sent = self.fill(&run, &sender)?;
        let indexed = wait_for_index(&run, self.messages)?;
        println!(
            "\n{name}: {} messages sent in {:.0} s, and indexed {:.0} s later",
            self.messages,
            sent.as_secs_f64(),
            indexed.as_secs_f64()
        );
        println!("\n| query | found | reads all: p50, p99 ms | found | reads a thousandth |");
        println!("| --- | --- | --- | --- | --- |");
        let readers = [sender, server.log_in(&recipient(0))?];
        for query in texts::QUERIES {
            let mut cells = Vec::new();
            for token in &readers {
                let mut client = server.connect()?;
                let (found, times) = self.search(&mut client, token, query)?;
                cells.push(format!("{found}"));
                cells.push(format!("{:.2}, {:.2}", quantile(&times, 0.5), quantile(&times, 0.99)));
            }
            println!("| `{query}` | {} |", cells.join(" | "));
        }
        run.end()
    }

    fn fill(&self, run: &Run<'_>, token: &str) -> Result<Duration> {
        let load = Load {
            connections: 64,
            pipeline: 16,
            rate: None,
            extent: Extent::Requests(self.messages),
            warm_up: Duration::ZERO,
        };
        let begin = Instant::now();
        let outcome = generator::run(run.nodes[0].address(), &mut Posts::new(token), &load)?;
        ensure!(outcome.acknowledged == self.messages, "{} were sent", outcome.acknowledged);
        Ok(begin.elapsed())
    }

    /// How many messages the first page has, and how long it takes. Numbers in the query differ
    /// from search to search, so no search repeats another one.
    fn search(
        &self,
        client: &mut Client,
        token: &str,
        query: &str,
    ) -> Result<(usize, Histogram<u64>)> {
        let (mut random, mut found) = (Random::default(), 0);
        let mut times = Histogram::new(3)?;
        for _ in 0..self.searches {
            let query = texts::filled(query, &mut random, self.messages);
            let fields = serde_json::json!({"query": query, "limit": 20});
            let line = format!("search {token} {fields}");
            let begin = Instant::now();
            let reply = client.ask_raw(&line)?;
            times.record(begin.elapsed().as_nanos().try_into()?)?;
            let reply: serde_json::Value = serde_json::from_slice(&reply)?;
            found = found.max(reply["messages"].as_array().map_or(0, Vec::len));
        }
        Ok((found, times))
    }
}

/// Waits until all messages are indexed. Returns how long that took.
fn wait_for_index(run: &Run<'_>, messages: u64) -> Result<Duration> {
    let begin = Instant::now();
    while run.indexed()? < messages {
        ensure!(begin.elapsed() < INDEXING_WAIT, "{} are indexed", run.indexed()?);
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(begin.elapsed())
}
