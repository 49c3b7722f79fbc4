//! Runs the program notify-send, each time within a time limit, and reaps it.

use std::fmt;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use super::notification::Notification;
use crate::catalogue::notify as texts;
use crate::client::question::{self, OPEN_MAX};
use crate::model::{Message, Priority};
use crate::terminal::text;

/// How long notify-send may run, unless it waits for the user's choice.
const SHOW_MAX: Duration = Duration::from_secs(5);

/// How long it may take to close a question that nobody has answered.
const CLOSE_MAX: Duration = Duration::from_millis(500);

/// How often to look whether it has ended: at first, and at last.
const LOOK_FIRST: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_millis(200);

/// The most of its output that is read.
const OUTPUT_BYTES_MAX: usize = 4096;

/// Why a call has failed.
#[derive(Debug)]
pub enum Problem {
    /// It cannot be run.
    NotRun(std::io::Error),
    /// It has ended, but not with 0.
    Ended(ExitStatus, String),
    /// It did not end in time.
    Hung,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRun(error) => write!(formatter, "{error}"),
            Self::Ended(status, output) => {
                let code = status.code().unwrap_or(-1);
                let line = output.lines().next().unwrap_or_default();
                formatter.write_str(&texts::notify_send_ended(code, text::visible(line)))
            }
            Self::Hung => formatter.write_str(&texts::notify_send_hung(SHOW_MAX.as_secs())),
        }
    }
}

/// The program. `pause` waits, and returns `false` when the processes shall end.
pub struct NotifySend<P> {
    program: PathBuf,
    pause: P,
    /// Whether it has the option `--action`, once that is known.
    has_actions: Option<bool>,
}

/// How a process ended, and what it has written.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl<P: Fn(Duration) -> bool> NotifySend<P> {
    /// The program at this path.
    pub fn new(program: &Path, pause: P) -> Self {
        Self { program: program.to_owned(), pause, has_actions: None }
    }

    /// Its path.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// Whether it can offer answers. Asks the program once.
    pub fn has_actions(&mut self) -> bool {
        if let Some(known) = self.has_actions {
            return known;
        }
        let help = self.run(&["--help".to_owned()], SHOW_MAX);
        let has = help.is_ok_and(|help| help.stdout.contains("--action"));
        self.has_actions = Some(has);
        has
    }

    /// Shows a notification.
    ///
    /// # Errors
    /// It was probably not shown.
    pub fn show(&self, told: &Notification) -> Result<(), Problem> {
        succeeded(self.run(&arguments(told, &[]), SHOW_MAX)?).map(drop)
    }

    /// Shows a question with a button for each of its answers, and waits until the user has chosen or
    /// closed it. Returns the number of the button.
    ///
    /// # Errors
    /// As [`show`](Self::show).
    pub fn ask(&self, told: &Notification, question: &Message) -> Result<Option<String>, Problem> {
        let choices = question::choices(question).into_iter().enumerate();
        let actions: Vec<String> =
            choices.map(|(number, choice)| format!("--action={number}={choice}")).collect();
        match self.run(&arguments(told, &actions), OPEN_MAX) {
            // Nobody has answered.
            Err(Problem::Hung) => Ok(None),
            ended => {
                let stdout = succeeded(ended?)?.stdout;
                Ok(stdout.lines().next().map(|line| line.trim().to_owned()))
            }
        }
    }

    /// Runs it to its end. It is ended at the time limit, or when `pause` says so.
    fn run(&self, arguments: &[String], limit: Duration) -> Result<Ended, Problem> {
        let begun = Instant::now();
        let mut child = Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Problem::NotRun)?;
        let mut look = LOOK_FIRST;
        loop {
            if let Some(status) = child.try_wait().map_err(Problem::NotRun)? {
                let stdout = child.stdout.take().map(what_is_there).unwrap_or_default();
                let stderr = child.stderr.take().map(what_is_there).unwrap_or_default();
                return Ok(Ended { status, stdout, stderr });
            }
            if begun.elapsed() >= limit || !(self.pause)(look) {
                end(child);
                return Err(Problem::Hung);
            }
            look = (look * 2).min(LOOK_MAX);
        }
    }
}

fn succeeded(ended: Ended) -> Result<Ended, Problem> {
    match ended.status.success() {
        true => Ok(ended),
        false => Err(Problem::Ended(ended.status, ended.stderr)),
    }
}

/// Ends the process and reaps it. After an interrupt, notify-send closes its notification, whose
/// buttons would do nothing any more.
fn end(mut child: Child) {
    let _ = kill_process(Pid::from_child(&child), Signal::INT);
    let begun = Instant::now();
    while begun.elapsed() < CLOSE_MAX {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(LOOK_FIRST);
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The bytes that a process has written before its end. Does not wait for a process that it may
/// have left behind.
fn what_is_there(mut pipe: impl Read + AsFd) -> String {
    let mut bytes = vec![0; OUTPUT_BYTES_MAX];
    let flags = fcntl_getfl(&pipe).unwrap_or(OFlags::empty());
    if fcntl_setfl(&pipe, flags | OFlags::NONBLOCK).is_err() {
        return String::new();
    }
    let count = pipe.read(&mut bytes).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

/// The arguments that show a notification. The text may look like an option.
fn arguments(told: &Notification, actions: &[String]) -> Vec<String> {
    let urgency = match told.priority {
        Priority::Min | Priority::Low => "low",
        Priority::Default | Priority::High => "normal",
        Priority::Urgent => "critical",
    };
    let options = ["--app-name=chat-cli", "--category=im.received"].map(str::to_owned);
    let urgency = format!("--urgency={urgency}");
    let text = ["--".to_owned(), told.headline.clone(), escaped(&told.body)];
    options.into_iter().chain([urgency]).chain(actions.iter().cloned()).chain(text).collect()
}

/// notify-send takes `\n`, `\033` and the like in the text for the character, and desktops take the
/// text for markup.
fn escaped(body: &str) -> String {
    body.replace('\\', "\\\\").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_neither_an_option_nor_markup_nor_an_escape() {
        let told = Notification {
            headline: "paff".to_owned(),
            body: "-u <b>x</b> & \\033[31m".to_owned(),
            priority: Priority::Urgent,
            question: None,
        };
        let text = "-u &lt;b&gt;x&lt;/b&gt; &amp; \\\\033[31m";
        let options = ["--app-name=chat-cli", "--category=im.received", "--urgency=critical"];
        let expected = [&options[..], &["--", "paff", text]].concat();
        assert_eq!(arguments(&told, &[]), expected);
    }
}
