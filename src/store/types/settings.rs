//! What users have set for themselves, and what others see of those who are connected.

use crate::model::{StatusText, UserId, UserName};
use crate::store::operation::{Party, Read, Write};

/// What a user has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether others see what the user has read, and the user what others have read.
    pub receipts: bool,
    /// What the user does now.
    pub status: StatusText,
    /// Nobody sees that the user is connected.
    pub is_invisible: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { receipts: true, status: StatusText::default(), is_invisible: false }
    }
}

/// The settings of a user. `None` if the user no longer exists.
pub struct FindSettings(pub UserId);

impl Read for FindSettings {
    type Answer = Option<Settings>;

    fn party(&self) -> Party {
        Some(self.0)
    }
}

/// Changes what is `Some`. The answer has all settings; `None` if the user no longer exists. Durable
/// when the answer comes.
#[derive(Debug, Clone)]
pub struct ChangeSettings {
    /// The user.
    pub user: UserId,
    /// See [`Settings::receipts`].
    pub receipts: Option<bool>,
    /// See [`Settings::status`].
    pub status: Option<StatusText>,
    /// See [`Settings::is_invisible`].
    pub is_invisible: Option<bool>,
}

impl ChangeSettings {
    /// Changes nothing yet.
    pub fn of(user: UserId) -> Self {
        Self { user, receipts: None, status: None, is_invisible: None }
    }
}

impl Write for ChangeSettings {
    type Answer = Option<Settings>;
}

/// Lists those of these users whom the asker sees, in the order of their names. The answer has at
/// most `max` users, and whether there are more.
pub struct ListVisible {
    /// Who asks, and sees themselves in any case.
    pub asker: UserId,
    /// The users who are connected.
    pub users: Vec<UserId>,
    /// Only names after this one.
    pub after: Option<UserName>,
    /// The maximum number of users.
    pub max: usize,
}

impl Read for ListVisible {
    type Answer = (Vec<Visible>, bool);

    fn party(&self) -> Party {
        Some(self.asker)
    }
}

/// What others see of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    /// The number.
    pub user: UserId,
    /// The name.
    pub name: UserName,
    /// What the user does now.
    pub status: StatusText,
    /// Only the user sees it.
    pub is_invisible: bool,
}

impl ListVisible {
    /// The page, of all that was found.
    pub(in crate::store) fn choose(&self, mut found: Vec<Visible>) -> (Vec<Visible>, bool) {
        let is_seen = |it: &Visible| !it.is_invisible || it.user == self.asker;
        found.retain(|it| is_seen(it) && self.after.as_ref().is_none_or(|after| it.name > *after));
        found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let more = found.len() > self.max;
        found.truncate(self.max);
        (found, more)
    }
}
