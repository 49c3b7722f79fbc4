//! What a notification says, as plain text that is safe to show.

use crate::catalogue::notify as texts;
use crate::client::question;
use crate::client::render::details;
use crate::model::{Message, Priority, UserName};
use crate::terminal::text;

/// How many messages get a notification each. More of them at once get one together.
const EACH_MAX: usize = 3;

/// How many senders a notification of several messages names.
const SENDERS_MAX: usize = 5;

/// How much of a message a notification has.
const LINES_MAX: usize = 8;
const CHARS_MAX: usize = 500;
const HEADLINE_CHARS_MAX: usize = 120;

/// Messages to notify of.
#[derive(Debug, Default)]
pub struct Batch {
    /// The messages, if they are few.
    messages: Vec<Message>,
    count: usize,
    senders: Vec<UserName>,
    priority: Option<Priority>,
}

impl Batch {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a message.
    pub fn add(&mut self, message: &Message) {
        self.count += 1;
        self.add_sender(&message.from);
        self.priority = self.priority.max(Some(priority(message)));
        match self.count > EACH_MAX {
            true => self.messages.clear(),
            false => self.messages.push(message.clone()),
        }
    }

    /// Adds the messages of another batch.
    pub fn append(&mut self, other: Self) {
        self.count += other.count;
        other.senders.iter().for_each(|sender| self.add_sender(sender));
        self.priority = self.priority.max(other.priority);
        match self.count > EACH_MAX {
            true => self.messages.clear(),
            false => self.messages.extend(other.messages),
        }
    }

    /// A notification for each message, or one for all of them.
    pub fn notifications(&self) -> Vec<Notification> {
        match self.count {
            0..=EACH_MAX => self.messages.iter().map(Notification::of_message).collect(),
            _ => vec![self.summary()],
        }
    }

    fn add_sender(&mut self, sender: &UserName) {
        // One more than are named, to know that there are more.
        if self.senders.len() <= SENDERS_MAX && !self.senders.contains(sender) {
            self.senders.push(sender.clone());
        }
    }

    fn summary(&self) -> Notification {
        let named = self.senders.iter().take(SENDERS_MAX).map(UserName::as_str);
        let mut senders = named.collect::<Vec<_>>().join(", ");
        if self.senders.len() > SENDERS_MAX {
            senders.push_str(", …");
        }
        Notification {
            headline: texts::new_messages(self.count),
            body: texts::from_senders(senders),
            priority: self.priority.unwrap_or_default(),
            question: None,
        }
    }
}

/// One notification.
#[derive(Debug, Clone)]
pub struct Notification {
    /// One line: the sender, and the title if there is one. Safe to show.
    pub headline: String,
    /// The text, as lines that are safe to show. Not empty.
    pub body: String,
    /// How urgent it is.
    pub priority: Priority,
    /// The message, if it is a question that offers answers.
    pub question: Option<Box<Message>>,
}

impl Notification {
    fn of_message(message: &Message) -> Self {
        let title = message.details.as_ref().and_then(|details| details.title.as_ref());
        let mut headline = message.from.to_string();
        if let Some(room) = message.to.room() {
            headline.push_str(&format!(" {room}"));
        }
        if let Some(title) = title {
            headline.push_str(&format!(": {}", text::visible(title.as_str())));
        }
        let mut lines = text::visible_lines(&details::below_title(message));
        let is_cut = lines.len() > LINES_MAX;
        lines.truncate(LINES_MAX);
        let mut body = lines.join("\n");
        if is_cut {
            body.push_str("\n…");
        }
        let offers = question::is_question(message) && !question::choices(message).is_empty();
        Self {
            headline: clip(&headline, HEADLINE_CHARS_MAX),
            body: clip(&body, CHARS_MAX),
            priority: priority(message),
            question: offers.then(|| Box::new(message.clone())),
        }
    }
}

fn priority(message: &Message) -> Priority {
    message.details.as_ref().map(|details| details.priority).unwrap_or_default()
}

/// The beginning of a text, with `…` if something is left out.
pub fn clip(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Details, MessageId, Timestamp};

    fn message(from: &str, body: &str, details: &str) -> Message {
        Message {
            id: MessageId(17),
            at: Timestamp(0),
            from: from.parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: body.parse().unwrap(),
            details: Details::from_json(details).unwrap().if_any(),
        }
    }

    fn notification(from: &str, body: &str, details: &str) -> Notification {
        Notification::of_message(&message(from, body, details))
    }

    #[test]
    fn title_stands_beside_the_sender_and_the_rest_with_the_text() {
        let told = notification("paff", "step 3", r#"{"title":"Build 417","priority":5}"#);
        assert_eq!((told.headline.as_str(), told.priority), ("paff: Build 417", Priority::Urgent));
        assert_eq!(told.body, "[urgent]\nstep 3");
        let told = notification("paff", "go?", r#"{"tags":["ask","choice:yes","choice:no"]}"#);
        assert_eq!(
            (told.headline.as_str(), told.body.as_str()),
            ("paff", "(reply 17) yes | no\ngo?")
        );
        assert!(told.question.is_some());
        let offer = r#"{"tags":["ask","choice:yes"]}"#;
        let in_room = Message { to: "#build".parse().unwrap(), ..message("paff", "go?", offer) };
        let told = Notification::of_message(&in_room);
        assert_eq!(told.headline, "paff #build");
        assert!(told.question.is_some());
        assert!(notification("paff", "go?", r#"{"tags":["ask"]}"#).question.is_none());
    }

    #[test]
    fn foreign_text_is_harmless_and_short() {
        let told = notification("paff", "\x1b]0;x\x07\u{202e}a\nb\r", "{}");
        assert_eq!(told.body, "\\x1b]0;x\\x07\\u{202e}a\nb\\r");
        assert_eq!(notification("paff", &"é".repeat(501), "{}").body.chars().count(), 501);
        assert_eq!(notification("paff", &"x\n".repeat(9), "{}").body.lines().count(), 9);
        assert!(notification("paff", &"x\n".repeat(9), "{}").body.ends_with("\n…"));
    }

    #[test]
    fn many_messages_are_told_together() {
        let mut batch = Batch::default();
        for (from, details) in [("paff", "{}"), ("robo", r#"{"priority":4}"#), ("paff", "{}")] {
            batch.add(&message(from, "hai", details));
        }
        assert_eq!(batch.notifications().len(), 3);
        let mut other = Batch::default();
        (0..6).for_each(|user| other.add(&message(&format!("user{user}"), "hai", "{}")));
        batch.append(other);
        let told = batch.notifications();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].headline, "9 new messages");
        assert_eq!(told[0].body, "from paff, robo, user0, user1, user2, …");
        assert_eq!(told[0].priority, Priority::High);
    }
}
