//! The commands of rooms.

use std::sync::Arc;

use super::sessions::LiveSession;
use super::{Responder, Service, failure};
use crate::model::{RoomName, UserId};
use crate::protocol::refusal::{Code, MANY_MEMBERSHIPS, Refusal};
use crate::protocol::reply::Reply;
use crate::protocol::rooms::{
    MemberInfo, MemberList, MembersAfter, OfRoom, RoomAction, RoomArchive, RoomCreate, RoomInfo,
    RoomInvite, RoomInvited, RoomKick, RoomKicked, RoomLeave, RoomLeft, RoomList, RoomReply,
    RoomSet, RoomsAfter,
};
use crate::store::{
    Actor, ArchiveRoom, CreateRoom, EngineWrite, FindRoom, InviteToRoom, JoinRoom, Joining,
    KickFromRoom, LeaveRoom, ListMembers, ListRooms, MEMBERSHIPS_OF_USER_MAX, Member,
    ROOMS_OF_USER_MAX, Room, RoomAnswer, RoomChanged, RoomRefused, RoomSettings, SetRoom,
};

impl Service {
    /// Executes a verb of rooms. A change is answered when it is durable.
    pub(super) fn act_on_room(
        self: &Arc<Self>,
        session: &LiveSession,
        action: RoomAction,
        responder: Responder,
    ) {
        let user = session.user;
        match action {
            RoomAction::List(list) => self.list_rooms(user, list, responder),
            RoomAction::Show(OfRoom { room }) => self.show_room(user, room, responder),
            RoomAction::Create(create) => self.create_room(user, create, responder),
            RoomAction::Join(OfRoom { room }) => {
                let join = JoinRoom { room: room.clone(), joining: Joining::Oneself(user) };
                self.change_room(join, room, responder, shown);
            }
            RoomAction::Leave(leave) => self.leave_room(user, leave, responder),
            RoomAction::Invite(invite) => self.invite(user, invite, responder),
            RoomAction::Kick(kick) => self.kick(user, kick, responder),
            RoomAction::Members(list) => self.list_members(user, list, responder),
            RoomAction::Set(set) => self.set_room(user, set, responder),
            RoomAction::Archive(RoomArchive { room, archived }) => {
                let actor = Actor::User(user);
                let archive = ArchiveRoom { actor, room: room.clone(), archived };
                self.change_room(archive, room, responder, shown);
            }
        }
    }

    fn list_rooms(&self, user: UserId, list: RoomsAfter, responder: Responder) {
        let RoomsAfter { after, limit, mine } = list;
        let list = ListRooms { actor: Actor::User(user), after, max: limit, mine };
        self.store.read(list, move |found| match found {
            Ok((rooms, more)) => {
                let rooms = rooms.into_iter().map(info).collect();
                answer(responder, RoomReply::List(RoomList { rooms, more }));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    fn show_room(&self, user: UserId, name: RoomName, responder: Responder) {
        let find = FindRoom { actor: Actor::User(user), name: name.clone() };
        self.store.read(find, move |found| match found {
            Ok(Some(room)) => answer(responder, RoomReply::Room(info(room))),
            Ok(None) => responder.answer(refusal(RoomRefused::Unknown, &name)),
            Err(error) => responder.answer(failure(error)),
        });
    }

    fn create_room(self: &Arc<Self>, user: UserId, create: RoomCreate, responder: Responder) {
        let create = creation(Actor::User(user), create);
        let room = create.name.clone();
        if room.is_of_everybody() {
            let why = format!("{}: only an operator makes {room}", Code::RoomExists.message());
            return responder.answer(Refusal::new(Code::RoomExists, why).about([room.to_string()]));
        }
        self.change_room(create, room, responder, shown);
    }

    fn leave_room(self: &Arc<Self>, user: UserId, leave: RoomLeave, responder: Responder) {
        let RoomLeave { room, owner } = leave;
        let leave = LeaveRoom { user, room: room.clone(), owner };
        self.change_room(leave, room, responder, |changed| {
            RoomReply::Left(RoomLeft { room: changed.room.name, left: true })
        });
    }

    fn invite(&self, user: UserId, invite: RoomInvite, responder: Responder) {
        let RoomInvite { room, users } = invite;
        let invite = InviteToRoom { actor: Actor::User(user), room: room.clone(), users };
        self.store.write(invite, move |invited| match invited {
            Ok(Ok(invited)) => {
                answer(responder, RoomReply::Invited(RoomInvited { room, invited }));
            }
            Ok(Err(refused)) => responder.answer(refusal(refused, &room)),
            Err(error) => responder.answer(failure(error)),
        });
    }

    fn kick(self: &Arc<Self>, user: UserId, kick: RoomKick, responder: Responder) {
        let RoomKick { room, user: kicked } = kick;
        let actor = Actor::User(user);
        let kick = KickFromRoom { actor, room: room.clone(), user: kicked.clone() };
        self.change_room(kick, room, responder, |changed| {
            RoomReply::Kicked(RoomKicked { room: changed.room.name, kicked })
        });
    }

    fn list_members(&self, user: UserId, list: MembersAfter, responder: Responder) {
        let MembersAfter { room, after, limit } = list;
        let list = ListMembers { actor: Actor::User(user), room: room.clone(), after, max: limit };
        self.store.read(list, move |found| match found {
            Ok(Ok((members, more))) => {
                let members = members.into_iter().map(member).collect();
                answer(responder, RoomReply::Members(MemberList { members, more }));
            }
            Ok(Err(refused)) => responder.answer(refusal(refused, &room)),
            Err(error) => responder.answer(failure(error)),
        });
    }

    fn set_room(self: &Arc<Self>, user: UserId, set: RoomSet, responder: Responder) {
        let set = setting(Actor::User(user), set);
        let room = set.room.clone();
        self.change_room(set, room, responder, shown);
    }

    /// Executes a change, and has the streams of the users that it touches look again.
    fn change_room<W: EngineWrite<Answer = RoomAnswer<RoomChanged>>>(
        self: &Arc<Self>,
        change: W,
        name: RoomName,
        responder: Responder,
        reply: impl FnOnce(RoomChanged) -> RoomReply + Send + 'static,
    ) {
        let service = Arc::clone(self);
        self.store.write(change, move |changed| match changed {
            Ok(Ok(changed)) => {
                let touched = changed.touched.clone();
                answer(responder, reply(changed));
                touched.into_iter().for_each(|user| service.hub.publish(user));
            }
            Ok(Err(refused)) => responder.answer(refusal(refused, &name)),
            Err(error) => responder.answer(failure(error)),
        });
    }
}

fn answer(responder: Responder, reply: RoomReply) {
    responder.answer(Reply::Room(Box::new(reply)));
}

fn shown(changed: RoomChanged) -> RoomReply {
    RoomReply::Room(info(changed.room))
}

/// The creation that an actor requests.
pub(super) fn creation(actor: Actor, create: RoomCreate) -> CreateRoom {
    let RoomCreate { room, topic, private, posting, history } = create;
    let settings = RoomSettings { topic, is_private: private, posting, history };
    CreateRoom { actor, name: room, settings }
}

/// The change of settings that an actor requests.
pub(super) fn setting(actor: Actor, set: RoomSet) -> SetRoom {
    let RoomSet { room, topic, private, posting, history, role, notify } = set;
    let role = role.map(|of| (of.user, of.role));
    SetRoom { actor, room, topic, is_private: private, posting, history, role, notify }
}

/// A member of a room, as a reply has it.
pub(super) fn member(member: Member) -> MemberInfo {
    let Member { name, display_name, role, joined_after } = member;
    MemberInfo { user: name, display_name, role, joined: joined_after }
}

/// A room, as a reply has it.
pub(super) fn info(room: Room) -> RoomInfo {
    let RoomSettings { topic, is_private, posting, history } = room.settings;
    RoomInfo {
        room: room.name,
        topic,
        private: is_private,
        posting,
        history,
        created: room.created_at,
        members: room.members,
        archived: room.archived_at,
        role: room.own.map(|(role, _)| role),
        notify: room.own.map(|(_, notify)| notify),
        invited: room.is_invited,
        everybody: room.is_of_everybody,
    }
}

/// The refusal of a request about a room.
fn refusal(refused: RoomRefused, room: &RoomName) -> Refusal {
    let code = match refused {
        RoomRefused::Unknown => Code::UnknownRoom,
        RoomRefused::Exists => Code::RoomExists,
        RoomRefused::NotAllowed => Code::NotAllowed,
        RoomRefused::LastOwner => Code::LastOwner,
        RoomRefused::Archived => Code::RoomArchived,
        RoomRefused::OfEverybody => Code::RoomOfEverybody,
        RoomRefused::TooManyInAll => Code::TooManyRooms,
        RoomRefused::TooManyOfUser => {
            let message = format!("you are in {ROOMS_OF_USER_MAX} rooms: leave one first");
            return Refusal::new(Code::TooManyRooms, message);
        }
        RoomRefused::TooManyMemberships => {
            let message = format!("you have had {MEMBERSHIPS_OF_USER_MAX} {MANY_MEMBERSHIPS}");
            return Refusal::new(Code::TooManyRooms, message);
        }
        // Only an operator's request is refused so.
        RoomRefused::ReservedName(_) => Code::Internal,
        RoomRefused::UnknownUsers(names) => {
            let names = names.into_iter().map(|name| name.to_string());
            return Refusal::from(Code::UnknownRecipient).about(names);
        }
    };
    Refusal::from(code).about([room.to_string()])
}
