//! Paints the line being typed, with the notices of the [`NoticeBoard`] above it, and completes
//! words.
//!
//! rustyline clears the rows of the line before it repaints them, and it computes the position of
//! the cursor by counting. So whole lines that are written right before the prompt appear above the
//! line, and the draft and the cursor stay correct. [`Highlighter::highlight_prompt`] writes them,
//! in the thread that types. It takes the notices and writes them in one step, which no key press
//! can interrupt.
//!
//! To repaint without a key press, rustyline's `ExternalPrinter` "prints" an empty text. This adds
//! a line feed, which is taken back. All other repaints announce themselves by
//! [`Highlighter::highlight_char`], or after a list of completions by
//! [`Highlighter::highlight_candidate`]. If a later rustyline repaints differently,
//! `tests/client/live.rs` finds empty or missing rows.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Context, Helper};

use super::conversation::rooms;
use super::line;
use super::notice_board::{Notice, NoticeBoard};
use crate::client::command::change::beginning;
use crate::client::render::inbox::{Clock, Layout};
use crate::client::render::wrap::{fitted, wrap};
use crate::model::MailboxName;
use crate::terminal;

/// Moves one row up, after the line feed of an empty print.
const UP: &str = "\x1b[A";

/// Rings the terminal's bell.
const BELL: &str = "\x07";

/// Answers rustyline's questions: how to paint, and what completes a word.
#[derive(Debug)]
pub struct Painter {
    board: Arc<NoticeBoard>,
    layout: RefCell<Layout>,
    /// The repaint that was announced.
    announced: Cell<Option<CmdKind>>,
    /// Whether the notices wait.
    is_held: Cell<bool>,
}

impl Painter {
    /// A painter for the notices of this board.
    pub fn new(board: Arc<NoticeBoard>) -> Self {
        let layout = Layout::for_terminal(Clock::Local).since_today();
        Self {
            board,
            layout: RefCell::new(layout),
            announced: Cell::new(None),
            is_held: Cell::new(false),
        }
    }

    /// Holds the notices back, or shows them again.
    pub fn hold(&self, is_held: bool) {
        self.is_held.set(is_held);
    }

    /// The notices as lines. They count as shown.
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
        // The last repaint is of a finished line. Notices that it showed first would count as seen
        // by the person who has already pressed Enter.
        if announced == Some(CmdKind::ForcedRefresh) {
            return recounted(prompt, self.board.unread());
        }
        let up = if announced.is_none() { UP } else { "" };
        let notices = if self.is_held.get() { String::new() } else { self.notices() };
        Cow::Owned(format!("{up}{notices}{}", recounted(prompt, self.board.unread())))
    }

    fn highlight<'l>(&self, line: &'l str, _position: usize) -> Cow<'l, str> {
        self.board.note_draft(line);
        // rustyline counts a control character (from a paste) as zero columns, so it must not be
        // visible. An escape is typed on purpose, with Ctrl-V.
        let acts =
            |character: char| character.is_control() && !matches!(character, '\n' | '\t' | '\x1b');
        if line.contains(acts) { Cow::Owned(line.replace(acts, "")) } else { Cow::Borrowed(line) }
    }

    fn highlight_candidate<'c>(
        &self,
        candidate: &'c str,
        _completion: CompletionType,
    ) -> Cow<'c, str> {
        // The line is repainted below the list without an announcement.
        self.announced.set(Some(CmdKind::Other));
        Cow::Borrowed(candidate)
    }

    fn highlight_char(&self, _line: &str, _position: usize, kind: CmdKind) -> bool {
        self.announced.set(Some(kind));
        true
    }
}

impl Completer for Painter {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = &line[..position];
        let begin = typed.rfind(' ').map_or(0, |space| space + 1);
        let word = &typed[begin..];
        let before: Vec<&str> = typed[..begin].split_ascii_whitespace().collect();
        let words: Vec<String> = match before.as_slice() {
            // The line is the answer to a question.
            _ if self.is_held.get() => Vec::new(),
            [] => line::VERBS
                .iter()
                .filter(|verb| verb.starts_with(word))
                .map(|verb| format!("{verb} "))
                .collect(),
            [verb] if line::TAKES_NAME.contains(verb) => self.names(verb, word),
            ["ask", "--choice", _] => self.names("ask", word),
            ["room", before @ ..] => self.room_words(before, word),
            ["edit" | "delete"] => return Ok((begin, self.own_messages(word))),
            _ => Vec::new(),
        };
        let words = words.into_iter().map(|word| Pair { display: word.clone(), replacement: word });
        Ok((begin, words.collect()))
    }
}

impl Painter {
    /// The names that can stand after a verb and begin with `word`. The last one of a list counts.
    fn names(&self, verb: &str, word: &str) -> Vec<String> {
        let (before, begun) = word.split_at(word.rfind(',').map_or(0, |comma| comma + 1));
        let takes_room = !["auth", "block", "unblock"].contains(&verb);
        let names = self.board.names(begun).into_iter();
        let names = names.filter(|name| takes_room || name.user().is_some());
        let is_named = |name: &MailboxName| before.split(',').any(|it| it == name.as_str());
        names.filter(|name| !is_named(name)).map(|name| format!("{before}{name} ")).collect()
    }

    /// The user's own messages, shown with the beginning of their text.
    fn own_messages(&self, word: &str) -> Vec<Pair> {
        let own = self.board.own_messages(word).into_iter();
        own.map(|(id, text)| {
            let display = format!("{}  {}", id.0, beginning(&text));
            Pair { display, replacement: format!("{} ", id.0) }
        })
        .collect()
    }

    /// The words that can stand after `room` and these words: a command, a room, or users.
    fn room_words(&self, before: &[&str], word: &str) -> Vec<String> {
        match before {
            [] => {
                let commands = rooms::commands().into_iter();
                let begun = commands.filter(|command| command.starts_with(word));
                begun.map(|command| format!("{command} ")).collect()
            }
            ["create" | "list" | "help"] => Vec::new(),
            // The # may be left out.
            [_] if !word.starts_with('#') => {
                let rooms = self.board.names(&format!("#{word}"));
                rooms.iter().map(|room| format!("{} ", &room.as_str()[1..])).collect()
            }
            [_] => self.board.names(word).iter().map(|room| format!("{room} ")).collect(),
            ["invite" | "kick", _] | [.., "--owner" | "--moderator" | "--member"] => {
                self.board.users(word).iter().map(|user| format!("{user} ")).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// The prompt with the current count, if that has as many digits: the width of a prompt cannot
/// change while a line is typed.
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
    use crate::model::MessageId;

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
        for name in ["neko", "nana", "paff", "#news"] {
            board.add_name(name.parse().unwrap());
        }
        board.add_own(MessageId(17), "hai \u{1b}neko\ntwo");
        let painter = Painter::new(board);
        let history = rustyline::history::MemHistory::new();
        let pairs =
            |line: &str| painter.complete(line, line.len(), &Context::new(&history)).unwrap();
        let complete = |line: &str| -> (usize, Vec<String>) {
            let (begin, words) = pairs(line);
            (begin, words.into_iter().map(|word| word.replacement).collect())
        };
        let verbs = ["search ", "send ", "sessions "].map(str::to_owned);
        assert_eq!(complete("se"), (0, verbs.to_vec()));
        assert_eq!(complete("send n"), (5, vec!["nana ".to_owned(), "neko ".to_owned()]));
        assert_eq!(complete("history p"), (8, vec!["paff ".to_owned()]));
        assert_eq!(complete("send #"), (5, vec!["#news ".to_owned()]));
        assert_eq!(complete("send nana,ne"), (5, vec!["nana,neko ".to_owned()]));
        assert_eq!(complete("to nana,#"), (3, vec!["nana,#news ".to_owned()]));
        assert_eq!(complete("auth #").1.len(), 0);
        assert_eq!(complete("ask #"), (4, vec!["#news ".to_owned()]));
        assert_eq!(complete("ask --choice yes,no #"), (20, vec!["#news ".to_owned()]));
        assert_eq!(complete("delete 1"), (7, vec!["17 ".to_owned()]));
        assert_eq!(pairs("edit ").1[0].display, "17  hai \\x1bneko");
        assert_eq!(complete("edit 17 1").1.len(), 0);
        assert_eq!(complete("room in"), (5, vec!["invite ".to_owned()]));
        assert_eq!(complete("room show n"), (10, vec!["news ".to_owned()]));
        assert_eq!(complete("room show #n"), (10, vec!["#news ".to_owned()]));
        assert_eq!(complete("room kick news p"), (15, vec!["paff ".to_owned()]));
        assert_eq!(complete("room set news --owner p"), (22, vec!["paff ".to_owned()]));
        assert_eq!(complete("room create n").1.len(), 0);
        assert_eq!(complete("send neko n").1.len(), 0);
        assert_eq!(complete("list n").1.len(), 0);
    }

    #[test]
    fn pasted_control_characters_are_not_painted() {
        let painter = Painter::new(Arc::new(NoticeBoard::default()));
        assert_eq!(painter.highlight("a\x07\u{9b}31m\tb\nc", 0), "a31m\tb\nc");
    }
}
