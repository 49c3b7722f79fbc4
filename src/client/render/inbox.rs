//! An inbox laid out for reading: a line a day, then time, sender and text in columns. The text is
//! indented on every line, so no text can pass for another message.

use std::fmt::Write as _;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::text;
use super::wrap::wrap;
use crate::model::Message;

/// Texts are at least this wide, however narrow the terminal is.
const TEXT_COLUMNS_MIN: usize = 16;

/// `  10:54  `: what stands before the sender.
const TIME_COLUMNS: usize = 9;
/// What stands between the sender and the text.
const GAP_COLUMNS: usize = 2;

/// Which clock times are shown by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Clock {
    /// That of this machine (`TZ`, `/etc/localtime`).
    #[default]
    Local,
    /// UTC.
    Utc,
}

/// Lays out messages, page after page, as one list.
#[derive(Debug)]
pub struct Layout {
    columns: usize,
    zone: TimeZone,
    /// The day of the last line for a day.
    day: Option<Date>,
}

impl Layout {
    /// For a terminal of so many columns.
    pub fn new(columns: usize, clock: Clock) -> Self {
        let zone = match clock {
            Clock::Local => TimeZone::system(),
            Clock::Utc => TimeZone::UTC,
        };
        Self { columns, zone, day: None }
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
        let indent = TIME_COLUMNS + sender_columns + GAP_COLUMNS;
        let text_columns = self.columns.saturating_sub(indent).max(TEXT_COLUMNS_MIN);
        for message in messages {
            let moment = message.at.to_calendar().to_zoned(self.zone.clone());
            if self.day != Some(moment.date()) {
                self.day = Some(moment.date());
                let _ = writeln!(out, "{}", moment.strftime("%a %Y-%m-%d"));
            }
            let _ = write!(
                out,
                "  {}  {:<sender_columns$}  ",
                moment.strftime("%H:%M"),
                message.from.as_str()
            );
            let lines = text::visible_lines(message.body.as_str());
            let pieces = lines.iter().flat_map(|line| wrap(line, text_columns));
            for (index, piece) in pieces.enumerate() {
                let indent = if index == 0 || piece.is_empty() { 0 } else { indent };
                let _ = writeln!(out, "{:indent$}{piece}", "");
            }
        }
        out
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
            let widest = columns.max(TIME_COLUMNS + 4 + GAP_COLUMNS + TEXT_COLUMNS_MIN);
            for (index, line) in page.lines().enumerate().skip(1) {
                prop_assert!(line.width() <= widest);
                let indent = " ".repeat(TIME_COLUMNS + 4 + GAP_COLUMNS);
                prop_assert!(index == 1 || line.is_empty() || line.starts_with(&indent));
            }
        }
    }
}
