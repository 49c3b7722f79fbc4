//! `chat-cli` without a command: lines are read, done and answered until there are no more.
//!
//! Reading lines, understanding them ([`mod@line`]) and doing them are apart: [`classic`] is the
//! seed's session to the letter, for scripts; [`terminal`] edits lines for a person and has
//! [`conversation`] do them. What arrives meanwhile goes from [`live`] by the [`board`] to the
//! [`painter`].

pub mod board;
pub mod classic;
pub mod conversation;
pub mod line;
pub mod live;
pub mod painter;
pub mod terminal;

use std::io::{IsTerminal, Write, stdin};

use super::arguments::PromptArguments;
use super::exit::Exit;
use super::failure::Failure;
use super::link::Link;
use crate::terminal::is_prompted;

/// What is said first, in the seed's words.
pub const BANNER: &str = "\
Welcome to Chat CLI
Silahkan menggunakan command yang tertulis:
1. auth 'username' 'password' -> login dengan username dan password masing masing
2. list -> untuk melihat daftar user yang aktif
3. send 'penerima' 'pesan' -> untuk mengirim pesan ke penerima yang dituju
4. inbox -> untuk melihat pesan
5. logout -> untuk melogout user
";

/// Runs the prompt that fits: for a person where both standard input and standard output are a
/// terminal, the seed's session otherwise.
pub fn run(arguments: &PromptArguments, link: Link, out: &mut dyn Write) -> Result<(), Failure> {
    if arguments.classic || !is_prompted() {
        let input = stdin().lock();
        let keeps_going = stdin().is_terminal();
        return classic::Session::new(link, arguments.trace, keeps_going).run(input, out);
    }
    if arguments.trace {
        return Err(Failure::trouble(Exit::Usage, "--trace is for the classic session")
            .with_hint("chat-cli --classic --trace"));
    }
    terminal::run(link, out)
}
