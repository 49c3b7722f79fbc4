//! Expectations: the processor time that they cost in a minute.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::harness::machine::Usage;
use crate::harness::peers::chat::Server;
use crate::requests::{self, Watch};
use crate::service::Run;
use crate::{Bench, EXPECTATIONS_MAX, owners, server, watcher};

/// The seconds between two reports of expectations that become due in no measurement.
pub const FAR: u32 = 30 * 24 * 3600;

/// Declares all expectations, as fast as possible or at a rate.
pub fn declare(bench: &Bench<'_>, server: &Server, every: u32, rate: Option<f64>) -> Result<()> {
    let tokens = tokens(bench, server)?;
    let tell = watcher();
    let line = |number: u64| {
        let (token, name) = one(&tokens, number);
        format!(
            "expect {token} {{\"name\": \"{name}\", \"every\": {every}, \"grace\": 0, \
             \"tell\": \"{tell}\"}}"
        )
    };
    requests::make(server, bench.arguments.expectations, rate, line).map(drop)
}

/// Prints the cost of minutes in which nothing is late.
pub fn measure(bench: &Bench<'_>, run: &Run<'_>) -> Result<()> {
    let (minute, count) = (bench.minute(), bench.arguments.expectations);
    let idle = || {
        thread::sleep(minute);
        Ok(())
    };
    bench.print_cost(run, "without expectations", idle)?;
    declare(bench, server(run), FAR, None)?;
    bench.print_cost(run, &format!("with {count} expectations"), idle)?;
    let tokens = tokens(bench, server(run))?;
    bench.print_cost(run, "with a report of each", || {
        let line = |number: u64| {
            let (token, name) = one(&tokens, number);
            format!("report {token} {{\"name\": \"{name}\"}}")
        };
        requests::make(server(run), count, Some(bench.each_once()), line).map(drop)
    })
}

/// Prints the cost of a minute in which the report of each is missing: the watcher must be told of
/// each.
pub fn late(bench: &Bench<'_>, run: &Run<'_>) -> Result<()> {
    let count = bench.arguments.expectations;
    let mut watch = Watch::open(server(run))?;
    let declaring = || declare(bench, server(run), bench.arguments.minute, Some(bench.each_once()));
    bench.print_cost(run, "in which each is declared", declaring)?;
    bench.print_cost(run, "in which the report of each is missing", || {
        watch.hear(count, bench.minute() * 2, |_| Ok(()))
    })
}

impl Bench<'_> {
    fn minute(&self) -> Duration {
        Duration::from_secs(self.arguments.minute.into())
    }

    /// The rate at which each expectation gets one request in a minute.
    fn each_once(&self) -> f64 {
        self.arguments.expectations as f64 / f64::from(self.arguments.minute)
    }

    /// Prints the processor time that the server takes for `what`, and PostgreSQL's.
    fn print_cost(
        &self,
        run: &Run<'_>,
        name: &str,
        what: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let database = || self.service.process().map(Usage::of).transpose();
        let (before, database_before) = (Usage::of(server(run).process())?, database()?);
        let begin = Instant::now();
        what()?;
        let used = Usage::of(server(run).process())?.since(before).processor;
        let took = begin.elapsed();
        print!("a minute {name}: {:.3} s of the processor", used.as_secs_f64());
        if let (Some(after), Some(before)) = (database()?, database_before) {
            let used = after.since(before).processor;
            print!(", and {:.3} s of PostgreSQL's", used.as_secs_f64());
        }
        println!(" (in {:.1} s)", took.as_secs_f64());
        Ok(())
    }
}

/// A session of each owner of expectations.
fn tokens(bench: &Bench<'_>, server: &Server) -> Result<Vec<String>> {
    owners(server, bench.arguments.expectations.div_ceil(EXPECTATIONS_MAX))
}

/// The session and the name of an expectation.
fn one(tokens: &[String], number: u64) -> (&str, String) {
    (&tokens[number as usize % tokens.len()], format!("e{number}"))
}
