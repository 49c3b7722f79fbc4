//! Times and durations, and how they are written.

use std::cell::Cell;
use std::str::FromStr;
use std::time::Duration;

use arrayvec::ArrayString;
use jiff::fmt::StdFmtWrite;
use jiff::fmt::temporal::{self, DateTimePrinter};

/// A wall-clock time: milliseconds since 1970-01-01T00:00:00Z. It is shown to people and used for
/// periods of days. Never use it to order messages or for timeouts: the clock may be set back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The current wall-clock time.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// This time plus `duration`, or the latest time that can be represented.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This time minus `duration`, or the earliest time that can be represented.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-23T10:54:00.123Z`. A number outside the calendar
    /// becomes the nearest time inside it.
    pub fn to_rfc3339(self) -> String {
        self.text().as_str().to_owned()
    }

    /// Like [`Self::to_rfc3339`], but without an allocation.
    pub(crate) fn text(self) -> TimestampText {
        let milliseconds = self.to_calendar().as_millisecond();
        let (second, rest) = (milliseconds.div_euclid(1000), milliseconds.rem_euclid(1000));
        let mut text = match LAST_SECOND.get() {
            Some((shown, text)) if shown == second => text,
            _ => {
                let text = second_text(second);
                LAST_SECOND.set(Some((second, text)));
                text
            }
        };
        text.push('.');
        for place in [100, 10, 1] {
            text.push(char::from(b'0' + (rest / place % 10) as u8));
        }
        text.push('Z');
        text
    }

    /// This time in the calendar, or the nearest time inside it.
    pub fn to_calendar(self) -> jiff::Timestamp {
        let (first, last) = (jiff::Timestamp::MIN, jiff::Timestamp::MAX);
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 { first } else { last })
    }
}

/// The longest text of a time, in bytes: a year before the year 0.
const TIMESTAMP_BYTES_MAX: usize = "-009999-01-02T01:59:59.999Z".len();

/// A time as text.
pub(crate) type TimestampText = ArrayString<TIMESTAMP_BYTES_MAX>;

thread_local! {
    /// The second that this thread formatted last, up to its seconds digit. Consecutive messages
    /// mostly fall into the same second, so formatting reuses it.
    static LAST_SECOND: Cell<Option<(i64, TimestampText)>> = const { Cell::new(None) };
}

fn second_text(second: i64) -> TimestampText {
    const SECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(0));
    let mut text = TimestampText::new();
    let moment = jiff::Timestamp::from_second(second).unwrap_or_default();
    // It cannot fail: the buffer is large enough, and the second is in the calendar.
    let _ = SECONDS.print_timestamp(&moment, StdFmtWrite(&mut text));
    text.pop();
    text
}

/// The text is not a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give a time as RFC 3339 has it, such as 2026-11-23T10:54:00Z, up to the year 9999")]
pub struct NoTime;

impl FromStr for Timestamp {
    type Err = NoTime;

    /// Parses RFC 3339. The calendar ends some hours before the year 9999 does; a later time becomes
    /// its last millisecond.
    fn from_str(text: &str) -> Result<Self, NoTime> {
        if let Ok(moment) = text.parse::<jiff::Timestamp>() {
            return Ok(Self(moment.as_millisecond()));
        }
        let pieces = temporal::Pieces::parse(text).map_err(|_| NoTime)?;
        let is_whole = pieces.time().is_some() && pieces.to_numeric_offset().is_some();
        if is_whole && pieces.date().year() == LAST_YEAR {
            return Ok(Self(jiff::Timestamp::MAX.as_millisecond()));
        }
        Err(NoTime)
    }
}

/// The last year that RFC 3339 can write.
const LAST_YEAR: i16 = 9999;

/// Parses a duration from a command line: a whole number with the unit `ms`, `s`, `m`, `h` or `d`,
/// such as `90s`. Without a unit it is in seconds.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(format!("{text:?} is no time: give a number and ms, s, m, h or d")),
    };
    let number = number.parse::<u64>().ok().and_then(|number| number.checked_mul(milliseconds));
    match number {
        Some(milliseconds) => Ok(Duration::from_millis(milliseconds)),
        None => Err(format!("{text:?} is no time: give a number and ms, s, m, h or d")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn duration_accepts_a_number_and_a_unit() {
        for (text, milliseconds) in
            [("10", 10_000), ("5ms", 5), ("2m", 120_000), ("1d", 86_400_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)));
        }
        for bad in ["", "s", "-1s", "1.5s", "1y", "1 s", "99999999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad:?} is accepted");
        }
    }

    #[test]
    fn timestamp_formats_as_rfc3339_utc_without_failing() {
        assert_eq!(Timestamp(0).to_rfc3339(), "1970-01-01T00:00:00.000Z");
        let now = Timestamp::now();
        assert_eq!(now.to_rfc3339().parse::<Timestamp>().unwrap(), now);
        let end = "9999-12-31T23:59:59Z".parse::<Timestamp>().unwrap();
        assert_eq!("9999-12-31T23:59:60-23:59".parse::<Timestamp>().unwrap(), end);
        assert_eq!(end.to_rfc3339().parse::<Timestamp>().unwrap(), end);
        for wrong in ["", "soon", "2026-01-01", "9999-12-31", "9999-12-31T23:59:59", "99999"] {
            assert_eq!(wrong.parse::<Timestamp>(), Err(NoTime), "{wrong:?}");
        }
        assert_eq!("10000-01-01T00:00:00Z".parse::<Timestamp>(), Err(NoTime));
        for odd in [i64::MIN, i64::MAX] {
            assert!(!Timestamp(odd).to_rfc3339().is_empty());
        }
    }

    proptest! {
        #[test]
        fn timestamp_text_equals_the_calendar_librarys(
            moments in prop::collection::vec(
                prop_oneof![any::<i64>(), -400_000_000_000_000..300_000_000_000_000_i64, 0..5_000_i64],
                1..20,
            )
        ) {
            const MILLISECONDS: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
            for moment in moments.into_iter().map(Timestamp) {
                let expected = MILLISECONDS.timestamp_to_string(&moment.to_calendar());
                prop_assert_eq!(moment.to_rfc3339(), expected);
            }
        }
    }
}
