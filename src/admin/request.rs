//! What an operator's command can ask for.

use serde::{Deserialize, Serialize};

use crate::model::{DisplayName, Password, UserName};

/// One request. Each is done or refused as a whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Create a user.
    UserAdd {
        /// What the user logs in with.
        name: UserName,
        /// What people call the user.
        display_name: DisplayName,
        /// What the user logs in with.
        password: Secret,
    },
    /// The users in the order of their names, as many as an answer holds.
    UserList {
        /// Go on after this one.
        after: Option<UserName>,
    },
}

/// A password on its way. Its `Debug` shows nothing.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Box<str>", into = "Box<str>")]
pub struct Secret(pub Password);

impl TryFrom<Box<str>> for Secret {
    type Error = crate::model::Invalid;

    fn try_from(text: Box<str>) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Secret> for Box<str> {
    fn from(secret: Secret) -> Self {
        secret.0.reveal().into()
    }
}
