//! Asks before an action that cannot be undone.

use std::io::{self, IsTerminal, Write};

use super::failure::{Exit, Failure};
use crate::catalogue::server;

/// Returns if `is_confirmed` on the command line, or if the user answers yes to `question`.
pub(super) fn confirm(question: &str, is_confirmed: bool) -> Result<(), Failure> {
    if is_confirmed {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::new(Exit::Usage, server::cannot_be_undone()).hint(server::give_yes()));
    }
    let mut terminal = io::stderr();
    write!(terminal, "{}", server::question(question)).and_then(|()| terminal.flush())?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" | "ya" => Ok(()),
        _ => Err(Failure::new(Exit::Nothing, server::nothing_done())),
    }
}
