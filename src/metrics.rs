//! Counters, gauges and histograms. Every layer counts with these types; this module knows none of
//! the metrics themselves.
//!
//! Counting never waits and never allocates: each count is one relaxed atomic addition. If many
//! threads count at a high rate, give each thread its own set and add the sets when they are read.
//! Otherwise the processors would contend for the same cache line.

mod stages;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub use stages::Stages;

/// A value that only rises.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds 1.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Adds `count`.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The current value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// A set of `len` counters, one for each value of a label.
    pub fn family(len: usize) -> Box<[Self]> {
        std::iter::repeat_with(Self::default).take(len).collect()
    }
}

/// A value that rises and falls.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Adds `change`, which may be negative.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    /// Replaces the value.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// The current value.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

const fn microseconds<const COUNT: usize>(bounds: [u64; COUNT]) -> [u64; COUNT] {
    let mut nanoseconds = bounds;
    let mut index = 0;
    while index < COUNT {
        nanoseconds[index] *= 1_000;
        index += 1;
    }
    nanoseconds
}

/// The upper bounds of the time buckets in nanoseconds: six a decade, from 20 µs to 10 s.
/// Neighbouring bounds differ by a factor of at most 1.67, which limits the error of a quantile.
pub static TIME_BOUNDS: [u64; 35] = microseconds([
    20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000,
    15_000, 20_000, 30_000, 50_000, 70_000, 100_000, 150_000, 200_000, 300_000, 500_000, 700_000,
    1_000_000, 1_500_000, 2_000_000, 3_000_000, 5_000_000, 7_000_000, 10_000_000,
]);

/// The upper bounds of the buckets for numbers of things.
pub static COUNT_BOUNDS: [u64; 13] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096];

/// A histogram: the number of values in each bucket, and their sum.
#[derive(Debug)]
pub struct Histogram {
    /// The upper bounds of the buckets, in rising order.
    bounds: &'static [u64],
    /// The values of each bucket alone, not cumulative. The last bucket is for values above all
    /// bounds.
    counts: Box<[Counter]>,
    sum: Counter,
}

impl Histogram {
    /// An empty histogram of times, in nanoseconds.
    pub fn of_times() -> Self {
        Self::new(&TIME_BOUNDS)
    }

    /// An empty histogram of numbers of things.
    pub fn of_counts() -> Self {
        Self::new(&COUNT_BOUNDS)
    }

    fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: Counter::family(bounds.len() + 1), sum: Counter::default() }
    }

    /// Counts one value.
    pub fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        self.counts[bucket].increment();
        self.sum.add(value);
    }

    /// Counts one duration.
    pub fn observe_time(&self, time: Duration) {
        // Nanoseconds fit into 64 bits for 584 years.
        self.observe(time.as_nanos() as u64);
    }

    /// The current counts. A concurrent observation may be missing from the counts or the sum.
    pub fn read(&self) -> Distribution {
        Distribution {
            bounds: self.bounds,
            counts: self.counts.iter().map(Counter::get).collect(),
            sum: self.sum.get(),
        }
    }
}

/// The contents of a [`Histogram`] at one time, or the difference between two times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The upper bounds of the buckets, in rising order.
    pub bounds: &'static [u64],
    /// The number of values in each bucket. The last bucket is for values above all bounds.
    pub counts: Vec<u64>,
    /// The sum of the values.
    pub sum: u64,
}

impl Distribution {
    /// An empty distribution of times.
    pub fn of_no_times() -> Self {
        Histogram::of_times().read()
    }

    /// The number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds the counts of a distribution with the same bounds.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// The values observed after `earlier`, which must come from the same histogram.
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.counts.iter().zip(&earlier.counts);
        Self {
            bounds: self.bounds,
            counts: counts.map(|(now, then)| now.saturating_sub(*then)).collect(),
            sum: self.sum.wrapping_sub(earlier.sum),
        }
    }

    /// The quantile at `part` (0.5: the median), interpolated within its bucket. A value above all
    /// bounds counts as the highest bound. `None` without values.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = part * self.count() as f64;
        let mut below = 0;
        for (index, &count) in self.counts.iter().enumerate() {
            if count > 0 && (below + count) as f64 >= wanted {
                let lower = index.checked_sub(1).map_or(0, |before| self.bounds[before]) as f64;
                let Some(&upper) = self.bounds.get(index) else { return Some(lower) };
                let inside = ((wanted - below as f64) / count as f64).clamp(0.0, 1.0);
                return Some(lower + (upper as f64 - lower) * inside);
            }
            below += count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn value_at_a_bound_falls_into_its_bucket() {
        let histogram = Histogram::of_counts();
        let values = [1, 2, 3, 4, 4_096, 4_097, u64::from(u32::MAX)];
        values.iter().for_each(|&value| histogram.observe(value));
        let read = histogram.read();
        assert_eq!(read.counts[..3], [1, 1, 2]);
        assert_eq!(read.counts[12..], [1, 2]);
        assert_eq!((read.count(), read.sum), (7, 8_203 + u64::from(u32::MAX)));
    }

    #[test]
    fn bucket_bounds_rise() {
        assert!(TIME_BOUNDS.is_sorted_by(|low, high| low < high));
        assert!(COUNT_BOUNDS.is_sorted_by(|low, high| low < high));
        assert_eq!((TIME_BOUNDS[0], TIME_BOUNDS[34]), (20_000, 10_000_000_000));
    }

    #[test]
    fn quantile_lies_in_the_bucket_of_its_value() {
        let histogram = Histogram::of_times();
        assert_eq!(histogram.read().quantile(0.5), None);
        (0..99).for_each(|_| histogram.observe_time(Duration::from_micros(250)));
        histogram.observe_time(Duration::from_secs(3600));
        let read = histogram.read();
        let half = read.quantile(0.5).unwrap();
        assert!((200_000.0..300_000.0).contains(&half), "{half}");
        assert_eq!(read.quantile(1.0), Some(10e9));
        let none = read.since(&read);
        assert_eq!((none.count(), none.sum, none.quantile(0.5)), (0, 0, None));
    }

    #[test]
    fn concurrent_observations_are_all_counted() {
        let histogram = Histogram::of_times();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|value| histogram.observe(value)));
            }
        });
        assert_eq!(histogram.read().count(), 40_000);
    }
}
