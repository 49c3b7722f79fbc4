//! Explains to the user why a value is invalid.

use std::time::Duration;

use crate::catalogue::shared;
use crate::model::{self, Invalid, SessionId};

/// Why a text is not a valid value.
pub fn of_invalid(invalid: Invalid) -> String {
    match invalid {
        Invalid::Empty => shared::it_is_empty().to_owned(),
        Invalid::TooLong { max } => shared::it_is_too_long(max),
        Invalid::Character => shared::it_has_a_wrong_character().to_owned(),
        Invalid::WhiteSpace => shared::it_has_white_space_around().to_owned(),
    }
}

/// Parses the number of a session from a command line.
///
/// # Errors
/// A message for the user.
pub fn parse_session(text: &str) -> Result<SessionId, String> {
    text.parse().map(SessionId).map_err(|_| shared::no_session_number().to_owned())
}

/// Parses a duration from a command line.
///
/// # Errors
/// A message for the user.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    model::parse_duration(text).map_err(|_| shared::no_duration(format_args!("{text:?}")))
}
