//! What users let each other know: the arguments and the replies.

use serde::{Deserialize, Serialize};

use super::arguments::bad_argument;
use super::refusal::Refusal;
use crate::model::{MessageId, StatusText, Timestamp, UserName};

/// The most readers of one page, and how many there are without `limit`.
pub const READERS_MAX: usize = 1_000;
/// The most users of one `who`, and how many there are without `limit`: as many as fit into a reply,
/// however long their texts are.
pub const WHO_MAX: usize = 500;

/// Lists who has read a message, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListReceipts {
    /// The message, which the user has sent.
    pub id: MessageId,
    /// Only names after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<UserName>,
    /// The most names to return: 1 to [`READERS_MAX`].
    #[serde(default = "readers_max")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = READERS_MAX)))]
    pub limit: usize,
}

impl ListReceipts {
    /// Refuses values that are out of bounds.
    pub(super) fn check(self) -> Result<Self, Refusal> {
        if !(1..=READERS_MAX).contains(&self.limit) {
            return Err(bad_argument(format!("limit: give 1 to {READERS_MAX}")));
        }
        Ok(self)
    }
}

fn readers_max() -> usize {
    READERS_MAX
}

/// Who has read a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct ReceiptList {
    /// The message.
    pub id: MessageId,
    /// Those who have read it, as far as they have receipts on.
    pub readers: Vec<UserName>,
    /// How many users got it.
    pub recipients: usize,
    /// There are more readers, after the last of these.
    pub more: bool,
}

/// Changes what is given of the user's settings. Without anything it only shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeSettings {
    /// Whether others see what the user has read, and the user what others have read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<bool>,
    /// What the user does now, for those who see them connected. An empty text is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_text: Option<StatusText>,
    /// Whether nobody sees that the user is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invisible: Option<bool>,
}

/// The user's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct SettingsInfo {
    /// Whether others see what the user has read, and the user what others have read.
    pub receipts: bool,
    /// What the user does now.
    #[serde(default, skip_serializing_if = "StatusText::is_empty")]
    pub status_text: StatusText,
    /// Nobody sees that the user is connected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invisible: bool,
}

/// Lists the users who are connected, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// Only names after this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<UserName>,
    /// The most users to return: 1 to [`WHO_MAX`].
    #[serde(default = "who_max")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = WHO_MAX)))]
    pub limit: usize,
}

impl Who {
    /// Refuses values that are out of bounds.
    pub(super) fn check(self) -> Result<Self, Refusal> {
        if !(1..=WHO_MAX).contains(&self.limit) {
            return Err(bad_argument(format!("limit: give 1 to {WHO_MAX}")));
        }
        Ok(self)
    }
}

fn who_max() -> usize {
    WHO_MAX
}

/// Users who are connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Connected {
    /// The users.
    pub users: Vec<ConnectedUser>,
    /// There are more, after the last of these.
    pub more: bool,
}

/// A user who is connected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct ConnectedUser {
    /// The name.
    pub user: UserName,
    /// Since when, without a break.
    pub since: Timestamp,
    /// What the user does now.
    #[serde(default, skip_serializing_if = "StatusText::is_empty")]
    pub status_text: StatusText,
    /// Only you see yourself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub invisible: bool,
}

/// A user to block, or no longer to block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OtherUser {
    /// The name.
    pub user: UserName,
}

/// Whether a user is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct BlockState {
    /// The other user.
    pub user: UserName,
    /// The user is blocked now.
    pub blocked: bool,
    /// That was different before.
    pub changed: bool,
}

/// The users whom a user blocks, in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct BlockList {
    /// The users.
    pub blocked: Vec<BlockedUser>,
}

/// A user who is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct BlockedUser {
    /// The name.
    pub user: UserName,
    /// Since when.
    pub since: Timestamp,
}
