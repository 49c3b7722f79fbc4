//! The prompt for a person: edits lines, remembers them, and hands them to the
//! [`Conversation`]. A line that may hold a password is never remembered.

use std::io::{self, Write};
use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};

use super::BANNER;
use super::conversation::{After, Conversation};
use super::line::Line;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::session;
use crate::client::state_folder::StateFolder;

/// How many lines are remembered.
const HISTORY_LINES_MAX: usize = 1000;

/// Talks with a person until they leave. Begins with the session that `chat-cli auth` stored for
/// this server, if there is one.
pub fn run(link: Link, out: &mut dyn Write) -> Result<(), Failure> {
    // Neither what keeps lines from being remembered nor a stored session that cannot be used
    // keeps anybody from talking.
    let folder = told(StateFolder::locate().and_then(|path| StateFolder::create(&path)));
    let history = folder.as_ref().and_then(|folder| told(history_file(folder)));
    let session = folder.and_then(|folder| told(session::load_from(&folder, link.address())));
    let session = session.flatten();
    let mut reader = Reader::open(history)?;
    out.write_all(BANNER.as_bytes())?;
    if let Some(session) = &session {
        writeln!(out, "username {} logged in", session.user)?;
    }
    let mut conversation = Conversation::new(link, session);
    loop {
        out.flush()?;
        let line = match reader.read(&conversation.prompt())? {
            Input::Line(line) => line,
            Input::Cleared => continue,
            Input::End => return Ok(()),
        };
        if conversation.execute(&line, out)? == After::End {
            return Ok(());
        }
    }
}

/// What came from the keyboard.
enum Input {
    Line(String),
    /// Ctrl-C: there is nothing to do.
    Cleared,
    /// Ctrl-D.
    End,
}

/// Reads lines with editing and history.
struct Reader {
    editor: Editor<(), FileHistory>,
    /// Where lines are remembered; `None` when there is no place for it.
    history: Option<PathBuf>,
}

impl Reader {
    fn open(history: Option<PathBuf>) -> Result<Self, Failure> {
        let config = Config::builder().max_history_size(HISTORY_LINES_MAX);
        let config = config.map_err(|error| unusable(&error))?.build();
        let mut editor = Editor::with_config(config).map_err(|error| unusable(&error))?;
        if let Some(path) = &history {
            // None yet; or it is damaged, and begins anew.
            let _ = editor.load_history(path);
        }
        Ok(Self { editor, history })
    }

    fn read(&mut self, prompt: &str) -> Result<Input, Failure> {
        match self.editor.readline(prompt) {
            Ok(line) => {
                self.remember(&line);
                Ok(Input::Line(line))
            }
            Err(ReadlineError::Interrupted) => Ok(Input::Cleared),
            Err(ReadlineError::Eof) => Ok(Input::End),
            Err(error) => Err(unusable(&error)),
        }
    }

    /// At once: a terminal that is closed leaves no time at the end. That it cannot be written
    /// is no reason to bother a person with after every line.
    fn remember(&mut self, line: &str) {
        if Line::is_secret(line) || !self.editor.add_history_entry(line).unwrap_or(false) {
            return;
        }
        if let Some(path) = &self.history {
            let _ = self.editor.append_history(path);
        }
    }
}

/// The history file. A link, and one that others can read, is refused.
fn history_file(folder: &StateFolder) -> Result<PathBuf, Failure> {
    const NAME: &str = "history";
    if !folder.has(NAME)? {
        folder.write(NAME, b"")?;
    }
    Ok(folder.path_of(NAME))
}

/// Gives what there is; why there is nothing is told the person.
fn told<T>(result: Result<T, Failure>) -> Option<T> {
    result.inspect_err(|failure| failure.report(&mut io::stderr())).ok()
}

fn unusable(error: &ReadlineError) -> Failure {
    Failure::trouble(Exit::LocalFile, format!("the terminal is not usable: {error}"))
}
