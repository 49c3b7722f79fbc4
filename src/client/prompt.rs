//! `chat-cli` without a command: lines are read, done and answered until there are no more.
//!
//! Reading lines, understanding them ([`mod@line`]) and doing them are apart: [`classic`] is the
//! seed's session to the letter, for scripts; [`terminal`] edits lines for a person and has
//! [`conversation`] do them. What arrives meanwhile goes from [`live`] by the [`notice_board`] to the
//! [`painter`].

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

/// Runs the prompt that fits: for a person where both standard input and standard output are a
/// terminal, the seed's session otherwise.
pub fn run(
    arguments: &PromptArguments,
    is_bell_on: bool,
    link: Link,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if arguments.classic || !is_prompted() {
        let input = stdin().lock();
        let keeps_going = stdin().is_terminal();
        // Its words are the seed's, whoever listens.
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
