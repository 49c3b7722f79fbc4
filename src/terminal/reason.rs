//! Explains to the user why a value is invalid.

use std::str::FromStr;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::catalogue::{invitation, room, shared, token};
use crate::model::{
    self, AccessTokenName, INVITATION_SECONDS_MAX, Invalid, InvitationId, NoSuchWord, RoomName,
    SessionId, TOKEN_SECONDS_MAX, TOPIC_BYTES_MAX, Topic,
};

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

/// Parses a room's name from a command line, with or without its `#`: a shell takes a `#` without
/// quotes for a comment. `@all` is the room of everybody.
///
/// # Errors
/// A message for the user.
pub fn parse_room(text: &str) -> Result<RoomName, String> {
    let name = if text.starts_with(['#', '@']) { text.to_owned() } else { format!("#{text}") };
    name.parse().map_err(|invalid| room::give_room(of_invalid(invalid)))
}

/// Parses the topic of a room from a command line.
///
/// # Errors
/// A message for the user.
pub fn parse_topic(text: &str) -> Result<Topic, String> {
    text.parse().map_err(|invalid| room::give_topic(of_invalid(invalid), TOPIC_BYTES_MAX))
}

/// A parser for values of a command line that have a word each.
pub fn words<T>(all: &[T], word: fn(T) -> &'static str) -> impl TypedValueParser<Value = T> + use<T>
where
    T: FromStr<Err = NoSuchWord> + Copy + Send + Sync + 'static,
{
    let words = PossibleValuesParser::new(all.iter().map(|&value| word(value)));
    words.try_map(|text| text.parse::<T>())
}

/// Parses a duration from a command line.
///
/// # Errors
/// A message for the user.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    model::parse_duration(text).map_err(|_| shared::no_duration(format_args!("{text:?}")))
}

/// The name of an access token.
///
/// # Errors
/// A message for the user.
pub fn parse_token_name(text: &str) -> Result<AccessTokenName, String> {
    text.parse().map_err(|invalid| token::give_token_name(of_invalid(invalid)))
}

/// How long an access token lives: whole seconds, at least one.
///
/// # Errors
/// A message for the user.
pub fn parse_token_life(text: &str) -> Result<Duration, String> {
    let life = parse_duration(text)?;
    let is_whole = life.subsec_nanos() == 0;
    match is_whole && (1..=TOKEN_SECONDS_MAX).contains(&life.as_secs()) {
        true => Ok(life),
        false => Err(token::give_token_life().to_owned()),
    }
}

/// How long an invitation is open: whole seconds, at least one.
///
/// # Errors
/// A message for the user.
pub fn parse_invitation_life(text: &str) -> Result<Duration, String> {
    let life = parse_duration(text)?;
    let is_whole = life.subsec_nanos() == 0;
    match is_whole && (1..=INVITATION_SECONDS_MAX).contains(&life.as_secs()) {
        true => Ok(life),
        false => Err(invitation::give_invitation_life().to_owned()),
    }
}

/// The number of an invitation.
///
/// # Errors
/// A message for the user.
pub fn parse_invitation(text: &str) -> Result<InvitationId, String> {
    text.parse().map(InvitationId).map_err(|_| invitation::give_invitation().to_owned())
}

/// The address of the page in the browser, without a slash at its end.
///
/// # Errors
/// A message for the user.
pub fn parse_page_url(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let host = host.map(|host| host.strip_suffix('/').unwrap_or(host));
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".:-[]".contains(&byte);
    match host {
        Some(host) if !host.is_empty() && host.bytes().all(is_host) => {
            Ok(text.strip_suffix('/').unwrap_or(text).to_owned())
        }
        _ => Err(invitation::give_page_url().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_at_the_root_of_a_host() {
        for (text, page) in [
            ("https://chat.example/", "https://chat.example"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(parse_page_url(text).unwrap(), page);
        }
        for text in ["chat.example", "https://", "https://x/chat", "https://x/#/y", "ftp://x", ""] {
            assert!(parse_page_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn room_may_be_named_without_its_hash() {
        for text in ["build", "#build"] {
            assert_eq!(parse_room(text).unwrap().as_str(), "#build");
        }
        for text in ["all", "#all", "@all"] {
            assert!(parse_room(text).unwrap().is_of_everybody(), "{text}");
        }
        for text in ["", "#", "##build", "@build", "Build", "two words", "neko,build"] {
            assert!(parse_room(text).is_err(), "{text:?}");
        }
    }
}
