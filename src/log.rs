//! The log on standard error. Whoever logs never waits: lines go through a bounded queue to a
//! thread that writes them, and where nobody reads what is written, they are dropped.

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

/// The most lines that may wait to be written; what is more is dropped.
const LOG_QUEUE_LINES_MAX: usize = 4_096;
/// How long the end of the process waits for the last lines to be written.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Puts another filter in place.
type Refilter = Box<dyn Fn(EnvFilter) + Send + Sync>;

/// The running log. Its clones are the same log.
#[derive(Clone)]
pub struct Log {
    refilter: Arc<OnceLock<Refilter>>,
    queue: Arc<Queue<Vec<u8>>>,
    dropped: Arc<Counter>,
    /// Ends when the last line is written.
    ended: Arc<Mutex<Receiver<()>>>,
}

impl Log {
    /// Starts the log, and sends it everything that is traced and passes `filter`. Once a
    /// process.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(format: Format, filter: EnvFilter) -> io::Result<Self> {
        let queue = Arc::new(Queue::<Vec<u8>>::new(LOG_QUEUE_LINES_MAX));
        let (sender, ended) = mpsc::channel();
        let lines = Arc::clone(&queue);
        thread::Builder::new().name("log".to_owned()).spawn(move || {
            let _until_the_end = sender;
            while let Some(line) = lines.pop() {
                // That nobody reads it any more is nothing to stop for.
                let _ = io::stderr().write_all(&line);
            }
        })?;
        let (refilter, ended) = (Arc::default(), Arc::new(Mutex::new(ended)));
        let log = Self { refilter, queue, dropped: Arc::default(), ended };
        let tracing = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(log.clone())
            .log_internal_errors(false)
            // Colours need a feature of the library that is not built in; without it, it complains.
            .with_ansi(false)
            .with_target(false);
        // The two are of different types, and so are the handles of their filters.
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

    /// From now on what passes `filter` is logged.
    pub fn refilter(&self, filter: EnvFilter) {
        if let Some(refilter) = self.refilter.get() {
            refilter(filter);
        }
    }

    /// Says something as it is, after what was logged before.
    pub fn say(&self, text: String) {
        self.put(text.into_bytes());
    }

    /// How many lines wait to be written, and how many may.
    pub fn waiting(&self) -> (usize, usize) {
        (self.queue.len(), LOG_QUEUE_LINES_MAX)
    }

    /// How many lines were dropped, because nobody has read for a long time.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Writes what is waiting, for up to a second, and takes nothing more.
    pub fn close(&self) {
        self.queue.close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Ends early once the thread has; where nobody reads, there is nobody to tell.
        let _ = ended.recv_timeout(CLOSE_WAIT);
    }
}

impl Log {
    fn filter_by<S: 'static>(&self, handle: Handle<EnvFilter, S>) {
        // It fails where nothing is traced any more.
        let refilter = move |filter| drop(handle.reload(filter));
        let _ = self.refilter.set(Box::new(refilter));
    }

    fn put(&self, line: Vec<u8>) {
        if self.queue.push(line).is_err() {
            self.dropped.increment();
        }
    }
}

/// Bounds how many lines of a kind are logged: a flood of what they tell of must not drown
/// everything else. For one thread.
#[derive(Debug)]
pub struct LineRate {
    lines_per_second_max: u32,
    second: Option<Instant>,
    /// In this second.
    logged: u32,
    /// Since the last line.
    left_out: u64,
}

impl LineRate {
    /// At most so many lines a second.
    pub fn new(lines_per_second_max: u32) -> Self {
        Self { lines_per_second_max, second: None, logged: 0, left_out: 0 }
    }

    /// Whether a line may be logged now; and if so, how many were left out before it.
    pub fn admit(&mut self, now: Instant) -> Option<u64> {
        let second = Duration::from_secs(1);
        if self.second.is_none_or(|begun| now.saturating_duration_since(begun) >= second) {
            (self.second, self.logged) = (Some(now), 0);
        }
        if self.logged >= self.lines_per_second_max {
            self.left_out += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

/// One line on its way.
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
    /// Takes a whole line: the subscriber writes each event at once.
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
    fn so_many_lines_a_second_are_admitted_and_the_next_tells_how_many_were_not() {
        let (mut rate, now) = (LineRate::new(2), Instant::now());
        let admitted: Vec<_> = (0..5).map(|_| rate.admit(now)).collect();
        assert_eq!(admitted, [Some(0), Some(0), None, None, None]);
        assert_eq!(rate.admit(now + Duration::from_secs(1)), Some(3));
        assert_eq!(rate.admit(now + Duration::from_secs(1)), Some(0));
    }
}
