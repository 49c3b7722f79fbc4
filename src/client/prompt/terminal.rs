//! The prompt for a person: it edits and remembers lines, and passes them to the [`Conversation`].
//! A line that may contain a password is never remembered. A line that was not understood is
//! remembered until the prompt ends only: it may be a password typed too early, or a misspelt
//! login.

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

/// The number of lines in the history.
const HISTORY_LINES_MAX: usize = 1000;

/// Runs the prompt until the person leaves. It begins with the session that `chat-cli auth` stored
/// for this server, if there is one. If `is_bell_on`, the terminal rings for messages.
pub fn run(mut link: Link, is_bell_on: bool, out: &mut dyn Write) -> Result<(), Failure> {
    // The prompt also works without a history file and without a usable stored session.
    let folder = reported(StateFolder::locate().and_then(|path| StateFolder::create(&path)));
    let history = folder.as_ref().and_then(|folder| reported(history_file(folder)));
    let login = folder.as_ref().and_then(|folder| reported(Login::resume(folder, link.account())));
    let login = login.flatten().or_else(|| reported(Login::by_kernel(&mut link)).flatten());
    let board = Arc::new(NoticeBoard::default());
    board.set_bell(is_bell_on);
    let mut reader = LineReader::open(history, &board)?;
    out.write_all(prompt::welcome().as_bytes())?;
    let live = LiveWatch::new(link.dialer().clone(), link.timeout(), board);
    let mut conversation = Conversation::new(link, live, folder);
    let done = talk(&mut conversation, login, &mut reader, out);
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

/// What was typed.
enum Input {
    Line(String),
    /// Ctrl-C: the line is discarded.
    Cleared,
    /// Ctrl-D.
    End,
}

/// Reads lines with editing and history. All input goes through rustyline's buffer: rustyline reads
/// ahead, so another reader of the terminal would miss that part.
struct LineReader {
    editor: Editor<Painter, MemHistory>,
    /// `None` on a terminal that cannot move its cursor. There the terminal edits the lines.
    painted: Option<PaintedLine>,
    /// The history file; `None` if it cannot be used.
    stored: Option<HistoryStore>,
}

/// The state for lines that [`Painter`] paints.
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
        // rustyline treats the painter's output as colours, which `NO_COLOR` would turn off. It
        // contains none.
        let config = config.map_err(|error| unusable(&error))?.color_mode(ColorMode::Forced);
        // The list appears at once, because nothing can be painted while rustyline waits for a
        // second Tab. `Keyboard` turns bracketed paste on, also between lines.
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
            // It prints only while a line is being typed.
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

    /// The next line to execute.
    fn read(&mut self, prompt: &str) -> Result<Input, Failure> {
        if self.painted.is_none()
            && let Some(painter) = self.editor.helper()
        {
            // If the terminal is gone, the next read reports it.
            let _ = io::stdout().write_all(painter.notices().as_bytes());
        }
        let input = self.edit(prompt)?;
        if let Input::Line(line) = &input {
            self.remember(line);
        }
        Ok(input)
    }

    /// Reads a line for any purpose.
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
    /// Reads the answer to a question. No notices appear meanwhile.
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
        // The file does not exist yet; or it is damaged, and the history begins anew.
        let _ = lines.load(&path);
        Self { lines, path }
    }

    /// Appends at once, because a terminal that is closed leaves no time at the end. An error is
    /// not reported, since it would be repeated after every line.
    fn append(&mut self, line: &str) {
        if self.lines.add(line).unwrap_or(false) {
            let _ = self.lines.append(&self.path);
        }
    }
}

/// The path of the history file. A link, or a file that others can read, is refused.
fn history_file(folder: &StateFolder) -> Result<PathBuf, Failure> {
    const NAME: &str = "history";
    if !folder.has(NAME)? {
        folder.write(NAME, b"")?;
    }
    Ok(folder.path_of(NAME))
}

/// The value, or `None` after reporting the failure.
fn reported<T>(result: Result<T, Failure>) -> Option<T> {
    result.inspect_err(|failure| failure.report(&mut io::stderr())).ok()
}

fn unusable(error: &ReadlineError) -> Failure {
    Failure::new(Exit::LocalFile, prompt::terminal_unusable(error))
}
