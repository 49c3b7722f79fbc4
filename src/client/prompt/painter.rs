//! Paints the line being typed, and above it what is on the [`NoticeBoard`]; completes words.
//!
//! rustyline clears the rows of the line before it paints it anew, and from the column and row that
//! it then knows by counting it places the cursor. So whatever is written in whole lines right
//! before the prompt stands above the line, and draft and cursor are where they were. That is done
//! in [`Highlighter::highlight_prompt`], by the thread that types: what is on the board is taken
//! and written in one step, which no keystroke can come between.
//!
//! To have the line painted when no key is pressed, an empty text is "printed" by rustyline's
//! `ExternalPrinter`. It costs a line feed, which is taken back. Such a painting is told from
//! others by [`Highlighter::highlight_char`], which comes before every other, since it always asks
//! for one; or [`Highlighter::highlight_candidate`], after a list of completions.
//! Should a later rustyline paint otherwise, `tests/client/live.rs` finds empty rows or lost ones.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Context, Helper};

use super::line;
use super::notice_board::{Notice, NoticeBoard};
use crate::client::render::inbox::{Clock, Layout};
use crate::client::render::wrap::{fitted, wrap};
use crate::terminal;

/// One row up, after the line feed of an empty print.
const UP: &str = "\x1b[A";

/// Rings.
const BELL: &str = "\x07";

/// What rustyline asks how to paint, and what could be meant.
#[derive(Debug)]
pub struct Painter {
    board: Arc<NoticeBoard>,
    layout: RefCell<Layout>,
    /// The painting that was announced.
    announced: Cell<Option<CmdKind>>,
    /// What is on the board waits.
    is_held: Cell<bool>,
}

impl Painter {
    /// For what is on this board.
    pub fn new(board: Arc<NoticeBoard>) -> Self {
        let layout = Layout::for_terminal(Clock::Local).since_today();
        Self {
            board,
            layout: RefCell::new(layout),
            announced: Cell::new(None),
            is_held: Cell::new(false),
        }
    }

    /// Nothing appears above the line from now on, or it does again.
    pub fn hold(&self, is_held: bool) {
        self.is_held.set(is_held);
    }

    /// What is on the board, in lines; it counts as shown.
    pub fn notices(&self) -> String {
        let mut layout = self.layout.borrow_mut();
        let columns = terminal::columns();
        layout.set_columns(columns);
        let mut lines = String::new();
        let mut messages = Vec::new();
        let mut is_message = false;
        for notice in self.board.take_notices() {
            if !matches!(notice, Notice::Message(_)) {
                lines.push_str(&layout.page(&std::mem::take(&mut messages)));
            }
            match notice {
                Notice::Message(message) => {
                    is_message = true;
                    messages.push(message);
                }
                Notice::Sent(message) => lines.push_str(&layout.sent_page(&[message])),
                Notice::Text(text) => {
                    for piece in wrap(&fitted(&text, columns), columns) {
                        lines.push_str(piece);
                        lines.push('\n');
                    }
                }
            }
        }
        lines.push_str(&layout.page(&messages));
        if is_message && self.board.is_bell_on() {
            lines.insert_str(0, BELL);
        }
        lines
    }
}

impl Helper for Painter {}
impl Hinter for Painter {
    type Hint = String;
}
impl Validator for Painter {}

impl Highlighter for Painter {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(
        &'s self,
        prompt: &'p str,
        _default: bool,
    ) -> Cow<'b, str> {
        let announced = self.announced.take();
        // The last painting is that of a line that is done: what it has not shown before would
        // count as seen by whoever ended it.
        if announced == Some(CmdKind::ForcedRefresh) {
            return recounted(prompt, self.board.unread());
        }
        let up = if announced.is_none() { UP } else { "" };
        let notices = if self.is_held.get() { String::new() } else { self.notices() };
        Cow::Owned(format!("{up}{notices}{}", recounted(prompt, self.board.unread())))
    }

    fn highlight<'l>(&self, line: &'l str, _position: usize) -> Cow<'l, str> {
        self.board.note_draft(line);
        // A control character in a draft (they can be pasted) is counted as no column, and is
        // shown as none. An escape is typed on purpose, with Ctrl-V.
        let acts =
            |character: char| character.is_control() && !matches!(character, '\n' | '\t' | '\x1b');
        if line.contains(acts) { Cow::Owned(line.replace(acts, "")) } else { Cow::Borrowed(line) }
    }

    fn highlight_candidate<'c>(
        &self,
        candidate: &'c str,
        _completion: CompletionType,
    ) -> Cow<'c, str> {
        // The line is painted below the list, without another announcement.
        self.announced.set(Some(CmdKind::Other));
        Cow::Borrowed(candidate)
    }

    fn highlight_char(&self, _line: &str, _position: usize, kind: CmdKind) -> bool {
        self.announced.set(Some(kind));
        true
    }
}

impl Completer for Painter {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..position];
        let begin = typed.rfind(' ').map_or(0, |space| space + 1);
        let word = &typed[begin..];
        let before: Vec<&str> = typed[..begin].split_ascii_whitespace().collect();
        let words: Vec<String> = match before.as_slice() {
            // It is the answer to a question.
            _ if self.is_held.get() => Vec::new(),
            [] => line::VERBS
                .iter()
                .filter(|verb| verb.starts_with(word))
                .map(|verb| format!("{verb} "))
                .collect(),
            [verb] if line::TAKES_USER.contains(verb) => {
                self.board.users(word).iter().map(|user| format!("{user} ")).collect()
            }
            _ => Vec::new(),
        };
        Ok((begin, words))
    }
}

/// The prompt with the count of now, where that is as wide as the one in it: the width of a prompt
/// that is being typed at cannot change.
fn recounted(prompt: &str, unread: usize) -> Cow<'_, str> {
    let Some((begin, rest)) = prompt.rsplit_once(" (") else { return Cow::Borrowed(prompt) };
    let unread = unread.to_string();
    match rest.strip_suffix("):") {
        Some(count)
            if count.len() == unread.len() && count.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            Cow::Owned(format!("{begin} ({unread}):"))
        }
        _ => Cow::Borrowed(prompt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn count_in_the_prompt_changes_only_where_its_width_stays() {
        assert_eq!(recounted("Command neko (2):", 3), "Command neko (3):");
        assert_eq!(recounted("Command neko (9):", 10), "Command neko (9):");
        assert_eq!(recounted("Command neko:", 1), "Command neko:");
        assert_eq!(recounted("(reverse-i-search)`a (2':", 1), "(reverse-i-search)`a (2':");
    }

    #[test]
    fn verbs_and_users_are_completed_where_they_can_stand() {
        let board = Arc::new(NoticeBoard::default());
        for user in ["neko", "nana", "paff"] {
            board.add_user(&user.parse().unwrap());
        }
        let painter = Painter::new(board);
        let history = rustyline::history::MemHistory::new();
        let complete =
            |line: &str| painter.complete(line, line.len(), &Context::new(&history)).unwrap();
        assert_eq!(complete("se"), (0, vec!["send ".to_owned(), "sessions ".to_owned()]));
        assert_eq!(complete("send n"), (5, vec!["nana ".to_owned(), "neko ".to_owned()]));
        assert_eq!(complete("history p"), (8, vec!["paff ".to_owned()]));
        assert_eq!(complete("send neko n").1.len(), 0);
        assert_eq!(complete("list n").1.len(), 0);
    }

    #[test]
    fn pasted_control_characters_are_not_painted() {
        let painter = Painter::new(Arc::new(NoticeBoard::default()));
        assert_eq!(painter.highlight("a\x07\u{9b}31m\tb\nc", 0), "a31m\tb\nc");
    }
}
