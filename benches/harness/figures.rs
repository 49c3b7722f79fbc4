//! Statistics over several runs: medians and spreads.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The smallest and the largest value.
pub fn spread(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
        (low.min(value), high.max(value))
    })
}

/// The median; for an even number of values, the mean of the middle two.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

/// Formats `median (smallest–largest)` with `decimals` decimals.
pub fn summary(values: &[f64], decimals: usize) -> String {
    let (low, high) = spread(values);
    let median = median(values.iter().copied());
    format!("{median:.decimals$} ({low:.decimals$}–{high:.decimals$})")
}

pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A quantile of latencies in nanoseconds, converted to milliseconds.
pub fn quantile(latencies: &Histogram<u64>, part: f64) -> f64 {
    latencies.value_at_quantile(part) as f64 / 1e6
}
