//! The tables: medians of the runs and their spread.

use crate::harness::figures::{median, quantile, summary};
use crate::harness::generator::Outcome;
use crate::harness::machine::{Usage, Written};

/// The figures of one run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Acknowledged sends per second.
    pub rate: f64,
    /// p50, p90, p99, p99.9 and the maximum, in milliseconds.
    latencies: [f64; 5],
    /// CPU time of the server per send, in microseconds.
    processor: f64,
    /// CPU time of the generator per send, in microseconds.
    generator: f64,
    /// Context switches of the server per send.
    switches: f64,
    /// The share of the CPUs that other programs used, from 0 to 1.
    pub other_load: f64,
}

const P99: usize = 2;
const P99_9: usize = 3;

impl Sample {
    /// `usage` is the server's usage during `outcome`.
    pub fn new(outcome: &Outcome, usage: Usage, other_load: f64) -> Self {
        let sends = outcome.acknowledged as f64;
        let quantiles = [0.5, 0.9, 0.99, 0.999, 1.0];
        Self {
            rate: outcome.rate,
            latencies: quantiles.map(|part| quantile(&outcome.latencies, part)),
            processor: usage.processor.as_secs_f64() * 1e6 / sends,
            generator: outcome.processor.as_secs_f64() * 1e6 / sends,
            switches: usage.switches as f64 / sends,
            other_load,
        }
    }
}

/// The samples of all runs.
pub struct Report {
    scenarios: Vec<(usize, usize)>,
    targets: Vec<String>,
    /// The rates for each kind in [`Written::ALL`].
    fsync_rates: [Vec<f64>; Written::ALL.len()],
    /// The samples by scenario, then by target.
    samples: Vec<Vec<Vec<Sample>>>,
}

impl Report {
    /// An empty report. A scenario is a number of connections, and requests in flight on each.
    pub fn new<'a>(
        scenarios: &[(usize, usize)],
        targets: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let targets: Vec<String> = targets.into_iter().map(str::to_owned).collect();
        let samples = vec![vec![Vec::new(); targets.len()]; scenarios.len()];
        Self { scenarios: scenarios.to_vec(), targets, fsync_rates: Default::default(), samples }
    }

    pub fn add_fsync_rate(&mut self, kind: usize, rate: f64) {
        self.fsync_rates[kind].push(rate);
    }

    /// Adds a run of a target in a scenario.
    pub fn add(&mut self, scenario: usize, target: usize, sample: Sample) {
        self.samples[scenario][target].push(sample);
    }

    /// Prints the tables in Markdown.
    pub fn print(&self) {
        let [over, looked_at, at_the_end] =
            self.fsync_rates.each_ref().map(|rates| summary(rates, 0));
        println!(
            "fdatasync of 4 KiB, a second: overwritten {over}; the same, and a stat of the file between two {looked_at};"
        );
        println!("at the end of the file {at_the_end}\n");
        let runs = self.fsync_rates[0].len();
        println!("medians of {runs} interleaved runs (slowest–fastest); latencies in ms\n");
        println!(
            "| connections | server | sends/s | p50 | p90 | p99 | p99.9 | max | µs CPU a send | switches a send | generator's µs CPU a send | others | {} ÷ it |",
            self.targets[0]
        );
        println!("|{}", " --- |".repeat(13));
        for (scenario, samples) in self.scenarios.iter().zip(&self.samples) {
            for (name, own) in self.targets.iter().zip(samples) {
                println!("{}", row(*scenario, name, own, &samples[0]));
            }
        }
        self.print_ratios();
    }

    /// Prints the ratio of the first server's rate to each other's, one column per scenario. The
    /// performance targets also limit the latencies at 64 connections, which follow.
    fn print_ratios(&self) {
        if self.targets.len() < 2 {
            return;
        }
        let scenarios: Vec<String> = self.scenarios.iter().map(name).collect();
        println!("\n| {} ÷ | {} |", self.targets[0], scenarios.join(" | "));
        println!("|{}", " --- |".repeat(1 + scenarios.len()));
        for (target, name) in self.targets.iter().enumerate().skip(1) {
            let ratios = self.samples.iter().map(|samples| {
                let ratios: Vec<f64> = ratios(&samples[0], &samples[target]).collect();
                summary(&ratios, 2)
            });
            println!("| {name} | {} |", ratios.collect::<Vec<_>>().join(" | "));
        }
        let Some(row) = self.scenarios.iter().position(|&scenario| scenario == (64, 1)) else {
            return;
        };
        println!("\nat 64 connections, in ms:");
        for (name, samples) in self.targets.iter().zip(&self.samples[row]) {
            let latency = |index: usize| {
                let values: Vec<f64> =
                    samples.iter().map(|sample| sample.latencies[index]).collect();
                summary(&values, 2)
            };
            println!("{name}: p99 {}, p99.9 {}", latency(P99), latency(P99_9));
        }
    }
}

/// The ratios within each run. The machine varies between runs, so samples of different runs are
/// not compared.
fn ratios<'a>(first: &'a [Sample], other: &'a [Sample]) -> impl Iterator<Item = f64> + 'a {
    first.iter().zip(other).map(|(first, other)| first.rate / other.rate)
}

fn name(&(connections, pipeline): &(usize, usize)) -> String {
    match pipeline {
        1 => connections.to_string(),
        _ => format!("{connections} × {pipeline} pipelined"),
    }
}

fn row(scenario: (usize, usize), server: &str, own: &[Sample], first: &[Sample]) -> String {
    let rates: Vec<f64> = own.iter().map(|sample| sample.rate).collect();
    let latencies: Vec<String> = (0..5)
        .map(|index| format!("{:.2}", median(own.iter().map(|sample| sample.latencies[index]))))
        .collect();
    format!(
        "| {} | {server} | {} | {} | {:.1} | {:.2} | {:.1} | {:.0} % | {:.2} |",
        name(&scenario),
        summary(&rates, 0),
        latencies.join(" | "),
        median(own.iter().map(|sample| sample.processor)),
        median(own.iter().map(|sample| sample.switches)),
        median(own.iter().map(|sample| sample.generator)),
        median(own.iter().map(|sample| sample.other_load)) * 100.0,
        median(ratios(first, own)),
    )
}
