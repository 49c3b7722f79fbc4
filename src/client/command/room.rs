//! `chat-cli room …`, and `room …` at the prompt.

mod show;

use std::io::Write;

use crate::catalogue::room;
use crate::client::arguments::{RoomArguments, RoomCommand, RoomCreateArguments, RoomSetArguments};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::model::{Role, Token};
use crate::protocol::rooms::{
    OfRoom, RoleOf, RoomAction, RoomArchive, RoomCreate, RoomInfo, RoomInvite, RoomInvited,
    RoomKick, RoomKicked, RoomLeave, RoomLeft, RoomSet,
};

/// Runs the command with the stored session.
pub fn run(
    arguments: RoomArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    execute(arguments.command, token, view, link, out)
}

/// Executes the command, and prints the result.
pub fn execute(
    command: RoomCommand,
    token: Token,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let mut rooms = Rooms { link, token, view, out };
    match command {
        RoomCommand::List(arguments) => show::list(&mut rooms, arguments.mine),
        RoomCommand::Members(arguments) => show::members(&mut rooms, &arguments.room),
        RoomCommand::Show(arguments) => show::one(&mut rooms, arguments.room),
        RoomCommand::Create(arguments) => rooms
            .tell(RoomAction::Create(create(arguments)), |info: &RoomInfo| {
                room::created(&info.room)
            }),
        RoomCommand::Join(arguments) => {
            let join = RoomAction::Join(OfRoom { room: arguments.room });
            rooms.tell(join, |info: &RoomInfo| room::joined(&info.room))
        }
        RoomCommand::Set(arguments) => {
            rooms.tell(RoomAction::Set(set(arguments)), |info: &RoomInfo| room::changed(&info.room))
        }
        RoomCommand::Archive(arguments) => {
            let archive = RoomArchive { room: arguments.room, archived: !arguments.undo };
            rooms.tell(RoomAction::Archive(archive), |info: &RoomInfo| match info.archived {
                Some(_) => room::archived(&info.room),
                None => room::opened_again(&info.room),
            })
        }
        RoomCommand::Leave(arguments) => {
            let leave = RoomLeave { room: arguments.room, owner: arguments.owner };
            rooms.tell(RoomAction::Leave(leave), |left: &RoomLeft| room::left(&left.room))
        }
        RoomCommand::Invite(arguments) => {
            let invite = RoomInvite { room: arguments.room, users: arguments.users };
            rooms.tell(RoomAction::Invite(invite), |done: &RoomInvited| invited(done))
        }
        RoomCommand::Kick(arguments) => {
            let kick = RoomKick { room: arguments.room, user: arguments.user };
            rooms.tell(RoomAction::Kick(kick), |done: &RoomKicked| {
                room::kicked(&done.kicked, &done.room)
            })
        }
    }
}

/// Asks the server about rooms, and prints its answers.
struct Rooms<'a> {
    link: &'a mut Link,
    token: Token,
    view: View,
    out: &'a mut dyn Write,
}

impl Rooms<'_> {
    /// Makes a request and prints the reply: its fields for a program, `words` for a person.
    fn tell<T: serde::Serialize + serde::de::DeserializeOwned>(
        &mut self,
        action: RoomAction,
        words: impl FnOnce(&T) -> String,
    ) -> Result<Exit, Failure> {
        let reply: T = verbs::room(self.link, self.token, action)?;
        let line = if self.view.is_json { object::line(&reply) } else { words(&reply) };
        writeln!(self.out, "{line}")?;
        Ok(Exit::Done)
    }
}

fn create(arguments: RoomCreateArguments) -> RoomCreate {
    let RoomCreateArguments { room, topic, private, posting, history } = arguments;
    RoomCreate { room, topic: topic.unwrap_or_default(), private, posting, history }
}

fn set(arguments: RoomSetArguments) -> RoomSet {
    let roles = [
        (arguments.owner, Role::Owner),
        (arguments.moderator, Role::Moderator),
        (arguments.member, Role::Member),
    ];
    let role = roles.into_iter().find_map(|(user, role)| Some(RoleOf { user: user?, role }));
    let private = (arguments.private || arguments.public).then_some(arguments.private);
    RoomSet {
        room: arguments.room,
        topic: arguments.topic,
        private,
        posting: arguments.posting,
        history: arguments.history,
        role,
        notify: arguments.notify,
    }
}

fn invited(done: &RoomInvited) -> String {
    match done.invited.as_slice() {
        [] => room::nobody_to_invite(&done.room),
        users => {
            let users: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
            room::invited(users.join(", "), &done.room)
        }
    }
}
