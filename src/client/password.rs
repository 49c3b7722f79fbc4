//! Asks for a password: on a terminal without echo, else as the first line of standard input.

use std::io::{self, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};

use super::exit::Exit;
use super::failure::Failure;
use crate::model::{Invalid, Password};
use crate::protocol::refusal::Code;

/// What is typed or piped beyond this is no password.
const LINE_BYTES_MAX: usize = 1024;

/// A password, from whoever is at the other end of standard input. On a terminal, `prompt` is
/// shown on standard error and Ctrl-C is [`Failure::Interrupted`], with the terminal as it was
/// before. From anything else one line is taken, and not a byte more.
pub fn ask(prompt: &str) -> Result<Password, Failure> {
    let line = if io::stdin().is_terminal() { ask_terminal(prompt)? } else { read_line()? };
    check(&String::from_utf8(line).map_err(|_| Code::BadEncoding)?)
}

/// A password that somebody gave, less the white space around it, which the protocol cannot say.
pub fn check(text: &str) -> Result<Password, Failure> {
    text.trim_ascii().parse().map_err(|invalid| match invalid {
        Invalid::Empty => Failure::trouble(Exit::Usage, "the password is empty")
            .with_hint("type it on a terminal, or give it as the first line of standard input"),
        Invalid::TooLong { .. } | Invalid::Character => Code::TooLong.into(),
    })
}

fn read_line() -> Result<Vec<u8>, Failure> {
    let mut line = Vec::new();
    // Byte by byte: what comes after the line is for whoever reads this input next.
    while let Some(byte) = read_byte()? {
        match byte {
            b'\n' => break,
            _ if line.len() == LINE_BYTES_MAX => return Err(Code::TooLong.into()),
            byte => line.push(byte),
        }
    }
    Ok(line)
}

fn ask_terminal(prompt: &str) -> Result<Vec<u8>, Failure> {
    let _quiet = Quiet::begin().map_err(|error| trouble(&error))?;
    let mut terminal = io::stderr();
    // Where nobody sees the prompt, the password can still be typed.
    let _ = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
    let line = edit();
    let _ = writeln!(terminal);
    line
}

/// What is typed up to Enter, with the editing that the terminal itself would offer.
fn edit() -> Result<Vec<u8>, Failure> {
    const CTRL_C: u8 = 0x03;
    const CTRL_D: u8 = 0x04;
    const BACKSPACE: u8 = 0x08;
    const CTRL_U: u8 = 0x15;
    const DELETE: u8 = 0x7f;
    let mut line = Vec::new();
    while let Some(byte) = read_byte()? {
        match byte {
            b'\r' | b'\n' => break,
            CTRL_C => return Err(Failure::Interrupted),
            CTRL_D if line.is_empty() => return Err(Failure::Interrupted),
            CTRL_U => line.clear(),
            BACKSPACE | DELETE => {
                // A whole character, which is its last bytes that continue one and the first.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte if byte < b' ' => {}
            byte if line.len() < LINE_BYTES_MAX => line.push(byte),
            _ => {}
        }
    }
    Ok(line)
}

fn read_byte() -> Result<Option<u8>, Failure> {
    let mut byte = [0];
    loop {
        match rustix::io::read(io::stdin(), &mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(trouble(&error.into())),
        }
    }
}

fn trouble(error: &io::Error) -> Failure {
    Failure::trouble(Exit::LocalFile, format!("cannot read the password: {error}"))
}

/// While it lives, the terminal shows nothing of what is typed, and Ctrl-C is a byte: as a signal
/// it would end the process before the terminal is as it was.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> io::Result<Self> {
        let before = rustix::termios::tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_checked_before_anything_is_sent() {
        assert_eq!(check(" cytus\r").unwrap().reveal(), "cytus");
        assert_eq!(check("two words").unwrap().reveal(), "two words");
        assert_eq!(check(" ").unwrap_err().exit(), Exit::Usage);
        assert_eq!(check(&"x".repeat(129)).unwrap_err().exit(), Exit::TextRefused);
    }
}
