//! When a published message is sent: the parameter `delay` of ntfy's dialect, also `at` and `in`. And
//! when it expires, which is a parameter of our own.

use crate::model::{Timestamp, parse_duration};
use crate::protocol::arguments::{SCHEDULE_SECONDS_MAX, When};

use super::refused::Refused;

/// The units of a duration in words, in seconds.
const UNITS: [(&str, u64); 4] =
    [("second", 1), ("minute", 60), ("hour", 60 * 60), ("day", 24 * 60 * 60)];

/// Parses the value of `name`, `delay` or `expires`: seconds since 1970, a time as RFC 3339 has it,
/// or a duration such as `30m` or `2 hours`. Other words, such as `tomorrow`, depend on a time zone
/// that the server does not know.
///
/// A time up to `now` has passed, and is refused.
pub(super) fn parse(name: &str, text: &str, now: Option<Timestamp>) -> Result<When, Refused> {
    let text = text.trim();
    let given = time(text).map(When::At).or_else(|| seconds(text).map(When::In));
    match given {
        Some(When::At(at)) if now.is_some_and(|now| at <= now) => {
            Err(Refused::bad(format!("{name}: the time has passed")))
        }
        Some(When::In(seconds)) if !(1..=SCHEDULE_SECONDS_MAX).contains(&seconds) => {
            Err(Refused::bad(format!("{name}: give 1 to {SCHEDULE_SECONDS_MAX} seconds")))
        }
        Some(when) => Ok(when),
        None => {
            let forms = "a duration (30m, 2h, 1 day), a time as RFC 3339 has it, or seconds since \
                         1970";
            Err(Refused::bad(format!("{name}: give {forms}")))
        }
    }
}

fn time(text: &str) -> Option<Timestamp> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds: i64 = text.parse().ok()?;
        return seconds.checked_mul(1_000).map(Timestamp);
    }
    text.parse().ok()
}

fn seconds(text: &str) -> Option<u64> {
    if let Ok(duration) = parse_duration(text) {
        return (duration.subsec_nanos() == 0).then_some(duration.as_secs());
    }
    let split = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let unit = unit.trim_start().to_ascii_lowercase();
    let is_meant = |(name, _): &&(&str, u64)| unit == *name || unit.strip_suffix('s') == Some(name);
    let (_, unit) = UNITS.iter().find(is_meant)?;
    number.parse::<u64>().ok()?.checked_mul(*unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_is_a_duration_or_a_time() {
        let now = Some(Timestamp(1_800_000_000_000));
        for (text, expected) in [
            ("30m", When::In(1_800)),
            ("2 hours", When::In(7_200)),
            ("1 day", When::In(86_400)),
            ("3days", When::In(259_200)),
            ("1800000001", When::At(Timestamp(1_800_000_001_000))),
            ("2027-01-15T08:00:01Z", When::At(Timestamp(1_800_000_001_000))),
        ] {
            assert_eq!(parse("delay", text, now).unwrap(), expected, "{text}");
        }
        for text in ["", "0s", "1800000000", "tomorrow, 10am", "9999d", "1500ms", "-1h", "h"] {
            assert!(parse("delay", text, now).is_err(), "{text}");
        }
        let passed = When::At(Timestamp(1_800_000_000_000));
        assert_eq!(parse("expires", "1800000000", None).unwrap(), passed);
    }
}
