//! Events: what the server pushes to a watching connection. An event looks like a reply, but has a
//! field `event`, which no reply has.

use serde::{Deserialize, Serialize};

use super::framing::REPLY_END;
use super::json;
use crate::model::{Change, CursorName, MailboxName, Message, MessageId, RoomName, UserName};

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The next message, in the order of the message log.
    Message(Message),
    /// The stream has sent every message that existed when it began. Later ones are new.
    CaughtUp {
        /// Every message up to and including this id was sent.
        upto: MessageId,
    },
    /// The user of the stream has sent a message, on whatever connection. Only as it happens: what
    /// was sent while the stream was away is not sent.
    Sent {
        /// The message.
        id: MessageId,
        /// Its recipient.
        to: MailboxName,
    },
    /// The user of the stream has read messages, on whatever connection. Only as it happens.
    Read(ReadUpto),
    /// Somebody has read this message, which the user of the stream has sent. Once for each message
    /// for which the stream asked.
    Receipt {
        /// The message.
        id: MessageId,
    },
    /// A message has another text. The field `change` is the place of this event in the message log,
    /// and `id` is the message.
    Edited(Change),
    /// A message was deleted. The fields are those of [`Self::Edited`], without a text.
    Deleted(Change),
    /// A message that the user of the stream has sent was edited or deleted. Only as it happens.
    Changed {
        /// The message.
        id: MessageId,
        /// Its recipient.
        to: MailboxName,
    },
    /// The server and the connection are alive.
    Heartbeat,
}

/// How far a user has read: a conversation by its mark, or everything by the cursor `inbox`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct ReadUpto {
    /// The other user of the conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<UserName>,
    /// The room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<RoomName>,
    /// The cursor. Every message after it is unread, unless a mark says otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<CursorName>,
    /// Every message up to and including this id counts as read.
    pub upto: MessageId,
}

impl ReadUpto {
    /// The conversation is read up to here.
    pub fn conversation(name: MailboxName, upto: MessageId) -> Self {
        let (with, room) = match name {
            MailboxName::User(with) => (Some(with), None),
            MailboxName::Room(room) => (None, Some(room)),
        };
        Self { with, room, cursor: None, upto }
    }

    /// The cursor `inbox` is here now.
    pub fn inbox(upto: MessageId) -> Self {
        Self { with: None, room: None, cursor: Some(CursorName::inbox()), upto }
    }
}

#[derive(Serialize)]
struct Frame<'a> {
    status: &'static str,
    #[serde(flatten)]
    event: &'a Event,
}

/// A [`Frame`] of an [`Event::Message`] that borrows its message.
#[derive(Serialize)]
struct MessageFrame<'a> {
    status: &'static str,
    event: &'static str,
    #[serde(flatten)]
    message: &'a Message,
}

/// Appends an [`Event::Message`] in wire format, without taking ownership of the message.
pub fn encode_message(message: &Message, out: &mut Vec<u8>) {
    json::encode(&MessageFrame { status: "OK", event: "message", message }, out);
    out.extend_from_slice(REPLY_END);
}

impl From<Change> for Event {
    fn from(change: Change) -> Self {
        if change.body.is_some() { Self::Edited(change) } else { Self::Deleted(change) }
    }
}

impl Event {
    /// Appends the event in wire format.
    pub fn encode(&self, out: &mut Vec<u8>) {
        json::encode(&Frame { status: "OK", event: self }, out);
        out.extend_from_slice(REPLY_END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Details, Timestamp};
    use crate::protocol::reply::{DecodedReply, decode_fields};

    fn change(body: Option<&str>) -> Change {
        Change {
            change: MessageId(9),
            id: MessageId(7),
            at: Timestamp(1),
            by: Some("paff".parse().unwrap()),
            to: Some("neko".parse().unwrap()),
            room: None,
            body: body.map(|text| text.parse().unwrap()),
        }
    }

    #[test]
    fn encoded_events_decode_to_the_same_events() {
        let message = Message {
            id: MessageId(7),
            at: Timestamp(1),
            from: "paff".parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: "hai\r\n\r\n🐱".parse().unwrap(),
            details: Some(Box::new(Details {
                title: Some("Build 🐱".parse().unwrap()),
                reply_to: Some(MessageId(3)),
                ..Details::default()
            })),
        };
        for (event, expected) in [
            (Event::Message(message), "{\"status\": \"OK\", \"event\": \"message\", \"id\": 7, "),
            (
                Event::CaughtUp { upto: MessageId(7) },
                "{\"status\": \"OK\", \"event\": \"caught_up\", \"upto\": 7}",
            ),
            (
                Event::Sent { id: MessageId(8), to: "ivy".parse().unwrap() },
                "{\"status\": \"OK\", \"event\": \"sent\", \"id\": 8, \"to\": \"ivy\"}",
            ),
            (
                Event::Read(ReadUpto::conversation("#build".parse().unwrap(), MessageId(9))),
                "{\"status\": \"OK\", \"event\": \"read\", \"room\": \"#build\", \"upto\": 9}",
            ),
            (
                Event::Read(ReadUpto::inbox(MessageId(9))),
                "{\"status\": \"OK\", \"event\": \"read\", \"cursor\": \"inbox\", \"upto\": 9}",
            ),
            (
                Event::Receipt { id: MessageId(8) },
                "{\"status\": \"OK\", \"event\": \"receipt\", \"id\": 8}",
            ),
            (
                Event::Edited(change(Some("baru"))),
                "{\"status\": \"OK\", \"event\": \"edited\", \"change\": 9, \"id\": 7, \"at\": ",
            ),
            (
                Event::Deleted(change(None)),
                "{\"status\": \"OK\", \"event\": \"deleted\", \"change\": 9, \"id\": 7, \"at\": ",
            ),
            (
                Event::Changed { id: MessageId(8), to: "#build".parse().unwrap() },
                "{\"status\": \"OK\", \"event\": \"changed\", \"id\": 8, \"to\": \"#build\"}",
            ),
            (Event::Heartbeat, "{\"status\": \"OK\", \"event\": \"heartbeat\"}"),
        ] {
            let mut out = Vec::new();
            event.encode(&mut out);
            if let Event::Message(message) = &event {
                let mut same = Vec::new();
                encode_message(message, &mut same);
                assert_eq!(same, out);
            }
            let text = String::from_utf8(out).unwrap();
            assert!(text.starts_with(expected) && text.is_ascii(), "{text}");
            assert_eq!(text.find("\r\n"), Some(text.len() - 4));
            let DecodedReply::Done(fields) = DecodedReply::decode(text.as_bytes()).unwrap() else {
                panic!()
            };
            assert_eq!(decode_fields::<Event>(fields).unwrap(), event);
        }
    }
}
