//! The one-shot commands, one module each. The function `run` of a command writes the result to
//! `out`, and returns how it ended or why it failed.

pub mod ack;
pub mod ask;
pub mod auth;
pub mod block;
pub mod change;
pub mod completions;
pub mod config;
pub mod conversations;
pub mod expect;
pub mod history;
pub mod inbox;
pub mod join;
pub mod list;
pub mod logout;
pub mod mcp;
pub mod passwd;
pub mod receipts;
pub mod reply;
pub mod report;
pub mod revoke;
pub mod room;
pub mod scheduled;
pub mod search;
pub mod send;
pub mod sessions;
pub mod status;
pub mod token;
pub mod trust;
pub mod unread;
pub mod users;
pub mod watch;
pub mod who;
pub mod whoami;

use crate::catalogue::{client, room as room_texts};
use crate::model::{Filter, MailboxName, Priority, RoomName, TAGS_MAX, Tags, UserName};
use crate::protocol::refusal::Code;

use super::arguments::FilterArguments;
use super::exit::Exit;
use super::failure::{Failure, Refused};

/// The name of another user. A text that cannot be a user name is refused as the server refuses an
/// unknown user; a room is refused as one.
pub(super) fn parse_user(text: &str) -> Result<UserName, Failure> {
    if text.parse::<RoomName>().is_ok() {
        return Err(Failure::new(Exit::NoUser, room_texts::is_a_room(text)));
    }
    text.parse().map_err(|_| unknown([text.to_owned()]))
}

/// The name of a user or of a room. Refuses as [`parse_user`] does.
pub(super) fn parse_mailbox(text: &str) -> Result<MailboxName, Failure> {
    text.parse().map_err(|_| unknown([text.to_owned()]))
}

/// The filter of a command.
pub(super) fn filter(arguments: &FilterArguments) -> Result<Box<Filter>, Failure> {
    let tags = Tags::try_from(arguments.tags.clone())
        .map_err(|_| Failure::new(Exit::Usage, client::too_many_tags(TAGS_MAX)))?;
    Ok(Box::new(Filter {
        min_priority: arguments.min_priority.map(Priority::from),
        tags,
        sender: arguments.from.as_deref().map(parse_user).transpose()?,
        room: arguments.room.clone(),
    }))
}

fn unknown(users: impl IntoIterator<Item = String>) -> Failure {
    Refused { users: users.into_iter().collect(), ..Code::UnknownRecipient.into() }.into()
}
