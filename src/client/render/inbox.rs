//! An inbox laid out for reading: a line a day, then time, sender and text in columns. The text is
//! indented on every line, so no text can pass for another message.

use std::fmt::Write as _;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::color;
use super::wrap::wrap;
use crate::catalogue::time;
use crate::model::{Message, Timestamp};
use crate::terminal::{self, relative, text};

/// Texts are at least this wide, however narrow the terminal is.
const TEXT_COLUMNS_MIN: usize = 16;

/// `10:54`
const TIME_COLUMNS: usize = 5;
/// What stands before the time, between time and sender, and between the sender and the text.
const GAP_COLUMNS: usize = 2;

/// Which clock times are shown by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Clock {
    /// That of this machine (`TZ`, `/etc/localtime`).
    #[default]
    Local,
    /// UTC.
    Utc,
    /// How long ago: `2 min ago`.
    Relative,
}

/// Lays out messages, page after page, as one list.
#[derive(Debug)]
pub struct Layout {
    columns: usize,
    clock: Clock,
    zone: TimeZone,
    is_colored: bool,
    /// The day of the last line for a day.
    day: Option<Date>,
}

impl Layout {
    /// For the terminal that standard output is.
    pub fn for_terminal(clock: Clock) -> Self {
        Self { is_colored: color::is_wanted(), ..Self::new(terminal::columns(), clock) }
    }

    /// For a terminal of so many columns, without colours.
    pub fn new(columns: usize, clock: Clock) -> Self {
        let zone = match clock {
            Clock::Local | Clock::Relative => TimeZone::system(),
            Clock::Utc => TimeZone::UTC,
        };
        Self { columns, clock, zone, is_colored: false, day: None }
    }

    /// As if a line for today had been written: only messages of another day get one.
    pub fn since_today(mut self) -> Self {
        self.day = Some(jiff::Timestamp::now().to_zoned(self.zone.clone()).date());
        self
    }

    /// From now on for a terminal of so many columns.
    pub fn set_columns(&mut self, columns: usize) {
        self.columns = columns;
    }

    /// The next page, harmless on a terminal. Each line ends in a line feed.
    pub fn page(&mut self, messages: &[Message]) -> String {
        let mut out = String::new();
        let names = messages.iter().map(|message| message.from.as_str().len());
        let sender_columns = names.max().unwrap_or(0);
        let indent = 3 * GAP_COLUMNS + self.time_columns() + sender_columns;
        let text_columns = self.columns.saturating_sub(indent).max(TEXT_COLUMNS_MIN);
        for message in messages {
            self.time(message.at, &mut out);
            let padding = sender_columns - message.from.as_str().len() + GAP_COLUMNS;
            let _ = if self.is_colored {
                write!(out, "{}{:padding$}", color::name(&message.from), "")
            } else {
                write!(out, "{}{:padding$}", message.from, "")
            };
            let lines = text::visible_lines(message.body.as_str());
            let pieces = lines.iter().flat_map(|line| wrap(line, text_columns));
            for (index, piece) in pieces.enumerate() {
                let indent = if index == 0 || piece.is_empty() { 0 } else { indent };
                let _ = writeln!(out, "{:indent$}{piece}", "");
            }
        }
        out
    }

    fn time_columns(&self) -> usize {
        match self.clock {
            Clock::Local | Clock::Utc => TIME_COLUMNS,
            Clock::Relative => relative::columns_max(),
        }
    }

    /// The time, with what stands around it; before it, on a line of its own, the day if it is a
    /// new one.
    fn time(&mut self, at: Timestamp, out: &mut String) {
        const GAP: &str = "  ";
        if self.clock == Clock::Relative {
            let (said, columns) = (relative::ago(at, Timestamp::now()), self.time_columns());
            let _ = write!(out, "{GAP}{said:>columns$}{GAP}");
            return;
        }
        let moment = at.to_calendar().to_zoned(self.zone.clone());
        if self.day != Some(moment.date()) {
            self.day = Some(moment.date());
            let _ = writeln!(out, "{} {}", weekday(moment.date()), moment.strftime("%Y-%m-%d"));
        }
        let _ = write!(out, "{GAP}{}{GAP}", moment.strftime("%H:%M"));
    }
}

fn weekday(day: Date) -> &'static str {
    match day.weekday() {
        Weekday::Monday => time::monday(),
        Weekday::Tuesday => time::tuesday(),
        Weekday::Wednesday => time::wednesday(),
        Weekday::Thursday => time::thursday(),
        Weekday::Friday => time::friday(),
        Weekday::Saturday => time::saturday(),
        Weekday::Sunday => time::sunday(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MessageId, Timestamp};
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    const NOON: i64 = 1_795_435_200_000; // 2026-11-23T12:00:00Z

    fn message(from: &str, at: i64, body: &str) -> Message {
        Message {
            id: MessageId(1),
            at: Timestamp(at),
            from: from.parse().unwrap(),
            to: "neko".parse().unwrap(),
            body: body.parse().unwrap(),
        }
    }

    fn layout(columns: usize) -> Layout {
        Layout::new(columns, Clock::Utc)
    }

    #[test]
    fn time_sender_and_text_stand_in_columns_under_their_day() {
        let day = 24 * 3600 * 1000;
        let mut layout = layout(80);
        let page = layout.page(&[
            message("paff", NOON, "hai neko"),
            message("vanessa", NOON + 60_000, "one\n\n  three"),
            message("ivy", NOON + day, "猫"),
        ]);
        assert_eq!(
            page,
            "Mon 2026-11-23\n\
             \x20 12:00  paff     hai neko\n\
             \x20 12:01  vanessa  one\n\
             \n\
             \x20                   three\n\
             Tue 2026-11-24\n\
             \x20 12:00  ivy      猫\n"
        );
        assert_eq!(layout.page(&[message("ivy", NOON + day, "more")]), "  12:00  ivy  more\n");
    }

    #[test]
    fn long_text_is_broken_under_itself() {
        let page = layout(31).page(&[message("paff", NOON, "hai neko, apa kabar hari ini")]);
        assert_eq!(
            page,
            "Mon 2026-11-23\n\
             \x20 12:00  paff  hai neko, apa\n\
             \x20              kabar hari ini\n"
        );
    }

    #[test]
    fn relative_times_stand_before_the_sender_and_need_no_day() {
        let mut layout = Layout::new(80, Clock::Relative);
        let page = layout.page(&[
            message("paff", Timestamp::now().0 - 180_000, "one\ntwo"),
            message("ivy", 0, "old"),
        ]);
        let expected =
            "   3 min ago  paff  one\n                    two\n  1970-01-01  ivy   old\n";
        assert_eq!(page, expected);
    }

    #[test]
    fn names_are_coloured_and_columns_stay() {
        let mut layout = layout(80);
        layout.is_colored = true;
        let page = layout.page(&[message("paff", NOON, "a"), message("ivy", NOON, "b")]);
        assert!(page.contains("m  a\n") && page.contains("m   b\n"), "{page:?}");
    }

    #[test]
    fn texts_of_others_cannot_act() {
        let page = layout(80).page(&[message("paff", NOON, "\x1b[2J\u{202e}x\r\n\x07")]);
        assert!(page.contains("\\x1b[2J\\u{202e}x\n") && page.contains("\\x07\n"), "{page}");
    }

    proptest! {
        #[test]
        fn no_text_passes_for_another_message(
            body in "([ -~猫\u{a0}\u{301}]|\n|\r\n|\t){1,200}",
            columns in 1usize..100,
        ) {
            let page = layout(columns).page(&[message("paff", NOON, &body)]);
            let widest = columns.max(3 * GAP_COLUMNS + TIME_COLUMNS + 4 + TEXT_COLUMNS_MIN);
            for (index, line) in page.lines().enumerate().skip(1) {
                prop_assert!(line.width() <= widest);
                let indent = " ".repeat(3 * GAP_COLUMNS + TIME_COLUMNS + 4);
                prop_assert!(index == 1 || line.is_empty() || line.starts_with(&indent));
            }
        }
    }
}
