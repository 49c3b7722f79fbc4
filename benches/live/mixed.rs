//! A mixed load: sends at half the maximum rate, first alone, then next to watchers, histories and
//! inboxes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use crate::harness::figures::{quantile, summary};
use crate::harness::generator::Outcome;
use crate::harness::peers::chat::Server;
use crate::harness::watchers::Watchers;
use crate::{Bench, USERS, log_in_users};

const CONNECTIONS: usize = 64;
/// The number of histories read per second, each the newest hundred messages of an inbox; also the
/// number of inboxes.
const READS_A_SECOND: u32 = 100;
/// How often the watchers check whether the load is over.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// The latencies of all runs, in milliseconds.
#[derive(Default)]
struct Latencies {
    p50: Vec<f64>,
    p99: Vec<f64>,
    p99_9: Vec<f64>,
}

impl Latencies {
    fn add(&mut self, latencies: &Histogram<u64>) {
        self.p50.push(quantile(latencies, 0.5));
        self.p99.push(quantile(latencies, 0.99));
        self.p99_9.push(quantile(latencies, 0.999));
    }

    fn print(&self, what: &str) {
        let [p50, p99, p99_9] = [&self.p50, &self.p99, &self.p99_9].map(|all| summary(all, 2));
        println!("| {what} | {p50} | {p99} | {p99_9} |");
    }
}

pub fn measure(bench: &Bench) -> Result<()> {
    let (mut rates, mut deliveries) = (Vec::new(), Vec::new());
    let (mut alone, mut beside) = (Latencies::default(), Latencies::default());
    let (mut histories, mut inboxes) = (Latencies::default(), Latencies::default());
    let mut events = Latencies::default();
    for _ in 0..bench.runs() {
        let sends = |server: &Server, rate| {
            bench.load(server, bench.sends(server)?.as_mut(), CONNECTIONS, rate)
        };
        let rate = bench.with_server(&[], |server| sends(server, None))?.rate / 2.0;
        rates.push(rate);
        alone.add(&bench.with_server(&[], |server| sends(server, Some(rate)))?.latencies);
        let mixed = bench.with_server(&[], |server| beside_all(bench, server, rate))?;
        beside.add(&mixed.sends.latencies);
        histories.add(&mixed.histories);
        inboxes.add(&mixed.inboxes);
        events.add(&mixed.events);
        deliveries.push(mixed.deliveries);
    }
    let ratios: Vec<f64> =
        beside.p99.iter().zip(&alone.p99).map(|(both, one)| both / one).collect();
    println!(
        "half the maximum: {} sends a second, open loop, {CONNECTIONS} connections; beside: {USERS} watchers \
         ({} deliveries a second), {READS_A_SECOND} histories and {READS_A_SECOND} inboxes a second\n",
        summary(&rates, 0),
        summary(&deliveries, 0)
    );
    println!("| ms | p50 | p99 | p99.9 |");
    println!("| --- | --- | --- | --- |");
    alone.print("sends alone");
    beside.print("sends beside all of it");
    events.print("their arrival at a watcher, after the server had taken them in");
    histories.print("histories (`fetch`, 100 messages)");
    inboxes.print("inboxes (`inbox`, all pages)");
    println!("\nsend p99 beside ÷ alone: {}", summary(&ratios, 2));
    Ok(())
}

struct Mixed {
    sends: Outcome,
    histories: Histogram<u64>,
    inboxes: Histogram<u64>,
    /// The time until messages reached the watchers.
    events: Histogram<u64>,
    /// Events per second.
    deliveries: f64,
}

fn beside_all(bench: &Bench, server: &Server, rate: f64) -> Result<Mixed> {
    let tokens = log_in_users(server, USERS)?;
    let mut watchers = Watchers::connect(server, tokens.iter())?;
    let mut sends = bench.sends(server)?;
    let is_over = AtomicBool::new(false);
    let begin = Instant::now();
    thread::scope(|scope| {
        let watching = scope.spawn(|| -> Result<_> {
            while !is_over.load(Ordering::Relaxed) {
                watchers.listen(CHECK_INTERVAL)?;
            }
            let deliveries = watchers.heard() as f64 / begin.elapsed().as_secs_f64();
            Ok((deliveries, watchers.lateness().clone()))
        });
        let history = |token: &str| format!("fetch {token} {{\"limit\": 100}}");
        let inbox = |token: &str| format!("inbox {token}");
        let (tokens, is_over) = (&tokens, &is_over);
        let histories = scope.spawn(move || read(server, tokens, history, is_over));
        let inboxes = scope.spawn(move || read(server, tokens, inbox, is_over));
        let outcome = bench.load(server, sends.as_mut(), CONNECTIONS, Some(rate));
        is_over.store(true, Ordering::Relaxed);
        let panicked = "a thread does not panic";
        let (deliveries, events) = watching.join().expect(panicked)?;
        Ok(Mixed {
            deliveries,
            events,
            histories: histories.join().expect(panicked)?,
            inboxes: inboxes.join().expect(panicked)?,
            sends: outcome?,
        })
    })
}

/// Reads for one user after the other at fixed times. Latencies count from when a request was due.
fn read(
    server: &Server,
    tokens: &[String],
    line: impl Fn(&str) -> String,
    is_over: &AtomicBool,
) -> Result<Histogram<u64>> {
    let mut client = server.connect()?;
    let mut latencies = Histogram::<u64>::new(3)?;
    let begin = Instant::now();
    for (number, token) in (0..).zip(tokens.iter().cycle()) {
        let due = begin + Duration::from_secs(1) * number / READS_A_SECOND;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        client.ask_raw(&line(token))?;
        latencies.record(due.elapsed().as_nanos().try_into()?)?;
    }
    Ok(latencies)
}
