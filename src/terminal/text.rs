//! Makes foreign text safe to print: a terminal shows it, but never acts on it.
//!
//! Three kinds of characters become visible escapes. The first kind acts on the terminal: control
//! characters, escape sequences, changes of the writing direction. The second kind is invisible,
//! such as zero-width characters. The third kind is combining marks in excess. Letters of every
//! script, emoji and emoji sequences stay unchanged.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

/// The most combining marks on one character. Living scripts need about four.
const MARKS_MAX: usize = 8;

/// The distance between tab stops.
const TAB_COLUMNS: usize = 8;

/// Carries a combining mark without a base character, so that it does not combine with our own
/// text.
const DOTTED_CIRCLE: char = '\u{25cc}';

/// The text as one line. Line endings and tabs are escaped too.
pub fn visible(text: &str) -> String {
    let mut line = Line::default();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        line.push(character, characters.peek().copied());
    }
    line.finish().0
}

/// The text as lines, at least one. LF and CR LF end a line; the last one does not start another.
/// Tabs become spaces. Otherwise each line is treated as in [`visible`].
pub fn visible_lines(text: &str) -> Vec<String> {
    visible_lines_with_places(text, &[]).into_iter().map(|(line, _)| line).collect()
}

/// Places in a text: the first one, and the first one after it.
pub type Places = Vec<(usize, usize)>;

/// As [`visible_lines`], each with the places in it, in bytes of the line. `places` are those of the
/// text, in characters, in order and without overlaps.
pub fn visible_lines_with_places(text: &str, places: &[(usize, usize)]) -> Vec<(String, Places)> {
    let mut lines = Vec::new();
    let mut line = Line::default();
    let text = text.strip_suffix('\n').map_or(text, |rest| rest.strip_suffix('\r').unwrap_or(rest));
    let mut characters = text.chars().enumerate().peekable();
    let mut places = places.iter().peekable();
    while let Some((at, character)) = characters.next() {
        let next = characters.peek().map(|&(_, next)| next);
        let is_in = |&&&(from, to): &&&(usize, usize)| from <= at && at < to;
        while places.next_if(|&&(_, to)| to <= at).is_some() {}
        let is_marked = places.peek().filter(is_in).is_some();
        let begin = line.shown.len();
        match character {
            '\r' if next == Some('\n') => {}
            '\n' => lines.push(std::mem::take(&mut line).finish()),
            '\t' => line.push_tab(),
            _ => line.push(character, next),
        }
        if is_marked && line.shown.len() > begin {
            line.mark(begin, places.peek().is_some_and(|&&(from, _)| from == at));
        }
    }
    lines.push(line.finish());
    lines
}

/// A line under construction.
#[derive(Default)]
struct Line {
    shown: String,
    columns: usize,
    /// The last visible character, unless an escape came after it.
    base: Option<char>,
    /// The number of combining marks on it.
    marks: usize,
    /// The number of further marks that were omitted.
    marks_left_out: usize,
    /// The places in it, in bytes.
    places: Places,
}

impl Line {
    fn push(&mut self, character: char, next: Option<char>) {
        let kind = kind(character, self.base, next);
        if !matches!(kind, Kind::Mark) {
            self.settle_marks();
        }
        match kind {
            Kind::Plain { columns } => {
                self.shown.push(character);
                self.columns += columns;
                self.base = Some(character);
            }
            Kind::Joiner => self.shown.push(character),
            Kind::Mark if self.marks == MARKS_MAX => self.marks_left_out += 1,
            Kind::Mark => {
                if self.base.is_none() {
                    self.shown.push(DOTTED_CIRCLE);
                    self.columns += 1;
                    self.base = Some(DOTTED_CIRCLE);
                }
                self.shown.push(character);
                self.marks += 1;
            }
            Kind::Escaped => self.push_escape(character),
        }
    }

    fn push_tab(&mut self) {
        self.settle_marks();
        let columns = TAB_COLUMNS - self.columns % TAB_COLUMNS;
        self.shown.extend(std::iter::repeat_n(' ', columns));
        self.columns += columns;
        self.base = Some(' ');
    }

    fn push_escape(&mut self, character: char) {
        let begin = self.shown.len();
        // Writing to a `String` cannot fail.
        let _ = match character {
            '\n' => write!(self.shown, "\\n"),
            '\r' => write!(self.shown, "\\r"),
            '\t' => write!(self.shown, "\\t"),
            '\0'..='\x7f' => write!(self.shown, "\\x{:02x}", u32::from(character)),
            _ => write!(self.shown, "\\u{{{:x}}}", u32::from(character)),
        };
        self.columns += self.shown.len() - begin;
        self.base = None;
    }

    /// Ends the sequence of combining marks. If marks were omitted, it appends their number.
    fn settle_marks(&mut self) {
        self.marks = 0;
        if self.marks_left_out > 0 {
            let begin = self.shown.len();
            let _ = write!(self.shown, "[+{} marks]", self.marks_left_out);
            self.columns += self.shown.len() - begin;
            self.marks_left_out = 0;
            self.base = None;
        }
    }

    /// Notes that what was shown from this byte on belongs to a place, which may begin here.
    fn mark(&mut self, from: usize, begins: bool) {
        let to = self.shown.len();
        match self.places.last_mut() {
            Some(last) if last.1 == from && !begins => last.1 = to,
            _ => self.places.push((from, to)),
        }
    }

    fn finish(mut self) -> (String, Places) {
        self.settle_marks();
        (self.shown, self.places)
    }
}

enum Kind {
    /// Printed unchanged; it takes this many columns.
    Plain { columns: usize },
    /// Joins two emoji.
    Joiner,
    /// Combines with the character before it.
    Mark,
    /// Acts on the terminal, or is invisible.
    Escaped,
}

fn kind(character: char, base: Option<char>, next: Option<char>) -> Kind {
    match character {
        '\u{200d}' if base.is_some_and(is_pictograph) && next.is_some_and(is_pictograph) => {
            Kind::Joiner
        }
        // A variation selector is meaningful after a symbol, and invisible elsewhere.
        '\u{fe0e}' | '\u{fe0f}' if base.is_some_and(takes_style) => Kind::Joiner,
        _ if is_invisible(character) => Kind::Escaped,
        _ => match character.width() {
            None => Kind::Escaped,
            Some(0) => Kind::Mark,
            Some(columns) => Kind::Plain { columns },
        },
    }
}

fn is_pictograph(character: char) -> bool {
    matches!(character, '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2600}'..='\u{27bf}'
        | '\u{2b00}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

fn takes_style(character: char) -> bool {
    is_pictograph(character)
        || matches!(character, '0'..='9' | '#' | '*' | '\u{a9}' | '\u{ae}')
        || matches!(character, '\u{203c}' | '\u{2049}' | '\u{2100}'..='\u{214f}'
            | '\u{25a0}'..='\u{25ff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}')
}

/// Characters without a glyph: format controls (general category Cf, except the Arabic and Syriac
/// ones with a glyph), line and paragraph separators, fillers, variation selectors and tags. The
/// blocks that Unicode reserves for more of them (Default_Ignorable_Code_Point) count too.
fn is_invisible(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f' | '\x7f'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1345f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn control_and_invisible_characters_are_escaped() {
        for (text, shown) in [
            ("\x1b[2J\x07", "\\x1b[2J\\x07"),
            ("\x1b]52;c;ZXZpbA==\x07", "\\x1b]52;c;ZXZpbA==\\x07"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\rb\x08c\x7f\0", "a\\rb\\x08c\\x7f\\x00"),
            ("one\ntwo\tthree", "one\\ntwo\\tthree"),
            ("\u{202e}exe.txt\u{2066}", "\\u{202e}exe.txt\\u{2066}"),
            ("pa\u{200b}ff\u{feff}", "pa\\u{200b}ff\\u{feff}"),
            ("a\u{2028}b\u{2029}", "a\\u{2028}b\\u{2029}"),
            ("a\u{200d}b\u{200c}", "a\\u{200d}b\\u{200c}"),
            ("so\u{ad}ft\u{e0041}", "so\\u{ad}ft\\u{e0041}"),
            ("a\u{fe0f}", "a\\u{fe0f}"),
        ] {
            assert_eq!(visible(text), shown);
        }
    }

    #[test]
    fn letters_and_emoji_stay_unchanged() {
        for text in [
            "hai neko",
            "C:\\Users",
            "naïve façade e\u{301}",
            "日本語 한국어 ภาษาไทย עברית العربية हिन्दी",
            "🐱 👨\u{200d}👩\u{200d}👧 ❤\u{fe0f} 🏳\u{fe0f}\u{200d}🌈 1\u{fe0f}\u{20e3} 👍🏽",
            "🇮🇩",
        ] {
            assert_eq!(visible(text), text);
        }
    }

    #[test]
    fn excess_combining_marks_are_replaced_by_their_number() {
        let text = format!("e{}x", "\u{301}".repeat(10_000));
        let expected = format!("e{}[+9992 marks]x", "\u{301}".repeat(8));
        assert_eq!(visible(&text), expected);
        assert_eq!(visible("\u{301}"), "\u{25cc}\u{301}");
        assert_eq!(visible("\x1b\u{301}"), "\\x1b\u{25cc}\u{301}");
    }

    #[test]
    fn lines_are_split_and_tabs_are_aligned() {
        assert_eq!(visible_lines("one\r\ntwo\n\nfour\n"), ["one", "two", "", "four"]);
        assert_eq!(visible_lines(""), [""]);
        assert_eq!(visible_lines("\n"), [""]);
        assert_eq!(visible_lines("a\rb"), ["a\\rb"]);
        assert_eq!(visible_lines("a\tb\n\t猫\tc"), ["a       b", "        猫      c"]);
    }

    proptest! {
        #[test]
        fn any_text_becomes_safe_to_print(text: String) {
            for line in visible_lines(&text).into_iter().chain([visible(&text)]) {
                let mut marks = 0;
                let mut before = None;
                let mut characters = line.chars().peekable();
                while let Some(character) = characters.next() {
                    match kind(character, before, characters.peek().copied()) {
                        Kind::Escaped => prop_assert!(false, "{:?} in {:?}", character, line),
                        Kind::Mark => marks += 1,
                        Kind::Joiner => {}
                        Kind::Plain { .. } => {
                            marks = 0;
                            before = Some(character);
                        }
                    }
                    prop_assert!(marks <= MARKS_MAX);
                }
            }
        }

        #[test]
        fn printable_ascii_stays_unchanged(text in "[ -~]*") {
            prop_assert_eq!(visible(&text), text);
        }
    }
}
