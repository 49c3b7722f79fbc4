//! Messages that are sent later.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hdrhistogram::Histogram;
use jiff::Timestamp;

use crate::harness::figures::{quantile, summary};
use crate::harness::generator::{self, Extent, Load};
use crate::harness::machine::resident_kib;
use crate::harness::peers::chat::{self, SENDER, Server};
use crate::harness::peers::{Verb, recipient};
use crate::requests::{self, Watch};
use crate::service::Run;
use crate::{Bench, MESSAGES, OWNERS, RECIPIENTS, owners, server, watcher};

/// The messages that wait are due at random times between these, in seconds from now.
const WAIT_MIN: u64 = 10 * 24 * 3600;
const WAIT_MAX: u64 = 300 * 24 * 3600;
/// The time for scheduling what is due in a measurement, before the first message is.
const LEAD: Duration = Duration::from_secs(4);
/// How long the last message may take to arrive.
const ARRIVAL_WAIT: Duration = Duration::from_secs(60);

/// Schedules the messages that wait during all measurements.
pub fn fill(bench: &Bench<'_>, run: &Run<'_>) -> Result<()> {
    let server = server(run);
    let tokens = owners(server, OWNERS)?;
    let line = |number: u64| {
        let token = &tokens[number as usize % OWNERS];
        let to = recipient(scattered(number) as usize % RECIPIENTS);
        let wait = WAIT_MIN + scattered(number) % (WAIT_MAX - WAIT_MIN);
        format!("post {token} {{\"to\": [\"{to}\"], \"in\": {wait}, \"body\": \"{number:064}\"}}")
    };
    let outcome = requests::make(server, bench.arguments.scheduled, None, line)?;
    println!(
        "scheduled: {} messages, at {:.0} a second (p99 {:.1} ms)",
        outcome.acknowledged,
        outcome.rate,
        quantile(&outcome.latencies, 0.99)
    );
    Ok(())
}

/// A number that looks random, and is the same in every run.
fn scattered(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

/// Prints how long a start takes until `hello` is answered, and the memory of the server then.
pub fn start<'a>(bench: &Bench<'_>, empty: &mut Run<'a>, full: &mut Run<'a>) -> Result<()> {
    let (mut times, mut memory) = ([vec![], vec![]], [vec![], vec![]]);
    for _ in 0..bench.arguments.runs {
        for (which, run) in [&mut *empty, &mut *full].into_iter().enumerate() {
            times[which].push(run.restart()?.as_secs_f64() * 1e3);
            memory[which].push(resident_kib(server(run).process())? / 1024.0);
        }
    }
    println!(
        "start, ms: {} without, {} with messages that wait",
        summary(&times[0], 1),
        summary(&times[1], 1)
    );
    println!(
        "memory, MiB: {} without, {} with them",
        summary(&memory[0], 1),
        summary(&memory[1], 1)
    );
    Ok(())
}

/// Prints how late messages arrive: one by one, and those that are due at the same time. Each must
/// arrive once.
pub fn deliver(bench: &Bench<'_>, run: &Run<'_>) -> Result<()> {
    let (server, seconds) = (server(run), bench.arguments.seconds);
    let count = (f64::from(bench.arguments.due) * seconds) as u32;
    let interval = bench.time() / count;
    let one_by_one = |number: u32| interval * number;
    let alone = sends(bench, server)?;
    let (late, beside) = arrivals(bench, server, count, one_by_one)?;
    let together = bench.arguments.due;
    let (burst, _) = arrivals(bench, server, together, |_| Duration::ZERO)?;
    let quantiles = |of: &Histogram<u64>| {
        let [p50, p99] = [0.5, 0.99].map(|part| quantile(of, part));
        format!("p50 {p50:.1}, p99 {p99:.1}, longest {:.1} ms", of.max() as f64 / 1e6)
    };
    println!("{count} messages, {} a second, arrived late: {}", together, quantiles(&late));
    println!("{together} messages that were due together: {}", quantiles(&burst));
    for (what, sends) in [("alone", alone), ("beside the first ones", beside)] {
        println!("sends {what}: {:.0} a second, {}", sends.rate, quantiles(&sends.latencies));
    }
    println!("memory then: {:.1} MiB", resident_kib(server.process())? / 1024.0);
    Ok(())
}

/// Schedules messages for a moment soon, and makes sends from then on. Returns how late they
/// arrived, in nanoseconds. `after` says how long after that moment each is due.
fn arrivals(
    bench: &Bench<'_>,
    server: &Server,
    count: u32,
    after: impl Fn(u32) -> Duration + Sync,
) -> Result<(Histogram<u64>, generator::Outcome)> {
    let mut watch = Watch::open(server)?;
    let token = server.log_in(SENDER)?;
    let first = Timestamp::now() + LEAD;
    let line = |number: u64| {
        let due = (first + after(number as u32)).as_millisecond();
        let at = Timestamp::from_millisecond(due).expect("a time of this century");
        let to = watcher();
        format!(
            "post {token} {{\"to\": [\"{to}\"], \"at\": \"{at}\", \"body\": \"{due} {number}\"}}"
        )
    };
    requests::make(server, count as usize, None, line)?;
    ensure!(Timestamp::now() < first, "scheduling {count} messages took longer than {LEAD:?}");
    let within = LEAD + bench.time() + ARRIVAL_WAIT;
    let listen = || -> Result<_> {
        let mut late = Histogram::<u64>::new(3)?;
        let mut numbers = vec![false; count as usize];
        watch.hear(count as usize, within, |body| {
            let now = Timestamp::now();
            let (due, number) =
                std::str::from_utf8(body)?.split_once(' ').context("not a message of these")?;
            let due = Timestamp::from_millisecond(due.parse()?)?;
            let early = due.duration_since(now);
            ensure!(early.as_millis() <= 0, "a message came {early:#} early");
            late.record(now.duration_since(due).as_nanos().max(0).try_into()?)?;
            let number: usize = number.parse()?;
            ensure!(!std::mem::replace(&mut numbers[number], true), "a message came twice");
            Ok(())
        })?;
        Ok(late)
    };
    thread::scope(|scope| {
        let listening = scope.spawn(listen);
        thread::sleep(first.duration_since(Timestamp::now()).unsigned_abs());
        let sends = sends(bench, server)?;
        Ok((listening.join().expect("the watcher does not panic")?, sends))
    })
}

fn sends(bench: &Bench<'_>, server: &Server) -> Result<generator::Outcome> {
    let token = server.log_in(SENDER)?;
    let load = Load {
        connections: 64,
        pipeline: 1,
        rate: Some(f64::from(bench.arguments.rate)),
        extent: Extent::Time(bench.time()),
        warm_up: Duration::ZERO,
    };
    generator::run(server.address(), chat::protocol(Verb::Send, &token, MESSAGES).as_mut(), &load)
}
