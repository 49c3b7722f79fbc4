//! The one-shot commands, a module each. A command's `run` writes its result to `out`, and gives
//! back how it ended or why it was not done.

pub mod ack;
pub mod ask;
pub mod auth;
pub mod completions;
pub mod config;
pub mod history;
pub mod inbox;
pub mod list;
pub mod logout;
pub mod passwd;
pub mod revoke;
pub mod send;
pub mod sessions;
pub mod trust;
pub mod unread;
pub mod users;
pub mod watch;
pub mod whoami;

use crate::model::UserName;
use crate::protocol::refusal::Code;

use super::failure::{Failure, Refused};

/// A user that a person named, to be written to or asked about. What cannot be a name is nobody's,
/// in the server's words.
pub(super) fn parse_user(text: &str) -> Result<UserName, Failure> {
    text.parse().map_err(|_| unknown([text.to_owned()]))
}

fn unknown(users: impl IntoIterator<Item = String>) -> Failure {
    Refused { users: users.into_iter().collect(), ..Code::UnknownRecipient.into() }.into()
}
