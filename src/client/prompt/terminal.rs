//! The prompt for a person: edits lines, remembers them, and hands them to the
//! [`Conversation`]. A line that may hold a password is never remembered, and one that is not
//! understood only until the prompt ends: it may be a password typed too early, or a login misspelt.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use rustyline::error::ReadlineError;
use rustyline::history::{FileHistory, History, MemHistory};
use rustyline::{ColorMode, CompletionType, Config, Editor, Event, ExternalPrinter};

use super::conversation::{Conversation, Flow, Person};
use super::keyboard::Keyboard;
use super::keys::{Keys, LineEnd};
use super::line::Line;
use super::live::LiveWatch;
use super::login::Login;
use super::notice_board::NoticeBoard;
use super::painter::Painter;
use crate::catalogue::prompt;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::password;
use crate::client::state_folder::StateFolder;
use crate::model::Password;

/// How many lines are remembered.
const HISTORY_LINES_MAX: usize = 1000;

/// Talks with a person until they leave. Begins with the session that `chat-cli auth` stored for
/// this server, if there is one. The terminal rings for messages where `is_bell_on`.
pub fn run(link: Link, is_bell_on: bool, out: &mut dyn Write) -> Result<(), Failure> {
    // Neither what keeps lines from being remembered nor a stored session that cannot be used
    // keeps anybody from talking.
    let folder = reported(StateFolder::locate().and_then(|path| StateFolder::create(&path)));
    let history = folder.as_ref().and_then(|folder| reported(history_file(folder)));
    let login = folder.as_ref().and_then(|folder| reported(Login::resume(folder, link.account())));
    let board = Arc::new(NoticeBoard::default());
    board.set_bell(is_bell_on);
    let mut reader = LineReader::open(history, &board)?;
    out.write_all(prompt::welcome().as_bytes())?;
    let live = LiveWatch::new(link.dialer().clone(), link.timeout(), board);
    let mut conversation = Conversation::new(link, live, folder);
    let done = talk(&mut conversation, login.flatten(), &mut reader, out);
    conversation.end();
    done
}

fn talk(
    conversation: &mut Conversation,
    login: Option<Login>,
    reader: &mut LineReader,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    if let Some(login) = login {
        conversation.begin(login, out)?;
    }
    loop {
        out.flush()?;
        let line = match reader.read(&conversation.prompt())? {
            Input::Line(line) => line,
            Input::Cleared => continue,
            Input::End => return Ok(()),
        };
        if conversation.execute(&line, reader, out)? == Flow::Quit {
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

/// Reads lines with editing and history. All that is typed comes through one buffer, rustyline's:
/// it reads ahead, and whatever else read the terminal would miss that.
struct LineReader {
    editor: Editor<Painter, MemHistory>,
    /// `None` on a terminal that cannot move its cursor: the terminal edits the lines there.
    painted: Option<PaintedLine>,
    /// What is remembered for later; `None` when there is no place for it.
    stored: Option<HistoryStore>,
}

/// What is ours while the line is painted by [`Painter`].
struct PaintedLine {
    keyboard: Keyboard,
    keys: Keys,
}

/// The lines in the history file.
struct HistoryStore {
    lines: FileHistory,
    path: PathBuf,
}

impl LineReader {
    fn open(history: Option<PathBuf>, board: &Arc<NoticeBoard>) -> Result<Self, Failure> {
        let config = Config::builder().max_history_size(HISTORY_LINES_MAX);
        // The painter's work counts as colouring, which `NO_COLOR` would switch off; it has none.
        let config = config.map_err(|error| unusable(&error))?.color_mode(ColorMode::Forced);
        // A list, shown at once: while rustyline waits for a second Tab, nothing could be painted.
        // The keyboard has pastes marked between lines as well.
        let config = config
            .bracketed_paste(false)
            .completion_type(CompletionType::List)
            .completion_show_all_if_ambiguous(true)
            .completion_prompt_limit(usize::MAX)
            .build();
        let stored = history.map(|path| HistoryStore::load(path, &config));
        let mut lines = MemHistory::with_config(&config);
        for line in stored.iter().flat_map(|stored| stored.lines.iter()) {
            let _ = lines.add(line);
        }
        let mut editor = Editor::with_history(config, lines).map_err(|error| unusable(&error))?;
        editor.set_helper(Some(Painter::new(Arc::clone(board))));
        let printer = editor.create_external_printer();
        let mut painted = None;
        if let Ok(mut printer) = printer {
            // It prints to nobody but a line that is being typed.
            board.set_wake(move || drop(printer.print(String::new())));
            let keyboard = Keyboard::take().map_err(|error| unusable(&error.into()))?;
            if let Some(settings) = keyboard.before() {
                let keys = Keys::of(settings);
                editor.bind_sequence(Event::Any, keys.handler());
                painted = Some(PaintedLine { keyboard, keys });
            }
        }
        Ok(Self { editor, painted, stored })
    }

    /// The next line to be done.
    fn read(&mut self, prompt: &str) -> Result<Input, Failure> {
        if self.painted.is_none()
            && let Some(painter) = self.editor.helper()
        {
            // A terminal that is gone is told by the reading.
            let _ = io::stdout().write_all(painter.notices().as_bytes());
        }
        let input = self.edit(prompt)?;
        if let Input::Line(line) = &input {
            self.remember(line);
        }
        Ok(input)
    }

    /// A line, whatever it is for.
    fn edit(&mut self, prompt: &str) -> Result<Input, Failure> {
        let mut draft = (String::new(), String::new());
        loop {
            let line = self.editor.readline_with_initial(prompt, (&draft.0, &draft.1));
            let end =
                self.painted.as_ref().map_or(LineEnd::Enter, |painted| painted.keys.take_end());
            match (line, end) {
                (Ok(line), LineEnd::Enter) => return Ok(Input::Line(line)),
                (Ok(_), LineEnd::Interrupted) | (Err(ReadlineError::Interrupted), _) => {
                    return Ok(Input::Cleared);
                }
                (Ok(mut line), LineEnd::Suspended { cursor }) => {
                    if let Some(painted) = &mut self.painted {
                        painted.keyboard.stop().map_err(|error| unusable(&error.into()))?;
                    }
                    let after = line.split_off(line.floor_char_boundary(cursor));
                    draft = (line, after);
                }
                (Err(ReadlineError::Eof), _) => return Ok(Input::End),
                (Err(error), _) => return Err(unusable(&error)),
            }
        }
    }

    fn remember(&mut self, line: &str) {
        if Line::is_secret(line) || !self.editor.add_history_entry(line).unwrap_or(false) {
            return;
        }
        if Line::is_understood(line)
            && let Some(stored) = &mut self.stored
        {
            stored.append(line);
        }
    }
}

impl LineReader {
    /// The answer to a question, above which nothing appears meanwhile.
    fn answer(&mut self, question: &str) -> Result<Input, Failure> {
        if let Some(painter) = self.editor.helper() {
            painter.hold(true);
        }
        let input = self.edit(question);
        if let Some(painter) = self.editor.helper() {
            painter.hold(false);
        }
        input
    }
}

impl Person for LineReader {
    fn ask(&mut self, question: &str) -> Result<String, Failure> {
        match self.answer(question)? {
            Input::Line(line) => Ok(line),
            Input::Cleared | Input::End => Err(Failure::Interrupted),
        }
    }

    fn ask_secret(&mut self, question: &str) -> Result<Password, Failure> {
        let Some(painted) = &self.painted else { return password::ask_between_lines(question) };
        let keys = painted.keys.clone();
        keys.begin_secret();
        let input = self.answer(question);
        let secret = keys.take_secret();
        match input? {
            Input::Line(_) => password::check(&secret),
            Input::Cleared | Input::End => Err(Failure::Interrupted),
        }
    }
}

impl HistoryStore {
    fn load(path: PathBuf, config: &Config) -> Self {
        let mut lines = FileHistory::with_config(config);
        // None yet; or it is damaged, and begins anew.
        let _ = lines.load(&path);
        Self { lines, path }
    }

    /// At once: a terminal that is closed leaves no time at the end. That it cannot be written
    /// is no reason to bother a person with after every line.
    fn append(&mut self, line: &str) {
        if self.lines.add(line).unwrap_or(false) {
            let _ = self.lines.append(&self.path);
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
fn reported<T>(result: Result<T, Failure>) -> Option<T> {
    result.inspect_err(|failure| failure.report(&mut io::stderr())).ok()
}

fn unusable(error: &ReadlineError) -> Failure {
    Failure::new(Exit::LocalFile, prompt::terminal_unusable(error))
}
