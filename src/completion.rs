//! What a shell offers on Tab. The shells load scripts that know nothing of a command line
//! ([`Shell::script`]): they hand the words that were typed back to the program, which finds in the
//! definitions that `--help` is made of what can stand at the cursor ([`cursor`]).
//!
//! Knows neither program: who is asked for the values that only the program can know is told.

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

/// How long somebody who has pressed Tab waits for values that only a server knows.
pub const LIVE_WAIT: Duration = Duration::from_millis(150);

// `completions`
// Documentation here would be the help of the command.
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

/// A shell that completions are there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash, 4.4 or newer.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// What stands for the program's name in a script, and what stands for it in a function's name.
const NAME: &str = "@NAME@";
const FUNCTION: &str = "@FUNCTION@";

impl Shell {
    /// The script that the shell loads, for the program of this name.
    pub fn script(self, program: &str) -> String {
        let template = match self {
            Self::Bash => include_str!("completion/script.bash"),
            Self::Zsh => include_str!("completion/script.zsh"),
            Self::Fish => include_str!("completion/script.fish"),
        };
        template.replace(FUNCTION, &program.replace('-', "_")).replace(NAME, program)
    }
}

/// Prints the script, or answers it. Values that are not in `definitions` are asked of `live`,
/// which gives nothing where it knows of none, and is not to say anything to anybody.
///
/// # Errors
/// That standard output cannot be written.
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
    // The first is the program itself.
    let cursor = Cursor::find(&definitions, before.get(1..).unwrap_or_default(), word);
    answer(&cursor.offer(live), out)
}

/// The values that `ask` finds within [`LIVE_WAIT`], sorted, each once. Whatever keeps it longer than
/// that (the resolver of host names has no deadline) is left behind, and ends with the process.
pub fn in_time(ask: impl FnOnce(&dyn Fn(String)) + Send + 'static) -> Vec<String> {
    let deadline = Instant::now() + LIVE_WAIT;
    let (sender, found) = mpsc::channel();
    let thread = thread::Builder::new().name("live".to_owned());
    // Without a thread nothing is found.
    let _ = thread.spawn(move || ask(&|value| drop(sender.send(value))));
    let mut values = BTreeSet::new();
    // Until the thread has ended, or the time has.
    while let Ok(value) = found.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        values.insert(value);
    }
    values.into_iter().collect()
}

/// In the scripts' words: what kind of thing can stand there, then the words, if that is it.
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
    fn scripts_are_made_for_the_program() {
        for shell in Shell::value_variants() {
            let script = shell.script("chat-cli");
            assert!(!script.contains(NAME) && !script.contains(FUNCTION), "{script}");
            assert!(script.contains("chat-cli completions "), "{script}");
        }
    }
}
