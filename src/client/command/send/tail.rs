//! The last lines of a command's output, in bounded memory however much there is.
//!
//! Both outputs of a command end up in one list, in the order in which their lines were complete.

use std::collections::VecDeque;

use memchr::{memchr, memrchr, memrchr_iter};

/// The most bytes of one line. Of a longer line the beginning is kept.
const LINE_BYTES_MAX: usize = 4096;
/// The most bytes of all lines: what a message can hold.
const BYTES_MAX: usize = crate::model::BODY_BYTES_MAX;
/// What follows a line that was cut.
const CUT: &str = "…";

/// One of a command's outputs.
#[derive(Debug, Clone, Copy)]
pub enum Output {
    /// Standard output.
    Out = 0,
    /// Standard error.
    Error = 1,
}

/// See the module.
#[derive(Debug)]
pub struct Tail {
    lines_max: usize,
    lines: VecDeque<Vec<u8>>,
    /// The bytes of `lines`.
    bytes: usize,
    /// The incomplete last line of each output.
    partial: [Partial; 2],
}

#[derive(Debug, Default)]
struct Partial {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Tail {
    /// Keeps the last `lines_max` lines.
    pub fn new(lines_max: usize) -> Self {
        Self { lines_max, lines: VecDeque::new(), bytes: 0, partial: Default::default() }
    }

    /// Takes the next bytes of an output.
    pub fn add(&mut self, output: Output, bytes: &[u8]) {
        if self.lines_max == 0 {
            return;
        }
        let mut rest = self.skip_to_last_lines(output, bytes);
        while let Some(end) = memchr(b'\n', rest) {
            self.partial[output as usize].add(&rest[..end]);
            self.complete(output);
            rest = &rest[end + 1..];
        }
        self.partial[output as usize].add(rest);
    }

    /// The lines, as valid UTF-8 without control characters that overwrite a line. Those of the
    /// incomplete last lines come last.
    pub fn into_lines(mut self) -> Vec<String> {
        for output in [Output::Out, Output::Error] {
            if !self.partial[output as usize].bytes.is_empty() {
                self.complete(output);
            }
        }
        self.lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    /// Drops what cannot be among the last lines, so that a flood of output costs little.
    fn skip_to_last_lines<'a>(&mut self, output: Output, bytes: &'a [u8]) -> &'a [u8] {
        let Some(before) = memrchr_iter(b'\n', bytes).nth(self.lines_max) else { return bytes };
        // As many lines as are kept are complete after this one.
        (self.lines, self.bytes) = (VecDeque::new(), 0);
        self.partial[output as usize] = Partial::default();
        &bytes[before + 1..]
    }

    fn complete(&mut self, output: Output) {
        let line = std::mem::take(&mut self.partial[output as usize]).into_line();
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > self.lines_max || self.bytes > BYTES_MAX {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
        }
    }
}

impl Partial {
    /// Appends a part of the line. A carriage return begins the line anew, as on a terminal: of a
    /// progress display the last state is left.
    fn add(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        // The one at the end belongs to the line end, or nothing has overwritten the line yet.
        let body = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if let Some(at) = memrchr(b'\r', body) {
            (self.bytes, self.is_cut) = (Vec::new(), false);
            bytes = &bytes[at + 1..];
        } else if self.bytes.last() == Some(&b'\r') && !bytes.is_empty() {
            (self.bytes, self.is_cut) = (Vec::new(), false);
        }
        let room = LINE_BYTES_MAX - self.bytes.len().min(LINE_BYTES_MAX);
        self.is_cut |= bytes.len() > room;
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn into_line(self) -> Vec<u8> {
        let mut line = self.bytes;
        while line.last() == Some(&b'\r') {
            line.pop();
        }
        if self.is_cut {
            // Not in the middle of a character.
            let whole = line.iter().rposition(|byte| byte & 0xc0 != 0x80).unwrap_or(0);
            line.truncate(whole);
            line.extend_from_slice(CUT.as_bytes());
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tail(lines_max: usize, parts: &[(Output, &str)]) -> Vec<String> {
        let mut tail = Tail::new(lines_max);
        for (output, text) in parts {
            tail.add(*output, text.as_bytes());
        }
        tail.into_lines()
    }

    #[test]
    fn last_lines_of_both_outputs_are_kept_in_their_order() {
        use Output::{Error, Out};
        let parts = [(Out, "one\ntw"), (Error, "E1\nE2"), (Out, "o\nthree\n"), (Error, "!\nend")];
        let all = ["one", "E1", "two", "three", "E2!", "end"];
        assert_eq!(tail(20, &parts), all);
        assert_eq!(tail(6, &parts), all);
        assert_eq!(tail(2, &parts), ["E2!", "end"]);
        assert_eq!(tail(0, &parts), [""; 0]);
        assert_eq!(tail(3, &[(Out, "a\n\n\n")]), ["a", "", ""]);
    }

    #[test]
    fn progress_display_leaves_its_last_state() {
        use Output::Out;
        assert_eq!(
            tail(9, &[(Out, "10 %\r20 %\r"), (Out, "100 %\r\ndone\r\n")]),
            ["100 %", "done"]
        );
        assert_eq!(tail(9, &[(Out, "10 %\r20 %\r")]), ["20 %"]);
        assert_eq!(tail(9, &[(Out, "10 %"), (Out, "\r"), (Out, "20 %")]), ["20 %"]);
    }

    #[test]
    fn memory_is_bounded_and_long_lines_are_cut_between_characters() {
        let mut tail = Tail::new(1000);
        for _ in 0..1000 {
            tail.add(Output::Out, "猫".repeat(3000).as_bytes());
        }
        assert!(tail.partial[0].bytes.len() <= LINE_BYTES_MAX);
        for _ in 0..1000 {
            tail.add(Output::Error, &[b'x'; 2000]);
            tail.add(Output::Error, b"\n");
        }
        assert!(tail.bytes <= BYTES_MAX, "{}", tail.bytes);
        let lines = tail.into_lines();
        assert_eq!(lines.len(), 15, "the cut line has displaced others");
        let last = lines.last().unwrap();
        assert!(last.ends_with("猫…") && last.len() <= LINE_BYTES_MAX + CUT.len(), "{last}");
    }

    #[test]
    fn bytes_that_are_no_text_become_text() {
        let mut tail = Tail::new(3);
        tail.add(Output::Out, b"\xff\xfe ok\n\xe7\x8c");
        tail.add(Output::Out, b"\xab\n");
        assert_eq!(tail.into_lines(), ["\u{fffd}\u{fffd} ok", "猫"]);
    }

    proptest! {
        #[test]
        fn any_pieces_give_the_last_lines(
            text in "[a\r\n ]{0,60}",
            cuts in prop::collection::vec(0usize..60, 0..6),
            lines_max in 1usize..6,
        ) {
            let mut tail = Tail::new(lines_max);
            let mut at = 0;
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= text.len()).collect();
            cuts.sort_unstable();
            for cut in cuts.into_iter().chain([text.len()]) {
                tail.add(Output::Out, &text.as_bytes()[at..cut]);
                at = cut;
            }
            let mut whole = Tail::new(lines_max);
            whole.add(Output::Out, text.as_bytes());
            let lines = tail.into_lines();
            prop_assert!(lines.len() <= lines_max);
            prop_assert!(lines.len() <= text.matches('\n').count() + 1);
            prop_assert_eq!(lines, whole.into_lines());
        }
    }
}
