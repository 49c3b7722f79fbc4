//! What users let each other know: the arguments and the replies.

use serde::{Deserialize, Serialize};

use super::arguments::bad_argument;
use super::refusal::Refusal;
use crate::model::{MessageId, UserName};

/// The most readers of one page, and how many there are without `limit`.
pub const READERS_MAX: usize = 1_000;

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ChangeSettings {
    /// Whether others see what the user has read, and the user what others have read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts: Option<bool>,
}

/// The user's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct SettingsInfo {
    /// Whether others see what the user has read, and the user what others have read.
    pub receipts: bool,
}
