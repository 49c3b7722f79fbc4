//! Notifications, as apprise sends them to a `json://` URL: a title, a text, a type and files.

use serde::Deserialize;

use super::incoming::{Incoming, title};
use crate::model::{Details, Priority, Tags};

/// A notification.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Notification {
    title: String,
    message: String,
    #[serde(rename = "type")]
    kind: String,
    attachments: Vec<File>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    filename: String,
}

/// The message about a notification. A message has no files, so it only names them.
pub(super) fn message(notification: Notification) -> Incoming {
    let Notification { title: heading, message, kind, attachments } = notification;
    let files = attachments.iter().filter(|file| !file.filename.is_empty());
    let mut lines: Vec<String> = files.map(|file| format!("+ {}", file.filename)).collect();
    if !message.trim().is_empty() {
        lines.insert(0, message.trim_end().to_owned());
    }
    let details = Details { priority: priority(&kind), tags: tags(&kind), ..Details::default() };
    match lines.is_empty() {
        // A message needs a text: a title alone is also that.
        true => Incoming::new(&heading, details),
        false => {
            let details = Details { title: title(&heading), ..details };
            Incoming::new(&lines.join("\n"), details)
        }
    }
}

fn priority(kind: &str) -> Priority {
    match kind {
        "warning" | "failure" => Priority::High,
        _ => Priority::Default,
    }
}

/// The type, as it is with every message of apprise, unless it is the one that says nothing.
fn tags(kind: &str) -> Tags {
    let tag = kind.parse().ok().filter(|_| kind != "info");
    tag.and_then(|tag| Tags::try_from(vec![tag]).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(notification: Value) -> Incoming {
        super::super::parse(&notification.to_string()).expect("a message")
    }

    #[test]
    fn type_says_the_priority_and_is_a_tag() {
        for (kind, priority, tag) in [
            ("info", Priority::Default, None),
            ("success", Priority::Default, Some("success")),
            ("warning", Priority::High, Some("warning")),
            ("failure", Priority::High, Some("failure")),
            ("two words", Priority::Default, None),
        ] {
            let details = of(json!({"message": "hai", "type": kind})).details;
            let tags: Vec<&str> = details.tags.iter().map(|tag| tag.as_str()).collect();
            assert_eq!((details.priority, tags), (priority, Vec::from_iter(tag)), "{kind}");
        }
    }

    #[test]
    fn title_alone_is_the_text_and_files_are_named() {
        let Incoming { text, details } = of(json!({"title": "Done", "message": ""}));
        assert_eq!((text.as_str(), details.title), ("Done", None));
        let file = json!({"filename": "a.png", "base64": "aGFp", "mimetype": "image/png"});
        let Incoming { text, details } =
            of(json!({"title": "Done", "message": "see\n", "attachments": [file]}));
        assert_eq!((text.as_str(), details.title.unwrap().as_str()), ("see\n+ a.png", "Done"));
        assert_eq!(of(json!({"message": "", "attachments": [file]})).text, "+ a.png");
    }
}
