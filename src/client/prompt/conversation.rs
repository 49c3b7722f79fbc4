//! Executes the lines that a person types at a terminal. The token is never shown.

mod blocks;
mod commands;
mod later;
mod questions;
pub mod rooms;

use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::line::{self};
use super::live::LiveWatch;
use super::login::Login;
use super::notice_board::{NoticeBoard, OWN_MESSAGES_MAX, Progress};
use crate::catalogue::{client, configuration, prompt, shared};
use crate::client::command::change;
use crate::client::failure::{Failure, Refused};
use crate::client::link::Link;
use crate::client::session::{self};
use crate::client::state_folder::StateFolder;
use crate::client::{delivery, verbs};
use crate::model::{CursorName, MailboxName, Password, Token, UserName};
use crate::protocol::arguments::{Ack, Mark};
use crate::protocol::refusal::Code;

/// The longest time to end a session that nobody can use again.
const END_MAX: Duration = Duration::from_secs(2);

/// A conversation with the server, for one user at a time.
#[derive(Debug)]
pub struct Conversation {
    link: Link,
    live: LiveWatch,
    /// The folder for logins; `None` if it cannot be used.
    folder: Option<StateFolder>,
    login: Option<Login>,
    /// The recipients of plain text.
    to: Vec<MailboxName>,
}

/// The person at the terminal, who can be asked for more than the line contains.
pub trait Person {
    /// Reads a line. Ctrl-C is [`Failure::Interrupted`].
    fn ask(&mut self, question: &str) -> Result<String, Failure>;

    /// Reads a password without showing it. Ctrl-C is [`Failure::Interrupted`].
    fn ask_secret(&mut self, question: &str) -> Result<Password, Failure>;
}

/// What to do after a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Read the next line.
    Continue,
    /// End the prompt.
    Quit,
}

impl Conversation {
    /// A conversation without a login. It does not connect yet.
    pub fn new(link: Link, live: LiveWatch, folder: Option<StateFolder>) -> Self {
        Self { link, live, folder, login: None, to: Vec::new() }
    }

    /// Continues a session, and shows how much is unread. It also works while the server is away.
    pub fn begin(&mut self, login: Login, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(out, "{}", client::logged_in(&login.session().user))?;
        if !login.is_kept() {
            writeln!(out, "{}", shared::note(prompt::login_not_kept()))?;
        }
        self.to.clear();
        self.live.follow(login.session());
        if let Some(before) = self.login.replace(login) {
            self.release(&before);
        }
        self.show_unread(out)
    }

    /// Ends the conversation. Blocks for two seconds at the longest.
    pub fn end(&mut self) {
        self.live.stop();
        if let Some(login) = self.login.take() {
            self.release(&login);
        }
    }

    /// Ends a session that nobody can use again. If the server is away, the session expires by its
    /// age.
    fn release(&mut self, login: &Login) {
        if login.is_of_no_more_use(self.folder.as_ref(), self.link.account()) {
            let deadline = Instant::now() + END_MAX;
            let _ = verbs::logout_until(&mut self.link, login.token(), deadline);
        }
    }

    /// The prompt for the next line.
    pub fn prompt(&self) -> String {
        let user = self.login.as_ref().map_or("", |login| login.session().user.as_str());
        let user = match self.to.as_slice() {
            [] => user.to_owned(),
            to => format!("{user} > {}", delivery::names(to, ",")),
        };
        match self.live.board().unread() {
            0 => prompt::command(user),
            unread => prompt::command_with_unread(user, unread),
        }
    }

    /// Executes one line and shows the result. Fails only if the output cannot be written.
    pub fn execute(
        &mut self,
        line: &str,
        person: &mut dyn Person,
        out: &mut dyn Write,
    ) -> Result<Flow, Failure> {
        if self.live.board().progress() == Progress::Ended {
            // The notice of this has been shown.
            self.forget_session();
        }
        self.acknowledge_shown();
        let after = match self.try_execute(line, person, out) {
            Ok(after) => after,
            Err(failure) => {
                self.report(&failure, out)?;
                match failure {
                    Failure::Output(_) => return Err(failure),
                    _ => Flow::Continue,
                }
            }
        };
        if after == Flow::Continue {
            if self.live.board().needs_unread_count() {
                self.show_unread(out)?;
            } else if self.live.board().unread() > 0 {
                // Another client may have read them.
                self.count_unread();
            }
        }
        Ok(after)
    }

    fn report(&mut self, failure: &Failure, out: &mut dyn Write) -> Result<(), Failure> {
        match failure {
            Failure::Output(_) => {}
            Failure::Refused(refused) => {
                // The line above contains the name of the login, so it is not repeated.
                let line = match refused.code {
                    Some(Code::UnknownUser | Code::WrongPassword) => refused.line(),
                    _ => refused.line_naming_users(),
                };
                writeln!(out, "{line}")?;
                if let Some(name) = self.similar_name(refused) {
                    writeln!(out, "{}", shared::hint(configuration::did_you_mean(name)))?;
                }
            }
            Failure::NotLoggedIn => writeln!(out, "{}", shared::refused(failure))?,
            _ => {
                out.flush()?;
                failure.report(&mut io::stderr());
            }
        }
        if failure.ends_session() {
            self.forget_session();
        }
        Ok(())
    }

    /// A known user or room whose name is similar to the unknown one.
    fn similar_name(&self, refused: &Refused) -> Option<MailboxName> {
        if !matches!(
            refused.code,
            Some(Code::UnknownUser | Code::UnknownRecipient | Code::UnknownRoom)
        ) {
            return None;
        }
        let unknown = refused.users.first()?.to_lowercase();
        let known = self.live.board().names(if unknown.starts_with('#') { "#" } else { "" });
        let is_login = refused.code == Some(Code::UnknownUser);
        let known = known.iter().filter(|name| !is_login || name.user().is_some());
        let known = known.map(|name| (name.as_str(), name));
        line::nearest(&unknown, known).filter(|name| name.as_str() != refused.users[0]).cloned()
    }

    /// Acknowledges the messages above the line: the person who pressed Enter has seen them. If the
    /// server does not accept that now, a later Enter repeats it, or `inbox` shows the messages
    /// again.
    fn acknowledge_shown(&mut self) {
        let (Some(login), board) = (&self.login, self.live.board()) else { return };
        if let Some(upto) = board.readable() {
            let ack = Ack { cursor: CursorName::inbox(), upto, rewind: false, dead: None };
            if verbs::ack(&mut self.link, login.token(), ack).is_ok() {
                board.mark_read(upto);
            }
            return;
        }
        // An older message of another conversation is unread.
        for (with, upto) in board.readable_conversations() {
            let mark = Mark { with: with.clone(), upto };
            match verbs::mark_shown(&mut self.link, login.token(), mark) {
                Ok(true) => board.mark_conversation_read(&with, upto),
                Ok(false) => return board.keep_one_place(),
                Err(_) => return,
            }
        }
    }

    /// Asks for the unread count and the users, and shows the count unless it is zero.
    fn show_unread(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        self.count_unread();
        let board = self.live.board();
        if let Some(login) = &self.login
            && board.progress() == Progress::Connected
        {
            if let Ok(reply) = verbs::users(&mut self.link, login.token(), None) {
                reply.users.iter().for_each(|info| board.add_user(&info.user));
            } else if let Ok(reply) = verbs::list(&mut self.link, login.token()) {
                add_listed_users(board, &reply);
            }
            let (token, user) = (login.token(), login.session().user.clone());
            self.learn_rooms(token);
            self.learn_own_messages(token, &user);
        }
        let board = self.live.board();
        match board.unread() {
            0 => {}
            1 => writeln!(out, "{}", prompt::one_unread())?,
            count => writeln!(out, "{}", prompt::unread(count))?,
        }
        Ok(())
    }

    /// Learns the user's own newest messages, for completion. An older server finds none.
    fn learn_own_messages(&mut self, token: Token, user: &UserName) {
        let own = change::newest_of(&mut self.link, token, user, OWN_MESSAGES_MAX);
        let board = self.live.board();
        for message in own.into_iter().flatten() {
            board.add_own(message.id, message.body.as_str());
        }
    }

    /// Asks for the unread count. If no answer comes, the next command reports it.
    fn count_unread(&mut self) {
        let board = self.live.board();
        if let Some(login) = &self.login
            && board.progress() == Progress::Connected
            && let Ok(unread) = verbs::unread(&mut self.link, login.token())
        {
            board.set_unread(&unread);
            unread.senders.iter().for_each(|sender| board.add_user(&sender.from));
        }
    }

    fn token(&self) -> Result<Token, Failure> {
        self.login.as_ref().map(Login::token).ok_or(Failure::NotLoggedIn)
    }

    /// Forgets the session, which is over. If it was the stored one, its file is removed. A file
    /// that cannot be removed is reported by the next one-shot command.
    fn forget_session(&mut self) {
        self.live.stop();
        if let Some(login) = self.login.take() {
            self.to.clear();
            let _ = session::forget(self.link.account(), login.token());
        }
    }
}

/// The names in the reply to `list` are users.
fn add_listed_users(board: &NoticeBoard, reply: &Value) {
    let names = verbs::parse_list(reply).into_iter().flatten();
    names.filter_map(|name| name.parse().ok()).for_each(|user| board.add_user(&user));
}
