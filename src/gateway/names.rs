//! The names in paths. Every name goes through here, so that a room without its `#` can be added.

use super::refused::Refused;
use crate::model::MailboxName;
use crate::protocol::refusal::{Code, Refusal};

/// The mailbox that a name in a path or a `topic` stands for: a user's.
pub(super) fn mailbox(name: &str) -> Result<MailboxName, Refused> {
    name.parse().map_err(|_| Refusal::from(Code::UnknownRecipient).about([name.to_owned()]).into())
}
