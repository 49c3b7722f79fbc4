//! Does what a person types at a terminal, in the seed's words. The token is never shown.

use std::io::{self, Write};

use super::line::Line;
use crate::client::command::{inbox, send};
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::Clock;
use crate::client::render::json_line;
use crate::client::session::{self, Session};
use crate::client::{delivery, password, verbs};
use crate::model::{Token, UserName};
use crate::protocol::refusal::Code;

/// What `help` prints.
const HELP: &str = "\
auth USER [PASSWORD]   log in; without PASSWORD it is asked for and not shown
list                   who is logged in
send USER TEXT         send a message, exactly once
inbox                  show unread messages, and mark them as read
logout                 end the session
help                   this list
quit, exit, Ctrl-D     leave; you stay logged in until `logout`
Ctrl-C clears the line, Ctrl-R searches the lines you typed before.
";

/// A conversation with the server, on behalf of one user at a time.
#[derive(Debug)]
pub struct Conversation {
    link: Link,
    session: Option<Session>,
}

/// What comes after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The next.
    GoOn,
    /// Nothing: it said so.
    End,
}

impl Conversation {
    /// Begins with a session, if there is one. Nothing is connected before the first command.
    pub fn new(link: Link, session: Option<Session>) -> Self {
        Self { link, session }
    }

    /// What the next line is asked for with.
    pub fn prompt(&self) -> String {
        let user = self.session.as_ref().map_or("", |session| session.user.as_str());
        format!("Command {user}:")
    }

    /// Does one line, and tells the person what came of it. Fails only when they cannot be told.
    pub fn execute(&mut self, line: &str, out: &mut dyn Write) -> Result<After, Failure> {
        let failure = match self.try_execute(line, out) {
            Ok(after) => return Ok(after),
            Err(failure) => failure,
        };
        match &failure {
            Failure::Output(_) => return Err(failure),
            Failure::Refused(refused) => writeln!(out, "{}", refused.line())?,
            Failure::NotLoggedIn => writeln!(out, "Error, {failure}")?,
            _ => {
                out.flush()?;
                failure.report(&mut io::stderr());
            }
        }
        if failure.ends_session() {
            self.forget_session();
        }
        Ok(After::GoOn)
    }

    fn try_execute(&mut self, line: &str, out: &mut dyn Write) -> Result<After, Failure> {
        match Line::parse(line) {
            Line::Empty => {}
            Line::Auth { user, password } => self.auth(user, password, out)?,
            Line::Send { to, text } => self.send(to, text, out)?,
            Line::Inbox => {
                let token = self.token()?;
                inbox::show_laid_out(&mut self.link, token, Clock::Local, out)?;
            }
            Line::List => {
                let token = self.token()?;
                writeln!(out, "{}", json_line(&verbs::list(&mut self.link, token)?))?;
            }
            Line::Logout => {
                let token = self.token()?;
                let told = verbs::logout(&mut self.link, token)?;
                self.forget_session();
                writeln!(out, "{}", json_line(&told))?;
            }
            Line::Help => out.write_all(HELP.as_bytes())?,
            Line::Quit => return Ok(After::End),
            Line::Incomplete => writeln!(out, "-Maaf, command tidak benar")?,
            Line::Unknown => writeln!(out, "*Maaf, command tidak benar")?,
        }
        Ok(After::GoOn)
    }

    fn auth(
        &mut self,
        user: &str,
        password: Option<&str>,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let user: UserName = user.parse().map_err(|_| Code::UnknownUser)?;
        let password = match password {
            Some(text) => password::check(text)?,
            None => password::ask("Password: ")?,
        };
        let token = verbs::auth(&mut self.link, &user, &password)?;
        writeln!(out, "username {user} logged in")?;
        self.session = Some(Session { user, token });
        Ok(())
    }

    fn send(&mut self, to: &str, text: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let to: UserName = to.parse().map_err(|_| Code::UnknownRecipient)?;
        let body = send::body(text.into())?;
        let (recipients, key) = (std::slice::from_ref(&to), delivery::new_key()?);
        delivery::deliver(&mut self.link, token, recipients, &body, &key)?;
        writeln!(out, "message sent to {to}")?;
        Ok(())
    }

    fn token(&self) -> Result<Token, Failure> {
        self.session.as_ref().map(|session| session.token).ok_or(Failure::NotLoggedIn)
    }

    /// The session is over. If it was the stored one, that is of no more use either; a file that
    /// cannot be removed is told by the next one-shot command.
    fn forget_session(&mut self) {
        if let Some(session) = self.session.take() {
            let _ = session::forget(self.link.address(), session.token);
        }
    }
}
