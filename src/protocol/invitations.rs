//! The arguments and replies of `invitation` and `accept`, which need no session: the secret of an
//! invitation allows them.

use serde::{Deserialize, Serialize};

use super::arguments::bad_argument;
use super::refusal::{Code, Refusal};
use crate::model::{
    DisplayName, Invalid, InvitationSecret, Password, RoomName, Timestamp, UserName,
};

/// Makes the account of an invitation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accept {
    /// The invitation.
    pub invitation: InvitationSecret,
    /// The name to log in with. It is needed if the invitation has none.
    pub user: Option<UserName>,
    /// The name for people. By default it is the user's name.
    pub display_name: Option<DisplayName>,
    /// The password to log in with.
    pub password: Password,
}

/// The JSON field of `invitation`.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct InvitationFields {
    /// The secret of the invitation.
    #[cfg_attr(feature = "http", schemars(with = "InvitationSecret"))]
    invitation: String,
}

impl InvitationFields {
    pub(super) fn check(self) -> Result<InvitationSecret, Refusal> {
        secret(&self.invitation)
    }

    pub(super) fn of(invitation: InvitationSecret) -> Self {
        Self { invitation: invitation.reveal() }
    }
}

/// The JSON fields of [`Accept`].
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct AcceptFields {
    /// The secret of the invitation.
    #[cfg_attr(feature = "http", schemars(with = "InvitationSecret"))]
    invitation: String,
    /// The name to log in with. It is needed if the invitation has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<UserName>,
    /// The name for people. By default it is the user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    display_name: Option<DisplayName>,
    /// The password to log in with.
    #[cfg_attr(feature = "http", schemars(with = "Password"))]
    password: String,
}

impl AcceptFields {
    pub(super) fn check(self) -> Result<Accept, Refusal> {
        let Self { invitation, user, display_name, password } = self;
        let refused = |invalid: Invalid| bad_argument(format!("password: {invalid}"));
        Ok(Accept {
            invitation: secret(&invitation)?,
            user,
            display_name,
            password: password.parse().map_err(refused)?,
        })
    }

    pub(super) fn of(accept: &Accept) -> Self {
        let Accept { invitation, user, display_name, password } = accept;
        Self {
            invitation: invitation.reveal(),
            user: user.clone(),
            display_name: display_name.clone(),
            password: password.reveal().to_owned(),
        }
    }
}

/// A text that is no secret is one of no invitation.
fn secret(text: &str) -> Result<InvitationSecret, Refusal> {
    text.parse().map_err(|_| Code::UnknownInvitation.into())
}

/// The reply to `invitation`: one that can be accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct InvitationInfo {
    /// The name of the account. Without it the person chooses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserName>,
    /// The rooms that the account joins.
    pub rooms: Vec<RoomName>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// The reply to `accept`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Accepted {
    /// The user who can log in now.
    pub user: UserName,
    /// The rooms of the invitation that the user is in.
    pub rooms: Vec<RoomName>,
    /// The same request was carried out before.
    pub duplicate: bool,
}
