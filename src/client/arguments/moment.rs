//! The time of `send --at`: one of this machine's time zone, or one with an offset.
//!
//! A time that the zone skips, or has twice, is never guessed: it is refused, and the refusal says
//! what to give instead.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::AmbiguousOffset;
use jiff::{Timestamp as Moment, Zoned};

use crate::catalogue::scheduled as texts;
use crate::model::Timestamp;
use crate::protocol::arguments::{SCHEDULE_SECONDS_MAX, When};
use crate::terminal::reason;

const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

/// Parses a time that is to come, by this machine's clock and time zone.
pub fn parse_at(text: &str) -> Result<Timestamp, String> {
    resolve(text, &Zoned::now())
}

/// Parses how long from now: whole seconds, at least one.
pub fn parse_in(text: &str) -> Result<Duration, String> {
    let pause = reason::parse_duration(text)?;
    let is_whole = pause.subsec_nanos() == 0;
    match is_whole && (1..=SCHEDULE_SECONDS_MAX).contains(&pause.as_secs()) {
        true => Ok(pause),
        false => Err(texts::give_pause().to_owned()),
    }
}

/// Parses a time, or how long from now. A text at the prompt is one word.
pub fn parse_when(text: &str) -> Result<When, String> {
    match parse_in(text) {
        Ok(pause) => Ok(When::In(pause.as_secs())),
        Err(why) if text.ends_with(['s', 'm', 'h', 'd']) => Err(why),
        Err(_) => parse_at(text).map(When::At).map_err(|why| {
            let is_no_time = why == texts::give_time(text);
            if is_no_time { texts::give_time_or_pause(text) } else { why }
        }),
    }
}

/// The time that the text means at `now`. A time of the day is the next one.
fn resolve(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let moment = match text.parse::<Moment>() {
        Ok(moment) => moment,
        Err(_) => match (time_of_day(text), text.parse::<DateTime>()) {
            (Some(time), _) => next(text, time, now)?,
            // A date alone is no time.
            (None, Ok(date_time)) if text.contains(':') => dated(text, date_time, now)?,
            _ => return Err(texts::give_time(text)),
        },
    };
    let ahead = moment.duration_since(now.timestamp());
    match u64::try_from(ahead.as_secs()) {
        _ if !ahead.is_positive() => Err(texts::time_has_passed(text)),
        Ok(..=SCHEDULE_SECONDS_MAX) => Ok(Timestamp(moment.as_millisecond())),
        _ => Err(texts::time_is_too_far(text, SCHEDULE_SECONDS_MAX / SECONDS_OF_A_DAY)),
    }
}

/// `17:00`, `17:00:30` or `9:00`.
fn time_of_day(text: &str) -> Option<Time> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    let padded = match text.find(':') {
        Some(1) => format!("0{text}"),
        _ => text.to_owned(),
    };
    padded.parse().ok().filter(|_| is_plain && text.contains(':'))
}

/// The next time of the day: of today, or of tomorrow if it has passed.
fn next(text: &str, time: Time, now: &Zoned) -> Result<Moment, String> {
    let today = now.date().to_datetime(time);
    let (earlier, later) = both(text, today, now)?;
    if earlier > now.timestamp() {
        return dated(text, today, now);
    }
    if later > now.timestamp() {
        // It comes twice today, and the second time is still to come.
        return Ok(later);
    }
    let tomorrow = now.date().tomorrow().map_err(|_| texts::give_time(text))?;
    dated(text, tomorrow.to_datetime(time), now)
}

/// The first and the last moment that a local time can mean.
fn both(text: &str, local: DateTime, now: &Zoned) -> Result<(Moment, Moment), String> {
    let moment = now.time_zone().to_ambiguous_timestamp(local);
    let wrong = |_| texts::give_time(text);
    Ok((moment.earlier().map_err(wrong)?, moment.later().map_err(wrong)?))
}

/// The moment of a local time.
fn dated(text: &str, local: DateTime, now: &Zoned) -> Result<Moment, String> {
    let (earlier, _) = both(text, local, now)?;
    match now.time_zone().to_ambiguous_timestamp(local).offset() {
        AmbiguousOffset::Unambiguous { .. } => Ok(earlier),
        AmbiguousOffset::Gap { .. } => {
            Err(texts::time_is_skipped(local.strftime("%Y-%m-%d %H:%M:%S")))
        }
        AmbiguousOffset::Fold { before, after } => {
            let with = |offset| format!("{local}{offset}");
            let shown = local.strftime("%Y-%m-%d %H:%M:%S");
            Err(texts::time_comes_twice(shown, with(before), with(after)))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::catalogue::{Language, speaking};

    /// In Berlin: the clock is set forward on 2026-03-29 at 2:00, and back on 2026-10-25 at 3:00.
    fn at(now: &str, text: &str) -> Result<String, String> {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let now: Moment = now.parse().unwrap();
        resolve(text, &now.to_zoned(berlin)).map(Timestamp::to_rfc3339)
    }

    fn is(now: &str, text: &str, expected: &str) {
        assert_eq!(at(now, text).unwrap(), format!("{expected}.000Z"), "{text} at {now}");
    }

    #[test]
    fn time_of_the_day_is_the_next_one() {
        let noon = "2026-11-30T12:00:00+01:00";
        is(noon, "17:00", "2026-11-30T16:00:00");
        is(noon, "9:00", "2026-12-01T08:00:00");
        is(noon, "12:00", "2026-12-01T11:00:00");
        is(noon, "12:00:01", "2026-11-30T11:00:01");
        // The day of the change has 23 hours, or 25.
        is("2026-03-28T12:00:00+01:00", "11:00", "2026-03-29T09:00:00");
        is("2026-10-24T12:00:00+02:00", "11:00", "2026-10-25T10:00:00");
    }

    #[test]
    fn date_and_time_are_local_unless_they_have_an_offset() {
        let noon = "2026-11-30T12:00:00+01:00";
        is(noon, "2026-12-01 09:00", "2026-12-01T08:00:00");
        is(noon, "2027-07-01T09:00:30", "2027-07-01T07:00:30");
        is(noon, "2026-12-01T09:00:00Z", "2026-12-01T09:00:00");
        is(noon, "2026-12-01T09:00:00-05:00", "2026-12-01T14:00:00");
        for text in ["2026-11-30 11:59", "2026-11-30T11:00:00Z", "2025-12-01 09:00"] {
            assert_eq!(at(noon, text), Err(texts::time_has_passed(text)));
        }
        for text in ["", "17", "25:00", "17:60", "tomorrow", "2026-12-01", "2026-13-01 09:00", "-1"]
        {
            assert_eq!(at(noon, text), Err(texts::give_time(text)));
        }
    }

    #[test]
    fn time_is_not_too_far_ahead() {
        let noon = "2026-11-30T12:00:00+01:00";
        is(noon, "2036-12-07 12:00", "2036-12-07T11:00:00");
        for text in ["2036-12-07 12:01", "2099-01-01T00:00:00Z"] {
            assert_eq!(at(noon, text), Err(texts::time_is_too_far(text, 3_660)));
        }
    }

    #[test]
    fn time_of_the_prompt_may_be_a_pause_and_its_refusal_says_so() {
        assert_eq!(parse_when("2h"), Ok(When::In(7_200)));
        assert!(matches!(parse_when("2036-12-01T09:00"), Ok(When::At(_))));
        for language in [Language::English, Language::Indonesian] {
            let wrong = |text| speaking(language, || parse_when(text).unwrap_err());
            for text in ["soon", "25:00", "noon", "2026-12-01"] {
                assert!(wrong(text).contains(" 2h "), "{}", wrong(text));
                assert!(wrong(text).starts_with(text), "{}", wrong(text));
            }
            let passed = "2025-12-01T09:00";
            assert_eq!(wrong(passed), speaking(language, || texts::time_has_passed(passed)));
        }
        assert_eq!(parse_when("0s"), Err(texts::give_pause().to_owned()));
    }

    #[test]
    fn time_that_the_clock_skips_is_refused() {
        let before = "2026-03-28T12:00:00+01:00";
        let skipped = Err(texts::time_is_skipped("2026-03-29 02:30:00"));
        assert_eq!(at(before, "2026-03-29 02:30"), skipped);
        assert_eq!(at(before, "2:30"), skipped);
        is(before, "2026-03-29 01:59", "2026-03-29T00:59:00");
        is(before, "2026-03-29 03:00", "2026-03-29T01:00:00");
        // After the change it is the time of the next day.
        is("2026-03-29T10:00:00+02:00", "2:30", "2026-03-30T00:30:00");
    }

    #[test]
    fn time_that_comes_twice_is_refused_until_one_of_them_is_left() {
        let before = "2026-10-24T12:00:00+02:00";
        let refused = at(before, "2026-10-25 02:30").unwrap_err();
        assert_eq!(at(before, "2:30"), Err(refused.clone()));
        let [first, second] = ["2026-10-25T02:30:00+02", "2026-10-25T02:30:00+01"];
        assert_eq!(refused, texts::time_comes_twice("2026-10-25 02:30:00", first, second));
        // What the refusal proposes is understood.
        is(before, first, "2026-10-25T00:30:00");
        is(before, second, "2026-10-25T01:30:00");
        is("2026-10-25T02:40:00+02:00", "2:30", "2026-10-25T01:30:00");
        is("2026-10-25T02:40:00+01:00", "2:30", "2026-10-26T01:30:00");
    }

    #[test]
    fn pause_is_of_whole_seconds() {
        assert_eq!(parse_in("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(parse_in("3660d"), Ok(Duration::from_secs(SCHEDULE_SECONDS_MAX)));
        for text in ["0s", "1500ms", "3661d", "soon"] {
            assert!(parse_in(text).is_err(), "{text}");
        }
    }
}
