//! The way to one server: connects when something is asked, keeps the connection for what comes
//! next, and opens another when that one is gone.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::address::ServerAddress;
use super::connection::{Connection, ExchangeError};
use super::dial::Dialer;
use super::failure::{Failure, NoAnswer, Refused};
use super::session::Account;
use crate::model::UserName;
use crate::protocol::command::{Action, Request};
use crate::protocol::reply::DecodedReply;

/// A server that can be asked, one request at a time. Nothing is connected before the first.
#[derive(Debug)]
pub struct Link {
    dialer: Dialer,
    account: Account,
    timeout: Duration,
    connection: Option<Connection>,
}

impl Link {
    /// Will ask the server that `dialer` connects to, and wait `timeout` for each answer.
    pub fn new(dialer: Dialer, timeout: Duration) -> Self {
        let account = Account { server: dialer.address().clone(), user: None };
        Self { dialer, account, timeout, connection: None }
    }

    /// What connects to the server.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// As this user, where one is meant: the session that is used is that user's.
    pub fn acting_as(mut self, user: Option<UserName>) -> Self {
        self.account.user = user;
        self
    }

    /// Whose session on which server is used.
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// Where the server is.
    pub fn address(&self) -> &ServerAddress {
        self.dialer.address()
    }

    /// How long an answer is waited for.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// [`call_until`](Self::call_until), with the timeout.
    pub fn call(&mut self, request: &Request) -> Result<Value, Failure> {
        self.call_until(request, Instant::now() + self.timeout)
    }

    /// Asks, and gives the fields of a reply that says yes; blocks until `deadline` at the
    /// longest. A connection that the server closed since the last request (idle, restarted) is
    /// replaced without a word. One that breaks under the request is replaced once, if doing the
    /// request twice is the same as doing it once; otherwise that is a failure which says that
    /// the outcome is not known.
    pub fn call_until(&mut self, request: &Request, deadline: Instant) -> Result<Value, Failure> {
        let line = request.encode();
        let answer = match self.exchange(&line, deadline) {
            Err(broken @ Failure::NoAnswer(NoAnswer::Broken { .. })) if is_repeatable(request) => {
                match self.exchange(&line, deadline) {
                    // That nothing was sent now does not mean that nothing was sent.
                    Err(Failure::NoAnswer(NoAnswer::Unreachable { .. })) => Err(broken),
                    answer => answer,
                }
            }
            answer => answer,
        };
        match answer? {
            DecodedReply::Done(fields) => Ok(fields),
            DecodedReply::Refused { code, unknown_code, message, users, retry_after } => {
                if code.is_some_and(|code| code.closes()) {
                    self.connection = None;
                }
                Err(Refused { code, unknown_code, message, users, retry_after, is_ours: false }
                    .into())
            }
        }
    }

    /// Closes the connection: what it would bring next belongs to nothing that was asked.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// A reply said yes but lacks what it has to have.
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

/// Whether doing it twice is the same as doing it once. The seed's `send` would send twice, and
/// its `inbox` would move on from messages that nobody has seen; what changed a password or ended
/// a session would be refused the second time.
fn is_repeatable(request: &Request) -> bool {
    match request {
        Request::InSession { action: Ok(action), .. } => match action {
            Action::Send { .. }
            | Action::Inbox
            | Action::Watch(_)
            | Action::Revoke(_)
            | Action::Passwd(_) => false,
            Action::Post(post) => post.key.is_some(),
            Action::List
            | Action::Users(_)
            | Action::Logout
            | Action::Fetch(_)
            | Action::Ack(_)
            | Action::Unread
            | Action::Whoami
            | Action::Sessions => true,
        },
        _ => true,
    }
}
