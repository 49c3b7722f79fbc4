//! The output of `--json`: one ASCII object per line, with the version of its shape.

use serde::Serialize;

use crate::model::{MailboxName, Message, ScheduledId, Timestamp};
pub use crate::protocol::json::versioned as line;

/// The object of one message.
pub fn message(message: &Message) -> String {
    line(message)
}

/// The object of a message that was sent to one recipient.
#[derive(Debug, Serialize)]
pub struct Sent<'a> {
    /// The recipient.
    pub to: &'a str,
    /// Its id.
    pub id: i64,
    /// When the server accepted it.
    pub at: Timestamp,
    /// The key under which it was sent.
    pub key: &'a str,
    /// Whether it had been stored before.
    pub duplicate: bool,
    /// Its line in the input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

/// The object of a message that is sent later.
#[derive(Debug, Serialize)]
pub struct Scheduled<'a> {
    /// Its number.
    pub scheduled: ScheduledId,
    /// The recipients.
    pub to: &'a [MailboxName],
    /// When it is sent.
    pub due_at: Timestamp,
    /// The key under which it is sent.
    pub key: &'a str,
    /// Whether it had been scheduled before.
    pub duplicate: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MessageId;

    #[test]
    fn objects_begin_with_their_version_and_are_one_line_of_ascii() {
        let message = super::message(&Message {
            id: MessageId(7),
            at: Timestamp(0),
            from: "paff".parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: "a\n猫".parse().unwrap(),
            details: None,
        });
        let at = "1970-01-01T00:00:00.000Z";
        let body = "a\\n\\u732b";
        let expected = format!(
            r#"{{"v": 1, "id": 7, "at": "{at}", "from": "paff", "to": "neko", "body": "{body}"}}"#
        );
        assert_eq!(message, expected);
    }
}
