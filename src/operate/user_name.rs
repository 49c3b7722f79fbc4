//! User names as operators give them.

use super::failure::{Exit, Failure};
use crate::catalogue::server;
use crate::model::{USER_NAME_BYTES_MAX, UserName};
use crate::terminal::reason::of_invalid;

/// Parses the name of a user.
pub(super) fn parse(given: &str) -> Result<UserName, Failure> {
    given.parse().map_err(|invalid| {
        let given = format_args!("{given:?}");
        Failure::new(Exit::Data, server::no_user_name(given, of_invalid(invalid)))
            .hint(server::give_user_name(USER_NAME_BYTES_MAX))
    })
}
