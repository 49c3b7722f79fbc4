//! Messages that are sent later: the reply to their `post`, and the arguments and replies of
//! `scheduled` and `cancel`.

use serde::{Deserialize, Serialize};

use super::arguments::bad_argument;
use super::refusal::Refusal;
use crate::model::{
    Body, Click, Key, MailboxName, MessageId, Priority, ScheduledId, Tags, Timestamp, Title,
};

/// The most scheduled messages of one page, and how many there are without `limit`.
pub const SCHEDULED_PAGE_MAX: usize = 100;

/// The reply to a `post` that is sent later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Later {
    /// The number of the scheduled message.
    pub scheduled: ScheduledId,
    /// When it is sent.
    pub due_at: Timestamp,
    /// An earlier request with the same key had scheduled the message.
    pub duplicate: bool,
}

/// Lists scheduled messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListScheduled {
    /// Only those after this number.
    #[serde(default = "none_before", skip_serializing_if = "is_first")]
    pub after: ScheduledId,
    /// The most of them: 1 to [`SCHEDULED_PAGE_MAX`].
    #[serde(default = "page_max")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = SCHEDULED_PAGE_MAX)))]
    pub limit: usize,
}

fn none_before() -> ScheduledId {
    ScheduledId(0)
}

// `serde` passes a reference.
fn is_first(after: &ScheduledId) -> bool {
    *after == none_before()
}

fn page_max() -> usize {
    SCHEDULED_PAGE_MAX
}

impl ListScheduled {
    pub(super) fn check(self) -> Result<Self, Refusal> {
        match (1..=SCHEDULED_PAGE_MAX).contains(&self.limit) {
            true => Ok(self),
            false => Err(bad_argument(format!("limit: give 1 to {SCHEDULED_PAGE_MAX}"))),
        }
    }
}

/// The user's scheduled messages, by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct ScheduledList {
    /// Them.
    pub scheduled: Vec<ScheduledMessage>,
    /// There are more after the last one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// A scheduled message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct ScheduledMessage {
    /// Its number.
    pub id: ScheduledId,
    /// When it is sent.
    pub due_at: Timestamp,
    /// The recipients, by their names of today. A user who is gone has none.
    pub to: Vec<MailboxName>,
    /// The text.
    pub body: Body,
    /// The key under which it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// One line above the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
    /// How urgent it is.
    #[serde(default, skip_serializing_if = "Priority::is_default")]
    pub priority: Priority,
    /// Words to select messages by.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// What to open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub click: Option<Click>,
    /// The message that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<MessageId>,
    /// After this time it counts as unread for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The same, as so many seconds after it is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// Cancels a scheduled message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Its number.
    pub id: ScheduledId,
}

/// The reply to `cancel`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct CancelReply {
    /// Its number.
    pub id: ScheduledId,
    /// It will not be sent.
    pub cancelled: bool,
}
