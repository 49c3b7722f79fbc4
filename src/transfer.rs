//! What databases hand to each other: the lines of `export` and `import`, one JSON object each, and
//! what an import asks of a database. Knows no SQL and no socket.

use serde::{Deserialize, Serialize};

use crate::model::{Body, CursorName, Key, MessageId, Timestamp, UserName};

/// The name of the format, and its version: a number higher than this is refused.
pub const FORMAT: &str = "chat-export";
/// See [`FORMAT`].
pub const VERSION: u32 = 1;
/// The longest line, in bytes: a text of 32 KiB, with every byte escaped, and what stands around it.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Record {
    /// The first line.
    Header(Header),
    /// A user; before every line that names one.
    User(User),
    /// How far a user has read.
    Cursor(Cursor),
    /// One recipient's copy of a message; in the order of the ids.
    Message(Message),
}

/// What the lines are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`]
    pub format: String,
    /// [`VERSION`]
    pub version: u32,
    /// The newest id that the database has given to a message.
    pub newest: MessageId,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// What the user logs in with.
    pub name: UserName,
    /// What people call the user.
    pub display_name: String,
    /// When the user was made.
    pub created_at: Timestamp,
    /// Since when the user may not log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_at: Option<Timestamp>,
    /// Since when only the name and the messages are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
    /// Only with secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<PasswordHash>,
}

/// The hash of a password. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordHash {
    /// argon2id in the PHC string format.
    pub hash: String,
    /// The password is one that everybody can know.
    pub is_published: bool,
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// How far a user has read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Whose.
    pub user: UserName,
    /// Which.
    pub cursor: CursorName,
    /// Everything up to this id counts as read.
    pub upto: MessageId,
    /// When it was moved.
    pub moved_at: Timestamp,
}

/// One recipient's copy of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Its place in the log.
    pub id: MessageId,
    /// When it was taken.
    pub at: Timestamp,
    /// Who sent it.
    pub from: UserName,
    /// Who it is for.
    pub to: UserName,
    /// Its text.
    pub body: Body,
    /// The sender's key for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// The cursors of its recipient at which it is a dead letter.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dead: Vec<CursorName>,
}

impl Message {
    /// The key that a message without one is given where it cannot keep its id: the same line has
    /// the same again, so that it is stored once.
    pub fn key_of_content(&self) -> Key {
        let Self { id, at, from, to, body, .. } = self;
        let content = format!("{} {} {from} {to} {}", id.0, at.0, body.as_str());
        Key::of_content("import", content.as_bytes())
    }
}

/// One thing that an import asks of a database. Asked for again, it changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Create a user, unless there is one of this name.
    User(User),
    /// Store a message, unless it is there already.
    Message(Message),
    /// Give no more messages an id up to and with this one.
    Floor(MessageId),
    /// Move a cursor forward to where it stood.
    Cursor {
        /// Where it is to stand here.
        cursor: Cursor,
        /// How many of the messages up to there came with the import: it is left alone where there
        /// are others, which would count as read as well.
        messages: u64,
    },
    /// Note that a message could not be dealt with at a cursor of its recipient.
    Dead {
        /// The recipient.
        user: UserName,
        /// Where.
        cursor: CursorName,
        /// The message, by the id that it has here.
        id: MessageId,
    },
}

/// What came of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taken {
    /// It was done.
    Done,
    /// It was a message, and has this id now.
    Stored(MessageId),
    /// It was a message, and is there already under this id.
    There(MessageId),
    /// There was nothing to do.
    Already,
    /// It was left alone, for the sake of what is there.
    Left,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_with_the_longest_text_fits() {
        let message = Record::Message(Message {
            id: MessageId(i64::MAX),
            at: Timestamp(0),
            from: "x".repeat(32).parse().unwrap(),
            to: "x".repeat(32).parse().unwrap(),
            body: "\u{1}".repeat(crate::model::BODY_BYTES_MAX).parse().unwrap(),
            key: Some("x".repeat(crate::model::KEY_BYTES_MAX).parse().unwrap()),
            dead: vec!["x".repeat(64).parse().unwrap(); 100],
        });
        let line = serde_json::to_string(&message).unwrap();
        assert!(line.len() < LINE_BYTES_MAX, "{}", line.len());
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), message);
    }

    #[test]
    fn what_a_line_must_not_have_is_refused() {
        for line in [
            r#"{"type": "song"}"#,
            r#"{"type": "cursor", "user": "paff", "cursor": "inbox", "upto": -1, "moved_at": "2026-01-01T00:00:00Z"}"#,
            r#"{"type": "header", "format": "chat-export", "version": 1, "newest": 0, "more": 1}"#,
        ] {
            assert!(serde_json::from_str::<Record>(line).is_err(), "{line}");
        }
    }

    #[test]
    fn debug_shows_no_hash() {
        let hash = PasswordHash { hash: "$argon2id$secret".to_owned(), is_published: false };
        assert!(!format!("{hash:?}").contains("secret"));
    }
}
