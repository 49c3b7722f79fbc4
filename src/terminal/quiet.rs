//! The terminal while a program does the editing of lines itself: it shows nothing of what is typed
//! and hands over each byte as it comes. No change of its settings throws typed bytes away.

use std::io;

use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp,
    tcsetattr,
};

/// What the keys for signals (Ctrl-C, Ctrl-\) do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignalKeys {
    /// They are bytes like all others.
    Bytes,
    /// They send their signals.
    Signals,
}

/// The terminal of standard input is quiet while this lives, and then as it was before.
#[derive(Debug)]
pub struct Quiet {
    before: Termios,
}

impl Quiet {
    /// Makes the terminal quiet. Bytes that were typed before stay to be read.
    ///
    /// # Errors
    /// Standard input is no terminal, or it is gone.
    pub fn begin(keys: SignalKeys) -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON);
        match keys {
            SignalKeys::Bytes => quiet.local_modes.remove(LocalModes::ISIG),
            SignalKeys::Signals => {
                // Ctrl-V and Enter stay as they were typed, for an editor that reads them later.
                quiet.local_modes.remove(LocalModes::IEXTEN);
                quiet.input_modes.remove(InputModes::ICRNL);
                // Nothing would put the terminal back before a stop, so Ctrl-Z waits, too.
                quiet.special_codes[SpecialCodeIndex::VSUSP] = 0;
            }
        }
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self { before })
    }

    /// How the terminal was set before.
    pub fn before(&self) -> &Termios {
        &self.before
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        restore(&self.before);
    }
}

/// Sets the terminal of standard input as it was before. Does nothing while the terminal belongs
/// to another job: the kernel would stop this process for it.
pub fn restore(before: &Termios) {
    if !tcgetpgrp(io::stdin()).is_ok_and(|owner| owner != getpgrp()) {
        // A terminal that is gone needs no settings.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, before);
    }
}
