//! Parses the values of arguments.

use std::time::Duration;

use crate::catalogue::{client, configuration, expectation, people, scheduled};
use crate::client::address::{Host, InvalidAddress, TLS_PORT};
use crate::client::question::CHOICE_BYTES_MAX;
use crate::model::{
    Click, CursorName, DisplayName, ExpectationName, Invalid, InvalidClick, MessageId, ScheduledId,
    TAG_BYTES_MAX, TITLE_BYTES_MAX, Tag, Title, UserName,
};
use crate::protocol::arguments::{Key, WatchFrom};
use crate::protocol::expectation::EXPECTATION_SECONDS_MAX;
use crate::terminal::reason::{self, of_invalid};

/// The longest `--timeout`.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The largest number of a process.
const PID_MAX: u32 = i32::MAX.unsigned_abs();

/// The largest `--tail`. A message has 32 KiB, so most lines would not fit anyway.
const TAIL_LINES_MAX: usize = 1000;

/// Where a `watch` begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// A place in the message log.
    Place(WatchFrom),
    /// This long ago.
    Ago(Duration),
}

impl Since {
    /// Parses the value of `--since`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let place = match text {
            "unread" => WatchFrom::Unread,
            "new" => WatchFrom::New,
            "all" => WatchFrom::All,
            _ if text.bytes().all(|byte| byte.is_ascii_digit()) => match text.parse() {
                Ok(id) => WatchFrom::After(MessageId(id)),
                Err(_) => return Err(client::give_beginning().to_owned()),
            },
            _ => {
                return reason::parse_duration(text)
                    .map(Self::Ago)
                    .map_err(|_| client::no_beginning(format_args!("{text:?}")));
            }
        };
        Ok(Self::Place(place))
    }
}

/// A duration of at least a millisecond and at most a day.
pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    match reason::parse_duration(text)? {
        Duration::ZERO => Err(client::timeout_too_short().to_owned()),
        duration if duration > TIMEOUT_MAX => Err(client::timeout_too_long().to_owned()),
        duration => Ok(duration),
    }
}

/// The name for people.
pub fn parse_display_name(text: &str) -> Result<DisplayName, String> {
    text.parse().map_err(reason::of_invalid)
}

/// A user name.
pub fn parse_user(text: &str) -> Result<UserName, String> {
    text.parse().map_err(|invalid| configuration::give_user(of_invalid(invalid)))
}

/// A host that speaks TLS, with or without `chats://`.
pub fn parse_tls_host(text: &str) -> Result<Host, InvalidAddress> {
    let host = text.strip_prefix("chats://").unwrap_or(text);
    Host::parse(host.strip_suffix('/').unwrap_or(host), Some(TLS_PORT))
}

/// A number from 1.
pub fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 1..) => Ok(count),
        _ => Err(client::give_count().to_owned()),
    }
}

/// The number of a process.
pub fn parse_pid(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(number @ 1..=PID_MAX) => Ok(number),
        _ => Err(client::give_pid().to_owned()),
    }
}

/// How many lines of output a message can have.
pub fn parse_tail(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count @ 0..=TAIL_LINES_MAX) => Ok(count),
        _ => Err(client::give_tail(TAIL_LINES_MAX)),
    }
}

/// An idempotency key.
pub fn parse_key(text: &str) -> Result<Key, String> {
    text.parse().map_err(|invalid| client::give_key(of_invalid(invalid)))
}

/// The title of a message.
pub fn parse_title(text: &str) -> Result<Title, String> {
    text.parse().map_err(|invalid| client::give_title(of_invalid(invalid), TITLE_BYTES_MAX))
}

/// A tag of a message.
pub fn parse_tag(text: &str) -> Result<Tag, String> {
    text.parse().map_err(|invalid| client::give_tag(of_invalid(invalid), TAG_BYTES_MAX))
}

/// An answer that a question offers.
pub fn parse_choice(text: &str) -> Result<Tag, String> {
    match text.parse::<Tag>() {
        Ok(choice) if text.len() <= CHOICE_BYTES_MAX => Ok(choice),
        Ok(_) => {
            let too_long = of_invalid(Invalid::TooLong { max: CHOICE_BYTES_MAX });
            Err(client::give_tag(too_long, CHOICE_BYTES_MAX))
        }
        Err(invalid) => Err(client::give_tag(of_invalid(invalid), CHOICE_BYTES_MAX)),
    }
}

/// The link of a message.
pub fn parse_click(text: &str) -> Result<Click, String> {
    text.parse().map_err(|invalid| match invalid {
        InvalidClick::Text(invalid) => client::give_click(of_invalid(invalid)),
        InvalidClick::NotHttp => client::give_http().to_owned(),
    })
}

/// What `receipts` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReceiptsOf {
    /// A message.
    Message(MessageId),
    /// The setting.
    Setting(bool),
}

impl ReceiptsOf {
    /// Parses an id, `on` or `off`.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "on" => Ok(Self::Setting(true)),
            "off" => Ok(Self::Setting(false)),
            id => match parse_message_id(id) {
                Ok(id) => Ok(Self::Message(id)),
                Err(_) => Err(people::give_receipts().to_owned()),
            },
        }
    }
}

/// The id of a message.
pub fn parse_message_id(text: &str) -> Result<MessageId, String> {
    match text.parse() {
        Ok(id @ 1..) => Ok(MessageId(id)),
        _ => Err(client::give_message_id().to_owned()),
    }
}

/// The number of a scheduled message.
pub fn parse_scheduled(text: &str) -> Result<ScheduledId, String> {
    match text.parse() {
        Ok(id @ 1..) => Ok(ScheduledId(id)),
        _ => Err(scheduled::give_scheduled().to_owned()),
    }
}

/// The name of an expectation.
pub fn parse_expectation(text: &str) -> Result<ExpectationName, String> {
    text.parse().map_err(|invalid| expectation::give_expectation(of_invalid(invalid)))
}

/// The time between two reports: whole seconds, at least one.
pub fn parse_every(text: &str) -> Result<Duration, String> {
    match parse_grace(text)? {
        Duration::ZERO => Err(expectation::give_period().to_owned()),
        every => Ok(every),
    }
}

/// How much later a report may come, in whole seconds.
pub fn parse_grace(text: &str) -> Result<Duration, String> {
    let grace = reason::parse_duration(text)?;
    let is_whole = grace.subsec_nanos() == 0;
    match is_whole && grace.as_secs() <= EXPECTATION_SECONDS_MAX {
        true => Ok(grace),
        false => Err(expectation::give_period().to_owned()),
    }
}

/// The name of a cursor.
pub fn parse_cursor(text: &str) -> Result<CursorName, String> {
    text.parse().map_err(|invalid| client::give_cursor(of_invalid(invalid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_at_least_a_millisecond_and_at_most_a_day() {
        assert_eq!(parse_timeout("1ms"), Ok(Duration::from_millis(1)));
        assert_eq!(parse_timeout("24h"), Ok(TIMEOUT_MAX));
        for text in ["0", "0ms", "25h", "2d", "soon"] {
            assert!(parse_timeout(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn beginnings_of_a_watch_are_places_and_times() {
        let after = |id| Since::Place(WatchFrom::After(MessageId(id)));
        assert_eq!(Since::parse("unread"), Ok(Since::Place(WatchFrom::Unread)));
        assert_eq!(Since::parse("0"), Ok(after(0)));
        assert_eq!(Since::parse("7200"), Ok(after(7200)));
        assert_eq!(Since::parse("2h"), Ok(Since::Ago(Duration::from_secs(7200))));
        for text in ["", "-1", "h", "99999999999999999999", "yesterday"] {
            assert!(Since::parse(text).is_err(), "{text:?}");
        }
    }
}
