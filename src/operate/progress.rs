//! How far something long has got: one line on the terminal, which goes away at the end.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

/// So long nothing is shown, and so long a figure stays.
const PAUSE: Duration = Duration::from_millis(200);

/// A line on standard error, where that is a terminal.
pub(super) struct Progress {
    what: &'static str,
    is_wanted: bool,
    is_shown: bool,
    next: Instant,
}

impl Progress {
    pub(super) fn new(what: &'static str) -> Self {
        let is_wanted = io::stderr().is_terminal();
        Self { what, is_wanted, is_shown: false, next: Instant::now() + PAUSE }
    }

    /// So much is done; of so much, where that is known.
    pub(super) fn at(&mut self, done: u64, of: Option<u64>) {
        let now = Instant::now();
        if !self.is_wanted || now < self.next {
            return;
        }
        self.next = now + PAUSE;
        self.is_shown = true;
        let figure = match of {
            Some(of) => format!("{} %", done.saturating_mul(100) / of.max(1)),
            None => done.to_string(),
        };
        let _ = write!(io::stderr(), "\r{} … {figure}\x1b[K", self.what);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
