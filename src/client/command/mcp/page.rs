//! Messages in the result of a tool, which has a limited size.

use serde_json::{Value, json};

use crate::model::Message;

/// The most bytes of messages in a result.
pub const PAGE_BYTES_MAX: usize = 64 * 1024;

/// What a message takes at most beside its text.
const FIELDS_BYTES_MAX: usize = 8 * 1024;

/// Messages as JSON.
#[derive(Debug, Default)]
pub struct Page {
    messages: Vec<Value>,
    bytes: usize,
}

impl Page {
    /// Adds a message. Returns `false` if there is no room for it. The first message has room: if it
    /// is too large, its text is cut.
    pub fn push(&mut self, message: &Message) -> bool {
        let mut value = json!(message);
        let mut bytes = value.to_string().len();
        if bytes > PAGE_BYTES_MAX && self.messages.is_empty() {
            let text = message.body.as_str();
            let kept = beginning(text, PAGE_BYTES_MAX - FIELDS_BYTES_MAX);
            value["cut_bytes"] = json!(text.len() - kept.len());
            value["body"] = json!(kept);
            bytes = value.to_string().len();
        }
        let fits = self.messages.is_empty() || self.bytes + bytes <= PAGE_BYTES_MAX;
        if fits {
            self.bytes += bytes;
            self.messages.push(value);
        }
        fits
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// The messages in the order in which they were added.
    pub fn into_messages(self) -> Vec<Value> {
        self.messages
    }
}

/// The beginning of a text that has at most so many bytes in JSON.
fn beginning(text: &str, json_bytes_max: usize) -> &str {
    let mut left = json_bytes_max;
    for (at, character) in text.char_indices() {
        let bytes = match character {
            '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
            '\0'..='\u{1f}' => 6,
            character => character.len_utf8(),
        };
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => return &text[..at],
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BODY_BYTES_MAX, MessageId, Timestamp};

    fn message(body: &str) -> Message {
        Message {
            id: MessageId(1),
            at: Timestamp(0),
            from: "paff".parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: body.parse().unwrap(),
            details: None,
        }
    }

    #[test]
    fn page_has_room_for_some_messages() {
        let mut page = Page::default();
        let long = message(&"x".repeat(BODY_BYTES_MAX - 200));
        assert!(page.push(&long) && page.push(&long) && !page.push(&long));
        assert_eq!(page.into_messages()[1]["body"], long.body.as_str());
    }

    #[test]
    fn message_that_is_larger_than_a_page_is_cut() {
        let mut page = Page::default();
        let text = "\u{1}".repeat(BODY_BYTES_MAX);
        assert!(page.push(&message(&text)) && !page.push(&message(&text)));
        let value = page.into_messages().remove(0);
        assert!(value.to_string().len() <= PAGE_BYTES_MAX);
        let kept = value["body"].as_str().unwrap();
        assert!(kept.len() > 9_000 && text.starts_with(kept));
        assert_eq!(value["cut_bytes"], text.len() - kept.len());
        assert_eq!(beginning("a\né", 5), "a\né");
        assert_eq!(beginning("a\né", 4), "a\n");
    }
}
