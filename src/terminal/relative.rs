//! Relative times for people, such as `2 min ago`.

use crate::catalogue::{Language, language, time};
use crate::model::Timestamp;

/// The greatest width of an [`ago`] text other than a date, in columns.
pub fn columns_max() -> usize {
    if language() == Language::Indonesian { 11 } else { 10 }
}

/// Formats a past time: `just now`, `2 min ago`, `3 h ago`, `yesterday`, `5 days ago`, and from a
/// week on the date in UTC. A time in the future, which means that a clock is wrong, is `just now`.
pub fn ago(moment: Timestamp, now: Timestamp) -> String {
    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    match now.0.saturating_sub(moment.0) {
        ..MINUTE => time::just_now().to_owned(),
        past @ MINUTE..HOUR => time::minutes_ago(past / MINUTE),
        past @ HOUR..DAY => time::hours_ago(past / HOUR),
        past if past < 2 * DAY => time::yesterday().to_owned(),
        past if past < 7 * DAY => time::days_ago(past / DAY),
        _ => moment.to_calendar().strftime("%Y-%m-%d").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::speaking;

    #[test]
    fn ago_uses_the_largest_unit_that_fits() {
        let now = Timestamp(1_795_435_200_000); // 2026-11-23T12:00:00Z
        for (seconds, words) in [
            (-100, "just now"),
            (59, "just now"),
            (60, "1 min ago"),
            (3599, "59 min ago"),
            (3600, "1 h ago"),
            (86_399, "23 h ago"),
            (86_400, "yesterday"),
            (6 * 86_400, "6 days ago"),
            (7 * 86_400, "2026-11-16"),
        ] {
            let said = ago(Timestamp(now.0 - seconds * 1000), now);
            assert_eq!(said, words);
            assert!(said.len() <= columns_max(), "{said}");
            let said =
                speaking(Language::Indonesian, || ago(Timestamp(now.0 - seconds * 1000), now));
            let widest = speaking(Language::Indonesian, columns_max);
            assert!(said.len() <= widest && !said.contains("ago"), "{said}");
        }
    }
}
