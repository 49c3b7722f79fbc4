//! A message in ntfy's form of JSON.

use serde::Serialize;

use crate::model::{
    Click, Details, MailboxName, Message, MessageId, Priority, ScheduledId, Tags, Timestamp, Title,
    UserName,
};
use crate::protocol::scheduled::Later;

/// A message, or another event of a stream.
#[derive(Serialize)]
pub(super) struct Event<'a> {
    /// A place in the message log: what comes after it is new. It is a text whose form may change.
    id: String,
    /// Seconds since 1970.
    time: i64,
    event: &'static str,
    /// The name of the mailbox. That of a room begins with `#`, so it is no user's.
    topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a UserName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a Title>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<Priority>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<&'a Tags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    click: Option<&'a Click>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    /// The number of a message that is sent later.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled: Option<ScheduledId>,
    /// After this time it counts as unread for nobody: seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    /// When the message was due, if it came late.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
}

impl<'a> Event<'a> {
    /// A message.
    pub(super) fn message(
        (id, at): (MessageId, Timestamp),
        from: Option<&'a UserName>,
        to: &'a MailboxName,
        text: &'a str,
        details: Option<&'a Details>,
    ) -> Self {
        Self {
            id: id.0.to_string(),
            time: seconds(at),
            event: "message",
            topic: to.as_str(),
            from,
            message: Some(text),
            title: details.and_then(|details| details.title.as_ref()),
            priority: details
                .map(|details| details.priority)
                .filter(|priority| *priority != Priority::Default),
            tags: details.map(|details| &details.tags).filter(|tags| !tags.is_empty()),
            click: details.and_then(|details| details.click.as_ref()),
            reply_to: details.and_then(|details| details.reply_to).map(|id| id.0.to_string()),
            scheduled: None,
            expires: details.and_then(|details| details.expires_of(at)).map(seconds),
            due_at: details.and_then(|details| details.due_at),
        }
    }

    /// A message that is sent later: its time is when. It has no id of a message yet.
    pub(super) fn scheduled(
        later: &Later,
        to: &'a MailboxName,
        text: &'a str,
        details: Option<&'a Details>,
    ) -> Self {
        let place = (MessageId::ZERO, later.due_at);
        let event = Self::message(place, None, to, text, details);
        Self { id: String::new(), scheduled: Some(later.scheduled), ..event }
    }

    /// A message that was read.
    pub(super) fn read(message: &'a Message) -> Self {
        let Message { id, at, from, to, body, details } = message;
        Self::message((*id, *at), Some(from), to, body.as_str(), details.as_deref())
    }

    /// An event that is no message, at this place of the reader's messages.
    pub(super) fn other(event: &'static str, at: MessageId, reader: &'a UserName) -> Self {
        Self {
            id: at.0.to_string(),
            time: seconds(Timestamp::now()),
            event,
            topic: reader.as_str(),
            from: None,
            message: None,
            title: None,
            priority: None,
            tags: None,
            click: None,
            reply_to: None,
            scheduled: None,
            expires: None,
            due_at: None,
        }
    }

    /// The place in the message log.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The kind of event.
    pub(super) fn kind(&self) -> &'static str {
        self.event
    }

    /// The event on one line.
    pub(super) fn line(&self) -> String {
        // Every value of it has a form in JSON.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn seconds(at: Timestamp) -> i64 {
    at.0.div_euclid(1000)
}
