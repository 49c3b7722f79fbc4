//! Where reading begins, as the parameter `since` says it.

use std::str::FromStr;

use crate::model::{MessageId, Timestamp, parse_duration};

/// Where reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// At the oldest message.
    All,
    /// At the newest message.
    Latest,
    /// At the next new message.
    New,
    /// At the first unread message.
    Unread,
    /// After this message.
    After(MessageId),
    /// At the first message of this time.
    Time(Timestamp),
}

impl FromStr for Since {
    type Err = String;

    /// A number is a message's id. ntfy also takes a Unix time there, which would look the same.
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "all" => Self::All,
            "latest" => Self::Latest,
            "none" | "new" => Self::New,
            "unread" => Self::Unread,
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                let id = number.parse().map_err(|_| format!("{number} is no message's id"))?;
                Self::After(MessageId(id))
            }
            other => match other.parse() {
                Ok(time) => Self::Time(time),
                Err(_) => {
                    Self::Time(Timestamp::now().minus(parse_duration(other).map_err(|_| {
                        format!(
                            "{other:?} is neither all, latest, new, unread, a message's id, a time \
                         (2026-11-23T10:54:00Z) nor a duration (10m)"
                        )
                    })?))
                }
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beginning_is_a_word_an_id_a_time_or_a_duration() {
        let since = |text: &str| text.parse::<Since>();
        assert_eq!(since("all"), Ok(Since::All));
        assert_eq!(since("none"), Ok(Since::New));
        assert_eq!(since("17"), Ok(Since::After(MessageId(17))));
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(Since::Time(Timestamp(1000))));
        let Ok(Since::Time(time)) = since("10m") else { panic!() };
        assert!(time <= Timestamp::now().minus(std::time::Duration::from_secs(600)));
        for wrong in ["", "yesterday", "-1", "99999999999999999999", "10 m"] {
            assert!(since(wrong).is_err(), "{wrong:?}");
        }
    }
}
