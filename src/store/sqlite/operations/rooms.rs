//! Changing rooms.

pub(in crate::store) mod importing;
mod listing;

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{History, Notify, Role, RoomId, RoomName, Timestamp, UserId, UserName};
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::operations::{everybody, users};
use crate::store::sqlite::rooms::{self, word};
use crate::store::sqlite::write::context::WriteContext;
use crate::store::types::rooms::{
    Act, Actor, ArchiveRoom, CreateRoom, CreateRoomOfEverybody, InviteToRoom, JoinRoom, Joining,
    KickFromRoom, LeaveRoom, Membership, Others, Place, ROOMS_MAX, RoomAnswer, RoomChanged,
    RoomRefused, RoomSettings, SetRoom, allowed, may_begin_another, may_get_role, may_leave,
};

impl Apply for CreateRoom {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<RoomAnswer<RoomChanged>> {
        let Self { actor, name, settings } = self;
        let connection = context.connection;
        if rooms::id_of(connection, &name)?.is_some() {
            return Ok(Err(RoomRefused::Exists));
        }
        allowed!(may_be_another(connection)?);
        // A refusal undoes nothing, so it comes first.
        if let Actor::User(user) = actor {
            allowed!(may_be_in_another(connection, user)?);
        }
        let room = insert(connection, &name, &settings)?;
        if let Actor::User(user) = actor {
            add(context, user, room, Role::Owner)?;
        }
        changed(context, actor, room, actor.user())
    }
}

impl Apply for CreateRoomOfEverybody {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<RoomAnswer<RoomChanged>> {
        let connection = context.connection;
        if let Some(user) = reserved_name_in_use(connection)? {
            return Ok(Err(RoomRefused::ReservedName(user)));
        }
        let name = RoomName::of_everybody();
        let room = match rooms::id_of(connection, &name)? {
            Some(room) => room,
            None => {
                allowed!(may_be_another(connection)?);
                insert(connection, &name, &RoomSettings::default())?
            }
        };
        let is_new = connection
            .prepare_cached(
                "UPDATE rooms
                    SET is_of_everybody = 1, posting = 'moderators', history = 'joined',
                        topic = CASE WHEN is_private THEN '' ELSE topic END, is_private = 0,
                        archived_at = NULL
                  WHERE id = ?1 AND is_of_everybody = 0",
            )?
            .execute([room.0])?;
        if is_new > 0 {
            connection
                .prepare_cached("UPDATE memberships SET role = 'member' WHERE room_id = ?1")?
                .execute([room.0])?;
            connection
                .prepare_cached("DELETE FROM invitations WHERE room_id = ?1")?
                .execute([room.0])?;
        }
        let touched = everybody::complete(context, None)?;
        changed(context, Actor::Operator, room, touched)
    }
}

impl Apply for JoinRoom {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<RoomAnswer<RoomChanged>> {
        let Self { room: name, joining } = self;
        let connection = context.connection;
        let (actor, user, role) = match joining {
            Joining::Oneself(user) => (Actor::User(user), user, Role::Member),
            Joining::Added(name, role) => match receiver(connection, &name)? {
                Some(user) => (Actor::Operator, user, role),
                None => return Ok(Err(RoomRefused::UnknownUsers(vec![name]))),
            },
        };
        let (room, place) = allowed!(look(connection, actor, &name)?);
        if role_of(connection, room, user)?.is_some() {
            if actor == Actor::Operator {
                set_role(connection, room, user, role)?;
            }
            return changed(context, actor, room, None);
        }
        allowed!(place.may(Act::Join));
        allowed!(may_be_in_another(connection, user)?);
        uninvite(connection, room, user)?;
        add(context, user, room, role)?;
        changed(context, actor, room, Some(user))
    }
}

impl Apply for LeaveRoom {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<RoomAnswer<RoomChanged>> {
        let Self { user, room: name, owner } = self;
        let (connection, actor) = (context.connection, Actor::User(user));
        let (room, place) = allowed!(look(connection, actor, &name)?);
        allowed!(place.may(Act::Leave));
        let owner = match owner {
            None => None,
            Some(name) => {
                allowed!(place.may(Act::Administer));
                match member(connection, room, &name)?.filter(|&owner| owner != user) {
                    None => return Ok(Err(RoomRefused::UnknownUsers(vec![name]))),
                    owner => owner,
                }
            }
        };
        let others = || others(connection, room, user);
        allowed!(may_leave(place.role, owner.is_some(), others)?);
        if let Some(owner) = owner {
            set_role(connection, room, owner, Role::Owner)?;
        }
        end_memberships(context, user, Some(room))?;
        changed(context, actor, room, Some(user))
    }
}

impl Apply for InviteToRoom {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<RoomAnswer<Vec<UserName>>> {
        let Self { actor, room: name, users: names } = self;
        let connection = context.connection;
        let (room, place) = allowed!(look(connection, actor, &name)?);
        allowed!(place.may(Act::Invite));
        let (mut inviting, mut unknown) = (Vec::new(), Vec::new());
        for name in names {
            match receiver(connection, &name)? {
                None => unknown.push(name),
                Some(user) if role_of(connection, room, user)?.is_some() => {}
                Some(user) => inviting.push((user, name)),
            }
        }
        if !unknown.is_empty() {
            return Ok(Err(RoomRefused::UnknownUsers(unknown)));
        }
        let (by, now) = (actor.user().map(|user| user.0), Timestamp::now().0);
        let mut insert = connection.prepare_cached(
            "INSERT INTO invitations (user_id, room_id, invited_by, at) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO NOTHING",
        )?;
        for (user, _) in &inviting {
            insert.execute(params![user.0, room.0, by, now])?;
        }
        context.cache.posters.clear();
        Ok(Ok(inviting.into_iter().map(|(_, name)| name).collect()))
    }
}

impl Apply for KickFromRoom {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<RoomAnswer<RoomChanged>> {
        let Self { actor, room: name, user: kicked } = self;
        let connection = context.connection;
        let (room, place) = allowed!(look(connection, actor, &name)?);
        let user = users::id_of(connection, &kicked)?;
        let role = user.map(|user| role_of(connection, room, user)).transpose()?.flatten();
        allowed!(place.may(Act::Kick(role)));
        let Some(user) = user else { return Ok(Err(RoomRefused::UnknownUsers(vec![kicked]))) };
        uninvite(connection, room, user)?;
        end_memberships(context, user, Some(room))?;
        changed(context, actor, room, Some(user))
    }
}

impl Apply for SetRoom {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<RoomAnswer<RoomChanged>> {
        let Self { actor, room: name, topic, is_private, posting, history, role, notify } = self;
        let connection = context.connection;
        let (room, place) = allowed!(look(connection, actor, &name)?);
        // Everything is decided before anything is changed.
        if topic.is_some() {
            allowed!(place.may(Act::SetTopic));
        }
        if is_private == Some(true) {
            allowed!(place.may(Act::Close));
        }
        if is_private.is_some() || posting.is_some() || history.is_some() || role.is_some() {
            allowed!(place.may(Act::Administer));
        }
        if notify.is_some() {
            allowed!(place.may(Act::OwnMembership));
        }
        if let Some((name, role)) = role {
            let Some(user) = member(connection, room, &name)? else {
                return Ok(Err(RoomRefused::UnknownUsers(vec![name])));
            };
            allowed!(may_get_role(actor, role, || others(connection, room, user))?);
            set_role(connection, room, user, role)?;
        }
        if let Some(topic) = topic {
            let update = "UPDATE rooms SET topic = ?2 WHERE id = ?1";
            connection.prepare_cached(update)?.execute(params![room.0, topic.as_str()])?;
        }
        let (posting, history) = (posting.map(|it| it.as_str()), history.map(|it| it.as_str()));
        connection
            .prepare_cached(
                "UPDATE rooms SET is_private = coalesce(?2, is_private),
                        posting = coalesce(?3, posting), history = coalesce(?4, history)
                  WHERE id = ?1",
            )?
            .execute(params![room.0, is_private, posting, history])?;
        let mut touched = None;
        if let Some(notify) = notify {
            touched = actor.user();
            set_notify(context, room, touched, notify)?;
        }
        changed(context, actor, room, touched)
    }
}

impl Apply for ArchiveRoom {
    const STATEMENTS: Statements = Statements::Several;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<RoomAnswer<RoomChanged>> {
        let (room, place) = allowed!(look(context.connection, self.actor, &self.room)?);
        allowed!(place.may(if self.archived { Act::Close } else { Act::Administer }));
        archive(context.connection, room, self.archived)?;
        changed(context, self.actor, room, None)
    }
}

/// Ends all memberships and invitations of a user who is deleted.
pub(in crate::store) fn remove_from_all(
    context: &mut WriteContext<'_>,
    user: UserId,
) -> rusqlite::Result<()> {
    end_memberships(context, user, None)?;
    context
        .connection
        .prepare_cached("DELETE FROM invitations WHERE user_id = ?1")?
        .execute([user.0])
        .map(drop)
}

/// Whether there may be one more room.
fn may_be_another(connection: &Connection) -> rusqlite::Result<RoomAnswer<()>> {
    let count = "SELECT count(*) FROM rooms";
    let count: u32 = connection.prepare_cached(count)?.query_row([], |row| row.get(0))?;
    Ok(if count as usize >= ROOMS_MAX { Err(RoomRefused::TooManyInAll) } else { Ok(()) })
}

fn insert(
    connection: &Connection,
    name: &RoomName,
    settings: &RoomSettings,
) -> rusqlite::Result<RoomId> {
    let RoomSettings { topic, is_private, posting, history } = settings;
    connection
        .prepare_cached(
            "INSERT INTO rooms (name, topic, is_private, posting, history, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            name.as_str(),
            topic.as_str(),
            is_private,
            posting.as_str(),
            history.as_str(),
            Timestamp::now().0
        ])?;
    Ok(RoomId(connection.last_insert_rowid()))
}

/// A user who is not deleted, and has the name that would be mistaken for that of everybody.
fn reserved_name_in_use(connection: &Connection) -> rusqlite::Result<Option<UserName>> {
    let name = UserName::reserved();
    Ok(receiver(connection, &name)?.map(|_| name))
}

/// A room that the actor sees, and their place in it.
fn look(
    connection: &Connection,
    actor: Actor,
    name: &RoomName,
) -> rusqlite::Result<RoomAnswer<(RoomId, Place)>> {
    let found = rooms::place(connection, actor, name)?;
    Ok(found.filter(|(_, place)| place.sees()).ok_or(RoomRefused::Unknown))
}

/// The user who can be invited under this name.
fn receiver(connection: &Connection, name: &UserName) -> rusqlite::Result<Option<UserId>> {
    connection
        .prepare_cached("SELECT id FROM users WHERE name = ?1 AND deleted_at IS NULL")?
        .query_row([name.as_str()], |row| row.get(0).map(UserId))
        .optional()
}

/// The member who has this name.
fn member(
    connection: &Connection,
    room: RoomId,
    name: &UserName,
) -> rusqlite::Result<Option<UserId>> {
    let Some(user) = users::id_of(connection, name)? else { return Ok(None) };
    Ok(role_of(connection, room, user)?.map(|_| user))
}

/// The role of a member.
fn role_of(connection: &Connection, room: RoomId, user: UserId) -> rusqlite::Result<Option<Role>> {
    connection
        .prepare_cached(
            "SELECT role FROM memberships
              WHERE user_id = ?1 AND room_id = ?2 AND left_upto IS NULL",
        )?
        .query_row([user.0, room.0], |row| word(row, 0))
        .optional()
}

/// Who is in the room beside this user.
fn others(connection: &Connection, room: RoomId, user: UserId) -> rusqlite::Result<Others> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM memberships
                             WHERE room_id = ?1 AND left_upto IS NULL AND user_id <> ?2),
                    EXISTS (SELECT 1 FROM memberships
                             WHERE room_id = ?1 AND left_upto IS NULL AND user_id <> ?2
                               AND role = 'owner')",
        )?
        .query_row([room.0, user.0], |row| {
            Ok(Others { has_member: row.get(0)?, has_owner: row.get(1)? })
        })
}

/// Whether the user may be a member of one more room. That of everybody does not count.
fn may_be_in_another(connection: &Connection, user: UserId) -> rusqlite::Result<RoomAnswer<()>> {
    let (ever, now): (u32, u32) = connection
        .prepare_cached(
            "SELECT count(*), count(*) FILTER (WHERE left_upto IS NULL)
               FROM memberships
              WHERE user_id = ?1
                AND room_id NOT IN (SELECT id FROM rooms
                                      WHERE name = '#all' AND is_of_everybody = 1)",
        )?
        .query_row([user.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(may_begin_another(now as usize, ever as usize))
}

/// Begins a membership. If nothing was sent since the user left, the last one goes on instead: it
/// lets the user read the same messages.
pub(in crate::store) fn add(
    context: &mut WriteContext<'_>,
    user: UserId,
    room: RoomId,
    role: Role,
) -> rusqlite::Result<()> {
    let newest = context.newest()?;
    let connection = context.connection;
    let history: History = connection
        .prepare_cached("SELECT history FROM rooms WHERE id = ?1")?
        .query_row([room.0], |row| word(row, 0))?;
    let sees_after = Membership::sees_after(newest, history);
    let (role, notify) = (role.as_str(), Notify::default().as_str());
    let gone_on = connection
        .prepare_cached(
            "UPDATE memberships
                SET left_upto = NULL, sees_after = min(sees_after, ?4), role = ?5, notify = ?6
              WHERE user_id = ?1 AND room_id = ?2 AND left_upto = ?3",
        )?
        .execute(params![user.0, room.0, newest.0, sees_after.0, role, notify])?;
    if gone_on == 0 {
        connection
            .prepare_cached(
                "INSERT INTO memberships
                     (user_id, room_id, joined_after, sees_after, role, notify)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![user.0, room.0, newest.0, sees_after.0, role, notify])?;
    }
    context.change_memberships(user);
    Ok(())
}

/// Ends a user's membership of a room, or all of them. The last member archives a room by that, but
/// not the room of everybody.
fn end_memberships(
    context: &mut WriteContext<'_>,
    user: UserId,
    room: Option<RoomId>,
) -> rusqlite::Result<()> {
    let newest = context.newest()?;
    let (connection, room) = (context.connection, room.map(|room| room.0));
    connection
        .prepare_cached(
            "UPDATE rooms SET archived_at = coalesce(archived_at, ?3)
              WHERE is_of_everybody = 0
                AND id IN (SELECT p.room_id FROM memberships p
                            WHERE p.user_id = ?1 AND p.left_upto IS NULL
                              AND (?2 IS NULL OR p.room_id = ?2))
                AND NOT EXISTS (SELECT 1 FROM memberships o
                                 WHERE o.room_id = rooms.id AND o.left_upto IS NULL
                                   AND o.user_id <> ?1)",
        )?
        .execute(params![user.0, room, Timestamp::now().0])?;
    let ended = connection
        .prepare_cached(
            "UPDATE memberships SET left_upto = ?3
              WHERE user_id = ?1 AND left_upto IS NULL AND (?2 IS NULL OR room_id = ?2)",
        )?
        .execute(params![user.0, room, newest.0])?;
    if ended > 0 {
        context.change_memberships(user);
    }
    Ok(())
}

fn uninvite(connection: &Connection, room: RoomId, user: UserId) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM invitations WHERE user_id = ?1 AND room_id = ?2")?
        .execute([user.0, room.0])
        .map(drop)
}

fn set_role(
    connection: &Connection,
    room: RoomId,
    user: UserId,
    role: Role,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE memberships SET role = ?3
              WHERE user_id = ?1 AND room_id = ?2 AND left_upto IS NULL",
        )?
        .execute(params![user.0, room.0, role.as_str()])
        .map(drop)
}

fn set_notify(
    context: &mut WriteContext<'_>,
    room: RoomId,
    user: Option<UserId>,
    notify: Notify,
) -> rusqlite::Result<()> {
    let Some(user) = user else { return Ok(()) };
    context
        .connection
        .prepare_cached(
            "UPDATE memberships SET notify = ?3
              WHERE user_id = ?1 AND room_id = ?2 AND left_upto IS NULL",
        )?
        .execute(params![user.0, room.0, notify.as_str()])?;
    context.change_memberships(user);
    Ok(())
}

/// Archives a room, or opens it again. An archived one keeps its time.
fn archive(connection: &Connection, room: RoomId, archived: bool) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE rooms SET archived_at = CASE WHEN ?2 THEN coalesce(archived_at, ?3) END
              WHERE id = ?1",
        )?
        .execute(params![room.0, archived, Timestamp::now().0])
        .map(drop)
}

/// The answer to a change that was made. The writer forgets what it remembered of rooms.
fn changed(
    context: &mut WriteContext<'_>,
    actor: Actor,
    room: RoomId,
    touched: impl IntoIterator<Item = UserId>,
) -> rusqlite::Result<RoomAnswer<RoomChanged>> {
    context.cache.posters.clear();
    let room = listing::show(context.connection, actor, room)?;
    let room = room.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Ok(Ok(RoomChanged { room, touched: touched.into_iter().collect() }))
}
