//! Puts the terminal into a mode for programs that edit lines themselves: no echo, and each byte
//! arrives at once. No change of the settings discards typed bytes.

use std::io;

use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp,
    tcsetattr,
};

/// The effect of the keys for signals (Ctrl-C and Ctrl-\).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalKeys {
    /// They arrive as ordinary bytes.
    Bytes,
    /// They send their signals.
    Signals,
}

/// Keeps the terminal of standard input quiet until it is dropped, then restores its settings.
#[derive(Debug)]
pub struct Quiet {
    before: Termios,
}

impl Quiet {
    /// Makes the terminal quiet. Bytes that were typed before can still be read.
    ///
    /// # Errors
    /// Standard input is not a terminal, or the terminal is gone.
    pub fn begin(keys: SignalKeys) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
        match keys {
            SignalKeys::Bytes => quiet.local_modes.remove(LocalModes::ISIG),
            SignalKeys::Signals => {
                // Ctrl-V and Enter arrive unchanged, for an editor that reads them later.
                quiet.local_modes.remove(LocalModes::IEXTEN);
                quiet.input_modes.remove(InputModes::ICRNL);
                // Nothing would restore the terminal before a stop, so Ctrl-Z is disabled too.
                quiet.special_codes[SpecialCodeIndex::VSUSP] = 0;
            }
        }
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self { before })
    }

    /// The settings from before.
    pub fn before(&self) -> &Termios {
        &self.before
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        restore(&self.before);
    }
}

/// Restores the settings of standard input's terminal. It does nothing while the terminal belongs
/// to another job, because the kernel would stop this process for it.
pub fn restore(before: &Termios) {
    if !tcgetpgrp(io::stdin()).is_ok_and(|owner| owner != getpgrp()) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    }
}
