//! Reads a secret: from a terminal without echo, otherwise from the first line of standard input.

use std::io::{self, BufRead, IsTerminal, Write};

use super::quiet::{Quiet, SignalKeys};

/// The longest secret, in bytes. On a terminal, further characters are ignored.
const LINE_BYTES_MAX: usize = 1024;

/// Why no secret was read.
#[derive(Debug)]
pub enum SecretError {
    /// The user pressed Ctrl-C, or Ctrl-D on an empty line. The terminal is restored.
    Interrupted,
    /// The line is longer than 1024 bytes.
    TooLong,
    /// The line is not UTF-8.
    NotUtf8,
    /// Standard input cannot be read.
    Io(io::Error),
}

/// Reads one line from standard input, without its ending. On a terminal, it shows `prompt` on
/// standard error and hides the typed text. From other input, it reads nothing beyond that line.
///
/// # Errors
/// See [`SecretError`].
pub fn ask(prompt: &str) -> Result<String, SecretError> {
    let line =
        if io::stdin().is_terminal() { ask_terminal(prompt, read_byte)? } else { read_line()? };
    String::from_utf8(line).map_err(|_| SecretError::NotUtf8)
}

/// Like [`ask`] on a terminal, for a program that reads its other lines from [`io::stdin`]. It
/// first consumes what that has buffered, and leaves there what it reads ahead.
///
/// # Errors
/// See [`SecretError`].
pub fn ask_between_lines(prompt: &str) -> Result<String, SecretError> {
    let mut input = io::stdin().lock();
    let line = ask_terminal(prompt, move || {
        loop {
            match input.fill_buf() {
                Ok(bytes) => {
                    let byte = bytes.first().copied();
                    input.consume(usize::from(byte.is_some()));
                    return Ok(byte);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SecretError::Io(error)),
            }
        }
    })?;
    String::from_utf8(line).map_err(|_| SecretError::NotUtf8)
}

fn read_line() -> Result<Vec<u8>, SecretError> {
    let mut line = Vec::new();
    // Byte by byte, so that the next reader of this input gets everything after the line.
    while let Some(byte) = read_byte()? {
        match byte {
            b'\n' => break,
            _ if line.len() == LINE_BYTES_MAX => return Err(SecretError::TooLong),
            byte => line.push(byte),
        }
    }
    Ok(line)
}

fn ask_terminal(
    prompt: &str,
    next_byte: impl FnMut() -> Result<Option<u8>, SecretError>,
) -> Result<Vec<u8>, SecretError> {
    // As a signal, Ctrl-C would end the process before the terminal is restored.
    let _quiet = Quiet::begin(SignalKeys::Bytes).map_err(SecretError::Io)?;
    let mut terminal = io::stderr();
    // Without a visible prompt, the user can still type the secret.
    let _ = write!(terminal, "{prompt}").and_then(|()| terminal.flush());
    let line = edit(next_byte);
    let _ = writeln!(terminal);
    line
}

/// Reads up to Enter, with the line editing that the terminal itself would offer.
fn edit(
    mut next_byte: impl FnMut() -> Result<Option<u8>, SecretError>,
) -> Result<Vec<u8>, SecretError> {
    const CTRL_C: u8 = 0x03;
    const CTRL_D: u8 = 0x04;
    const BACKSPACE: u8 = 0x08;
    const CTRL_U: u8 = 0x15;
    const DELETE: u8 = 0x7f;
    let mut line = Vec::new();
    while let Some(byte) = next_byte()? {
        match byte {
            b'\r' | b'\n' => break,
            CTRL_C => return Err(SecretError::Interrupted),
            CTRL_D if line.is_empty() => return Err(SecretError::Interrupted),
            CTRL_U => line.clear(),
            BACKSPACE | DELETE => {
                // Remove a whole character: its UTF-8 continuation bytes and its first byte.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte if byte < b' ' => {}
            byte if line.len() < LINE_BYTES_MAX => line.push(byte),
            _ => {}
        }
    }
    Ok(line)
}

fn read_byte() -> Result<Option<u8>, SecretError> {
    let mut byte = [0];
    loop {
        match rustix::io::read(io::stdin(), &mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(SecretError::Io(error.into())),
        }
    }
}
