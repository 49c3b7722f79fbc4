//! Rooms: their members, what they receive, and refusals.

use super::*;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Member,
    Owner,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Notify {
    All,
    Mentions,
    None,
}

impl Notify {
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Mentions => "mentions",
            Self::None => "none",
        }
    }
}

/// A room as it should be.
pub(super) struct Room {
    is_private: bool,
    /// New members may read what was sent before.
    shows_all: bool,
    is_archived: bool,
    members: BTreeMap<&'static str, Role>,
    invited: BTreeSet<&'static str>,
    /// The end of the log when former members have left.
    left: BTreeMap<&'static str, usize>,
    /// The setting of each user's newest membership.
    notify: BTreeMap<&'static str, Notify>,
}

impl Room {
    pub(super) fn members(&self) -> BTreeSet<&'static str> {
        self.members.keys().copied().collect()
    }

    /// Whether a message of others counts as unread for a user who got it.
    pub(super) fn wants(&self, user: &str, body: &str) -> bool {
        match self.notify.get(user) {
            Some(Notify::All) => true,
            Some(Notify::Mentions) => mentions(body, user),
            Some(Notify::None) | None => false,
        }
    }

    /// Whether a user was not yet out of the room when something happened.
    pub(super) fn was_in(&self, user: &str, at: usize) -> bool {
        self.left.get(user).is_none_or(|left| at <= *left)
    }

    pub(super) fn is_owner(&self, user: &str) -> bool {
        self.members.get(user) == Some(&Role::Owner)
    }

    /// Why a user who sees the room cannot post there.
    pub(super) fn refusal_to_post(&self, user: &str) -> Option<&'static str> {
        match self.members.contains_key(user) {
            false => Some("not_allowed"),
            true => self.is_archived.then_some("room_archived"),
        }
    }

    pub(super) fn is_muted(&self, user: &str) -> bool {
        self.notify.get(user).is_none_or(|notify| *notify == Notify::None)
    }

    fn sees(&self, user: &str) -> bool {
        !self.is_private || self.members.contains_key(user) || self.invited.contains(user)
    }

    fn is_last_owner(&self, user: &str) -> bool {
        let is_other = |(other, role): (&&str, &Role)| *other != user && *role == Role::Owner;
        self.members.get(user) == Some(&Role::Owner) && !self.members.iter().any(is_other)
    }

    fn join(&mut self, user: &'static str, role: Role) {
        self.members.insert(user, role);
        self.left.remove(user);
        self.notify.insert(user, Notify::All);
        self.invited.remove(user);
    }
}

/// Whether a text that the model made mentions a user.
pub(super) fn mentions(body: &str, user: &str) -> bool {
    body.ends_with(&format!(" @{user}"))
}

impl Model {
    /// Why a user cannot read a conversation.
    pub(super) fn refusal_to_read(&self, user: &str, with: &str) -> Option<&'static str> {
        if !with.starts_with('#') {
            return None;
        }
        match self.rooms.get(with) {
            Some(room) if room.notify.contains_key(user) => None,
            Some(room) if room.sees(user) => Some("not_allowed"),
            _ => Some("unknown_room"),
        }
    }
}

impl Run {
    pub(super) fn room(&mut self) -> &'static str {
        self.pick(&ROOMS)
    }

    pub(super) fn post_to_room(&mut self) {
        let (Session { user, token }, to, mut body) = (self.session(), self.room(), self.body());
        if self.random.below(3) == 0 {
            body = format!("{body} @{}", self.user());
        }
        let mut arguments = json!({"to": [to], "body": body});
        if self.random.below(4) == 0 {
            body.insert_str(0, EXPIRED);
            arguments = json!({"to": [to], "body": body, "expires": "2026-01-01T09:00:00Z"});
        }
        let line = format!("post {token} {arguments}");
        let refused = match self.model.rooms.get(to) {
            Some(room) if !room.sees(user) => "unknown_recipient",
            Some(room) => match room.refusal_to_post(user) {
                Some(refused) => refused,
                None => {
                    let reply = self.wire.done(line);
                    let id = self.model.append(user, to, &body);
                    return assert_eq!(reply["sent"], json!([{"to": to, "id": id}]));
                }
            },
            None => "unknown_recipient",
        };
        assert_eq!(self.wire.refused(line), refused);
    }

    pub(super) fn change_room(&mut self) {
        match self.random.below(14) {
            0..=2 => self.create_room(),
            3..=6 => self.join_room(),
            7 => self.leave_room(),
            8 => self.kick(),
            9..=10 => self.invite(),
            11..=12 => self.set_notify(),
            _ => self.archive(),
        }
    }

    fn create_room(&mut self) {
        let (Session { user, token }, name) = (self.session(), self.room());
        let (is_private, shows_all) = (self.random.below(2) == 0, self.random.below(2) == 0);
        let history = if shows_all { "all" } else { "joined" };
        let fields = json!({"room": name, "private": is_private, "history": history});
        let line = format!("room_create {token} {fields}");
        if self.model.rooms.contains_key(name) {
            return assert_eq!(self.wire.refused(line), "room_exists");
        }
        let reply = self.wire.done(line);
        assert_eq!((&reply["members"], &reply["role"]), (&json!(1), &json!("owner")));
        let mut room = Room {
            is_private,
            shows_all,
            is_archived: false,
            members: BTreeMap::new(),
            invited: BTreeSet::new(),
            left: BTreeMap::new(),
            notify: BTreeMap::new(),
        };
        room.join(user, Role::Owner);
        self.model.rooms.insert(name, room);
    }

    /// The room, if the user sees it; otherwise checks that the request is refused.
    fn see(&mut self, user: &str, name: &str, line: &str) -> Option<&mut Room> {
        let is_seen = self.model.rooms.get(name).is_some_and(|room| room.sees(user));
        if !is_seen {
            assert_eq!(self.wire.refused(line), "unknown_room");
        }
        self.model.rooms.get_mut(name).filter(|_| is_seen)
    }

    fn join_room(&mut self) {
        let (Session { user, token }, name) = (self.session(), self.room());
        let line = format!("room_join {token} {}", json!({"room": name}));
        let Some(room) = self.see(user, name, &line) else { return };
        let is_member = room.members.contains_key(user);
        if !is_member && room.is_archived {
            return assert_eq!(self.wire.refused(line), "room_archived");
        }
        if !is_member {
            room.join(user, Role::Member);
        }
        let (members, shows_all) = (room.members.len(), room.shows_all);
        assert_eq!(self.wire.done(line)["members"], members);
        if !is_member && shows_all {
            let of_room = self.model.log.iter_mut().filter(|message| message.to == name);
            of_room.for_each(|message| message.readers.extend([user]));
        }
    }

    /// An owner who is the last one names another member, or is refused.
    fn leave_room(&mut self) {
        let (Session { user, token }, name, heir) = (self.session(), self.room(), self.user());
        let names_heir = self.random.below(2) == 0;
        let mut fields = json!({"room": name});
        if names_heir {
            fields["owner"] = json!(heir);
        }
        let line = format!("room_leave {token} {fields}");
        let newest = self.model.log.len();
        let Some(room) = self.see(user, name, &line) else { return };
        let Some(&role) = room.members.get(user) else {
            return assert_eq!(self.wire.refused(line), "not_allowed");
        };
        let is_heir = heir != user && room.members.contains_key(heir);
        let is_last = room.members.len() == 1;
        let refused = match names_heir {
            true if role != Role::Owner => Some("not_allowed"),
            true if !is_heir => Some("unknown_recipient"),
            false if !is_last && room.is_last_owner(user) => Some("last_owner"),
            _ => None,
        };
        if let Some(refused) = refused {
            return assert_eq!(self.wire.refused(line), refused);
        }
        if names_heir {
            room.members.insert(heir, Role::Owner);
        }
        room.members.remove(user);
        room.left.insert(user, newest);
        room.is_archived |= is_last;
        assert_eq!(self.wire.done(line)["left"], true);
    }

    fn kick(&mut self) {
        let (Session { user, token }, name, other) = (self.session(), self.room(), self.user());
        let line = format!("room_kick {token} {}", json!({"room": name, "user": other}));
        let newest = self.model.log.len();
        let Some(room) = self.see(user, name, &line) else { return };
        let is_owner = |user| room.members.get(user) == Some(&Role::Owner);
        if !is_owner(user) || is_owner(other) {
            return assert_eq!(self.wire.refused(line), "not_allowed");
        }
        if room.members.remove(other).is_some() {
            room.left.insert(other, newest);
        }
        room.invited.remove(other);
        assert_eq!(self.wire.done(line)["kicked"], other);
    }

    fn invite(&mut self) {
        let (Session { user, token }, name, other) = (self.session(), self.room(), self.user());
        let line = format!("room_invite {token} {}", json!({"room": name, "users": [other]}));
        let Some(room) = self.see(user, name, &line) else { return };
        let least = if room.is_private { Role::Owner } else { Role::Member };
        if room.members.get(user) < Some(&least) {
            return assert_eq!(self.wire.refused(line), "not_allowed");
        }
        if room.is_archived {
            return assert_eq!(self.wire.refused(line), "room_archived");
        }
        let is_new = !room.members.contains_key(other);
        if is_new {
            room.invited.insert(other);
        }
        let invited = if is_new { json!([other]) } else { json!([]) };
        assert_eq!(self.wire.done(line)["invited"], invited);
    }

    fn set_notify(&mut self) {
        let (Session { user, token }, name) = (self.session(), self.room());
        let notify = self.pick(&[Notify::All, Notify::Mentions, Notify::None]);
        let fields = json!({"room": name, "notify": notify.name()});
        let line = format!("room_set {token} {fields}");
        let Some(room) = self.see(user, name, &line) else { return };
        if !room.members.contains_key(user) {
            return assert_eq!(self.wire.refused(line), "not_allowed");
        }
        room.notify.insert(user, notify);
        assert_eq!(self.wire.done(line)["notify"], notify.name());
    }

    /// Archives a room, or more often opens it again.
    fn archive(&mut self) {
        let (Session { user, token }, name) = (self.session(), self.room());
        let archived = self.random.below(3) == 0;
        let fields = json!({"room": name, "archived": archived});
        let line = format!("room_archive {token} {fields}");
        let Some(room) = self.see(user, name, &line) else { return };
        if room.members.get(user) != Some(&Role::Owner) {
            return assert_eq!(self.wire.refused(line), "not_allowed");
        }
        room.is_archived = archived;
        assert_eq!(self.wire.done(line).get("archived").is_some(), archived);
    }
}
