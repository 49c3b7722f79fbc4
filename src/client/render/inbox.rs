//! Lays out messages for reading: a line per day, then time, sender and text in columns. A page with
//! a message to a room has a column for the rooms before the senders. Every line of a text is
//! indented, so that no text can pass for another message. On a narrow terminal, time, room and
//! sender are above the text.

use std::borrow::Cow;
use std::fmt::Write as _;

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::wrap::{fitted, wrap};
use super::{color, details};
use crate::catalogue::time;
use crate::model::{Message, RoomName, Timestamp};
use crate::terminal::{self, relative, text};

/// The least width of a text beside its sender. With less room, the text goes below.
const TEXT_COLUMNS_MIN: usize = 16;

/// `10:54`
const TIME_COLUMNS: usize = 5;
/// The gap before the time, between time and sender, and between sender and text.
const GAP_COLUMNS: usize = 2;
const GAP: &str = "  ";

/// The clock for times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Clock {
    /// This machine's time (`TZ`, `/etc/localtime`).
    #[default]
    Local,
    /// UTC.
    Utc,
    /// How long ago: `2 min ago`.
    Relative,
}

/// Lays out messages, page by page, as one list.
#[derive(Debug)]
pub struct Layout {
    columns: usize,
    clock: Clock,
    zone: TimeZone,
    is_colored: bool,
    /// The day of the last day line.
    day: Option<Date>,
}

/// Where words were found in a message: in its title and in its text, in characters.
#[derive(Debug, Clone, Copy, Default)]
pub struct Places<'a> {
    /// In its title.
    pub title: &'a [(usize, usize)],
    /// In its text.
    pub body: &'a [(usize, usize)],
}

impl Layout {
    /// A layout for the terminal on standard output.
    pub fn for_terminal(clock: Clock) -> Self {
        Self { is_colored: color::is_wanted(), ..Self::new(terminal::columns(), clock) }
    }

    /// A layout for this many columns, without colours.
    pub fn new(columns: usize, clock: Clock) -> Self {
        let zone = match clock {
            Clock::Local | Clock::Relative => TimeZone::system(),
            Clock::Utc => TimeZone::UTC,
        };
        Self { columns, clock, zone, is_colored: false, day: None }
    }

    /// Omits the day line for messages of today.
    pub fn since_today(mut self) -> Self {
        self.day = Some(jiff::Timestamp::now().to_zoned(self.zone.clone()).date());
        self
    }

    /// Changes the width.
    pub fn set_columns(&mut self, columns: usize) {
        self.columns = columns;
    }

    /// The next page, safe to print on a terminal. Each line ends in a line feed, and none is wider
    /// than the terminal.
    pub fn page(&mut self, messages: &[Message]) -> String {
        self.lay_out(&plain(messages), Side::Sender)
    }

    /// Like [`page`](Self::page), with the id of each message, and with marks where words were
    /// found.
    pub fn found_page(&mut self, messages: &[(&Message, Places<'_>)]) -> String {
        self.lay_out(messages, Side::Found)
    }

    /// Like [`page`](Self::page), for messages that the user has sent: `> neko` replaces the
    /// sender.
    pub fn sent_page(&mut self, messages: &[Message]) -> String {
        self.lay_out(&plain(messages), Side::Recipient)
    }

    fn lay_out(&mut self, messages: &[(&Message, Places<'_>)], side: Side) -> String {
        let names = messages.iter().map(|(message, _)| side.label(message).len());
        let name_columns = names.max().unwrap_or(0);
        // The column and the gap after it; a page without a room has neither.
        let rooms = messages.iter().filter_map(|(message, _)| side.room(message));
        let room_columns = rooms.map(|room| room.len() + GAP_COLUMNS).max().unwrap_or(0);
        let indent = 3 * GAP_COLUMNS + self.time_columns() + room_columns + name_columns;
        let mut out = String::new();
        for &(message, places) in messages {
            let (label, name) = (side.label(message), side.name(message));
            let room = side.room(message).unwrap_or_default();
            let moment = message.at.to_calendar().to_zoned(self.zone.clone());
            self.day(moment.date(), &mut out);
            let time = match self.clock {
                Clock::Relative => relative::ago(message.at, Timestamp::now()),
                Clock::Local | Clock::Utc => moment.strftime("%H:%M").to_string(),
            };
            if indent + TEXT_COLUMNS_MIN <= self.columns {
                let columns = self.time_columns();
                let _ = write!(out, "{GAP}{time:>columns$}{GAP}");
                self.cell(room, room, room_columns, &mut out);
                self.cell(name, &label, name_columns + GAP_COLUMNS, &mut out);
                self.text((message, places), indent, 0, &mut out);
            } else {
                self.narrow_head(&time, &[(room, room), (name, &label)], &mut out);
                let indent = narrow_indent(self.columns);
                self.text((message, places), indent, indent, &mut out);
            }
        }
        out
    }

    /// Writes a day line, unless the previous message is of the same day.
    fn day(&mut self, day: Date, out: &mut String) {
        if self.clock == Clock::Relative || self.day == Some(day) {
            return;
        }
        self.day = Some(day);
        let line = format!("{} {}", weekday(day), day.strftime("%Y-%m-%d"));
        wrap(&line, self.columns).iter().for_each(|piece| {
            let _ = writeln!(out, "{piece}");
        });
    }

    /// Time, room and sender above the text, for a narrow terminal: on one line if they fit. Each
    /// label has the name whose colour it gets; an empty one is left out.
    fn narrow_head(&self, time: &str, labels: &[(&str, &str)], out: &mut String) {
        let labels = labels.iter().filter(|(_, label)| !label.is_empty());
        let columns = labels.clone().map(|(_, label)| 1 + label.len()).sum::<usize>();
        if time.len() + columns <= self.columns {
            out.push_str(time);
            labels.for_each(|(name, label)| {
                let _ = write!(out, " {}", self.colored(name, label));
            });
            out.push('\n');
            return;
        }
        for piece in wrap(time, self.columns) {
            let _ = writeln!(out, "{piece}");
        }
        for (name, label) in labels {
            for piece in wrap(label, self.columns) {
                let _ = writeln!(out, "{}", self.colored(name, piece));
            }
        }
    }

    /// Writes a label in the colour of a name, padded to this many columns.
    fn cell(&self, name: &str, label: &str, columns: usize, out: &mut String) {
        if columns == 0 {
            return;
        }
        let padding = columns - label.len();
        let shown = if label.is_empty() { String::new() } else { self.colored(name, label) };
        let _ = write!(out, "{shown}{:padding$}", "");
    }

    /// Writes the text, with lines indented by `indent`. The first line is indented by
    /// `first_indent` from the end of `out`.
    fn text(
        &self,
        (message, places): (&Message, Places<'_>),
        indent: usize,
        first_indent: usize,
        out: &mut String,
    ) {
        let columns = self.columns.saturating_sub(indent).max(1);
        let text = details::text(message);
        let lines = text::visible_lines_with_places(&text, &self.marked(message, places));
        let lines: Vec<_> =
            lines.iter().map(|(line, places)| (fitted(line, columns), places)).collect();
        let pieces = lines.iter().flat_map(|(line, places)| {
            // A line whose characters were replaced has no places.
            let places = matches!(line, Cow::Borrowed(_)).then_some(places.as_slice());
            let mark = move |piece| marked_piece(line, places.unwrap_or_default(), piece);
            wrap(line, columns).into_iter().map(mark)
        });
        for (index, piece) in pieces.enumerate() {
            let indent = match index {
                0 => first_indent,
                _ if piece.is_empty() => 0,
                _ => indent,
            };
            let _ = writeln!(out, "{:indent$}{piece}", "");
        }
    }

    /// The places to mark in a message with its details.
    fn marked(&self, message: &Message, places: Places<'_>) -> text::Places {
        if !self.is_colored {
            return text::Places::new();
        }
        let (title, body) = details::places(message);
        let moved = |places: &[(usize, usize)], by: usize| {
            Vec::from_iter(places.iter().map(|&(from, to)| (from + by, to + by)))
        };
        [moved(places.title, title), moved(places.body, body)].concat()
    }

    /// A text in the colour of a name.
    fn colored(&self, name: &str, piece: &str) -> String {
        match self.is_colored {
            true => color::of(name, piece).to_string(),
            false => piece.to_owned(),
        }
    }

    fn time_columns(&self) -> usize {
        match self.clock {
            Clock::Local | Clock::Utc => TIME_COLUMNS,
            Clock::Relative => relative::columns_max(),
        }
    }
}

/// The name to show with a message.
#[derive(Debug, Clone, Copy)]
enum Side {
    Sender,
    Recipient,
    /// The id, and both: the user has sent or received it.
    Found,
}

impl Side {
    fn name(self, message: &Message) -> &str {
        match self {
            Self::Sender | Self::Found => message.from.as_str(),
            Self::Recipient => message.to.as_str(),
        }
    }

    /// The room that stands before the sender. The recipient of a sent message may be a room too,
    /// and then it is shown already.
    fn room(self, message: &Message) -> Option<&str> {
        match self {
            Self::Sender => message.to.room().map(RoomName::as_str),
            Self::Recipient | Self::Found => None,
        }
    }

    /// No user name begins with `>`, so no received message can pass for a sent one.
    fn label(self, message: &Message) -> String {
        match self {
            Self::Sender => message.from.to_string(),
            Self::Found => format!("{} {} > {}", message.id.0, message.from, message.to),
            Self::Recipient => format!("> {}", message.to),
        }
    }
}

fn plain(messages: &[Message]) -> Vec<(&Message, Places<'_>)> {
    messages.iter().map(|message| (message, Places::default())).collect()
}

/// A piece of a line, with marks at the line's places.
fn marked_piece<'a>(line: &str, places: &[(usize, usize)], piece: &'a str) -> Cow<'a, str> {
    if places.is_empty() {
        return Cow::Borrowed(piece);
    }
    // A piece is a part of its line.
    let begin = piece.as_ptr() as usize - line.as_ptr() as usize;
    let (mut out, mut done) = (String::new(), 0);
    for &(from, to) in places {
        let from = from.saturating_sub(begin).clamp(done, piece.len());
        let to = to.saturating_sub(begin).clamp(from, piece.len());
        if from < to {
            out.push_str(&piece[done..from]);
            let _ = write!(out, "{}", color::found(&piece[from..to]));
            done = to;
        }
    }
    out.push_str(&piece[done..]);
    Cow::Owned(out)
}

/// The indentation of a text below its sender. With three or more columns, no text can pass for
/// another message; with fewer there is no room for an indentation.
fn narrow_indent(columns: usize) -> usize {
    match columns {
        12.. => 4,
        6.. => 2,
        3.. => 1,
        _ => 0,
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
            details: None,
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
    fn rooms_have_a_column_before_the_senders() {
        let to_room = |from: &str, room: &str, body: &str| Message {
            to: room.parse().unwrap(),
            ..message(from, NOON, body)
        };
        let messages = [
            to_room("paff", "#build", "done\nin 3 s"),
            message("vanessa", NOON, "hai"),
            to_room("ivy", "#ops", "ok"),
        ];
        assert_eq!(
            layout(80).page(&messages),
            "Mon 2026-11-23\n\
             \x20 12:00  #build  paff     done\n\
             \x20                         in 3 s\n\
             \x20 12:00          vanessa  hai\n\
             \x20 12:00  #ops    ivy      ok\n"
        );
        let page = layout(30).page(&messages[..1]);
        assert_eq!(page, "Mon 2026-11-23\n12:00 #build paff\n    done\n    in 3 s\n");
        let page = layout(16).page(&messages[..1]);
        assert!(page.ends_with("\n12:00\n#build\npaff\n    done\n    in 3 s\n"), "{page}");
        let page = layout(80).sent_page(&messages[2..]);
        assert!(page.ends_with("\n  12:00  > #ops  ok\n"), "{page}");
    }

    #[test]
    fn sent_messages_are_shown_with_their_recipient() {
        let page = layout(80).sent_page(&[message("paff", NOON, "hai\nneko")]);
        assert!(page.ends_with("\n  12:00  > neko  hai\n                 neko\n"), "{page}");
        let page = layout(9).sent_page(&[message("paff", NOON, "hai")]);
        assert!(page.ends_with("\n12:00\n> neko\n  hai\n"), "{page}");
    }

    #[test]
    fn narrow_terminal_has_the_text_below_its_sender() {
        let page = layout(30).page(&[message("paff", NOON, "hai neko, apa kabar\nhari ini")]);
        assert_eq!(page, "Mon 2026-11-23\n12:00 paff\n    hai neko, apa kabar\n    hari ini\n");
        let page = layout(9).page(&[message("paff", NOON, "猫猫猫猫")]);
        assert_eq!(page, "Mon\n2026-11-2\n3\n12:00\npaff\n  猫猫猫\n  猫\n");
        let page = layout(2).page(&[message("ivy", NOON, "猫a")]);
        assert!(page.ends_with("\n12\n:0\n0\niv\ny\n猫\na\n"), "{page}");
        // There is no room for a wide character.
        let page = layout(1).page(&[message("ivy", NOON, "猫a❤\u{fe0f}e\u{301}")]);
        assert!(page.ends_with("\ni\nv\ny\n?\na\n?\ne\u{301}\n"), "{page}");
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
        fn no_row_is_wider_than_the_terminal_and_no_text_passes_for_another_message(
            body in "([ -~猫\u{a0}\u{301}]|❤\u{fe0f}|\n|\r\n|\t){1,200}",
            from in "[a-z0-9_-]{1,32}",
            room in proptest::option::of("#[a-z0-9_-]{1,32}"),
            columns in 1usize..=200,
            clock in prop_oneof![Just(Clock::Utc), Just(Clock::Local), Just(Clock::Relative)],
        ) {
            let mut layout = Layout::new(columns, clock);
            let message = |body: &str| {
                let to = room.as_deref().unwrap_or("neko").parse().unwrap();
                [Message { to, ..message(&from, NOON, body) }]
            };
            let page = layout.page(&message(&body));
            for line in page.lines() {
                prop_assert!(line.width() <= columns, "{line:?}");
            }
            // The columns before the text.
            let texts = layout.page(&message("x"));
            let head = texts.lines().count();
            let is_beside = texts.starts_with(GAP);
            let indent = if is_beside {
                texts.trim_end().len() - 1
            } else {
                let indent = narrow_indent(columns);
                let text = format!("\n{:indent$}x\n", "");
                prop_assert!(texts.ends_with(&text), "{texts:?}");
                indent
            };
            prop_assert!(columns < 3 || indent > 0);
            let days = page.lines().count() - layout.page(&message(&body)).lines().count();
            for line in page.lines().skip(days + if is_beside { 1 } else { head - 1 }) {
                prop_assert!(line.is_empty() || line.starts_with(&" ".repeat(indent)), "{line:?}");
            }
        }
    }
}
