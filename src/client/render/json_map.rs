//! An inbox as the seed's client prints it: a JSON map of senders on one line. The messages to a
//! room stand under the room's name, each with its sender.

use serde_json::{Map, Value, json};

use super::json_line;
use crate::model::Message;

/// The senders and rooms, ordered by their first message, each with their texts in order.
#[derive(Debug, Default)]
pub struct JsonMap {
    senders: Map<String, Value>,
    bytes: usize,
}

impl JsonMap {
    /// Appends messages.
    pub fn extend(&mut self, messages: &[Message]) {
        for message in messages {
            let (msg, from) = (message.body.as_str(), message.from.as_str());
            let (name, entry) = match message.to.room() {
                Some(room) => (room.as_str(), json!({"msg": msg, "from": from})),
                None => (from, json!({"msg": msg})),
            };
            self.bytes += msg.len();
            match self.senders.get_mut(name) {
                Some(Value::Array(entries)) => entries.push(entry),
                _ => {
                    self.senders.insert(name.to_owned(), json!([entry]));
                }
            }
        }
    }

    /// The size of all texts.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The line without its ending.
    pub fn into_line(self) -> String {
        json_line(&Value::Object(self.senders))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MessageId, Timestamp};

    #[test]
    fn senders_stand_in_the_order_of_their_first_message() {
        let message = |from: &str, body: &str| Message {
            id: MessageId(1),
            at: Timestamp(0),
            from: from.parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: body.parse().unwrap(),
            details: None,
        };
        let mut map = JsonMap::default();
        assert_eq!(JsonMap::default().into_line(), "{}");
        map.extend(&[message("robo", "a"), message("paff", "hai neko")]);
        map.extend(&[message("robo", "\x1b🐱\x7f")]);
        assert_eq!(
            map.into_line(),
            r#"{"robo": [{"msg": "a"}, {"msg": "\u001b\ud83d\udc31\u007f"}], "paff": [{"msg": "hai neko"}]}"#
        );
    }

    #[test]
    fn messages_to_a_room_stand_under_its_name_with_their_senders() {
        let message = |from: &str, to: &str, body: &str| Message {
            id: MessageId(1),
            at: Timestamp(0),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            body: body.parse().unwrap(),
            details: None,
        };
        let mut map = JsonMap::default();
        map.extend(&[message("paff", "#build", "done"), message("paff", "neko", "hai")]);
        map.extend(&[message("robo", "#build", "and gone")]);
        assert_eq!(
            map.into_line(),
            r##"{"#build": [{"msg": "done", "from": "paff"}, {"msg": "and gone", "from": "robo"}], "paff": [{"msg": "hai"}]}"##
        );
    }
}
