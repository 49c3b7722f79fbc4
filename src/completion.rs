//! Shell completion. A script that the shell loads ([`Shell::script`]) knows no command line
//! itself: on Tab it passes the typed words to the program. The program looks up in its `clap`
//! definitions what can stand at the cursor ([`cursor`]).
//!
//! This module serves both programs. The caller supplies values that no definition contains.

pub mod cursor;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, Command, ValueEnum};

use crate::catalogue::shared_help;
use cursor::{Cursor, Offer};

/// How long a completion waits for values that only a server knows.
pub const LIVE_WAIT: Duration = Duration::from_millis(150);

// `completions`
// A `///` comment here would become the help of the command.
#[allow(missing_docs)]
#[derive(Debug, Args)]
#[command(after_long_help = shared_help::completions_examples())]
pub struct CompletionsArguments {
    /// Which shell.
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
    /// What was typed up to the cursor: this is how the scripts ask. The last word is the one to
    /// be completed.
    #[arg(last = true, hide = true)]
    pub words: Vec<OsString>,
}

/// A shell with completion support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash, 4.4 or newer.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// The placeholders in a script: the program's name, and that name as part of a function's name.
const NAME: &str = "@NAME@";
const FUNCTION: &str = "@FUNCTION@";

impl Shell {
    /// The completion script for a program of this name.
    pub fn script(self, program: &str) -> String {
        let template = match self {
            Self::Bash => include_str!("completion/script.bash"),
            Self::Zsh => include_str!("completion/script.zsh"),
            Self::Fish => include_str!("completion/script.fish"),
        };
        template.replace(FUNCTION, &program.replace('-', "_")).replace(NAME, program)
    }
}

/// Prints the shell's script or, if words were given, the completions of the last word. `live`
/// supplies values that are not in `definitions`. It returns an empty list if it has none, and must
/// not print anything.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(
    arguments: &CompletionsArguments,
    mut definitions: Command,
    live: impl FnOnce(&Cursor<'_>) -> Vec<String>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let words: Vec<_> = arguments.words.iter().map(|word| word.to_string_lossy()).collect();
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    let Some((word, before)) = words.split_last() else {
        let name = definitions.get_name().to_owned();
        return out.write_all(arguments.shell.script(&name).as_bytes());
    };
    definitions.build();
    // The first word is the program itself.
    let cursor = Cursor::find(&definitions, before.get(1..).unwrap_or_default(), word);
    answer(&cursor.offer(live), out)
}

/// The values that `ask` reports within [`LIVE_WAIT`], sorted and without duplicates. `ask` runs in
/// its own thread. A thread that is late, such as one in the host name resolver, ends with the
/// process.
pub fn in_time(ask: impl FnOnce(&dyn Fn(String)) + Send + 'static) -> Vec<String> {
    let deadline = Instant::now() + LIVE_WAIT;
    let (sender, found) = mpsc::channel();
    let thread = thread::Builder::new().name("live".to_owned());
    // Without a thread there are simply no values.
    let _ = thread.spawn(move || ask(&|value| drop(sender.send(value))));
    let mut values = BTreeSet::new();
    // The loop ends when the thread has finished or the time is up.
    while let Ok(value) = found.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        values.insert(value);
    }
    values.into_iter().collect()
}

/// Writes the reply that the scripts expect: a line with the kind, then one line per word if the
/// kind is `words`.
fn answer(offer: &Offer, out: &mut dyn Write) -> io::Result<()> {
    let words = match offer {
        Offer::Files => return writeln!(out, "files"),
        Offer::Folders => return writeln!(out, "folders"),
        Offer::Commands => return writeln!(out, "commands"),
        Offer::Words(words) => words,
    };
    writeln!(out, "words")?;
    for word in words {
        writeln!(out, "{}\t{}", word.text, word.meaning)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn script_contains_the_program_name() {
        for shell in Shell::value_variants() {
            let script = shell.script("chat-cli");
            assert!(!script.contains(NAME) && !script.contains(FUNCTION), "{script}");
            assert!(script.contains("chat-cli completions "), "{script}");
        }
    }
}
