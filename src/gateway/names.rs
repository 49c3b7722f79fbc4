//! The names in paths and in `topic`, and the mailboxes that they stand for.

use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::Gateway;
use super::call::act;
use super::refused::{Refused, refused};
use super::sign_in::Caller;
use crate::model::{Filter, MailboxName, MessageId, Posting, Role, RoomName};
use crate::protocol::arguments::{Fetch, FetchFrom};
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

/// What a name stands for.
pub(super) enum Mailboxes {
    One(MailboxName),
    /// The first one that there is for the caller.
    EitherOf(MailboxName, MailboxName),
}

impl Gateway {
    /// The mailbox that a name stands for: a user's, or, without its `#`, that of a room. `@` before
    /// a name says that it is a user's.
    ///
    /// # Errors
    /// It could be both. A room that the caller may not see is none.
    pub(super) async fn mailboxes(&self, caller: Caller, name: &str) -> Result<Mailboxes, Refused> {
        let unknown = || Refusal::from(Code::UnknownRecipient).about([name.to_owned()]);
        let exact = name.strip_prefix('@');
        let given: MailboxName = exact.unwrap_or(name).parse().map_err(|_| unknown())?;
        let user = match &given {
            MailboxName::User(user) if exact.is_none() => user,
            MailboxName::Room(_) if exact.is_some() => return Err(unknown().into()),
            MailboxName::User(_) | MailboxName::Room(_) => return Ok(Mailboxes::One(given)),
        };
        let room: RoomName = format!("#{user}").parse().map_err(|_| Code::Internal)?;
        let seen = match self.see(caller, &room).await? {
            Seen::Nothing => return Ok(Mailboxes::One(given)),
            Seen::Unknown => return Ok(Mailboxes::EitherOf(given, room.into())),
            Seen::Room(seen) => seen,
        };
        match self.is_user(caller, &given).await? {
            false => Ok(Mailboxes::One(room.into())),
            true if !may_post(&seen) => Ok(Mailboxes::One(given)),
            true => {
                let why = format!(
                    "{name} is a user and a room: give @{name} or {room} (in a URL, %23{name})"
                );
                Err(Refused::new(StatusCode::CONFLICT, Code::BadArgument, why))
            }
        }
    }

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

    /// Whether a user has this name. No message is read for it.
    async fn is_user(&self, caller: Caller, name: &MailboxName) -> Result<bool, Refused> {
        let none = Fetch {
            from: FetchFrom::After(MessageId(i64::MAX)),
            with: Some(name.clone()),
            thread: None,
            since: None,
            filter: Box::new(Filter::default()),
            limit: 1,
        };
        match act(&self.service, caller.token, Action::Fetch(none), caller.network).await {
            Reply::Page(_) => Ok(true),
            Reply::Refused(refusal) if refusal.code == Code::UnknownRecipient => Ok(false),
            reply => Err(refused(reply)),
        }
    }
}

fn may_post(room: &RoomInfo) -> bool {
    let least = match room.posting {
        Posting::Members => Role::Member,
        Posting::Moderators => Role::Moderator,
    };
    room.archived.is_none() && room.role >= Some(least)
}
