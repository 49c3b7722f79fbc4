//! `chat-cli send TO[,TO…] [TEXT…]`, `chat-cli send --room ROOM [TEXT…]`

pub mod done;
mod job;
mod later;
mod tail;
mod wait_read;

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use super::{parse_mailbox, unknown};
use crate::catalogue::{client, refusal};
use crate::client::arguments::SendArguments;
use crate::client::delivery::Text;
use crate::client::exit::Exit;
use crate::client::failure::{Failure, Refused, is_closed};
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{delivery, local_login};
use crate::model::{BODY_BYTES_MAX, Body, Details, Invalid, MailboxName, Timestamp, Token};
use crate::protocol::arguments::{KEY_BYTES_MAX, Key, When};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Posted;
use crate::terminal::progress::{Measure, Progress};
use crate::terminal::reason::of_invalid;

/// Stands for standard input.
const STDIN: &str = "-";

/// The most bytes that `--lines` appends to the id: `-` and a number.
const LINE_NUMBER_BYTES_MAX: usize = 12;

/// Sends one message, or one per line: see [`delivery::deliver`].
pub fn run(
    arguments: SendArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    if let Some(number) = arguments.done_pid {
        return done::run_for_process(number, &arguments, link);
    }
    let text = match arguments.text.as_slice() {
        [word] if word == STDIN => &[],
        words => words,
    };
    let is_stdin = text.is_empty() && arguments.file.as_deref().is_none_or(|path| path == STDIN);
    if is_stdin && arguments.text.is_empty() && io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, client::no_text()).with_hint(client::give_text()));
    }
    let (token, _) = local_login::current(link)?;
    let to = recipients(&arguments)?;
    let key = match arguments.id {
        Some(key) => key,
        None => delivery::new_key()?,
    };
    let details = arguments.details.details()?;
    if arguments.wait_read.is_some() {
        wait_read::check(link, token)?;
    }
    let when = match (arguments.at, arguments.within) {
        (Some(at), _) => Some(When::At(at)),
        (None, within) => within.map(|pause| When::In(pause.as_secs())),
    };
    let mut sender = Sender { link, token, to, details, view, out };
    let wait = arguments.wait_read;
    let send = |sender: &mut Sender<'_>, body: Body| match when {
        None => sender.send_and_wait(&body, &key, wait),
        Some(when) => sender.send_later(body, when, &key),
    };
    if !text.is_empty() {
        return send(&mut sender, body(text.join(OsStr::new(" ")))?);
    }
    let file = match &arguments.file {
        Some(path) if !is_stdin => Some(File::open(path).map_err(|error| {
            Failure::new(Exit::LocalFile, client::file_not_read(path.display(), error))
        })?),
        _ => None,
    };
    let progress = arguments.lines.then(|| progress(file.as_ref(), view.is_json));
    let input: Box<dyn Read> = match file {
        Some(file) => Box::new(file),
        None => Box::new(io::stdin().lock()),
    };
    match progress {
        Some(progress) => sender.send_lines(BufReader::new(input), &key, progress),
        None => send(&mut sender, body(read_text(input)?)?),
    }
}

/// Sends one message to these users, and prints the result.
pub fn one(
    text: Text,
    to: Vec<MailboxName>,
    key: &Key,
    token: Token,
    (view, link): (View, &mut Link),
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    Sender { link, token, to, details: text.details, view, out }
        .send_one(&text.body, key)
        .map(|_| Exit::Done)
}

/// The progress of `--lines` from a file or standard input.
fn progress(file: Option<&File>, is_json: bool) -> Progress {
    let is_typed = file.is_none() && io::stdin().is_terminal();
    let is_printed = is_json && io::stdout().is_terminal();
    let progress = Progress::start_if(!is_typed && !is_printed, client::sending(), Measure::Bytes);
    match file {
        Some(file) => progress.of_file(file),
        None => progress.of_file(io::stdin()),
    }
    progress
}

/// Sends messages to the same users.
struct Sender<'a> {
    link: &'a mut Link,
    token: Token,
    to: Vec<MailboxName>,
    details: Option<Box<Details>>,
    view: View,
    out: &'a mut dyn Write,
}

impl Sender<'_> {
    /// [`Self::send_one`], and waits until it was read, if that is wanted.
    fn send_and_wait(
        &mut self,
        body: &Body,
        key: &Key,
        wait: Option<Duration>,
    ) -> Result<Exit, Failure> {
        let posted = self.send_one(body, key)?;
        let Some(wait) = wait else { return Ok(Exit::Done) };
        // Nobody reads it as unread after it has expired.
        let left = self.details.as_ref().and_then(|details| details.expires_of(Timestamp::now()));
        let left = left.map(|at| at.0.saturating_sub(Timestamp::now().0).max(0).unsigned_abs());
        let deadline =
            Instant::now() + left.map_or(wait, |left| wait.min(Duration::from_millis(left)));
        wait_read::wait(&posted.sent, deadline, (self.token, self.link), self.view, self.out)
    }

    fn send_one(&mut self, body: &Body, key: &Key) -> Result<Posted, Failure> {
        let posted = self.post(body, key)?;
        let to = delivery::names(&self.to, ", ");
        let printed = match self.view.is_json {
            true => self.print_json(&posted, key, None),
            false => self.print_line(&client::message_sent(to)),
        };
        printed.map(|()| posted).map_err(|error| {
            if is_closed(&error) {
                return Failure::ReaderGone;
            }
            let to = delivery::names(&self.to, ",");
            Failure::new(Exit::TryAgain, client::sent_but_not_printed(error))
                .with_key(key.clone())
                .with_hint(client::resend_to_see_the_result(key.as_str(), to))
        })
    }

    fn send_later(&mut self, body: Body, when: When, key: &Key) -> Result<Exit, Failure> {
        let text = Text { body, details: self.details.clone() };
        let output = (self.view, &mut *self.link);
        later::run((&text, &self.to), (when, key), self.token, output, self.out)
    }

    fn post(&mut self, body: &Body, key: &Key) -> Result<Posted, Failure> {
        let text = Text { body: body.clone(), details: self.details.clone() };
        delivery::deliver(self.link, self.token, &self.to, &text, key)
            .map_err(|failure| naming_users(failure, self.to.len()))
    }

    /// Prints a line and flushes it, so that a write error can be reported together with the key.
    fn print_line(&mut self, words: &str) -> io::Result<()> {
        writeln!(self.out, "{words}")?;
        self.out.flush()
    }

    fn print_json(&mut self, posted: &Posted, key: &Key, line: Option<usize>) -> io::Result<()> {
        let Posted { at, duplicate, sent, .. } = posted;
        for copy in sent {
            let (to, id, key) = (copy.to.as_str(), copy.id.0, key.as_str());
            let fields = object::Sent { to, id, at: *at, key, duplicate: *duplicate, line };
            writeln!(self.out, "{}", object::line(&fields))?;
        }
        // With `--lines`, the program that writes the input can see that this line was sent.
        self.out.flush()
    }

    /// Sends each line as it arrives. Line 7 has the key `KEY-7`, so the same input with the same
    /// key resumes where it stopped.
    fn send_lines(
        &mut self,
        mut input: impl BufRead,
        key: &Key,
        progress: Progress,
    ) -> Result<Exit, Failure> {
        if key.as_str().len() > KEY_BYTES_MAX - LINE_NUMBER_BYTES_MAX {
            let max = KEY_BYTES_MAX - LINE_NUMBER_BYTES_MAX;
            return Err(Failure::new(Exit::Usage, client::id_too_long_for_lines(max)));
        }
        let (mut sent, mut known) = (0_usize, 0_usize);
        let (mut number, mut bytes) = (0, 0);
        while let Some(line) = read_line(&mut input)? {
            number += 1;
            bytes += line.len() as u64 + 1;
            if line.is_empty() {
                continue;
            }
            let posted =
                self.send_line(line, number, key).map_err(|why| at_line(why, number, key))?;
            sent += 1;
            known += usize::from(posted.duplicate);
            progress.at(bytes);
        }
        drop(progress);
        if !self.view.is_json {
            let printed = self.print_line(&summary(sent, known, &delivery::names(&self.to, ", ")));
            printed.map_err(|error| match is_closed(&error) {
                true => Failure::ReaderGone,
                false => Failure::new(Exit::TryAgain, client::lines_sent_but_not_printed(error))
                    .with_key(key.clone())
                    .with_hint(client::resend_lines_to_see_the_result(key.as_str())),
            })?;
        }
        Ok(if sent == 0 { Exit::Nothing } else { Exit::Done })
    }

    fn send_line(&mut self, line: Vec<u8>, number: usize, key: &Key) -> Result<Posted, Failure> {
        let line_key = format!("{}-{number}", key.as_str())
            .parse()
            .map_err(|invalid| Failure::new(Exit::Usage, of_invalid(invalid)))?;
        let posted = self.post(&body(OsString::from_vec(line))?, &line_key)?;
        if self.view.is_json {
            self.print_json(&posted, &line_key, Some(number)).map_err(|error| {
                Failure::new(Exit::TryAgain, client::sent_but_not_printed(error))
            })?;
        }
        Ok(posted)
    }
}

/// How many lines were sent, and how many of them had been stored before.
fn summary(sent: usize, known: usize, to: &str) -> String {
    let text = match sent {
        1 => client::one_message_sent(to),
        count => client::messages_sent(count, to),
    };
    match known {
        0 => text,
        count => client::already_stored(text, count),
    }
}

/// The recipients of the command.
pub(super) fn recipients(arguments: &SendArguments) -> Result<Vec<MailboxName>, Failure> {
    match &arguments.to {
        Some(to) => parse_recipients(to),
        None => Ok(arguments.rooms.iter().cloned().map(MailboxName::Room).collect()),
    }
}

/// Parses names of users and rooms, separated by commas.
///
/// # Errors
/// Some cannot be names. The failure names them.
pub fn parse_recipients(text: &str) -> Result<Vec<MailboxName>, Failure> {
    let names: Vec<&str> = text.split(',').collect();
    if names.len() == 1 {
        return Ok(vec![parse_mailbox(text)?]);
    }
    let wrong = names.iter().filter(|name| name.parse::<MailboxName>().is_err());
    let wrong: Vec<String> = wrong.map(ToString::to_string).collect();
    if !wrong.is_empty() {
        return Err(naming_users(unknown(wrong), names.len()));
    }
    let mut to = Vec::with_capacity(names.len());
    for name in names {
        let name = parse_mailbox(name)?;
        // A user who is named twice gets one message.
        if !to.contains(&name) {
            to.push(name);
        }
    }
    Ok(to)
}

/// Adds the users to the message of a refusal, if there were several recipients.
pub fn naming_users(mut failure: Failure, recipients: usize) -> Failure {
    if let Failure::Refused(Refused { message, users, .. }) = &mut failure
        && recipients > 1
        && !users.is_empty()
    {
        *message = format!("{message}: {}", users.join(", "));
    }
    failure
}

/// Adds the number of the line that failed, and how to resume.
fn at_line(failure: Failure, number: usize, key: &Key) -> Failure {
    Failure::new(failure.exit(), client::at_line(number, &failure))
        .with_key(key.clone())
        .with_hint(client::go_on_from_line(key.as_str()))
}

/// The body of a message. A text that the server would refuse is refused here, in its words.
pub fn body(text: OsString) -> Result<Body, Failure> {
    let text = text
        .into_string()
        .map_err(|_| Refused::by_client(Code::BadEncoding, refusal::text_not_utf8()))?;
    Body::try_from(text.into_boxed_str()).map_err(|invalid| match invalid {
        Invalid::Empty => Code::EmptyMessage.into(),
        _ => too_long().into(),
    })
}

/// The body of words, which are joined with one space, or of standard input if there is only a `-`.
pub fn body_of(words: &[impl AsRef<OsStr>]) -> Result<Body, Failure> {
    let words: Vec<&OsStr> = words.iter().map(AsRef::as_ref).collect();
    body(match words.as_slice() {
        [word] if *word == "-" => read_text(io::stdin().lock())?,
        words => words.join(OsStr::new(" ")),
    })
}

/// Reads all of `input`, without one line feed at its end: the output of programs ends in one.
fn read_text(input: impl Read) -> Result<OsString, Failure> {
    let mut bytes = Vec::new();
    let read = input.take(BODY_BYTES_MAX as u64 + 2).read_to_end(&mut bytes);
    read.map_err(unreadable)?;
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.len() > BODY_BYTES_MAX {
        return Err(too_long().into());
    }
    Ok(OsString::from_vec(bytes))
}

/// The end of `input`, with more than fits into a message, in bounded memory.
pub fn read_end(mut input: impl Read) -> Result<Vec<u8>, Failure> {
    let mut end = Vec::new();
    while input.by_ref().take(BODY_BYTES_MAX as u64).read_to_end(&mut end).map_err(unreadable)? > 0
    {
        end.drain(..end.len().saturating_sub(2 * BODY_BYTES_MAX));
    }
    Ok(end)
}

/// The next line without its ending (LF or CR LF); `None` at the end. A line that is too long for a
/// message is truncated, but remains too long.
fn read_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let mut limited = input.take(BODY_BYTES_MAX as u64 + 2);
    let count = limited.read_until(b'\n', &mut line).map_err(unreadable)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    Ok((count > 0).then_some(line))
}

fn unreadable(error: io::Error) -> Failure {
    Failure::new(Exit::LocalFile, client::text_unreadable(error))
}

fn too_long() -> Refused {
    Refused::by_client(Code::TooLong, refusal::message_too_long(BODY_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Body, Exit> {
        read_text(bytes).and_then(body).map_err(|failure| failure.exit())
    }

    #[test]
    fn input_is_kept_exactly_but_for_one_line_feed_at_its_end() {
        for (input, text) in [
            ("hai", "hai"),
            ("hai\n", "hai"),
            ("hai\n\n", "hai\n"),
            (" one\r\n\ttwo \n", " one\r\n\ttwo "),
            ("\0", "\0"),
        ] {
            assert_eq!(read(input.as_bytes()).unwrap().as_str(), text);
        }
    }

    #[test]
    fn end_of_a_long_input_is_kept_in_bounded_memory() {
        assert_eq!(read_end(&b"hai\n"[..]).unwrap(), b"hai\n");
        let endless = io::repeat(b'x').take(10 * BODY_BYTES_MAX as u64).chain(&b"end"[..]);
        let end = read_end(endless).unwrap();
        assert!(end.ends_with(b"xend") && end.len() > BODY_BYTES_MAX);
        assert!(end.len() <= 2 * BODY_BYTES_MAX, "{}", end.len());
    }

    #[test]
    fn input_that_is_no_message_is_refused() {
        for input in [&b""[..], b"\n", b"\xff", b"caf\xe9\n"] {
            assert_eq!(read(input), Err(Exit::TextRefused), "{input:?}");
        }
        let longest = "x".repeat(BODY_BYTES_MAX);
        assert!(read(longest.as_bytes()).is_ok());
        assert!(read(format!("{longest}\n").as_bytes()).is_ok());
        assert_eq!(read(format!("{longest}x").as_bytes()), Err(Exit::TextRefused));
        assert_eq!(read_text(io::repeat(b'x')).unwrap_err().exit(), Exit::TextRefused);
    }
}
