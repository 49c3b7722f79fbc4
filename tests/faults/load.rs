//! The load of the torture: clients whose messages have names, and the judgement of what is stored.

use std::collections::{HashMap, HashSet};

/// Clients that send at the same time.
pub const CLIENTS: usize = 8;
/// Pending requests of each client.
pub const PIPELINE: usize = 16;

/// What a client sent, and the replies.
#[derive(Default)]
pub struct Client {
    /// Its place among the clients.
    pub number: usize,
    /// The users or rooms to which it sends, in turns.
    pub to: &'static [&'static str],
    /// It repeats a message without an answer. Without a key it cannot.
    pub has_keys: bool,
    /// The number of its messages.
    pub made: usize,
    /// The messages that were sent and not answered, the oldest first.
    pub unanswered: Vec<usize>,
    /// The id of each message that was acknowledged.
    pub acknowledged: HashMap<usize, i64>,
    /// Replies after the end had begun: a machine without power says nothing more, so they count as
    /// never heard.
    pub unheard: Vec<usize>,
    /// Messages that were refused: the server has said that they are not stored.
    pub refused: HashSet<usize>,
    /// Messages without a key whose outcome nobody knows.
    pub unknown: Vec<usize>,
}

impl Client {
    /// The clients. Every second one of a mixed load has no keys.
    #[cfg(feature = "postgres")]
    pub fn all(is_mixed: bool) -> Vec<Self> {
        let client = |number| Self {
            has_keys: !is_mixed || number % 2 == 0,
            ..Self::to(number, &["neko", "robo", "ivy", "vanessa"])
        };
        (0..CLIENTS).map(client).collect()
    }

    /// A client with keys.
    pub fn to(number: usize, to: &'static [&'static str]) -> Self {
        Self { number, to, has_keys: true, ..Self::default() }
    }

    /// A new message, which is unanswered.
    pub fn make(&mut self) -> usize {
        self.unanswered.push(self.made);
        self.made += 1;
        self.made - 1
    }

    /// The request for a message.
    pub fn post(&self, token: &str, message: usize) -> String {
        let name = name(self.number, message);
        let to = self.to[message % self.to.len()];
        let key = if self.has_keys { format!(r#""key": "{name}", "#) } else { String::new() };
        let text = text(&name);
        format!(r#"post {token} {{"to": ["{to}"], {key}"body": "{text}"}}"#)
    }

    /// Notes an acknowledgement.
    pub fn acknowledge(&mut self, message: usize, id: i64) {
        let before = self.acknowledged.insert(message, id);
        assert!(before.is_none(), "one answer for each request");
    }
}

/// Compares the stored messages, each with its id and its text, with the acknowledged ones. Returns
/// how many of them are missing.
pub fn judge(clients: &[Client], stored: impl Iterator<Item = (i64, String)>) -> usize {
    let mut by_name = HashMap::new();
    for (id, body) in stored {
        let found = name_of(&body).to_owned();
        assert_eq!(body, text(&found), "message {id}");
        let before = by_name.insert(found, id);
        assert!(before.is_none(), "message {id} is stored twice: {body}");
    }
    let mut lost = 0;
    for client in clients {
        for (message, id) in &client.acknowledged {
            match by_name.remove(&name(client.number, *message)) {
                Some(there) => assert_eq!(there, *id, "the id that was acknowledged"),
                None => lost += 1,
            }
        }
        for message in &client.refused {
            let there = by_name.remove(&name(client.number, *message));
            assert_eq!(there, None, "a message that was refused is stored");
        }
        for message in client.unanswered.iter().chain(&client.unheard).chain(&client.unknown) {
            by_name.remove(&name(client.number, *message));
        }
    }
    assert!(by_name.is_empty(), "nobody has sent {by_name:?}");
    lost
}

/// The name of a client's message. It is also its key, if it has one.
pub fn name(client: usize, message: usize) -> String {
    format!("c{client}-{message}")
}

/// The body of the message with this name: as long as a line of a log.
pub fn text(name: &str) -> String {
    format!("message {name} {}", "x".repeat(64))
}

/// The name of the message with this body.
pub fn name_of(body: &str) -> &str {
    body.split(' ').nth(1).unwrap_or_default()
}
