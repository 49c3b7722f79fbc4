//! How every figure changes with the number of stored messages. Run it with `cargo bench --bench
//! growth`; docs/performance.md explains the output. The databases are filled once, by sending to a
//! real server, and kept in `target/growth`. The benchmark measures copies of them.

mod fill;
#[path = "../harness/mod.rs"]
mod harness;
mod measure;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use hdrhistogram::Histogram;

use fill::Size;
use harness::figures::{median, quantile, summary};
use harness::machine;
use harness::place::{Place, chat_server};
use measure::{Bench, Figures};

/// Measures the server with many messages in its database.
#[derive(Debug, Parser)]
#[command(name = "growth", bin_name = "cargo bench --bench growth --", max_term_width = 100)]
struct Arguments {
    /// How many messages are stored; several numbers, separated by commas.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [10_000, 100_000, 1_000_000, 10_000_000])]
    messages: Vec<u64>,
    /// How many users receive them; several numbers, separated by commas.
    #[arg(long, value_name = "N", value_delimiter = ',', default_values_t = [1000, 100_000])]
    users: Vec<usize>,
    /// How long each load is measured.
    #[arg(long, value_name = "TIME", default_value_t = 2.0)]
    seconds: f64,
    /// How often sends, starts and kills are measured.
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: usize,
    /// The folder in which the filled databases are kept.
    #[arg(long, value_name = "PATH", default_value_os_t = default_cache())]
    cache: PathBuf,
    /// Fill the databases, but measure nothing.
    #[arg(long)]
    fill_only: bool,
    /// The server to measure instead of the one of this build.
    #[arg(long, value_name = "PATH", default_value_os_t = chat_server())]
    server: PathBuf,
    #[command(flatten)]
    place: Place,
}

fn default_cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("growth")
}

fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    let folder = arguments.place.temporary("growth-")?;
    if arguments.place.is_quick() {
        arguments.messages = vec![2000];
        arguments.users = vec![100];
        arguments.seconds = 0.2;
        arguments.runs = 1;
        arguments.cache = folder.path().join("cache");
    }
    println!("{}\n", machine::description(folder.path()));
    print_head();
    for &users in &arguments.users {
        for &messages in &arguments.messages {
            let size = Size { users, messages };
            let database = fill::database(&arguments.server, &arguments.cache, size)?;
            if arguments.fill_only {
                continue;
            }
            let empty = Size { users, messages: 0 };
            let bench = Bench {
                program: &arguments.server,
                folder: folder.path(),
                empty: fill::database(&arguments.server, &arguments.cache, empty)?,
                database,
                size,
                time: Duration::from_secs_f64(arguments.seconds),
                runs: arguments.runs,
            };
            let figures = bench.run().with_context(|| format!("{size:?}"))?;
            print(size, &figures);
        }
    }
    Ok(())
}

fn print_head() {
    println!(
        "| users | messages | file MiB | sends/s, 64 connections | ÷ empty | hello µs | empty inbox µs | its own part µs | inbox of 100 ms | scattered unread | read whole ms | the same, cold ms | a sender alone: p99.9, longest ms, over 5 ms | beside such reads | start ms | after SIGKILL ms, longest |"
    );
    println!("|{}", " --- |".repeat(16));
}

fn print(size: Size, figures: &Figures) {
    let own: Vec<f64> = figures
        .empty_inbox
        .iter()
        .zip(&figures.hello)
        .map(|(inbox, hello)| inbox - hello)
        .collect();
    let (_, longest_recovery) = harness::figures::spread(&figures.start_after_kill);
    println!(
        "| {} | {} | {:.0} | {} | {} | {:.0} | {:.0} | {} | {} | {} | {} | {:.0} | {} | {} | {} | {:.0} |",
        size.users,
        size.messages,
        figures.file_bytes as f64 / f64::from(1 << 20),
        summary(&figures.rates, 0),
        summary(&figures.ratios, 2),
        median(figures.hello.iter().copied()),
        median(figures.empty_inbox.iter().copied()),
        summary(&own, 0),
        summary(&figures.hundred, 2),
        figures.scattered_messages,
        summary(&figures.scattered, 0),
        figures.scattered_cold,
        waits(figures.sender_alone.as_ref()),
        waits(figures.sender_beside.as_ref()),
        summary(&figures.start, 0),
        longest_recovery,
    );
}

/// The longest wait of a sender, and how many waits were longer than a page of another user may
/// cause.
fn waits(latencies: Option<&Histogram<u64>>) -> String {
    const HELD_UP: u64 = 5_000_000;
    latencies.map_or_else(String::new, |latencies| {
        format!(
            "{:.2}, {:.2}, {} of {}",
            quantile(latencies, 0.999),
            quantile(latencies, 1.0),
            latencies.count_between(HELD_UP + 1, u64::MAX),
            latencies.len(),
        )
    })
}
