//! The log on standard error. Whoever logs never waits: lines go through a bounded queue to a
//! thread that writes them, and where nobody reads what is written, they are dropped.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::queue::Queue;

/// The most lines that may wait to be written; what is more is dropped.
const LOG_QUEUE_LINES_MAX: usize = 4_096;
/// How long the end of the process waits for the last lines to be written.
const CLOSE_WAIT: Duration = Duration::from_secs(1);

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people; with colours on a terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// The running log. Its clones are the same log.
#[derive(Clone)]
pub struct Log {
    queue: Arc<Queue<Vec<u8>>>,
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
        let log = Self { queue, ended: Arc::new(Mutex::new(ended)) };
        let tracing = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(log.clone())
            .log_internal_errors(false)
            .with_ansi(io::stderr().is_terminal())
            .with_target(false);
        match format {
            Format::Text => tracing.init(),
            Format::Json => tracing.json().flatten_event(true).init(),
        }
        Ok(log)
    }

    /// Says something as it is, after what was logged before.
    pub fn say(&self, text: String) {
        // Dropped where nobody has read for a long time.
        let _ = self.queue.push(text.into_bytes());
    }

    /// Writes what is waiting, for up to a second, and takes nothing more.
    pub fn close(&self) {
        self.queue.close();
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        // Ends early once the thread has; where nobody reads, there is nobody to tell.
        let _ = ended.recv_timeout(CLOSE_WAIT);
    }
}

/// One line on its way.
pub struct Line {
    queue: Arc<Queue<Vec<u8>>>,
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { queue: Arc::clone(&self.queue) }
    }
}

impl Write for Line {
    /// Takes a whole line: the subscriber writes each event at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.queue.push(line.to_vec());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
