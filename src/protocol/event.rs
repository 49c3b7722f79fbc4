//! What a watching connection is sent without asking for each: it looks like a reply, and has
//! `event` where replies have none.

use serde::{Deserialize, Serialize};

use super::json;
use super::reply::REPLY_END;
use crate::model::{Message, MessageId};

/// One thing that a stream tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The next message, in the order of the log.
    Message(Message),
    /// Everything that was there when the stream began has been told; what follows is new.
    CaughtUp {
        /// Everything up to and with this id has been told.
        upto: MessageId,
    },
    /// The server and the connection are alive.
    Heartbeat,
}

#[derive(Serialize)]
struct Frame<'a> {
    status: &'static str,
    #[serde(flatten)]
    event: &'a Event,
}

/// [`Frame`], of an [`Event::Message`] that is somebody else's.
#[derive(Serialize)]
struct MessageFrame<'a> {
    status: &'static str,
    event: &'static str,
    #[serde(flatten)]
    message: &'a Message,
}

/// Appends an [`Event::Message`] as it goes over the wire.
pub fn encode_message(message: &Message, out: &mut Vec<u8>) {
    json::encode(&MessageFrame { status: "OK", event: "message", message }, out);
    out.extend_from_slice(REPLY_END);
}

impl Event {
    /// Appends the event as it goes over the wire.
    pub fn encode(&self, out: &mut Vec<u8>) {
        json::encode(&Frame { status: "OK", event: self }, out);
        out.extend_from_slice(REPLY_END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::protocol::reply::{Answer, decode_fields};

    #[test]
    fn events_read_back_as_they_were_written() {
        let message = Message {
            id: MessageId(7),
            at: Timestamp(1),
            from: "paff".parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: "hai\r\n\r\n🐱".parse().unwrap(),
        };
        for (event, expected) in [
            (Event::Message(message), "{\"status\": \"OK\", \"event\": \"message\", \"id\": 7, "),
            (
                Event::CaughtUp { upto: MessageId(7) },
                "{\"status\": \"OK\", \"event\": \"caught_up\", \"upto\": 7}",
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
            let Answer::Done(fields) = Answer::decode(text.as_bytes()).unwrap() else { panic!() };
            assert_eq!(decode_fields::<Event>(fields).unwrap(), event);
        }
    }
}
