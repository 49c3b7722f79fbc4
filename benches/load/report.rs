//! The table: medians over the runs, and how far the runs lie apart.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::generator::Outcome;
use crate::machine::Usage;

/// The figures of one run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Acknowledged sends a second.
    pub rate: f64,
    /// p50, p90, p99, p99.9 and the longest, in milliseconds.
    latencies: [f64; 5],
    /// Of the server, for each send, in microseconds.
    processor: f64,
    /// Of the server, for each send.
    switches: f64,
    /// What other programs took of the processors meanwhile, from 0 to 1.
    pub bystanders: f64,
}

impl Sample {
    /// `usage` is that of the server in the time of `outcome`.
    pub fn new(outcome: &Outcome, usage: Usage, bystanders: f64) -> Self {
        let sends = outcome.acknowledged as f64;
        Self {
            rate: outcome.rate,
            latencies: latencies(&outcome.latencies),
            processor: usage.processor.as_secs_f64() * 1e6 / sends,
            switches: usage.switches as f64 / sends,
            bystanders,
        }
    }
}

fn latencies(histogram: &Histogram<u64>) -> [f64; 5] {
    [0.5, 0.9, 0.99, 0.999, 1.0]
        .map(|part| Duration::from_nanos(histogram.value_at_quantile(part)).as_secs_f64() * 1e3)
}

/// All runs.
pub struct Report {
    scenarios: Vec<(usize, usize)>,
    targets: Vec<String>,
    fsync_rates: Vec<f64>,
    /// By scenario, then by target.
    samples: Vec<Vec<Vec<Sample>>>,
}

impl Report {
    /// No run yet. A scenario is connections, and requests under way on each.
    pub fn new<'a>(
        scenarios: &[(usize, usize)],
        targets: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let targets: Vec<String> = targets.into_iter().map(str::to_owned).collect();
        let samples = vec![vec![Vec::new(); targets.len()]; scenarios.len()];
        Self { scenarios: scenarios.to_vec(), targets, fsync_rates: Vec::new(), samples }
    }

    pub fn add_fsync_rate(&mut self, rate: f64) {
        self.fsync_rates.push(rate);
    }

    /// The next run of a target in a scenario.
    pub fn add(&mut self, scenario: usize, target: usize, sample: Sample) {
        self.samples[scenario][target].push(sample);
    }

    /// Prints the table in Markdown.
    pub fn print(&self) {
        let (low, high) = spread(&self.fsync_rates);
        println!(
            "fsync (4 KiB overwritten, fdatasync): {:.0} a second ({low:.0}–{high:.0})\n",
            median(self.fsync_rates.iter().copied())
        );
        let runs = self.fsync_rates.len();
        println!("medians of {runs} interleaved runs (slowest–fastest); latencies in ms");
        println!(
            "| connections | server | sends/s | p50 | p90 | p99 | p99.9 | max | µs CPU/send | switches/send | others | × first |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        for (scenario, samples) in self.scenarios.iter().zip(&self.samples) {
            for (name, own) in self.targets.iter().zip(samples) {
                println!("{}", row(*scenario, name, own, &samples[0]));
            }
        }
    }
}

fn row(
    (connections, pipeline): (usize, usize),
    name: &str,
    own: &[Sample],
    first: &[Sample],
) -> String {
    let connections = match pipeline {
        1 => connections.to_string(),
        _ => format!("{connections} × {pipeline}"),
    };
    let rates: Vec<f64> = own.iter().map(|sample| sample.rate).collect();
    let (low, high) = spread(&rates);
    let latencies: Vec<String> = (0..5)
        .map(|index| format!("{:.2}", median(own.iter().map(|sample| sample.latencies[index]))))
        .collect();
    // Of the two in the same run: the machine is not the same from one run to the next.
    let ratio = median(own.iter().zip(first).map(|(own, first)| own.rate / first.rate));
    format!(
        "| {connections} | {name} | {:.0} ({low:.0}–{high:.0}) | {} | {:.1} | {:.2} | {:.0} % | {ratio:.2} |",
        median(rates.iter().copied()),
        latencies.join(" | "),
        median(own.iter().map(|sample| sample.processor)),
        median(own.iter().map(|sample| sample.switches)),
        median(own.iter().map(|sample| sample.bystanders)) * 100.0,
    )
}

fn spread(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, 0.0), |(low, high), &value| (low.min(value), high.max(value)))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}
