//! How long messages are kept.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::parse_duration;

/// The shortest time for which messages can be kept: a day, so that no clock which is wrong by
/// hours removes a message that nobody has seen.
pub const RETENTION_SECONDS_MIN: u64 = 24 * 60 * 60;
/// The longest time that can be given.
pub const RETENTION_SECONDS_MAX: u64 = 3_660 * 24 * 60 * 60;

/// How long messages are kept: for ever, or for some seconds from [`RETENTION_SECONDS_MIN`] to
/// [`RETENTION_SECONDS_MAX`]. The longer one is the greater. Its number is that of the seconds, and
/// 0 for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Retention(Option<u64>);

/// Not a time for which messages can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give {RETENTION_SECONDS_MIN} to {RETENTION_SECONDS_MAX} seconds, or 0")]
pub struct InvalidRetention;

impl Retention {
    /// Messages are kept for ever.
    pub const FOREVER: Self = Self(None);

    /// Whether messages are kept for ever.
    pub fn is_forever(&self) -> bool {
        *self == Self::FOREVER
    }

    /// The time. `None` for ever.
    pub fn time(self) -> Option<Duration> {
        self.0.map(Duration::from_secs)
    }

    /// The seconds; 0 for ever.
    pub fn seconds(self) -> u64 {
        self.0.unwrap_or(0)
    }
}

impl TryFrom<u64> for Retention {
    type Error = InvalidRetention;

    fn try_from(seconds: u64) -> Result<Self, InvalidRetention> {
        match seconds {
            0 => Ok(Self::FOREVER),
            RETENTION_SECONDS_MIN..=RETENTION_SECONDS_MAX => Ok(Self(Some(seconds))),
            _ => Err(InvalidRetention),
        }
    }
}

impl From<Retention> for u64 {
    fn from(retention: Retention) -> Self {
        retention.seconds()
    }
}

impl Ord for Retention {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let [one, other] = [self, other].map(|it| it.0.unwrap_or(u64::MAX));
        one.cmp(&other)
    }
}

impl PartialOrd for Retention {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Retention {
    type Err = InvalidRetention;

    fn from_str(text: &str) -> Result<Self, InvalidRetention> {
        if text == "forever" {
            return Ok(Self::FOREVER);
        }
        let time = parse_duration(text).map_err(|_| InvalidRetention)?;
        let is_whole = time.subsec_nanos() == 0 && !time.is_zero();
        if is_whole { time.as_secs().try_into() } else { Err(InvalidRetention) }
    }
}

/// As it is given: `90d`, `36h`, `forever`.
impl fmt::Display for Retention {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(seconds) = self.0 else { return formatter.write_str("forever") };
        let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
        let (unit, word) =
            units.into_iter().find(|(unit, _)| seconds % unit == 0).unwrap_or((1, "s"));
        write!(formatter, "{}{word}", seconds / unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retention_is_a_day_to_ten_years_or_for_ever() {
        for (text, seconds) in [
            ("forever", 0),
            ("1d", 86_400),
            ("36h", 129_600),
            ("86401s", 86_401),
            ("3660d", 316_224_000),
        ] {
            let retention: Retention = text.parse().unwrap();
            assert_eq!((retention.seconds(), retention.to_string().as_str()), (seconds, text));
            assert_eq!(Retention::try_from(seconds), Ok(retention));
        }
        for wrong in ["", "0", "0d", "23h", "86400500ms", "3661d", "for ever", "default"] {
            assert!(wrong.parse::<Retention>().is_err(), "{wrong:?}");
        }
        assert!(Retention::try_from(1).is_err());
        let [short, long]: [Retention; 2] = ["1d", "2d"].map(|text| text.parse().unwrap());
        assert!(short < long && long < Retention::FOREVER);
    }
}
