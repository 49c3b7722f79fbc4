//! `send --done`: runs a command, and tells how it ended. `send --done-pid`: the same of a process
//! that runs already.

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

use super::job::{self, Job, JobResult};
use super::{naming_users, recipients};
use crate::catalogue::{job as texts, shared};
use crate::client::address::ServerAddress;
use crate::client::arguments::SendArguments;
use crate::client::delivery::Text;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::View;
use crate::client::{delivery, local_login, session};
use crate::model::{BODY_BYTES_MAX, Body, Details, MailboxName};
use crate::protocol::arguments::Key;
use crate::system;
use crate::terminal::text;

/// How much of the command line stands in the message.
const COMMAND_CHARS_MAX: usize = 200;

/// Runs the command, and tells the recipients how it ended. Returns the command's exit code, also if
/// they could not be told: that is reported on standard error.
///
/// # Errors
/// The message could not be sent whatever the result. Then the command was not run.
pub fn run(arguments: &SendArguments, view: View, link: &mut Link) -> Result<u8, Failure> {
    let message = Message::prepare(arguments, link)?;
    let Some((program, words)) = arguments.text.split_first() else { return Ok(0) };
    let job = job::run(program, words, arguments.tail)
        .map_err(|error| Failure::new(Exit::Internal, texts::cannot_watch(error)))?;
    let command = command_line(&arguments.text);
    if let JobResult::NotRun(error) = &job.result {
        let problem = texts::not_run(text::visible(&program.to_string_lossy()), error);
        let _ = writeln!(io::stderr(), "{}", shared::failed(problem));
    }
    let told = body(headline(&command, &job), &job.lines);
    if let Err(failure) = told.and_then(|told| message.send(&told, link)) {
        report(&failure, &message.to, view);
    }
    Ok(job.result.exit_code())
}

/// Waits for the end of a process, and tells the recipients.
///
/// # Errors
/// There is no such process, or the recipients could not be told.
pub fn run_for_process(
    number: u32,
    arguments: &SendArguments,
    link: &mut Link,
) -> Result<Exit, Failure> {
    let message = Message::prepare(arguments, link)?;
    let begun = system::since_boot();
    let known = system::process_seen(number);
    system::wait_for_process(number).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(Exit::Nothing, texts::no_process(number)),
        _ => Failure::new(Exit::Internal, texts::process_not_watched(number, error)),
    })?;
    let waited = system::since_boot().saturating_sub(begun);
    let (name, took) = match known {
        Some(known) => {
            let name = text::visible(&known.name);
            (texts::process_named(name, number), known.age + waited)
        }
        None => (texts::process(number), waited),
    };
    let told = body(texts::process_ended(name, self::took(took)), &[])?;
    message.send(&told, link)?;
    Ok(Exit::Done)
}

/// What is known of the message before the command runs.
struct Message {
    to: Vec<MailboxName>,
    key: Key,
    details: Option<Box<Details>>,
}

impl Message {
    /// Finds the mistakes that can be found without a server. A server that is away keeps no command
    /// from running.
    fn prepare(arguments: &SendArguments, link: &Link) -> Result<Self, Failure> {
        let to = recipients(arguments)?;
        let details = arguments.details.details()?;
        let key = match &arguments.id {
            Some(key) => key.clone(),
            None => delivery::new_key()?,
        };
        // Over a socket the kernel may do, which only the server knows.
        if !matches!(link.address(), ServerAddress::Unix(_)) {
            session::current(link.account())?;
        }
        Ok(Self { to, key, details })
    }

    fn send(&self, body: &Body, link: &mut Link) -> Result<(), Failure> {
        let (token, _) = local_login::current(link)?;
        let text = Text { body: body.clone(), details: self.details.clone() };
        delivery::deliver(link, token, &self.to, &text, &self.key)
            .map_err(|failure| naming_users(failure, self.to.len()))?;
        Ok(())
    }
}

fn report(failure: &Failure, to: &[MailboxName], view: View) {
    if view.is_json {
        return failure.report_json(&mut io::stderr());
    }
    let note = shared::note(texts::not_told(delivery::names(to, ", ")));
    let _ = writeln!(io::stderr(), "{note}");
    failure.report(&mut io::stderr());
}

/// How it ended, in a line.
fn headline(command: &str, job: &Job) -> String {
    let took = took(job.took);
    match &job.result {
        JobResult::Code(0) => texts::succeeded(command, took),
        JobResult::Code(code) => texts::failed_with(command, code, took),
        JobResult::Signal(signal) => texts::ended_by_signal(command, signal_name(*signal), took),
        JobResult::NotRun(error) => texts::not_run(command, error),
    }
}

/// `TERM`; the number of a signal without a name.
fn signal_name(signal: i32) -> String {
    let name = signal_hook::low_level::signal_name(signal);
    name.map_or_else(|| signal.to_string(), |name| name.trim_start_matches("SIG").to_owned())
}

/// The words of the command in a line, as much as is useful.
fn command_line(words: &[OsString]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    let line = text::visible(&words.join(" "));
    match line.char_indices().nth(COMMAND_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The headline, and below it as many of the last lines as a message can hold.
fn body(headline: String, lines: &[String]) -> Result<Body, Failure> {
    let mut bytes = headline.len();
    let fitting = lines.iter().rev().take_while(|line| {
        bytes += 1 + line.len();
        bytes <= BODY_BYTES_MAX
    });
    let first = lines.len() - fitting.count();
    let mut text = headline;
    for line in &lines[first..] {
        text.push('\n');
        text.push_str(line);
    }
    super::body(text.into())
}

/// A duration for people: `56 s`, `2 min 5 s`, `3 h 12 min`.
fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (hours, minutes, seconds) {
        (0, 0, 0) => texts::less_than_a_second().to_owned(),
        (0, 0, seconds) => texts::seconds(seconds),
        (0, minutes, _) if seconds.is_multiple_of(60) => texts::minutes(minutes),
        (0, minutes, _) => texts::minutes_and_seconds(minutes, seconds % 60),
        (hours, _, _) if minutes.is_multiple_of(60) => texts::hours(hours),
        (hours, _, _) => texts::hours_and_minutes(hours, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, words) in [
            (0, "less than a second"),
            (56, "56 s"),
            (120, "2 min"),
            (125, "2 min 5 s"),
            (3600, "1 h"),
            (11_565, "3 h 12 min"),
            (200_000, "55 h 33 min"),
        ] {
            assert_eq!(took(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn signals_have_their_short_names() {
        assert_eq!(signal_name(15), "TERM");
        assert_eq!(signal_name(9), "KILL");
        assert_eq!(signal_name(40), "40");
    }

    #[test]
    fn body_has_as_many_of_the_last_lines_as_fit() {
        let lines: Vec<String> =
            (0..20).map(|number| format!("{number} {}", "x".repeat(4000))).collect();
        let body = body("done".to_owned(), &lines).unwrap();
        let text = body.as_str();
        assert!(text.starts_with("done\n12 x") && text.len() <= BODY_BYTES_MAX, "{}", text.len());
        assert_eq!(text.lines().count(), 1 + 8);
        assert_eq!(super::body("done".to_owned(), &[]).unwrap().as_str(), "done");
    }

    #[test]
    fn command_line_is_short_and_safe() {
        let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
        assert_eq!(command_line(&words(&["make", "-j8"])), "make -j8");
        assert_eq!(command_line(&words(&["printf", "\x1b[2J"])), "printf \\x1b[2J");
        let long = command_line(&words(&["echo", &"猫".repeat(1000)]));
        assert_eq!(long.chars().count(), COMMAND_CHARS_MAX + 1);
    }
}
