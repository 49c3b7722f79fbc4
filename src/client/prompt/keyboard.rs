//! The terminal's keyboard while the prompt has it: from the first line to the last, not only while
//! one is edited. So bytes that are typed meanwhile wait for the next line, unchanged and without
//! an echo, and pasted text is marked as pasted.

use std::io::{self, Write};
use std::thread::{self, JoinHandle};

use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::Termios;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use crate::terminal::quiet::{Quiet, SignalKeys, restore};

/// The terminal begins to mark pasted text; and stops.
const PASTES_MARKED: &[u8] = b"\x1b[?2004h";
const PASTES_UNMARKED: &[u8] = b"\x1b[?2004l";

/// The keyboard. When this is dropped, or a signal ends the process, the terminal is as before.
#[derive(Debug)]
pub struct Keyboard {
    /// `None` for the moment of a stop.
    quiet: Option<Quiet>,
    signals: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Keyboard {
    /// Takes the keyboard.
    ///
    /// # Errors
    /// Standard input is no terminal, or no signal can be waited for.
    pub fn take() -> io::Result<Self> {
        let signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        let quiet = begin()?;
        let handle = signals.handle();
        let before = quiet.before().clone();
        let thread = thread::Builder::new().name("signals".to_owned());
        let thread = thread.spawn(move || end_by_signal(signals, &before))?;
        Ok(Self { quiet: Some(quiet), signals: handle, thread: Some(thread) })
    }

    /// How the terminal was set before.
    pub fn before(&self) -> Option<&Termios> {
        self.quiet.as_ref().map(Quiet::before)
    }

    /// Gives the terminal back, and stops until the shell has this go on.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn stop(&mut self) -> io::Result<()> {
        self.end();
        // All of them, as the kernel would: this may be one of a pipeline.
        let stopped = kill_current_process_group(Signal::TSTP);
        self.quiet = Some(begin()?);
        Ok(stopped?)
    }

    fn end(&mut self) {
        write(PASTES_UNMARKED);
        self.quiet = None;
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.end();
        self.signals.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn begin() -> io::Result<Quiet> {
    let quiet = Quiet::begin(SignalKeys::Signals)?;
    write(PASTES_MARKED);
    Ok(quiet)
}

/// What a terminal does not take, it does not need.
fn write(bytes: &[u8]) {
    let mut terminal = io::stdout();
    let _ = terminal.write_all(bytes).and_then(|()| terminal.flush());
}

/// The first signal ends the process as it would without this, but for the terminal.
fn end_by_signal(mut signals: Signals, before: &Termios) {
    for signal in &mut signals {
        // Past the lock on standard output, which a command may hold.
        let _ = rustix::io::write(io::stdout(), PASTES_UNMARKED);
        restore(before);
        let _ = emulate_default_handler(signal);
    }
}
