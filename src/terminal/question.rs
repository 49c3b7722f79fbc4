//! Asks a person a question, on standard error; the answer is a line of standard input.

use std::io::{self, BufRead, Read, Write};

use crate::catalogue::configuration;

/// The longest answer to a question.
const ANSWER_BYTES_MAX: u64 = 1024;

/// A line from the terminal, without the white space around it; `default` where it is empty. `None`
/// stands for the end of the input, which is Ctrl-D.
///
/// # Errors
/// Standard input cannot be read, or is not UTF-8.
pub fn ask(question: &str, default: &str) -> io::Result<Option<String>> {
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    let mut terminal = io::stderr();
    // The question can be answered also where nobody sees it.
    let _ = write!(terminal, "{question}{shown} ").and_then(|()| terminal.flush());
    let mut line = String::new();
    let count = io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut line)?;
    Ok(match line.trim() {
        _ if count == 0 => None,
        "" => Some(default.to_owned()),
        answer => Some(answer.to_owned()),
    })
}

/// [`ask`], until the answer is yes or no.
///
/// # Errors
/// Those of [`ask`].
pub fn ask_yes(question: &str, default: bool) -> io::Result<Option<bool>> {
    let shown = if default { configuration::yes_or_no() } else { configuration::no_or_yes() };
    loop {
        let Some(answer) = ask(question, shown)? else { return Ok(None) };
        match answer.to_lowercase().as_str() {
            "y" | "yes" | "ya" => return Ok(Some(true)),
            "n" | "no" | "t" | "tidak" => return Ok(Some(false)),
            said if said == shown.to_lowercase() => return Ok(Some(default)),
            _ => {}
        }
    }
}
