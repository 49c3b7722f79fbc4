//! What a user says of themselves.

use std::str::FromStr;

use super::Invalid;

/// The longest status of a user, in bytes of UTF-8.
pub const STATUS_BYTES_MAX: usize = 256;

/// What a user does now, for those who see them connected: up to 256 bytes of UTF-8 without control
/// characters. An empty one is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StatusText(Box<str>);

impl StatusText {
    /// The status as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for StatusText {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > STATUS_BYTES_MAX {
            return Err(Invalid::TooLong { max: STATUS_BYTES_MAX });
        }
        if text.chars().any(char::is_control) {
            return Err(Invalid::Character);
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_short_and_has_no_control_characters() {
        for good in ["", "at lunch 🐱", &"x".repeat(STATUS_BYTES_MAX)] {
            assert_eq!(good.parse::<StatusText>().unwrap().as_str(), good);
        }
        for bad in ["a\nb", "\u{1b}[31m", &"x".repeat(STATUS_BYTES_MAX + 1)] {
            assert!(bad.parse::<StatusText>().is_err(), "{bad:?} is accepted");
        }
    }
}
