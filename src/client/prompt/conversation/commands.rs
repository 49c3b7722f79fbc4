//! What each command does and shows.

use std::io::{self, Write};

use super::{Conversation, Flow, Person, add_listed_users};
use crate::catalogue::{change as changed, client, prompt};
use crate::client::arguments::{ReceiptsOf, parse_when};
use crate::client::command::{
    change, conversations, inbox, parse_mailbox, receipts, reply, revoke, search, send, status,
    users, who,
};
use crate::client::delivery::Text;
use crate::client::exit::Exit;
use crate::client::failure::{Failure, Refused};
use crate::client::prompt::line::Line;
use crate::client::prompt::login::Login;
use crate::client::render::inbox::{Clock, Layout};
use crate::client::render::json_line;
use crate::client::render::messages::moment;
use crate::client::session::Session;
use crate::client::{delivery, password, verbs};
use crate::model::{CursorName, MailboxName, MessageId, SessionId, StatusText, Token, UserName};
use crate::protocol::arguments::{Ack, Delete, Fetch, FetchFrom, Passwd, Revoke, True};
use crate::protocol::people::ChangeSettings;
use crate::protocol::refusal::Code;
use crate::protocol::reply::{Conversation as Listed, Posted};
use crate::terminal::text;

/// The number of messages that `history` and `search` show, and of conversations.
const HISTORY_MESSAGES: usize = 20;

impl Conversation {
    pub(super) fn try_execute(
        &mut self,
        line: &str,
        person: &mut dyn Person,
        out: &mut dyn Write,
    ) -> Result<Flow, Failure> {
        match Line::parse(line) {
            Line::Empty => {}
            Line::Auth { user, password, is_forgotten } => {
                self.auth(user, password, is_forgotten, person, out)?;
            }
            Line::Send { to, text } => self.send(&send::parse_recipients(to)?, text, out)?,
            Line::Later { when, to, text } => self.later((when, to), text, out)?,
            Line::Until { when, to, text } => {
                let to = send::parse_recipients(to)?;
                let when = parse_when(when).map_err(|why| Failure::new(Exit::Usage, why))?;
                let (body, details) = (send::body(text.into())?, when.as_expiry().if_any());
                self.deliver(&to, &Text { body, details }, out)?;
            }
            Line::Scheduled => self.scheduled(out)?,
            Line::CancelScheduled { id } => self.cancel_scheduled(id, out)?,
            Line::To { to } => self.set_to(to, out)?,
            Line::Reply { text } => self.reply(text, out)?,
            Line::ReplyTo { id, text } => self.reply_to(MessageId(id), text, out)?,
            Line::Ask { choices, to, text } => self.ask(choices, to, text, out)?,
            Line::Answer { text } => self.answer(text, out)?,
            Line::Edit { id, text } => {
                let (token, id) = (self.token()?, MessageId(id));
                change::edit_at_prompt(&mut self.link, token, (id, text))?;
                self.live.board().add_own(id, text);
                writeln!(out, "{}", changed::message_is_edited(id.0))?;
            }
            Line::Delete { id } => {
                let (token, id) = (self.token()?, MessageId(id));
                verbs::delete(&mut self.link, token, Delete { id })?;
                self.live.board().remove_own(id);
                writeln!(out, "{}", changed::message_is_deleted(id.0))?;
            }
            Line::Bell { is_on } => self.bell(is_on, out)?,
            Line::Inbox => {
                let token = self.token()?;
                let shown = inbox::show_laid_out(&mut self.link, token, Clock::Local, out);
                self.live.board().clear_unread_count();
                shown?;
                self.drop_read_notices(token)?;
            }
            Line::List => {
                let token = self.token()?;
                let reply = verbs::list(&mut self.link, token)?;
                add_listed_users(self.live.board(), &reply);
                writeln!(out, "{}", json_line(&reply))?;
            }
            Line::Users => self.users(out)?,
            Line::Logout => self.logout(out)?,
            Line::History { with } => self.history(with, out)?,
            Line::Room { words } => self.room(words, out)?,
            Line::Search { query } => self.search(query, out)?,
            Line::Conversations => self.conversations(out)?,
            Line::Receipts { of } => self.receipts(of, out)?,
            Line::Who => self.who(out)?,
            Line::Status { text } => self.status(text, out)?,
            Line::Block { user } => self.block(user, out)?,
            Line::Unblock { user } => self.unblock(user, out)?,
            Line::Unread => self.unread(out)?,
            Line::Whoami => {
                let token = self.token()?;
                let identity = verbs::whoami(&mut self.link, token)?;
                let display_name = text::visible(&identity.display_name);
                writeln!(out, "{} ({display_name})", identity.user)?;
            }
            Line::Sessions => self.sessions(out)?,
            Line::Revoke { which } => self.revoke(which, out)?,
            Line::Passwd => self.passwd(person, out)?,
            Line::Help => out.write_all(prompt::help().as_bytes())?,
            Line::Quit => return Ok(Flow::Quit),
            Line::Incomplete => writeln!(out, "{}", prompt::incomplete())?,
            Line::Surplus => writeln!(out, "{}", prompt::surplus())?,
            Line::PasswdWithWords => writeln!(out, "{}", prompt::passwd_with_words())?,
            Line::Unknown if !self.to.is_empty() && !Line::looks_secret(line) => {
                let to = self.to.clone();
                self.send(&to, line.trim_ascii(), out)?;
            }
            Line::Unknown => match Line::suggestion(line) {
                Some(verb) => writeln!(out, "{}", prompt::unknown_but(verb))?,
                None => writeln!(out, "{}", prompt::unknown())?,
            },
        }
        Ok(Flow::Continue)
    }

    fn auth(
        &mut self,
        user: &str,
        password: Option<&str>,
        is_forgotten: bool,
        person: &mut dyn Person,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let asked = match user {
            "" => person.ask(prompt::name_question())?,
            _ => String::new(),
        };
        let user = if user.is_empty() { asked.trim_ascii() } else { user };
        if user.is_empty() {
            return Err(Failure::Interrupted);
        }
        let unknown = |failure| with_user(failure, user);
        let name: Result<UserName, _> = user.parse();
        let name = name.map_err(|_| unknown(Code::UnknownUser.into()))?;
        let password = match password {
            Some(text) => password::check(text)?,
            None => person.ask_secret(client::password_prompt())?,
        };
        let token = verbs::auth(&mut self.link, &name, &password).map_err(unknown)?;
        let mut login = Login::unstored(Session { user: name, token });
        if !is_forgotten {
            self.store(&mut login);
        }
        self.begin(login, out)
    }

    /// Stores a login for the next prompt, or reports why it cannot. A missing folder was reported
    /// at the start.
    fn store(&self, login: &mut Login) {
        let account = self.link.account();
        let is_meant = account.user.as_ref().is_none_or(|user| *user == login.session().user);
        if let Some(folder) = self.folder.as_ref().filter(|_| is_meant)
            && let Err(failure) = login.store(folder, account)
        {
            failure.report(&mut io::stderr());
        }
    }

    fn logout(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let session = self.login.as_ref().ok_or(Failure::NotLoggedIn)?.session().clone();
        // Otherwise the live watch would report that the session was ended elsewhere.
        self.live.stop();
        match verbs::logout(&mut self.link, session.token) {
            Ok(_) => {
                self.forget_session();
                writeln!(out, "{}", client::logged_out())?;
                Ok(())
            }
            Err(failure) => {
                if !failure.ends_session() {
                    self.live.follow(&session);
                }
                Err(failure)
            }
        }
    }

    fn send(&mut self, to: &[MailboxName], text: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let body = send::body(text.into())?;
        self.deliver(to, &body.into(), out)
    }

    pub(super) fn deliver(
        &mut self,
        to: &[MailboxName],
        text: &Text,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        self.post(to, text)?;
        Ok(writeln!(out, "{}", client::message_sent(delivery::names(to, ", ")))?)
    }

    pub(super) fn post(&mut self, to: &[MailboxName], text: &Text) -> Result<Posted, Failure> {
        let token = self.token()?;
        let key = delivery::new_key()?;
        let posted = delivery::deliver(&mut self.link, token, to, text, &key);
        let posted = posted.map_err(|failure| send::naming_users(failure, to.len()))?;
        let board = self.live.board();
        board.record_sent(posted.sent.iter().map(|copy| copy.id));
        posted.sent.iter().for_each(|copy| board.add_own(copy.id, text.body.as_str()));
        to.iter().for_each(|name| self.live.board().add_name(name.clone()));
        Ok(posted)
    }

    fn set_to(&mut self, to: &str, out: &mut dyn Write) -> Result<(), Failure> {
        self.token()?;
        if to.is_empty() {
            self.to.clear();
            writeln!(out, "{}", prompt::text_goes_nowhere())?;
        } else {
            self.to = send::parse_recipients(to)?;
            writeln!(out, "{}", prompt::text_goes_to(delivery::names(&self.to, ", ")))?;
        }
        Ok(())
    }

    fn reply(&mut self, text: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let last = match self.live.board().reply_to() {
            Some(to) => Some(to),
            None => self.other_side_of_newest_read(token)?,
        };
        match last {
            Some(to) => self.send(&[to], text, out),
            None => Ok(writeln!(out, "{}", prompt::nobody_to_reply_to())?),
        }
    }

    fn reply_to(&mut self, id: MessageId, text: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let user = self.login.as_ref().ok_or(Failure::NotLoggedIn)?.session().user.clone();
        let token = self.token()?;
        let body = send::body(text.into())?;
        let message = reply::find(&mut self.link, token, id)?;
        let to = reply::other_side(&message, &user);
        self.deliver(&[to], &reply::answer(body, id), out)
    }

    /// Where an answer to the newest message goes that counts as read.
    fn other_side_of_newest_read(&mut self, token: Token) -> Result<Option<MailboxName>, Failure> {
        let user = self.login.as_ref().ok_or(Failure::NotLoggedIn)?.session().user.clone();
        let upto = self.read_upto(token)?;
        let from = FetchFrom::Before(MessageId(upto.0.saturating_add(1)));
        let fetch =
            Fetch { from, with: None, thread: None, since: None, filter: Box::default(), limit: 1 };
        let page = verbs::fetch(&mut self.link, token, fetch)?;
        Ok(page.messages.first().map(|message| reply::other_side(message, &user)))
    }

    fn bell(&mut self, is_on: Option<bool>, out: &mut dyn Write) -> Result<(), Failure> {
        let board = self.live.board();
        if let Some(is_on) = is_on {
            board.set_bell(is_on);
        }
        let reply = if board.is_bell_on() { prompt::bell_is_on() } else { prompt::bell_is_off() };
        Ok(writeln!(out, "{reply}")?)
    }

    /// Removes the notices that `inbox` has shown: messages may have arrived while it ran.
    fn drop_read_notices(&mut self, token: Token) -> Result<(), Failure> {
        let upto = self.read_upto(token)?;
        self.live.board().mark_read(upto);
        Ok(())
    }

    /// The id up to which messages count as read.
    fn read_upto(&mut self, token: Token) -> Result<MessageId, Failure> {
        // This moves nothing, and the reply contains the cursor.
        let upto = MessageId::ZERO;
        let ack = Ack { cursor: CursorName::inbox(), upto, rewind: false, dead: None };
        Ok(verbs::ack(&mut self.link, token, ack)?.upto)
    }

    fn history(&mut self, name: Option<&str>, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let with = name.map(parse_mailbox).transpose()?;
        let from = FetchFrom::Before(MessageId(i64::MAX));
        let fetch = Fetch {
            from,
            with,
            thread: None,
            since: None,
            filter: Box::default(),
            limit: HISTORY_MESSAGES,
        };
        let page = verbs::fetch(&mut self.link, token, fetch);
        let page = page.map_err(|failure| with_user(failure, name.unwrap_or_default()))?;
        if page.messages.is_empty() {
            writeln!(out, "{}", client::no_messages())?;
        }
        let mut layout = Layout::for_terminal(Clock::Local);
        out.write_all(layout.page(&page.messages).as_bytes())?;
        Ok(())
    }

    fn search(&mut self, query: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let mut layout = Layout::for_terminal(Clock::Local);
        let show = |hits: &[_]| out.write_all(search::page(&mut layout, hits).as_bytes());
        let found = search::search(&mut self.link, token, query, HISTORY_MESSAGES, show)?;
        if found == 0 {
            writeln!(out, "{}", client::no_messages())?;
        }
        Ok(())
    }

    fn conversations(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let show = |page: &[Listed]| {
            let lines = conversations::columns(page, Clock::Local);
            lines.iter().try_for_each(|line| writeln!(out, "{line}"))
        };
        if conversations::list(&mut self.link, token, HISTORY_MESSAGES, show)? == 0 {
            writeln!(out, "{}", client::no_messages())?;
        }
        Ok(())
    }

    fn unread(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let unread = verbs::unread(&mut self.link, token)?;
        if unread.unread == 0 {
            writeln!(out, "{}", client::no_new_messages())?;
        }
        for sender in unread.senders {
            writeln!(out, "{:>6}  {}", sender.count, sender.from)?;
        }
        for room in unread.rooms {
            let more = if room.more { "+" } else { "" };
            writeln!(out, "{:>6}  {}", format!("{}{more}", room.count), room.room)?;
        }
        Ok(())
    }

    fn receipts(&mut self, of: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let receipts = match (of, ReceiptsOf::parse(of)) {
            ("", _) => None,
            (_, Ok(ReceiptsOf::Setting(is_on))) => Some(is_on),
            (_, Ok(ReceiptsOf::Message(id))) => {
                let list = receipts::list(&mut self.link, token, id)?;
                return Ok(writeln!(out, "{}", receipts::line(&list))?);
            }
            (_, Err(_)) => return Ok(writeln!(out, "{}", prompt::incomplete())?),
        };
        let change = ChangeSettings { receipts, ..ChangeSettings::default() };
        let settings = verbs::settings(&mut self.link, token, change)?;
        Ok(writeln!(out, "{}", receipts::setting(&settings))?)
    }

    fn who(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        verbs::all_connected(&mut self.link, token, |users| {
            let lines = who::columns(&users, Clock::Local);
            Ok(lines.iter().try_for_each(|line| writeln!(out, "{line}"))?)
        })
    }

    /// A dash alone takes the status away.
    fn status(&mut self, text: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let mut change = ChangeSettings::default();
        match text {
            "" => {}
            "-" => change.status_text = Some(StatusText::default()),
            "--invisible" => change.invisible = Some(true),
            "--visible" => change.invisible = Some(false),
            // A mistyped option would be a text that everybody sees.
            text if text.starts_with("--") => return Ok(writeln!(out, "{}", prompt::unknown())?),
            text => change.status_text = Some(status::parse(text)?),
        }
        let settings = verbs::settings(&mut self.link, token, change)?;
        Ok(writeln!(out, "{}", status::line(&settings))?)
    }

    fn sessions(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let sessions = verbs::sessions(&mut self.link, token)?.sessions;
        writeln!(out, "{:>6}    {:<19}  {}", "id", client::opened(), client::last_used())?;
        for session in sessions {
            let current = if session.current { "*" } else { "" };
            let opened = moment(session.created_at, Clock::Local);
            let used = moment(session.last_seen_at, Clock::Local);
            writeln!(out, "{:>6} {current:<1}  {opened}  {used}", session.id.0)?;
        }
        Ok(())
    }

    fn users(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let board = self.live.board();
        verbs::all_users(&mut self.link, token, |users| {
            users.iter().for_each(|info| board.add_user(&info.user));
            users::columns(&users).iter().try_for_each(|line| writeln!(out, "{line}"))?;
            Ok(())
        })
    }

    fn revoke(&mut self, which: &str, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let sessions = match (which, which.parse()) {
            ("others", _) => Revoke::Others(True),
            (_, Ok(id)) => Revoke::Session(SessionId(id)),
            _ => {
                writeln!(out, "{}", prompt::incomplete())?;
                return Ok(());
            }
        };
        let ended = verbs::revoke(&mut self.link, token, sessions)?.ended;
        revoke::check(sessions, ended)?;
        writeln!(out, "{}", revoke::summary(ended))?;
        Ok(())
    }

    fn passwd(&mut self, person: &mut dyn Person, out: &mut dyn Write) -> Result<(), Failure> {
        let token = self.token()?;
        let old = person.ask_secret(client::old_password_prompt())?;
        let new = person.ask_secret(client::new_password_prompt())?;
        if person.ask_secret(client::new_password_again_prompt())? != new {
            return Err(Failure::new(Exit::Usage, client::passwords_differ_at_prompt()));
        }
        let ended = verbs::passwd(&mut self.link, token, Passwd { old, new })?.ended;
        writeln!(out, "{}", client::password_changed(revoke::summary(ended)))?;
        Ok(())
    }
}

/// Adds the user to a refusal that names none.
fn with_user(mut failure: Failure, user: &str) -> Failure {
    if let Failure::Refused(Refused { users, .. }) = &mut failure
        && users.is_empty()
    {
        users.push(user.to_owned());
    }
    failure
}
