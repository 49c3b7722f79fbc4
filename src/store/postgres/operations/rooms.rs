//! Changing rooms.

pub(in crate::store) mod importing;
pub(in crate::store) mod listing;
pub(in crate::store) mod members;

use crate::model::{Role, RoomId, RoomName, UserId, UserName};
use crate::store::postgres::append::LANE;
use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::operation::{Apply, WriteContext};
use crate::store::postgres::operations::{everybody, users};
use crate::store::postgres::places::{Placed, find_place};
use crate::store::postgres::session::Session;
use crate::store::types::rooms::{
    Act, Actor, ArchiveRoom, CreateRoom, CreateRoomOfEverybody, InviteToRoom, JoinRoom, Joining,
    KickFromRoom, LeaveRoom, ROOMS_MAX, RoomAnswer, RoomChanged, RoomRefused, RoomSettings,
    SetRoom, allowed, may_get_role, may_leave,
};

impl Apply for CreateRoom {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<RoomAnswer<RoomChanged>> {
        let Self { actor, name, settings } = self;
        let session = &mut *context.session;
        if find_place(session, *actor, name)?.is_some() {
            return Ok(Err(RoomRefused::Exists));
        }
        allowed!(may_be_another(session)?);
        if let Actor::User(user) = actor {
            allowed!(members::may_be_in_another(session, *user)?);
        }
        let room = insert(session, name, settings)?;
        if let Actor::User(user) = actor {
            members::add(session, *user, room, Role::Owner)?;
        }
        changed(session, *actor, room, actor.user())
    }
}

impl Apply for CreateRoomOfEverybody {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<RoomAnswer<RoomChanged>> {
        let session = &mut *context.session;
        let (name, reserved) = (RoomName::of_everybody(), UserName::reserved());
        if users::resolve(session, &reserved)?.is_some() {
            return Ok(Err(RoomRefused::ReservedName(reserved)));
        }
        let room = match find_place(session, Actor::Operator, &name)? {
            Some((room, _)) => room,
            None => {
                allowed!(may_be_another(session)?);
                insert(session, &name, &RoomSettings::default())?
            }
        };
        let is_new = session.execute(
            "UPDATE chat.rooms
                SET is_of_everybody = true, posting = 'moderators', history = 'joined',
                    topic = CASE WHEN is_private THEN '' ELSE topic END, is_private = false,
                    archived_at = NULL
              WHERE id = $1 AND NOT is_of_everybody",
            &[&room.0],
        )?;
        if is_new > 0 {
            let demote = "UPDATE chat.memberships SET role = 'member' WHERE room_id = $1";
            session.execute(demote, &[&room.0])?;
            session.execute("DELETE FROM chat.invitations WHERE room_id = $1", &[&room.0])?;
            note(session, None)?;
        }
        let touched = complete_everybody(session)?;
        answer(session, Actor::Operator, room, touched)
    }
}

impl Apply for JoinRoom {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<RoomAnswer<RoomChanged>> {
        let session = &mut *context.session;
        let (actor, user, role) = match &self.joining {
            Joining::Oneself(user) => (Actor::User(*user), *user, Role::Member),
            Joining::Added(name, role) => match users::resolve(session, name)? {
                Some(user) => (Actor::Operator, user, *role),
                None => return Ok(Err(RoomRefused::UnknownUsers(vec![name.clone()]))),
            },
        };
        let (room, place) = allowed!(look(session, actor, &self.room)?);
        if members::role_of(session, room, user)?.is_some() {
            if actor != Actor::Operator {
                return answer(session, actor, room, None);
            }
            members::set_role(session, room, user, role)?;
            return changed(session, actor, room, None);
        }
        allowed!(place.may(Act::Join));
        allowed!(members::may_be_in_another(session, user)?);
        members::uninvite(session, room, user)?;
        members::add(session, user, room, role)?;
        changed(session, actor, room, Some(user))
    }
}

impl Apply for LeaveRoom {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<RoomAnswer<RoomChanged>> {
        let (session, user) = (&mut *context.session, self.user);
        let actor = Actor::User(user);
        let (room, place) = allowed!(look(session, actor, &self.room)?);
        allowed!(place.may(Act::Leave));
        let owner = match &self.owner {
            None => None,
            Some(name) => {
                allowed!(place.may(Act::Administer));
                match member(session, room, name)?.filter(|&owner| owner != user) {
                    None => return Ok(Err(RoomRefused::UnknownUsers(vec![name.clone()]))),
                    owner => owner,
                }
            }
        };
        let others = || members::others(session, room, user);
        allowed!(may_leave(place.role, owner.is_some(), others)?);
        if let Some(owner) = owner {
            members::set_role(session, room, owner, Role::Owner)?;
        }
        members::end(session, user, Some(room))?;
        changed(session, actor, room, Some(user))
    }
}

impl Apply for InviteToRoom {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<RoomAnswer<Vec<UserName>>> {
        let Self { actor, room, users } = self;
        let session = &mut *context.session;
        let (room, place) = allowed!(look(session, *actor, room)?);
        allowed!(place.may(Act::Invite));
        let (mut ids, mut invited, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        for name in users {
            match users::resolve(session, name)? {
                None => unknown.push(name.clone()),
                Some(user) if members::role_of(session, room, user)?.is_some() => {}
                Some(user) => {
                    ids.push(user.0);
                    invited.push(name.clone());
                }
            }
        }
        if !unknown.is_empty() {
            return Ok(Err(RoomRefused::UnknownUsers(unknown)));
        }
        session.execute(
            "INSERT INTO chat.invitations (user_id, room_id, invited_by, at)
             SELECT i.user_id, $2, $3, chat.now_ms() FROM unnest($1::bigint[]) AS i (user_id)
                 ON CONFLICT DO NOTHING",
            &[&ids, &room.0, &actor.user().map(|user| user.0)],
        )?;
        note(session, None)?;
        Ok(Ok(invited))
    }
}

impl Apply for KickFromRoom {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<RoomAnswer<RoomChanged>> {
        let session = &mut *context.session;
        let (room, place) = allowed!(look(session, self.actor, &self.room)?);
        let user = users::id_of(session, &self.user)?;
        let role = match user {
            Some(user) => members::role_of(session, room, user)?,
            None => None,
        };
        allowed!(place.may(Act::Kick(role)));
        let Some(user) = user else {
            return Ok(Err(RoomRefused::UnknownUsers(vec![self.user.clone()])));
        };
        members::uninvite(session, room, user)?;
        members::end(session, user, Some(room))?;
        changed(session, self.actor, room, Some(user))
    }
}

impl Apply for SetRoom {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<RoomAnswer<RoomChanged>> {
        let Self { actor, room, topic, is_private, posting, history, role, notify } = self;
        let session = &mut *context.session;
        let (room, place) = allowed!(look(session, *actor, room)?);
        // Everything is decided before anything is changed.
        if topic.is_some() {
            allowed!(place.may(Act::SetTopic));
        }
        if *is_private == Some(true) {
            allowed!(place.may(Act::Close));
        }
        if is_private.is_some() || posting.is_some() || history.is_some() || role.is_some() {
            allowed!(place.may(Act::Administer));
        }
        if notify.is_some() {
            allowed!(place.may(Act::OwnMembership));
        }
        if let Some((name, role)) = role {
            let Some(user) = member(session, room, name)? else {
                return Ok(Err(RoomRefused::UnknownUsers(vec![name.clone()])));
            };
            allowed!(may_get_role(*actor, *role, || members::others(session, room, user))?);
            members::set_role(session, room, user, *role)?;
        }
        session.execute(
            "UPDATE chat.rooms
                SET topic = coalesce($2, topic), is_private = coalesce($3, is_private),
                    posting = coalesce($4, posting), history = coalesce($5, history)
              WHERE id = $1",
            &[
                &room.0,
                &topic.as_ref().map(|topic| topic.as_str()),
                is_private,
                &posting.map(|posting| posting.as_str()),
                &history.map(|history| history.as_str()),
            ],
        )?;
        let touched = actor.user().filter(|_| notify.is_some());
        if let (Some(user), Some(notify)) = (touched, notify) {
            members::set_notify(session, room, user, *notify)?;
        }
        changed(session, *actor, room, touched)
    }
}

impl Apply for ArchiveRoom {
    fn apply(&self, context: &mut WriteContext<'_>) -> Result<RoomAnswer<RoomChanged>> {
        let session = &mut *context.session;
        let (room, place) = allowed!(look(session, self.actor, &self.room)?);
        allowed!(place.may(if self.archived { Act::Close } else { Act::Administer }));
        archive(session, room, self.archived)?;
        changed(session, self.actor, room, None)
    }
}

/// Makes those users members of the room of everybody who are not, and notes it for every node.
pub(in crate::store) fn complete_everybody(session: &mut Session) -> Result<Vec<UserId>> {
    let touched = everybody::complete(session, None)?;
    let users: Vec<i64> = touched.iter().map(|user| user.0).collect();
    session.query_one("SELECT chat.note_changes($1, 'room', $2)", &[&LANE, &users])?;
    Ok(touched)
}

/// Whether there may be one more room.
fn may_be_another(session: &mut Session) -> Result<RoomAnswer<()>> {
    let row = session.query_one("SELECT count(*) FROM chat.rooms", &[])?;
    let is_full = usize::try_from(row.get::<_, i64>(0)).is_ok_and(|count| count >= ROOMS_MAX);
    Ok(if is_full { Err(RoomRefused::TooManyInAll) } else { Ok(()) })
}

fn insert(session: &mut Session, name: &RoomName, settings: &RoomSettings) -> Result<RoomId> {
    let row = session.query_one(
        "INSERT INTO chat.rooms (id, name, topic, is_private, posting, history, created_at)
         VALUES (chat.next_number($6, 'rooms'), $1, $2, $3, $4, $5, chat.now_ms())
         RETURNING id",
        &[
            &name.as_str(),
            &settings.topic.as_str(),
            &settings.is_private,
            &settings.posting.as_str(),
            &settings.history.as_str(),
            &LANE,
        ],
    )?;
    Ok(RoomId(row.get(0)))
}

/// A room that the actor sees, and their place in it.
fn look(session: &mut Session, actor: Actor, name: &RoomName) -> Result<RoomAnswer<Placed>> {
    let found = find_place(session, actor, name)?;
    Ok(found.filter(|(_, place)| place.sees()).ok_or(RoomRefused::Unknown))
}

/// The member who has this name.
fn member(session: &mut Session, room: RoomId, name: &UserName) -> Result<Option<UserId>> {
    let Some(user) = users::id_of(session, name)? else { return Ok(None) };
    Ok(members::role_of(session, room, user)?.map(|_| user))
}

/// Archives a room, or opens it again. An archived one keeps its time.
fn archive(session: &mut Session, room: RoomId, archived: bool) -> Result<()> {
    session.execute(
        "UPDATE chat.rooms
            SET archived_at = CASE WHEN $2 THEN coalesce(archived_at, chat.now_ms()) END
          WHERE id = $1",
        &[&room.0, &archived],
    )?;
    Ok(())
}

/// Notes for every node that a room has changed, and what this user gets of it.
pub(in crate::store) fn note(session: &mut Session, touched: Option<UserId>) -> Result<()> {
    let user = touched.map(|user| user.0);
    session.query_one("SELECT chat.note_change($1, 'room', $2, NULL)", &[&LANE, &user]).map(drop)
}

/// The answer to a change that was made.
fn changed(
    session: &mut Session,
    actor: Actor,
    room: RoomId,
    touched: Option<UserId>,
) -> Result<RoomAnswer<RoomChanged>> {
    note(session, touched)?;
    answer(session, actor, room, touched)
}

fn answer(
    session: &mut Session,
    actor: Actor,
    room: RoomId,
    touched: impl IntoIterator<Item = UserId>,
) -> Result<RoomAnswer<RoomChanged>> {
    let room = listing::show(session, actor, room)?.ok_or(Error::Unexpected("the room is gone"))?;
    Ok(Ok(RoomChanged { room, touched: touched.into_iter().collect() }))
}
