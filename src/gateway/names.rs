//! The names in paths and in `topic`, and the mailboxes that they stand for.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use super::Gateway;
use super::call::act;
use super::refused::{Refused, refused};
use super::sign_in::Caller;
use crate::model::{MailboxName, RoomName};
use crate::protocol::command::Action;
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::Reply;
use crate::protocol::rooms::{OfRoom, RoomAction, RoomInfo, RoomReply};

/// The name in a path.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let name = Path::<String>::from_request_parts(parts, state).await;
        name.map(|Path(name)| Self(name)).map_err(|_| Refused::bad("the path is not UTF-8"))
    }
}

/// A room, as the caller sees it.
pub(super) enum Seen {
    Nothing,
    /// The caller may not ask.
    Unknown,
    Room(Box<RoomInfo>),
}

/// The mailbox that a name stands for, and whether it may also be, with a `#`, that of a room. `@`
/// before a name says that it is a user's, but `@all` is the room of everybody.
///
/// # Errors
/// No mailbox can have this name.
pub(super) fn parse(name: &str) -> Result<(MailboxName, bool), Refused> {
    if name.parse().is_ok_and(|room: RoomName| room.is_of_everybody()) {
        return Ok((RoomName::of_everybody().into(), false));
    }
    let unknown = || Refusal::from(Code::UnknownRecipient).about([name.to_owned()]);
    let exact = name.strip_prefix('@');
    let given: MailboxName = exact.unwrap_or(name).parse().map_err(|_| unknown())?;
    match (given.user(), exact) {
        (None, Some(_)) => Err(unknown().into()),
        (user, exact) => {
            let or_room = user.is_some() && exact.is_none();
            Ok((given, or_room))
        }
    }
}

impl Gateway {
    /// A room, as the caller sees it.
    pub(super) async fn see(&self, caller: Caller, room: &RoomName) -> Result<Seen, Refused> {
        let show = RoomAction::Show(OfRoom { room: room.clone() });
        match act(&self.service, caller.token, Action::Room(Box::new(show)), caller.network).await {
            Reply::Room(reply) => match *reply {
                RoomReply::Room(room) => Ok(Seen::Room(Box::new(room))),
                _ => Err(Code::Internal.into()),
            },
            Reply::Refused(refusal) if refusal.code == Code::UnknownRoom => Ok(Seen::Nothing),
            reply => match refused(reply) {
                why if why.is_forbidden() => Ok(Seen::Unknown),
                why => Err(why),
            },
        }
    }
}
