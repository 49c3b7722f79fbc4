//! The seed's session to the letter: it prints what the seed's Python client prints for the same
//! input. Standard input is not echoed and the prompt has no line ending, so an answer follows its
//! prompt directly.

use std::io::{self, BufRead, IsTerminal, Write};

use super::line::first_word;
use crate::catalogue::{client, prompt, shared};
use crate::client::command::send;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::json_line;
use crate::client::{password, verbs};
use crate::model::{MailboxName, Token, UserName};
use crate::protocol::framing::{LineDecoder, LineError};
use crate::protocol::refusal::Code;
use crate::terminal::text;

/// One session, from the banner to the end of the input.
#[derive(Debug)]
pub struct Session {
    link: Link,
    token: Option<Token>,
    /// Whether to show the raw request of each `send`, as the seed's client does.
    trace: bool,
    /// Whether the session continues when the server does not answer. A person can wait, but a
    /// script must not continue as if nothing had happened.
    keeps_going: bool,
}

impl Session {
    /// A session that connects at the first command.
    pub fn new(link: Link, trace: bool, keeps_going: bool) -> Self {
        Self { link, token: None, trace, keeps_going }
    }

    /// Executes every line of `input`. It prints refusals and continues. Without an answer it ends,
    /// unless `keeps_going` is set.
    pub fn run(mut self, input: impl BufRead, out: &mut dyn Write) -> Result<(), Failure> {
        let mut lines = Lines { input, decoder: LineDecoder::default(), at_end: false };
        out.write_all(prompt::banner().as_bytes())?;
        loop {
            let token = self.token.map(|token| token.reveal()).unwrap_or_default();
            write!(out, "{}", prompt::command(token))?;
            out.flush()?;
            let Some(line) = lines.next()? else { break };
            match line.map_err(Failure::from).and_then(|line| self.execute(&line, out)) {
                Ok(()) => {}
                Err(Failure::Refused(refused)) => writeln!(out, "{}", refused.line())?,
                Err(Failure::NotLoggedIn) => {
                    writeln!(out, "{}", shared::refused(Failure::NotLoggedIn))?;
                }
                Err(failure @ (Failure::NoAnswer(_) | Failure::Other { .. }))
                    if self.keeps_going =>
                {
                    failure.report(&mut io::stderr());
                }
                Err(failure) => return Err(failure),
            }
        }
        if io::stdout().is_terminal() {
            writeln!(out)?;
        }
        Ok(())
    }

    fn execute(&mut self, line: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let (verb, rest) = first_word(line.trim_ascii());
        match (verb, first_word(rest)) {
            ("auth" | "send", (_, "")) => writeln!(out, "{}", prompt::incomplete())?,
            ("auth", (user, password)) => self.auth(user, password, out)?,
            ("send", (to, text)) => self.send(to, text, out)?,
            // Words after a verb without arguments are ignored.
            ("inbox", _) => {
                let token = self.token()?;
                writeln!(out, "{}", json_line(&verbs::inbox(&mut self.link, token)?))?;
            }
            ("list", _) => {
                let token = self.token()?;
                writeln!(out, "{}", json_line(&verbs::list(&mut self.link, token)?))?;
            }
            ("logout", _) => {
                let token = self.token()?;
                let reply = verbs::logout(&mut self.link, token)?;
                self.token = None;
                writeln!(out, "{}", json_line(&reply))?;
            }
            _ => writeln!(out, "{}", prompt::unknown())?,
        }
        Ok(())
    }

    fn auth(&mut self, user: &str, password: &str, out: &mut dyn Write) -> Result<(), Failure> {
        // The seed's client takes only the first word.
        let (password, _) = first_word(password);
        let user: UserName = user.parse().map_err(|_| Code::UnknownUser)?;
        let token = verbs::auth(&mut self.link, &user, &password::check(password)?)?;
        self.token = Some(token);
        writeln!(out, "{}", client::logged_in_with_token(user, token.reveal()))?;
        Ok(())
    }

    fn send(&mut self, to: &str, text: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        if self.trace {
            let (to, text) = (text::visible(to), text::visible(text));
            writeln!(out, "send {} {to} {text}\n", token.reveal())?;
        }
        let to: MailboxName = to.parse().map_err(|_| Code::UnknownRecipient)?;
        verbs::send(&mut self.link, token, to.clone(), send::body(text.into())?)?;
        writeln!(out, "{}", client::message_sent(to))?;
        Ok(())
    }

    fn token(&self) -> Result<Token, Failure> {
        self.token.ok_or(Failure::NotLoggedIn)
    }
}

/// The lines of the input, limited as the protocol's lines are, so that memory stays bounded.
struct Lines<R> {
    input: R,
    decoder: LineDecoder,
    at_end: bool,
}

impl<R: BufRead> Lines<R> {
    /// The next line, or why it is invalid; `None` at the end. The last line needs no ending.
    fn next(&mut self) -> Result<Option<Result<String, Code>>, Failure> {
        loop {
            if let Some(line) = self.decoder.next_line() {
                return Ok(Some(line.map(str::to_owned).map_err(code)));
            }
            if self.at_end {
                return Ok(None);
            }
            let bytes = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let message = prompt::input_unreadable(error);
                    return Err(Failure::new(crate::client::exit::Exit::LocalFile, message));
                }
            };
            let count = bytes.len();
            self.decoder.feed(bytes);
            self.input.consume(count);
            if count == 0 {
                self.at_end = true;
                if self.decoder.has_partial_line() {
                    self.decoder.feed(b"\n");
                }
            }
        }
    }
}

fn code(error: LineError) -> Code {
    match error {
        LineError::TooLong => Code::LineTooLong,
        LineError::NotUtf8 => Code::BadEncoding,
        LineError::ForbiddenByte | LineError::TlsHandshake => Code::BadLine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Language, speaking};
    use crate::client::dial::Dialer;
    use std::time::Duration;

    /// A session with a server that is never contacted.
    fn offline(input: &[u8]) -> String {
        let link =
            Link::new(Dialer::new("192.0.2.1:9".parse().unwrap(), None), Duration::from_millis(1));
        let mut out = Vec::new();
        let session = Session::new(link, false, false);
        speaking(Language::Seed, || {
            session.run(input, &mut out).unwrap();
            String::from_utf8(out).unwrap().strip_prefix(prompt::banner()).unwrap().to_owned()
        })
    }

    #[test]
    fn session_without_input_is_the_banner_and_one_prompt() {
        assert_eq!(offline(b""), "Command :");
    }

    #[test]
    fn last_line_needs_no_ending() {
        assert_eq!(offline(b"list"), "Command :Error, not authorized\nCommand :");
    }

    #[test]
    fn unknown_command_gets_the_seeds_text() {
        for (line, reply) in [
            ("foo", "*Maaf, command tidak benar"),
            ("", "*Maaf, command tidak benar"),
            ("help", "*Maaf, command tidak benar"),
            ("quit", "*Maaf, command tidak benar"),
            ("history", "*Maaf, command tidak benar"),
            ("revoke", "*Maaf, command tidak benar"),
            ("passwd", "*Maaf, command tidak benar"),
            ("auth", "-Maaf, command tidak benar"),
            ("auth paff", "-Maaf, command tidak benar"),
            ("send neko", "-Maaf, command tidak benar"),
            ("send neko hai", "Error, not authorized"),
            ("inbox", "Error, not authorized"),
            (" list", "Error, not authorized"),
            ("logout", "Error, not authorized"),
            ("auth No cytus", "Error, User Tidak Ada"),
            ("auth --FORGET cytus", "Error, User Tidak Ada"),
            ("send neko,paff hai", "Error, not authorized"),
            ("logout now", "Error, not authorized"),
            ("to neko", "*Maaf, command tidak benar"),
            ("reply hai", "*Maaf, command tidak benar"),
            ("bell on", "*Maaf, command tidak benar"),
        ] {
            assert_eq!(
                offline(format!("{line}\n").as_bytes()),
                format!("Command :{reply}\nCommand :")
            );
        }
    }

    #[test]
    fn lines_out_of_bounds_are_refused_and_the_next_is_done() {
        let reply = offline(&[&[b'x'; 300_000][..], b"\n\xff\na\0b\nlist\r\n"].concat());
        let expected = "Command :Error, the line is longer than 262144 bytes\n\
                        Command :Error, the line is not UTF-8\n\
                        Command :Error, the line has a NUL or a CR inside\n\
                        Command :Error, not authorized\n\
                        Command :";
        assert_eq!(reply, expected);
    }
}
