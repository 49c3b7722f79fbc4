//! `chat-cli` without a command: it reads a line, executes it and answers, until the input ends.
//!
//! [`mod@line`] parses lines. [`classic`] is the seed's session to the letter, for scripts. For
//! people, [`terminal`] edits lines and [`conversation`] executes them. Messages that arrive
//! meanwhile go from [`live`] through the [`notice_board`] to the [`painter`].

pub mod classic;
pub mod conversation;
pub mod keyboard;
pub mod keys;
pub mod line;
pub mod live;
pub mod login;
pub mod notice_board;
pub mod painter;
pub mod terminal;

use std::io::{IsTerminal, Write, stdin};

use super::arguments::PromptArguments;
use super::exit::Exit;
use super::failure::Failure;
use super::link::Link;
use crate::catalogue::{self, Language, prompt};
use crate::terminal::is_prompted;

/// Runs the prompt for people if standard input and standard output are terminals, otherwise the
/// seed's session.
pub fn run(
    arguments: &PromptArguments,
    is_bell_on: bool,
    link: Link,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if arguments.classic || !is_prompted() {
        let input = stdin().lock();
        let keeps_going = stdin().is_terminal();
        // The seed's session has the seed's texts, whatever the language.
        let spoken = catalogue::language();
        catalogue::set_language(Language::Seed);
        let done = classic::Session::new(link, arguments.trace, keeps_going).run(input, out);
        catalogue::set_language(spoken);
        return done;
    }
    if arguments.trace {
        return Err(Failure::new(Exit::Usage, prompt::trace_is_classic())
            .with_hint(prompt::trace_classic()));
    }
    terminal::run(link, is_bell_on, out)
}
