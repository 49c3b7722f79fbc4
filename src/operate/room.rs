//! `room`: lists, creates and changes rooms, and adds and removes their members. An operator may do
//! everything, and sees private rooms too.

mod show;

use super::admin_client::{self, unexpected};
use super::arguments::{
    RoomAddArguments, RoomCommand, RoomCreateArguments, RoomRemoveArguments, RoomSetArguments,
};
use super::count;
use super::database::Database;
use super::failure::Failure;
use super::output::Output;
use crate::admin::answer::AdminReply;
use crate::admin::request::Request;
use crate::catalogue::room;
use crate::operate::user_name;
use crate::protocol::rooms::{RoomArchive, RoomCreate, RoomInfo, RoomSet};

/// Executes a `room` command.
pub(super) fn run(db: &Database<'_>, command: &RoomCommand, output: Output) -> Result<(), Failure> {
    match command {
        RoomCommand::List => show::list(db, output),
        RoomCommand::Show(of) => show::one(db, of.room.clone(), output),
        RoomCommand::Members(of) => show::members(db, &of.room, output),
        RoomCommand::Create(arguments) => {
            change(db, &Request::RoomCreate { create: create(arguments) }, output, |info| {
                room::created_by_operator(&info.room)
            })
        }
        RoomCommand::Everybody => change(db, &Request::RoomEverybody, output, |info| {
            room::everybody_is_in(count::users(info.members), &info.room)
        }),
        RoomCommand::Add(arguments) => add(db, arguments, output),
        RoomCommand::Remove(arguments) => remove(db, arguments, output),
        RoomCommand::Set(arguments) => {
            change(db, &Request::RoomSet { set: set(arguments) }, output, |info| {
                room::changed(&info.room)
            })
        }
        RoomCommand::Archive(arguments) => {
            let archive = RoomArchive { room: arguments.room.clone(), archived: !arguments.undo };
            change(db, &Request::RoomArchive { archive }, output, |info| match info.archived {
                Some(_) => room::archived(&info.room),
                None => room::opened_again(&info.room),
            })
        }
    }
}

fn add(db: &Database<'_>, arguments: &RoomAddArguments, output: Output) -> Result<(), Failure> {
    let RoomAddArguments { room, user, role } = arguments;
    let user = user_name::parse(user)?;
    let add = Request::RoomAdd { room: room.clone(), user: user.clone(), role: *role };
    change(db, &add, output, |info| room::added(&user, role, &info.room))
}

fn remove(
    db: &Database<'_>,
    arguments: &RoomRemoveArguments,
    output: Output,
) -> Result<(), Failure> {
    let RoomRemoveArguments { room, user } = arguments;
    let user = user_name::parse(user)?;
    let remove = Request::RoomRemove { room: room.clone(), user: user.clone() };
    change(db, &remove, output, |info| room::kicked(&user, &info.room))
}

/// Changes a room, and prints it for a program, or `words` for a person.
fn change(
    db: &Database<'_>,
    request: &Request,
    mut output: Output,
    words: impl FnOnce(&RoomInfo) -> String,
) -> Result<(), Failure> {
    let info = match admin_client::ask(db, request)? {
        AdminReply::Room(info) => info,
        answer => return Err(unexpected(&answer)),
    };
    if output.is_json {
        output.object(&info)?;
    }
    output.did(&words(&info))?;
    output.finish()
}

fn create(arguments: &RoomCreateArguments) -> RoomCreate {
    let RoomCreateArguments { room, topic, private, posting, history } = arguments.clone();
    RoomCreate { room, topic: topic.unwrap_or_default(), private, posting, history }
}

fn set(arguments: &RoomSetArguments) -> RoomSet {
    let RoomSetArguments { room, topic, private, public, posting, history } = arguments.clone();
    let private = (private || public).then_some(private);
    RoomSet { topic, private, posting, history, ..RoomSet::of(room) }
}
