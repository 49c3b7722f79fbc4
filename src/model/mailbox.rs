//! Mailboxes: what a message is sent to. A user has one, and so has a room.

use std::fmt;
use std::str::FromStr;

use arrayvec::ArrayString;

use super::{Invalid, USER_NAME_BYTES_MAX, UserId, UserName, check_length};

/// The longest name of a room, in bytes, with the `#` at its beginning.
pub const ROOM_NAME_BYTES_MAX: usize = USER_NAME_BYTES_MAX + 1;

/// The room of everybody, which only an operator makes.
const OF_EVERYBODY: &str = "#all";
/// Another name of the room of everybody, which needs no quotes in a shell.
pub const AT_ALL: &str = "@all";

/// The name of a room: `#`, and 1 to 32 of `a-z`, `0-9`, `_` and `-`. It is stored inline, as user
/// names are. `@all` is another name of `#all`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(ArrayString<ROOM_NAME_BYTES_MAX>);

impl RoomName {
    /// The name of the room of everybody. A room of an older database may have it, too.
    pub fn of_everybody() -> Self {
        let mut name = ArrayString::new();
        name.push_str(OF_EVERYBODY);
        Self(name)
    }

    /// Whether it is [`Self::of_everybody`].
    pub fn is_of_everybody(&self) -> bool {
        self.as_str() == OF_EVERYBODY
    }

    /// The name as text, with the `#`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The room that has the name of this user, with a `#`.
    pub fn of_user(name: &UserName) -> Self {
        let mut text = ArrayString::new();
        text.push('#');
        text.push_str(name.as_str());
        Self(text)
    }

    /// The name as text, without the `#`.
    pub fn without_sign(&self) -> &str {
        &self.0[1..]
    }
}

impl FromStr for RoomName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_length(text, ROOM_NAME_BYTES_MAX)?;
        if text == AT_ALL {
            return Ok(Self::of_everybody());
        }
        let name = text.strip_prefix('#').ok_or(Invalid::Character)?;
        name.parse::<UserName>()?;
        let max = ROOM_NAME_BYTES_MAX;
        ArrayString::from(text).map(Self).map_err(|_| Invalid::TooLong { max })
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for RoomName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The name of a mailbox: a user's name, or a room's, which begins with `#`, or is `@all`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MailboxName {
    /// A user's mailbox.
    User(UserName),
    /// A room's mailbox.
    Room(RoomName),
}

impl MailboxName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::User(name) => name.as_str(),
            Self::Room(name) => name.as_str(),
        }
    }

    /// The user's name; `None` for a room.
    pub fn user(&self) -> Option<&UserName> {
        match self {
            Self::User(name) => Some(name),
            Self::Room(_) => None,
        }
    }

    /// The room's name; `None` for a user.
    pub fn room(&self) -> Option<&RoomName> {
        match self {
            Self::User(_) => None,
            Self::Room(name) => Some(name),
        }
    }
}

impl From<UserName> for MailboxName {
    fn from(name: UserName) -> Self {
        Self::User(name)
    }
}

impl From<RoomName> for MailboxName {
    fn from(name: RoomName) -> Self {
        Self::Room(name)
    }
}

impl PartialEq<UserName> for MailboxName {
    fn eq(&self, name: &UserName) -> bool {
        self.user() == Some(name)
    }
}

impl FromStr for MailboxName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.starts_with(['#', '@']) {
            text.parse().map(Self::Room)
        } else {
            text.parse().map(Self::User)
        }
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for MailboxName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A room's number in the store: 1 or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomId(pub i64);

/// A mailbox's number in the store: the number of its user, or the negative number of its room. So
/// a message names its mailbox in one column, and a user's mailbox is found without a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub i64);

impl MailboxId {
    /// The user whose mailbox it is; `None` for a room.
    pub fn user(self) -> Option<UserId> {
        (self.0 > 0).then_some(UserId(self.0))
    }

    /// The room whose mailbox it is; `None` for a user.
    pub fn room(self) -> Option<RoomId> {
        (self.0 < 0).then_some(RoomId(-self.0))
    }
}

impl From<UserId> for MailboxId {
    fn from(user: UserId) -> Self {
        Self(user.0)
    }
}

impl From<RoomId> for MailboxId {
    fn from(room: RoomId) -> Self {
        Self(-room.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailbox_name_is_a_user_name_or_a_room_name_after_a_hash() {
        let longest = "x".repeat(USER_NAME_BYTES_MAX);
        for name in ["build", "a", "on-call_7", &longest] {
            assert!(matches!(name.parse(), Ok(MailboxName::User(_))), "{name}");
            let room = format!("#{name}");
            assert_eq!(room.parse::<RoomName>().unwrap().as_str(), room);
            assert!(matches!(room.parse(), Ok(MailboxName::Room(_))), "{room}");
        }
        for bad in ["#", "##a", "#Build", "#a b", "a#", "@", "@neko", "#@all", "@all ", "@ALL"] {
            assert!(bad.parse::<MailboxName>().is_err(), "{bad:?} is accepted");
        }
        assert!(format!("#{longest}x").parse::<MailboxName>().is_err());
    }

    #[test]
    fn at_all_is_the_room_of_everybody() {
        let room = RoomName::of_everybody();
        assert_eq!("@all".parse(), Ok(MailboxName::Room(room.clone())));
        assert_eq!("#all".parse(), Ok(MailboxName::Room(room.clone())));
        assert_eq!("all".parse::<MailboxName>().unwrap().room(), None);
        assert!(room.is_of_everybody() && room.as_str() == "#all");
        assert!("all".parse::<UserName>().unwrap().is_reserved());
    }

    #[test]
    fn mailbox_number_is_of_a_user_or_of_a_room() {
        let (user, room) = (UserId(7), RoomId(7));
        assert_ne!(MailboxId::from(user), MailboxId::from(room));
        assert_eq!(
            (MailboxId::from(user).user(), MailboxId::from(user).room()),
            (Some(user), None)
        );
        assert_eq!(
            (MailboxId::from(room).user(), MailboxId::from(room).room()),
            (None, Some(room))
        );
    }
}
