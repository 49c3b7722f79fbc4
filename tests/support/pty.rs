//! A program on a pseudo-terminal: keys that are typed, and a screen that is read.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Termios, Winsize, tcgetattr, tcsetwinsize};

/// How long a test waits for a text on the screen before it fails.
const PATIENCE: Duration = Duration::from_secs(60);

pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";
pub const CTRL_R: &str = "\x12";
pub const CTRL_U: &str = "\x15";
pub const CTRL_Z: &str = "\x1a";
pub const CTRL_L: &str = "\x0c";
pub const UP: &str = "\x1b[A";
pub const DOWN: &str = "\x1b[B";
pub const LEFT: &str = "\x1b[D";
pub const ENTER: &str = "\r";
pub const TAB: &str = "\t";
pub const PASTE_BEGIN: &str = "\x1b[200~";
pub const PASTE_END: &str = "\x1b[201~";
pub const BACKSPACE: &str = "\x7f";

/// A program on a terminal of 80 columns and 40 rows, or of a given size. It is killed when this is
/// dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    settings_before: Termios,
    output: Receiver<Vec<u8>>,
    parser: vt100::Parser,
    transcript: String,
}

impl Terminal {
    /// Starts a program on a new terminal.
    pub fn start(command: Command) -> Self {
        Self::start_sized(command, 40, 80)
    }

    /// Starts a program on a new terminal of this size.
    pub fn start_sized(mut command: Command, rows: u16, columns: u16) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let keyboard = openpt(flags).expect("a pseudo-terminal");
        grantpt(&keyboard).expect("granted");
        unlockpt(&keyboard).expect("unlocked");
        let name = ptsname(&keyboard, Vec::new()).expect("its name").into_string().expect("text");
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&keyboard, size).expect("its size");
        let noctty = i32::try_from(rustix::fs::OFlags::NOCTTY.bits()).expect("a flag");
        let mut options = OpenOptions::new();
        let side = options.read(true).write(true).custom_flags(noctty).open(name).expect("opens");
        let settings_before = tcgetattr(&side).expect("its settings");
        let handle = || side.try_clone().expect("another handle");
        command.stdin(handle()).stdout(handle()).stderr(handle());
        let child = command.spawn().expect("the program starts");
        // Otherwise the terminal would stay open after the program has ended.
        drop((command, side));
        let keyboard = File::from(keyboard);
        let output = read_on(keyboard.try_clone().expect("another handle"));
        let parser = vt100::Parser::new(rows, columns, 1000);
        Self { child, keyboard, settings_before, output, parser, transcript: String::new() }
    }

    /// The process of the program.
    pub fn pid(&self) -> i32 {
        self.child.id().try_into().expect("a pid")
    }

    /// Types.
    pub fn keys(&mut self, keys: impl AsRef<str>) {
        self.keyboard.write_all(keys.as_ref().as_bytes()).expect("the terminal accepts keys");
    }

    /// Types a line, and Enter.
    pub fn line(&mut self, line: &str) {
        self.keys(format!("{line}\r"));
    }

    /// The screen, without the empty rows at its end.
    pub fn screen(&self) -> String {
        let screen = self.parser.screen();
        let (_, columns) = screen.size();
        let rows: Vec<String> =
            screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
        rows.join("\n").trim_end().to_owned()
    }

    /// The screen with its colours.
    pub fn colours(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Whether a row was too wide, so that the terminal wrapped it.
    pub fn has_broken_row(&self) -> bool {
        let screen = self.parser.screen();
        (0..screen.size().0).any(|row| screen.row_wrapped(row))
    }

    /// The row of the cursor.
    pub fn cursor_row(&self) -> String {
        let (row, _) = self.parser.screen().cursor_position();
        self.parser.screen().contents_between(row, 0, row, self.parser.screen().size().1)
    }

    /// The number of columns before the cursor in its row.
    pub fn cursor_column(&self) -> u16 {
        self.parser.screen().cursor_position().1
    }

    /// Everything that was ever written to the terminal.
    pub fn transcript(&self) -> &str {
        &self.transcript
    }

    /// Waits until the screen satisfies the condition.
    pub fn wait_until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.show(&bytes),
                Err(error) => panic!("{error}: waiting for {what}\n{}", self.screen()),
            }
        }
    }

    /// Waits until the screen ends with this.
    pub fn wait_for_end(&mut self, end: &str) {
        self.wait_until(&format!("{end:?} at the end"), |terminal| {
            terminal.screen().ends_with(end)
        });
    }

    /// Waits until the screen has this somewhere.
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("{text:?}"), |terminal| terminal.screen().contains(text));
    }

    /// Whether the terminal itself echoes typed keys.
    pub fn echoes(&self) -> bool {
        self.local_modes().contains(LocalModes::ECHO)
    }

    /// Whether the terminal's settings are as before the program began.
    pub fn is_as_before(&self) -> bool {
        self.local_modes() == self.settings_before.local_modes
    }

    fn local_modes(&self) -> LocalModes {
        tcgetattr(&self.keyboard).expect("its settings").local_modes
    }

    /// Waits for the end of the program, and for its last output.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.show(&bytes),
                // The program has closed the terminal.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end\n{}", self.screen()),
            }
        }
        self.child.wait().expect("it has ended")
    }

    fn show(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.transcript.push_str(&String::from_utf8_lossy(bytes));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_on(mut terminal: File) -> Receiver<Vec<u8>> {
    let (sender, output) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        // It fails when the other side is closed.
        while let Ok(count @ 1..) = terminal.read(&mut bytes) {
            if sender.send(bytes[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    output
}
