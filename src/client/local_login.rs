//! Logs in without a password, where the server listens on a Unix-domain socket and the kernel tells
//! it who is at the other end. Such a session is for this process only: it is stored nowhere, and
//! ends with the command.

use std::time::{Duration, Instant};

use super::address::ServerAddress;
use super::exit::Exit;
use super::failure::{Failure, Refused};
use super::link::Link;
use super::retry;
use super::session::{self, Session, Source};
use super::state_folder::StateFolder;
use super::verbs;
use crate::catalogue::client;
use crate::model::Token;
use crate::protocol::refusal::Code;

/// The longest time to end the session of a command that is over.
const END_MAX: Duration = Duration::from_secs(2);

/// The token for a command: that of [`session::current`], else of a session that [`end`] ends.
///
/// # Errors
/// Those of [`session::current`], if the server does not log in by the kernel's word. Else why it
/// does not log in this process.
pub fn current(link: &mut Link) -> Result<(Token, Source), Failure> {
    let none = match session::current(link.account()) {
        // A process without a home has nothing stored. A broken file is reported all the same.
        Err(none) if matches!(none, Failure::NotLoggedIn) || StateFolder::locate().is_err() => none,
        found => return found,
    };
    match by_kernel(link)? {
        Some(session) => {
            link.end_later(session.token);
            Ok((session.token, Source::Kernel))
        }
        None => Err(none),
    }
}

/// A new session of the user whom the kernel names to the server. `None` if the address is no
/// socket, or the server does not log in so.
///
/// # Errors
/// The server does not answer, does not know this process's user, or the user is set to another one.
pub fn by_kernel(link: &mut Link) -> Result<Option<Session>, Failure> {
    if !matches!(link.address(), ServerAddress::Unix(_)) {
        return Ok(None);
    }
    let session = match persist(link) {
        Ok(session) => session,
        Err(Failure::Refused(refused)) => return refused_by_server(refused),
        Err(failure) => return Err(failure),
    };
    match link.account().user.clone() {
        Some(user) if user != session.user => {
            end_session(link, session.token);
            let message = client::kernel_names_another(&session.user, &user);
            Err(Failure::new(Exit::NotLoggedIn, message)
                .with_hint(client::log_in_as_set_user(&user)))
        }
        _ => Ok(Some(session)),
    }
}

/// Ends the session of [`current`]. If the server is away, the session expires by its age.
pub fn end(link: &mut Link) {
    if let Some(token) = link.take_to_end() {
        end_session(link, token);
    }
}

/// Tries again while the server is busy or starts again: a job may begin at any moment.
fn persist(link: &mut Link) -> Result<Session, Failure> {
    let deadline = Instant::now() + link.timeout();
    retry::until(deadline, || verbs::auth_by_kernel(link, deadline))
}

fn refused_by_server(refused: Refused) -> Result<Option<Session>, Failure> {
    match refused.code {
        // What every server answers that has no such login.
        Some(Code::Usage) => Ok(None),
        Some(code @ Code::UnknownUser) => {
            let reason = refused.message.strip_prefix(code.message()).unwrap_or(&refused.message);
            let reason = reason.trim_start_matches(": ");
            Err(Failure::new(Exit::NotLoggedIn, client::kernel_names_nobody(reason))
                .with_hint(client::log_in()))
        }
        _ => Err(refused.into()),
    }
}

fn end_session(link: &mut Link, token: Token) {
    let _ = verbs::logout_until(link, token, Instant::now() + END_MAX);
}
