//! A message's text with its details, as lines for a person: a line above it with priority, title,
//! the message that it answers and tags, and the link below it.

use std::borrow::Cow;

use jiff::tz::TimeZone;

use crate::catalogue::{change, client, scheduled};
use crate::client::question;
use crate::model::{Message, Priority, Timestamp};

/// The text with its details, not yet safe for a terminal. Without details it is the text itself.
pub fn text(message: &Message) -> Cow<'_, str> {
    under(head(message, true), message)
}

/// [`text`] without the title, for a place that shows the title elsewhere.
pub fn below_title(message: &Message) -> Cow<'_, str> {
    under(head(message, false), message)
}

fn under(head: String, message: &Message) -> Cow<'_, str> {
    let body = message.body.as_str();
    let Some(details) = &message.details else { return Cow::Borrowed(body) };
    let mut text = String::new();
    if !head.is_empty() {
        text.push_str(&head);
        text.push('\n');
    }
    text.push_str(body);
    if let Some(click) = &details.click {
        text.push_str("\n-> ");
        text.push_str(click.as_str());
    }
    Cow::Owned(text)
}

/// Where the title and the body are in [`text`], in characters.
pub fn places(message: &Message) -> (usize, usize) {
    let Some(details) = &message.details else { return (0, 0) };
    let head = head(message, true);
    let title = match details.priority {
        Priority::Default => 0,
        priority => priority.as_str().len() + "[] ".len(),
    };
    (title, if head.is_empty() { 0 } else { head.chars().count() + 1 })
}

/// `[urgent] Build 417 failed (re 17) #build #main`. A question has the command that answers it, and
/// the answers that it offers: `(reply 17) deploy | abort`.
fn head(message: &Message, has_title: bool) -> String {
    let Some(details) = &message.details else { return String::new() };
    let mut words = Vec::new();
    if details.priority != Priority::Default {
        words.push(format!("[{}]", details.priority.as_str()));
    }
    let title = details.title.as_ref().filter(|_| has_title);
    words.extend(title.map(|title| title.as_str().to_owned()));
    words.extend(details.due_at.map(|due_at| scheduled::came_late(local(due_at))));
    words.extend(details.reply_to.map(|id| client::answers_message(id.0)));
    if question::is_question(message) {
        words.push(client::answered_by(message.id.0));
        words.extend(Some(question::choices(message).join(" | ")).filter(|it| !it.is_empty()));
    }
    let tags = details.tags.iter().filter(|tag| !question::is_of_question(tag));
    words.extend(tags.map(|tag| format!("#{}", tag.as_str())));
    words.extend(details.expires.map(|at| match at <= Timestamp::now() {
        true => scheduled::expired_mark().to_owned(),
        false => scheduled::expires_mark(local(at)),
    }));
    words.extend(details.edited.map(|_| change::edited_mark().to_owned()));
    words.join(" ")
}

/// A time by this machine's clock, to the minute.
fn local(at: Timestamp) -> String {
    at.to_calendar().to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Details, MessageId};

    fn message(details: &str) -> Message {
        Message {
            id: MessageId(18),
            at: Timestamp(0),
            from: "paff".parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: "step 3".parse().unwrap(),
            details: Details::from_json(details).unwrap().if_any(),
        }
    }

    #[test]
    fn details_stand_above_and_below_the_text() {
        let all = r#"{"title":"Build 417 failed","priority":5,"tags":["build","main"],
                      "click":"https://ci.example/417","reply_to":17}"#;
        for (details, shown) in [
            ("{}", "step 3"),
            (
                all,
                "[urgent] Build 417 failed (re 17) #build #main\nstep 3\n-> https://ci.example/417",
            ),
            (r#"{"priority":1}"#, "[min]\nstep 3"),
            (r#"{"tags":["ask"]}"#, "(reply 18)\nstep 3"),
            (r#"{"tags":["ask","x","choice:a","choice:b"]}"#, "(reply 18) a | b #x\nstep 3"),
            (r#"{"tags":["x"],"edited":"2026-11-30T09:00:00.000Z"}"#, "#x (edited)\nstep 3"),
            (r#"{"tags":["x"],"expires":"2026-11-30T09:00:00.000Z"}"#, "#x (expired)\nstep 3"),
            (r#"{"click":"http://x"}"#, "step 3\n-> http://x"),
        ] {
            assert_eq!(text(&message(details)), shown);
        }
        let later = r#"{"title":"Cake","expires":"9999-01-02T09:00:00.000Z"}"#;
        assert!(text(&message(later)).starts_with("Cake (until 9999-01-0"));
    }
}
