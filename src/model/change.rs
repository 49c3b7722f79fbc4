//! Edits and deletions of messages.

use serde::{Deserialize, Serialize};

use super::{Body, MailboxName, MessageId, RoomName, Timestamp, UserName};

/// An edit or a deletion of a message: an entry of the message log that refers to the message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Change {
    /// Its own id: a later entry of the message log has a higher one.
    pub change: MessageId,
    /// The message that it changes.
    pub id: MessageId,
    /// When the server accepted it.
    pub at: Timestamp,
    /// Who changed the message. Absent for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<UserName>,
    /// The user to whom the message was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<UserName>,
    /// The room to which it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// The new text. Absent for a deletion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Body>,
}

impl Change {
    /// Sets the mailbox that the message is in.
    pub fn in_mailbox(self, mailbox: MailboxName) -> Self {
        let (to, room) = match mailbox {
            MailboxName::User(to) => (Some(to), None),
            MailboxName::Room(room) => (None, Some(room)),
        };
        Self { to, room, ..self }
    }

    /// The bytes of its text.
    pub fn text_bytes(&self) -> usize {
        self.body.as_ref().map_or(0, |body| body.as_str().len())
    }
}
