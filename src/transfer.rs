//! The format of `export` and `import`: one JSON object per line. It also defines the steps of an
//! import. This module does not depend on SQL or sockets.

use serde::{Deserialize, Deserializer, Serialize};

use crate::model::{
    Body, CursorName, Details, History, Key, MailboxName, MessageId, Notify, Posting, Role,
    RoomName, StatusText, Timestamp, Topic, UserName,
};

/// The name of the format.
pub const FORMAT: &str = "chat-export";
/// The version of the format. An import refuses a higher one.
pub const VERSION: u32 = 2;
/// The version of an export without rooms, marks, blocks and settings of users, which older programs
/// import, too.
pub const VERSION_WITHOUT_ROOMS: u32 = 1;
/// The longest line, in bytes: a text of 32 KiB and all details with every byte escaped, and the
/// fields around them.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// The first line.
    Header(Header),
    /// A user. It comes before every line that names the user.
    User(User),
    /// A room. It comes before every line that names the room.
    Room(Room),
    /// A user's membership of a room. It comes before the first message.
    Membership(Membership),
    /// A user's invitation to a room. It comes before the first message.
    Invitation(Invitation),
    /// A user's position in the message log.
    Cursor(Cursor),
    /// How far a user has read a conversation, beyond the cursor `inbox`.
    Mark(Mark),
    /// Whom a user blocks. It comes before the first message.
    Block(Block),
    /// One recipient's copy of a message. Messages come in the order of their ids.
    Message(Message),
}

/// Identifies the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always [`FORMAT`].
    pub format: String,
    /// At most [`VERSION`].
    pub version: u32,
    /// The highest message id that the database has assigned.
    pub newest: MessageId,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name that the user logs in with.
    pub name: UserName,
    /// The name that people use for the user.
    pub display_name: String,
    /// When the user was created.
    pub created_at: Timestamp,
    /// Since when the user is disabled and cannot log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Since when the user is deleted. Only the name and the messages remain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Nobody sees what the user has read, and the user sees of nobody what they have read. An export
    /// of one user does not say it of others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub receipts_off: bool,
    /// What the user does now. An export of one user does not say it of others.
    #[serde(default, skip_serializing_if = "StatusText::is_empty")]
    pub status: StatusText,
    /// Nobody sees that the user is connected. An export of one user does not say it of others.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invisible: bool,
    /// The password's hash. Only an export with secrets contains it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
}

impl User {
    /// Whether the user has set anything.
    pub fn has_settings(&self) -> bool {
        self.receipts_off || self.invisible || !self.status.is_empty()
    }
}

/// The hash of a password. Its `Debug` output hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordHash {
    /// argon2id in the PHC string format.
    pub hash: String,
    /// The password is public knowledge, such as one from the seed.
    pub is_published: bool,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// A room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Room {
    /// Its name.
    pub room: RoomName,
    /// What it is about.
    pub topic: Topic,
    /// Only invited users can join and see it.
    pub private: bool,
    /// Which members may post.
    pub posting: Posting,
    /// What a new member may read.
    pub history: History,
    /// When it was created. A room of this name that was created at another time is another room.
    pub created_at: Timestamp,
    /// Since when it is archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_at: Option<Timestamp>,
    /// Every user is a member. An export of one user does not say it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everybody: bool,
}

/// A user's membership of a room, over or not: an interval of the message log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// The room.
    pub room: RoomName,
    /// The user.
    pub user: UserName,
    /// The role.
    pub role: Role,
    /// Which messages count as unread.
    pub notify: Notify,
    /// The newest message when the user joined.
    pub joined_after: MessageId,
    /// The user may read what comes after this message.
    pub sees_after: MessageId,
    /// The newest message when the user left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_upto: Option<MessageId>,
}

/// A user's invitation to a room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// The room.
    pub room: RoomName,
    /// Who is invited.
    pub user: UserName,
    /// Who invited them; `None` for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserName>,
    /// When.
    pub at: Timestamp,
}

/// A cursor of a user.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CursorOf {
    /// The user.
    pub user: UserName,
    /// The cursor.
    pub cursor: CursorName,
}

/// A user's position in the message log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The owner.
    pub user: UserName,
    /// The name of the cursor.
    pub cursor: CursorName,
    /// Every message up to and including this id counts as read.
    pub upto: MessageId,
    /// When it was last moved.
    pub moved_at: Timestamp,
}

/// How far a user has read a conversation, where that is further than the cursor `inbox`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The reader.
    pub user: UserName,
    /// The user who sends the messages, or the room.
    pub with: MailboxName,
    /// Every message of the conversation up to and including this id counts as read.
    pub upto: MessageId,
    /// When it was last moved.
    pub moved_at: Timestamp,
}

/// A user does not take messages of another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The user who blocks.
    pub user: UserName,
    /// The user who is blocked.
    pub blocked: UserName,
    /// The newest message then.
    pub after: MessageId,
    /// Since when.
    pub at: Timestamp,
}

/// One recipient's copy of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Its id in the message log.
    pub id: MessageId,
    /// When the server accepted it.
    pub at: Timestamp,
    /// The sender.
    pub from: UserName,
    /// The recipient: a user or a room.
    pub to: MailboxName,
    /// Its text.
    pub body: Body,
    /// What it carries beside the text. `reply_to` is an id of the same database.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "details")]
    pub details: Option<Box<Details>>,
    /// The sender's idempotency key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The recipient's cursors that have this message as a dead letter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<CursorName>,
    /// The members' cursors that have this message of a room as a dead letter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead_for: Vec<CursorOf>,
}

/// Details whose time can be stored.
fn details<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<Details>>, D::Error> {
    let details = Option::<Box<Details>>::deserialize(deserializer)?;
    details.as_ref().map_or(Ok(()), |it| it.check_expiry()).map_err(serde::de::Error::custom)?;
    Ok(details)
}

impl Message {
    /// The key for a message without one whose id the import cannot keep. The same line always gets
    /// the same key, so a repeated import stores it once.
    pub fn key_of_content(&self) -> Key {
        let Self { id, at, from, to, body, details, .. } = self;
        let mut content = format!("{} {} {from} {to} {}", id.0, at.0, body.as_str());
        if let Some(details) = details {
            content.push('\0');
            content.push_str(&details.to_json());
        }
        Key::of_content("import", content.as_bytes())
    }
}

/// One step of an import. Every step is idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Create a user, unless the name exists.
    User(User),
    /// Create a room, unless it exists.
    Room(Room),
    /// Store a message, unless it exists.
    Message(Message),
    /// Make a user a member of a room. A membership of the same room that overlaps it stays as it is.
    Membership(Membership),
    /// Make those users members of the room of everybody who are not, if there is such a room.
    Everybody,
    /// Invite a user to a room. Members and deleted users are left out.
    Invitation(Invitation),
    /// Have a user block another one.
    Block(Block),
    /// Assign only ids above this one from now on.
    Floor(MessageId),
    /// Move a cursor forward to its exported position.
    Cursor {
        /// The position, in ids of this database.
        cursor: Cursor,
        /// The number of messages up to that position that the import stored. If there are others,
        /// the cursor stays, because moving it would mark them as read.
        messages: u64,
    },
    /// Move a mark forward to its exported position.
    Mark {
        /// The position, in ids of this database.
        mark: Mark,
        /// The number of messages of the conversation up to that position that the import stored: those
        /// to the reader, or all of the room. If there are others, the mark stays.
        messages: u64,
    },
    /// Make a message a dead letter of one of its recipient's cursors.
    Dead {
        /// The recipient.
        user: UserName,
        /// The cursor.
        cursor: CursorName,
        /// The message's id in this database.
        id: MessageId,
    },
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// The step was carried out.
    Done,
    /// The message was stored under this id.
    Stored(MessageId),
    /// The message already existed, under this id.
    There(MessageId),
    /// There was nothing to do.
    Already,
    /// The step was skipped to protect existing data.
    Left,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CLICK_BYTES_MAX, TAG_BYTES_MAX};

    #[test]
    fn longest_message_fits_into_a_line() {
        let message = Record::Message(Message {
            id: MessageId(i64::MAX),
            at: Timestamp(0),
            from: "x".repeat(32).parse().unwrap(),
            to: "x".repeat(32).parse().unwrap(),
            body: "\u{1}".repeat(crate::model::BODY_BYTES_MAX).parse().unwrap(),
            details: Some(Box::new(Details {
                title: Some("\"".repeat(crate::model::TITLE_BYTES_MAX).parse().unwrap()),
                priority: crate::model::Priority::Urgent,
                tags: (0..crate::model::TAGS_MAX)
                    .map(|tag| format!("{:\"<width$}{tag:02}", "", width = TAG_BYTES_MAX - 2))
                    .map(|tag| tag.parse().unwrap())
                    .collect::<Vec<_>>()
                    .try_into()
                    .unwrap(),
                click: Some(
                    format!("http://{}", "\"".repeat(CLICK_BYTES_MAX - 7)).parse().unwrap(),
                ),
                reply_to: Some(MessageId(i64::MAX)),
                expires: Some(Timestamp(0)),
                expires_in: None,
                due_at: Some(Timestamp(0)),
                edited: Some(Timestamp(0)),
            })),
            key: Some("x".repeat(crate::model::KEY_BYTES_MAX).parse().unwrap()),
            dead: vec!["x".repeat(64).parse().unwrap(); 100],
            dead_for: Vec::new(),
        });
        let line = serde_json::to_string(&message).unwrap();
        assert!(line.len() < LINE_BYTES_MAX, "{}", line.len());
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), message);
    }

    #[test]
    fn invalid_line_is_refused() {
        for line in [
            r#"{"type": "song"}"#,
            r#"{"type": "cursor", "user": "paff", "cursor": "inbox", "upto": -1, "moved_at": "2026-01-01T00:00:00Z"}"#,
            r#"{"type": "message", "id": 1, "at": "2026-01-01T00:00:00Z", "from": "a", "to": "a", "body": "x", "details": {"expires_in": 0}}"#,
            r#"{"type": "header", "format": "chat-export", "version": 1, "newest": 0, "more": 1}"#,
        ] {
            assert!(serde_json::from_str::<Record>(line).is_err(), "{line}");
        }
    }

    #[test]
    fn debug_output_hides_the_hash() {
        let hash = PasswordHash { hash: "$argon2id$secret".to_owned(), is_published: false };
        assert!(!format!("{hash:?}").contains("secret"));
    }
}
