//! Counters, gauges and histograms: what every layer counts with, and nothing of what is counted.
//!
//! Counting never waits and never allocates: each count is one relaxed atomic addition. What many
//! threads count at a high rate belongs into one set a thread, added up when it is read; then no
//! two processors pull at one line of memory.

mod stages;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

pub use stages::Stages;

/// Something that only becomes more.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// As many as there are values of a label.
    pub fn family(len: usize) -> Box<[Self]> {
        std::iter::repeat_with(Self::default).take(len).collect()
    }
}

/// Something that becomes more and less.
#[derive(Debug, Default)]
pub struct Gauge(AtomicI64);

impl Gauge {
    /// By so much more; less, where it is negative.
    pub fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    /// It is this now.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it is.
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

/// The upper bounds of the buckets that times are counted in, in nanoseconds: six a decade, from
/// 20 µs to 10 s, so that a quantile that is read between two of them is off by a fifth at most.
pub static TIME_BOUNDS: [u64; 35] = microseconds([
    20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 1_500, 2_000, 3_000, 5_000, 7_000, 10_000,
    15_000, 20_000, 30_000, 50_000, 70_000, 100_000, 150_000, 200_000, 300_000, 500_000, 700_000,
    1_000_000, 1_500_000, 2_000_000, 3_000_000, 5_000_000, 7_000_000, 10_000_000,
]);

/// The upper bounds of the buckets that numbers of things are counted in.
pub static COUNT_BOUNDS: [u64; 13] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096];

/// How values are spread: how many are up to each of its bounds, and their sum.
#[derive(Debug)]
pub struct Histogram {
    /// Rising.
    bounds: &'static [u64],
    /// One a bound, each without those before it, and one for what is above all.
    counts: Box<[Counter]>,
    sum: Counter,
}

impl Histogram {
    /// Of times.
    pub fn of_times() -> Self {
        Self::new(&TIME_BOUNDS)
    }

    /// Of numbers of things.
    pub fn of_counts() -> Self {
        Self::new(&COUNT_BOUNDS)
    }

    fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: Counter::family(bounds.len() + 1), sum: Counter::default() }
    }

    /// Counts a value.
    pub fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|&bound| bound < value);
        self.counts[bucket].increment();
        self.sum.add(value);
    }

    /// Counts a time.
    pub fn observe_time(&self, time: Duration) {
        // 584 years fit.
        self.observe(time.as_nanos() as u64);
    }

    /// What was counted so far. What is counted meanwhile may be in it in part.
    pub fn read(&self) -> Distribution {
        Distribution {
            bounds: self.bounds,
            counts: self.counts.iter().map(Counter::get).collect(),
            sum: self.sum.get(),
        }
    }
}

/// What a [`Histogram`] had counted at some moment, or between two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// The upper bounds of the buckets, rising.
    pub bounds: &'static [u64],
    /// How many values are in each bucket, and last how many are above all bounds.
    pub counts: Vec<u64>,
    /// The sum of the values.
    pub sum: u64,
}

impl Distribution {
    /// Of times, and none so far.
    pub fn of_no_times() -> Self {
        Histogram::of_times().read()
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds what another histogram of the same bounds has counted.
    pub fn add(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.sum = self.sum.wrapping_add(other.sum);
    }

    /// What was counted after `earlier`, which was read from the same histogram.
    pub fn since(&self, earlier: &Self) -> Self {
        let counts = self.counts.iter().zip(&earlier.counts);
        Self {
            bounds: self.bounds,
            counts: counts.map(|(now, then)| now.saturating_sub(*then)).collect(),
            sum: self.sum.wrapping_sub(earlier.sum),
        }
    }

    /// The value that this part of all values (0.5: half) is not above, as far as the buckets tell;
    /// `None` where there are no values.
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
    fn value_is_counted_up_to_its_bound_and_no_further() {
        let histogram = Histogram::of_counts();
        let values = [1, 2, 3, 4, 4_096, 4_097, u64::from(u32::MAX)];
        values.iter().for_each(|&value| histogram.observe(value));
        let read = histogram.read();
        assert_eq!(read.counts[..3], [1, 1, 2]);
        assert_eq!(read.counts[12..], [1, 2]);
        assert_eq!((read.count(), read.sum), (7, 8_203 + u64::from(u32::MAX)));
    }

    #[test]
    fn bounds_rise() {
        assert!(TIME_BOUNDS.is_sorted_by(|low, high| low < high));
        assert!(COUNT_BOUNDS.is_sorted_by(|low, high| low < high));
        assert_eq!((TIME_BOUNDS[0], TIME_BOUNDS[34]), (20_000, 10_000_000_000));
    }

    #[test]
    fn quantiles_lie_in_the_bucket_of_their_value() {
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
    fn nothing_is_lost_between_threads() {
        let histogram = Histogram::of_times();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|value| histogram.observe(value)));
            }
        });
        assert_eq!(histogram.read().count(), 40_000);
    }
}
