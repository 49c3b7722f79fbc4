//! The server log on standard error. Logging never blocks: a line goes through a bounded queue to a
//! thread that writes it. Lines that find the queue full are dropped and counted.

use std::io::{self, Write};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::reload::Handle;

use crate::metrics::Counter;
use crate::queue::Queue;

/// The most lines that may wait to be written. Further lines are dropped.
const LOG_QUEUE_LINES_MAX: usize = 4_096;
/// How long a stopping process waits for the last lines to be written.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// The format of the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Replaces the filter.
type Refilter = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// The running server log. All clones are the same log.
#[derive(Clone)]
pub struct Log {
    refilter: Arc<OnceLock<Refilter>>,
    queue: Arc<Queue<Vec<u8>>>,
    dropped: Arc<Counter>,
    /// Disconnects when the thread has written the last line.
    ended: Arc<Mutex<Receiver<()>>>,
}

impl Log {
    /// Starts the server log and makes it the global subscriber for events that pass `filter`. Call
    /// it at most once per process.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub fn start(format: Format, filter: EnvFilter) -> io::Result<Self> {
        let queue = Arc::new(Queue::<Vec<u8>>::new(LOG_QUEUE_LINES_MAX));
        let (sender, ended) = mpsc::channel();
        let lines = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            let _until_the_end = sender;
            while let Some(line) = lines.pop() {
                // The server goes on even if nobody reads its log.
                let _ = io::stderr().write_all(&line);
            }
        })?;
        let (refilter, ended) = (Arc::default(), Arc::new(Mutex::new(ended)));
        let log = Self { refilter, queue, dropped: Arc::default(), ended };
        let tracing = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(log.clone())
            .log_internal_errors(false)
            // The library's feature for colours is not built in; without it, `true` would print a
            // complaint.
            .with_ansi(false)
            .with_target(false);
        // The two builders have different types, and so have their reload handles.
        match format {
            Format::Text => {
                let tracing = tracing.with_filter_reloading();
                log.filter_by(tracing.reload_handle());
                tracing.init();
            }
            Format::Json => {
                let tracing = tracing.json().flatten_event(true).with_filter_reloading();
                log.filter_by(tracing.reload_handle());
                tracing.init();
            }
        }
        Ok(log)
    }

    /// Replaces the filter; it applies from the next event on.
    pub fn refilter(&self, filter: EnvFilter) {
        if let Some(refilter) = self.refilter.get() {
            refilter(filter);
        }
    }

    /// Writes a text as it is, after the lines logged before it.
    pub fn say(&self, text: String) {
        self.put(text.into_bytes());
    }

    /// The number of lines in the queue, and its capacity.
    pub fn waiting(&self) -> (usize, usize) {
        (self.queue.len(), LOG_QUEUE_LINES_MAX)
    }

    /// The number of lines that were dropped because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Refuses further lines, and waits for the queued ones to be written, for at most a second.
    pub fn close(&self) {
        self.queue.close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Returns early when the thread ends. A timeout means that nobody reads the log.
        let _ = ended.recv_timeout(CLOSE_WAIT);
    }
}

impl Log {
    fn filter_by<S: 'static>(&self, handle: Handle<EnvFilter, S>) {
        // Reloading fails only if the subscriber is gone; then there is nothing to filter.
        let refilter = move |filter| drop(handle.reload(filter));
        let _ = self.refilter.set(Box::new(refilter));
    }

    fn put(&self, line: Vec<u8>) {
        if self.queue.push(line).is_err() {
            self.dropped.increment();
        }
    }
}

/// Limits how many lines of one kind are logged, so that a flood of them does not hide other lines.
/// It is for use by one thread.
#[derive(Debug)]
pub struct LineRate {
    lines_per_second_max: u32,
    second: Option<Instant>,
    /// The lines logged in the current second.
    logged: u32,
    /// The lines dropped since the last logged one.
    dropped: u64,
}

impl LineRate {
    /// Allows `lines_per_second_max` lines a second.
    pub fn new(lines_per_second_max: u32) -> Self {
        Self { lines_per_second_max, second: None, logged: 0, dropped: 0 }
    }

    /// Whether a line may be logged now. If so, the value is the number of lines dropped before it.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        let second = Duration::from_secs(1);
        if self.second.is_none_or(|begun| now.saturating_duration_since(begun) >= second) {
            (self.second, self.logged) = (Some(now), 0);
        }
        if self.logged >= self.lines_per_second_max {
            self.dropped += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.dropped))
    }
}

/// The writer of one line.
pub struct Line<'a> {
    log: &'a Log,
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { log: self }
    }
}

impl Write for Line<'_> {
    /// Queues one whole line, because the subscriber writes each event with a single call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.log.put(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_admits_lines_per_second_and_counts_the_dropped_ones() {
        let (mut rate, now) = (LineRate::new(2), Instant::now());
        let admitted: Vec<_> = (0..5).map(|_| rate.admit(now)).collect();
        assert_eq!(admitted, [Some(0), Some(0), None, None, None]);
        assert_eq!(rate.admit(now + Duration::from_secs(1)), Some(3));
        assert_eq!(rate.admit(now + Duration::from_secs(1)), Some(0));
    }
}
