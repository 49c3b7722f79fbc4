//! What standard input and output are, and how wide.

use std::io::{IsTerminal, stdin, stdout};

/// How wide a terminal is that does not say.
const COLUMNS_DEFAULT: usize = 80;

/// Whether a person types, and reads at the same place.
pub fn is_prompted() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Whether what is written to standard output is shown to a person.
pub fn is_shown() -> bool {
    stdout().is_terminal()
}

/// The columns of the terminal that standard output is.
pub fn columns() -> usize {
    match rustix::termios::tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 => size.ws_col.into(),
        _ => COLUMNS_DEFAULT,
    }
}
