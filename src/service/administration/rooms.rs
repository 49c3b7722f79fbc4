//! Lists, creates and changes rooms for an operator, who may do everything.

use std::sync::Arc;

use super::super::Service;
use super::super::rooms::{creation, info, member, setting};
use super::{AdminResponder, failure, unknown_user};
use crate::admin::answer::{AdminReply, Code, Refusal};
use crate::model::{Role, RoomName, UserName};
use crate::protocol::rooms::{RoomArchive, RoomCreate, RoomSet};
use crate::store::{
    Actor, ArchiveRoom, CreateRoomOfEverybody, EngineWrite, FindRoom, JoinRoom, Joining,
    KickFromRoom, ListMembers, ListRooms, RoomAnswer, RoomChanged, RoomRefused,
};

/// The maximum number of rooms or members in one reply.
const ROWS_PER_ANSWER_MAX: usize = 200;

impl Service {
    pub(super) fn list_all_rooms(&self, after: Option<RoomName>, responder: AdminResponder) {
        let list =
            ListRooms { actor: Actor::Operator, after, max: ROWS_PER_ANSWER_MAX, mine: false };
        self.store.read(list, move |found| {
            responder.answer(found.map_err(failure).map(|(rooms, more)| AdminReply::Rooms {
                rooms: rooms.into_iter().map(info).collect(),
                more,
            }));
        });
    }

    pub(super) fn show_any_room(&self, room: RoomName, responder: AdminResponder) {
        let find = FindRoom { actor: Actor::Operator, name: room.clone() };
        self.store.read(find, move |found| {
            responder.answer(match found {
                Ok(Some(found)) => Ok(AdminReply::Room(Box::new(info(found)))),
                Ok(None) => Err(refusal(RoomRefused::Unknown, &room)),
                Err(error) => Err(failure(error)),
            });
        });
    }

    pub(super) fn list_members_of_any_room(
        &self,
        room: RoomName,
        after: Option<UserName>,
        responder: AdminResponder,
    ) {
        let (actor, max) = (Actor::Operator, ROWS_PER_ANSWER_MAX);
        let list = ListMembers { actor, room: room.clone(), after, max };
        self.store.read(list, move |found| {
            responder.answer(match found {
                Ok(Ok((members, more))) => {
                    let members = members.into_iter().map(member).collect();
                    Ok(AdminReply::RoomMembers { members, more })
                }
                Ok(Err(refused)) => Err(refusal(refused, &room)),
                Err(error) => Err(failure(error)),
            });
        });
    }

    pub(super) fn create_room_for_operator(
        self: &Arc<Self>,
        create: RoomCreate,
        responder: AdminResponder,
    ) {
        let create = creation(Actor::Operator, create);
        let room = create.name.clone();
        if room.is_of_everybody() {
            let message = format!("{room} is the room of everybody: `room everybody` makes it");
            return responder.answer(Err(Refusal::new(Code::RoomOfEverybody, message)));
        }
        self.change_any_room(create, room, "room created", responder);
    }

    pub(super) fn create_room_of_everybody(self: &Arc<Self>, responder: AdminResponder) {
        let (create, room) = (CreateRoomOfEverybody, RoomName::of_everybody());
        self.change_any_room(create, room, "everybody added to a room", responder);
    }

    pub(super) fn add_to_room(
        self: &Arc<Self>,
        room: RoomName,
        user: UserName,
        role: Role,
        responder: AdminResponder,
    ) {
        let join = JoinRoom { room: room.clone(), joining: Joining::Added(user, role) };
        self.change_any_room(join, room, "member added to a room", responder);
    }

    pub(super) fn remove_from_room(
        self: &Arc<Self>,
        room: RoomName,
        user: UserName,
        responder: AdminResponder,
    ) {
        let kick = KickFromRoom { actor: Actor::Operator, room: room.clone(), user };
        self.change_any_room(kick, room, "member removed from a room", responder);
    }

    pub(super) fn set_any_room(self: &Arc<Self>, set: RoomSet, responder: AdminResponder) {
        let set = setting(Actor::Operator, set);
        let room = set.room.clone();
        self.change_any_room(set, room, "room changed", responder);
    }

    pub(super) fn archive_any_room(
        self: &Arc<Self>,
        archive: RoomArchive,
        responder: AdminResponder,
    ) {
        let RoomArchive { room, archived } = archive;
        let event = if archived { "room archived" } else { "room opened again" };
        let archive = ArchiveRoom { actor: Actor::Operator, room: room.clone(), archived };
        self.change_any_room(archive, room, event, responder);
    }

    /// Executes a change, and has the streams of the users that it touches look again.
    fn change_any_room<W: EngineWrite<Answer = RoomAnswer<RoomChanged>>>(
        self: &Arc<Self>,
        change: W,
        room: RoomName,
        event: &'static str,
        responder: AdminResponder,
    ) {
        let service = Arc::clone(self);
        self.store.write(change, move |changed| match changed {
            Ok(Ok(changed)) => {
                tracing::info!(%room, "{event}");
                responder.answer(Ok(AdminReply::Room(Box::new(info(changed.room)))));
                changed.touched.into_iter().for_each(|user| service.hub.publish(user));
            }
            Ok(Err(refused)) => responder.answer(Err(refusal(refused, &room))),
            Err(error) => responder.answer(Err(failure(error))),
        });
    }
}

fn refusal(refused: RoomRefused, room: &RoomName) -> Refusal {
    let (code, message) = match refused {
        RoomRefused::Unknown => (Code::UnknownRoom, format!("there is no room {room}")),
        RoomRefused::Exists => (Code::NameTaken, format!("there is a room {room} already")),
        RoomRefused::Archived => (Code::RoomArchived, format!("the room {room} is archived")),
        RoomRefused::OfEverybody => {
            let message = format!("everybody is in {room}: nobody is removed, and it stays open");
            (Code::RoomOfEverybody, message)
        }
        RoomRefused::ReservedName(user) => {
            (Code::NameTaken, format!("there is a user {user}, and @{user} is everybody"))
        }
        RoomRefused::LastOwner => {
            (Code::LastOwner, format!("the other members of {room} would have no owner"))
        }
        RoomRefused::TooManyOfUser => {
            (Code::TooManyRooms, "the user is in as many rooms as a user may be".to_owned())
        }
        RoomRefused::TooManyMemberships => {
            (Code::TooManyRooms, "the user has had as many memberships as a user may".to_owned())
        }
        RoomRefused::TooManyInAll => {
            (Code::TooManyRooms, "there are as many rooms as there may be".to_owned())
        }
        RoomRefused::UnknownUsers(names) => match names.first() {
            Some(name) => return unknown_user(name),
            None => (Code::UnknownUser, "there is no such user".to_owned()),
        },
        RoomRefused::NotAllowed => {
            (Code::Internal, format!("an operator was refused in the room {room}"))
        }
    };
    Refusal::new(code, message)
}
