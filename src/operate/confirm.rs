//! Asks before something is done that cannot be undone.

use std::io::{self, IsTerminal, Write};

use super::failure::{Exit, Failure};

/// Goes on if `is_confirmed` on the command line, or a person says yes to `question`.
pub(super) fn confirm(question: &str, is_confirmed: bool) -> Result<(), Failure> {
    if is_confirmed {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        let problem = "this cannot be undone, and there is nobody to ask";
        return Err(Failure::new(Exit::Usage, problem).hint("give --yes"));
    }
    let mut terminal = io::stderr();
    write!(terminal, "{question} [y/N] ").and_then(|()| terminal.flush())?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::new(Exit::Nothing, "nothing was done")),
    }
}
