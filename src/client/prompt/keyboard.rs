//! The terminal's settings while the prompt runs, from the first line to the last, not only while a
//! line is edited. So text that is typed meanwhile waits for the next line, unchanged and without
//! an echo, and pasted text is marked as pasted.

use std::io::{self, Write};
use std::thread::{self, JoinHandle};

use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::Termios;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::low_level::emulate_default_handler;

use crate::terminal::quiet::{Quiet, SignalKeys, restore};

/// Turns the terminal's marks of pasted text (bracketed paste) on and off.
const PASTES_MARKED: &[u8] = b"\x1b[?2004h";
const PASTES_UNMARKED: &[u8] = b"\x1b[?2004l";

/// Holds the terminal's settings. When it is dropped, or when a signal ends the process, the
/// terminal is restored.
#[derive(Debug)]
pub struct Keyboard {
    /// `None` while the process is stopped.
    quiet: Option<Quiet>,
    signals: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Keyboard {
    /// Changes the terminal's settings.
    ///
    /// # Errors
    /// Standard input is not a terminal, or signals cannot be handled.
    pub fn take() -> io::Result<Self> {
        let signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
        let quiet = begin()?;
        let handle = signals.handle();
        let before = quiet.before().clone();
        let thread = thread::Builder::new().name("signals".to_owned());
        let thread = thread.spawn(move || end_by_signal(signals, &before))?;
        Ok(Self { quiet: Some(quiet), signals: handle, thread: Some(thread) })
    }

    /// The settings of the terminal before.
    pub fn before(&self) -> Option<&Termios> {
        self.quiet.as_ref().map(Quiet::before)
    }

    /// Restores the terminal, and stops the process until the shell continues it.
    ///
    /// # Errors
    /// The terminal is gone.
    pub fn stop(&mut self) -> io::Result<()> {
        self.end();
        // The whole process group, as the kernel does: this process may be part of a pipeline.
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

/// If the terminal is gone, there is nothing to set.
fn write(bytes: &[u8]) {
    let mut terminal = io::stdout();
    let _ = terminal.write_all(bytes).and_then(|()| terminal.flush());
}

/// Restores the terminal and then ends the process as the signal would.
fn end_by_signal(mut signals: Signals, before: &Termios) {
    for signal in &mut signals {
        // This bypasses the lock on standard output, which a command may hold.
        let _ = rustix::io::write(io::stdout(), PASTES_UNMARKED);
        restore(before);
        let _ = emulate_default_handler(signal);
    }
}
