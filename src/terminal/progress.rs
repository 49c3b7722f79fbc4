//! The progress of a long command: one line on standard error, if that is a terminal. The line
//! disappears at the end.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use rustix::fs::{FileType, fstat};

use crate::catalogue::time;

/// A command that takes less time shows nothing.
const DELAY: Duration = Duration::from_millis(300);
/// The time between two updates of the line.
const INTERVAL: Duration = Duration::from_millis(200);
/// The same as updates per second.
const UPDATES_PER_SECOND: u8 = 5;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Bytes.
    Bytes,
    /// Messages or other things.
    Count,
    /// Nothing. The line shows the time that has passed.
    Time,
}

/// The progress of one command. A write to the terminal never delays the command.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    measure: Measure,
    /// Disconnects on drop, which ends a thread that still waits for [`DELAY`].
    running: Option<Sender<()>>,
}

impl Progress {
    /// Shows `what` and the progress on standard error, if that is a terminal.
    pub fn start(what: &'static str, measure: Measure) -> Self {
        Self::start_if(true, what, measure)
    }

    /// [`Self::start`] if `is_alone`. If the command prints its result on the same terminal, or the
    /// user types there, the line would be in between.
    pub fn start_if(is_alone: bool, what: &'static str, measure: Measure) -> Self {
        let bar = ProgressBar::hidden().with_style(style(measure, false)).with_prefix(what);
        let mut progress = Self { bar, measure, running: None };
        if is_alone && io::stderr().is_terminal() {
            let (running, ended) = mpsc::channel();
            let bar = progress.bar.clone();
            // Without a thread there is no line, and the command works all the same.
            let _ = thread::Builder::new().name("progress".to_owned()).spawn(move || {
                if ended.recv_timeout(DELAY) == Err(RecvTimeoutError::Timeout) {
                    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(UPDATES_PER_SECOND));
                    bar.enable_steady_tick(INTERVAL);
                }
            });
            progress.running = Some(running);
        }
        progress
    }

    /// This much is done.
    pub fn at(&self, done: u64) {
        if self.running.is_some() {
            self.bar.set_position(done);
        }
    }

    /// There is this much to do. The line then shows the part that is done and the time left. The
    /// number may be an estimate, and may change.
    pub fn of(&self, total: u64) {
        if self.running.is_some() {
            if self.bar.length().is_none() {
                self.bar.set_style(style(self.measure, true));
            }
            self.bar.set_length(total);
        }
    }

    /// The whole of `input` is to do, if it is a regular file. The size of a pipe is not known.
    pub fn of_file(&self, input: impl AsFd) {
        if let Ok(stat) = fstat(input)
            && FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
        {
            self.of(u64::try_from(stat.st_size).unwrap_or(0));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn style(measure: Measure, has_total: bool) -> ProgressStyle {
    let style = ProgressStyle::with_template(&template(measure, has_total));
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    // The library's own rate has four decimals.
    style.with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{:.0}/s", state.per_sec());
    })
}

/// The fields of the line. Words come from the catalogue, sizes and times from the library.
fn template(measure: Measure, has_total: bool) -> String {
    let left = time::left("{eta}");
    let fields = match (measure, has_total) {
        (Measure::Bytes, true) => {
            format!("{{percent}} %  {{bytes}}/{{total_bytes}}  {{bytes_per_sec}}  {left}")
        }
        (Measure::Bytes, false) => "{bytes}  {bytes_per_sec}".to_owned(),
        (Measure::Count, true) => format!("{{percent}} %  {{pos}}/{{len}}  {{rate}}  {left}"),
        (Measure::Count, false) => "{pos}  {rate}".to_owned(),
        (Measure::Time, _) => "{elapsed}".to_owned(),
    };
    format!("{{prefix}} … {fields}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Language, speaking};

    #[test]
    fn every_template_is_valid() {
        for language in [Language::English, Language::Indonesian] {
            for measure in [Measure::Bytes, Measure::Count, Measure::Time] {
                for has_total in [false, true] {
                    let template = speaking(language, || template(measure, has_total));
                    assert!(ProgressStyle::with_template(&template).is_ok(), "{template}");
                }
            }
        }
    }
}
