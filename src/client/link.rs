//! The link to a service: it connects at the first request, keeps the connection for the next ones,
//! and replaces it if it is gone, by one to another server if there are several.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::address::ServerAddress;
use super::connection::{Connection, ExchangeError};
use super::dial::{Dialer, part};
use super::failure::{Failure, NoAnswer, fields_of};
use super::session::Account;
use crate::model::{Token, UserName};
use crate::protocol::command::{Action, Request};
use crate::protocol::refusal::Code;
use crate::protocol::reply::DecodedReply;
use crate::protocol::rooms::RoomAction;

/// A service that answers one request at a time. Nothing is connected before the first request.
#[derive(Debug)]
pub struct Link {
    dialer: Dialer,
    account: Account,
    timeout: Duration,
    connection: Option<Connection>,
    /// The session that ends with the command.
    to_end: Option<Token>,
}

impl Link {
    /// A link that connects by `dialer` and waits `timeout` for each answer.
    pub fn new(dialer: Dialer, timeout: Duration) -> Self {
        let account = Account { servers: dialer.servers().clone(), user: None };
        Self { dialer, account, timeout, connection: None, to_end: None }
    }

    /// The dialer for this service.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Uses the session of this user, if one is given.
    pub fn acting_as(mut self, user: Option<UserName>) -> Self {
        self.account.user = user;
        self
    }

    /// Keeps the token of a session that ends with the command.
    pub(super) fn end_later(&mut self, token: Token) {
        self.to_end = Some(token);
    }

    /// The token of [`end_later`](Self::end_later), once.
    pub(super) fn take_to_end(&mut self) -> Option<Token> {
        self.to_end.take()
    }

    /// The service and the user whose session is used.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The address of the server that was reached last.
    pub fn address(&self) -> &ServerAddress {
        self.dialer.address()
    }

    /// How long to wait for an answer.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// [`call_until`](Self::call_until) with the link's timeout.
    pub fn call(&mut self, request: &Request) -> Result<Value, Failure> {
        self.call_until(request, Instant::now() + self.timeout)
    }

    /// Sends a request and returns the fields of a positive reply. Blocks until `deadline` at the
    /// longest. A connection that the server has closed since the last request (idle, restarted) is
    /// replaced silently. If the connection breaks during the request, the request is repeated
    /// once, provided that repeating it is harmless. Otherwise the failure says that the outcome is
    /// unknown.
    pub fn call_until(&mut self, request: &Request, deadline: Instant) -> Result<Value, Failure> {
        let answer = match self.dialer.servers().are_several() {
            true => self.ask_any(request, deadline),
            false => self.ask_one(request, deadline),
        };
        let fields = fields_of(answer?);
        if fields.as_ref().is_err_and(|refused| refused.code.is_some_and(|code| code.closes())) {
            self.connection = None;
        }
        Ok(fields?)
    }

    fn ask_one(&mut self, request: &Request, deadline: Instant) -> Result<DecodedReply, Failure> {
        let line = request.encode();
        match self.exchange(&line, deadline) {
            Err(broken @ Failure::NoAnswer(NoAnswer::Broken { .. })) if is_repeatable(request) => {
                match self.exchange(&line, deadline) {
                    // The second attempt sent nothing, but the first may have.
                    Err(Failure::NoAnswer(NoAnswer::Unreachable { .. })) => Err(broken),
                    answer => answer,
                }
            }
            answer => answer,
        }
    }

    /// Asks one server after the other, until one answers. A server that stops has done nothing. If
    /// a connection breaks or stays silent, the next server is asked only if repeating the request
    /// is harmless; then each server gets an equal part of the time.
    fn ask_any(&mut self, request: &Request, deadline: Instant) -> Result<DecodedReply, Failure> {
        let (line, is_repeatable) = (request.encode(), is_repeatable(request));
        let mut unanswered = None;
        // One more, because the first connection may be an old one.
        let mut left = self.dialer.servers().addresses().len() + 1;
        loop {
            left -= 1;
            let until = if is_repeatable { part(deadline, left + 1) } else { deadline };
            match self.exchange(&line, until) {
                Ok(DecodedReply::Refused { code: Some(Code::ShuttingDown), .. }) if left > 0 => {
                    self.connection = None;
                    self.dialer.leave();
                }
                Err(
                    failure
                    @ Failure::NoAnswer(NoAnswer::Broken { .. } | NoAnswer::TimedOut { .. }),
                ) => {
                    self.dialer.leave();
                    if !is_repeatable || left == 0 || Instant::now() >= deadline {
                        return Err(failure);
                    }
                    unanswered = Some(failure);
                }
                // This attempt sent nothing, but an earlier one may have.
                Err(failure @ Failure::NoAnswer(NoAnswer::Unreachable { .. })) => {
                    return Err(unanswered.unwrap_or(failure));
                }
                answer => return answer,
            }
        }
    }

    /// Closes the connection, whose next bytes would answer no request.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// The failure for a positive reply without its required fields. Closes the connection.
    pub fn not_understood(&mut self, error: impl std::fmt::Display) -> Failure {
        self.hang_up();
        let reason = error.to_string();
        NoAnswer::NotUnderstood { address: self.address().clone(), reason }.into()
    }

    fn exchange(&mut self, line: &str, deadline: Instant) -> Result<DecodedReply, Failure> {
        let begun = Instant::now();
        let kept = self.connection.as_mut().is_some_and(Connection::is_quiet);
        let kept = self.connection.take().filter(|_| kept);
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.dialer.dial(deadline)?,
        };
        let address = || self.dialer.address().clone();
        let answer = connection.exchange(line, deadline).map_err(|error| match error {
            ExchangeError::TimedOut => NoAnswer::TimedOut {
                address: address(),
                within: deadline.saturating_duration_since(begun),
            },
            ExchangeError::Broken(source) => NoAnswer::Broken { address: address(), source },
            ExchangeError::NotUnderstood(reason) => {
                NoAnswer::NotUnderstood { address: address(), reason }
            }
        })?;
        self.connection = Some(connection);
        Ok(answer)
    }
}

/// Whether repeating the request is harmless. The seed's `send` would send twice, and its `inbox`
/// would skip messages that nobody has seen. A second `passwd` or `revoke` would be refused, and
/// the token of a first `token_create` would be lost.
fn is_repeatable(request: &Request) -> bool {
    match request {
        Request::InSession { action: Ok(action), .. } => match action {
            Action::Send { .. }
            | Action::Inbox
            | Action::Watch(_)
            | Action::Revoke(_)
            | Action::TokenCreate(_)
            | Action::TokenRevoke(_)
            | Action::Passwd(_) => false,
            Action::Post(post) => post.key.is_some(),
            Action::Cancel(_) => false,
            Action::Edit(edit) => edit.key.is_some(),
            Action::List
            | Action::Users(_)
            | Action::Delete(_)
            | Action::Logout
            | Action::Fetch(_)
            | Action::Search(_)
            | Action::Conversations(_)
            | Action::Ack(_)
            | Action::Mark(_)
            | Action::Unread
            | Action::Receipts(_)
            | Action::Settings(_)
            | Action::Who(_)
            | Action::Block(_)
            | Action::Unblock(_)
            | Action::Blocks
            | Action::Whoami
            | Action::Sessions
            | Action::Tokens
            | Action::Expect(_)
            | Action::Expectations
            | Action::Scheduled(_)
            | Action::Report(_) => true,
            Action::Room(action) => is_repeatable_in_room(action),
        },
        _ => true,
    }
}

/// Whether a request about rooms can be sent again. A second `room_create` or `room_leave` would be
/// refused, and a second `room_kick` or `room_set` could undo what somebody did in between.
fn is_repeatable_in_room(action: &RoomAction) -> bool {
    match action {
        RoomAction::List(_) | RoomAction::Show(_) | RoomAction::Members(_) => true,
        RoomAction::Join(_) | RoomAction::Invite(_) => true,
        RoomAction::Create(_)
        | RoomAction::Leave(_)
        | RoomAction::Kick(_)
        | RoomAction::Set(_)
        | RoomAction::Archive(_) => false,
    }
}
