//! The password that an operator sets: typed, piped, or generated.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, IsTerminal, Read, stdin};
use std::path::Path;

use crate::admin::request::Secret;
use crate::catalogue::{client, server, shared};
use crate::model::{Invalid, PASSWORD_BYTES_MAX, Password, UserName};
use crate::operate::failure::{Exit, Failure};
use crate::operate::output::Output;
use crate::system;
use crate::terminal::reason::of_invalid;
use crate::terminal::secret::{self, SecretError};

/// 32 characters that are easy to distinguish when read aloud or copied: 5 bits each.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// The number of characters of a generated password, in groups: 120 bits.
const GENERATED_CHARACTERS: usize = 24;
const GROUP_CHARACTERS: usize = 6;
/// The number of bytes read from a file: the password is its first line.
const FILE_BYTES_MAX: u64 = 1024;

/// A password, and whether it was generated.
pub(in crate::operate) struct Chosen {
    password: Password,
    is_generated: bool,
}

impl Chosen {
    /// The password for a request.
    pub(in crate::operate) fn secret(&self) -> Secret {
        Secret(self.password.clone())
    }

    /// The password, if it was generated and has to be printed.
    pub(in crate::operate) fn to_print(&self) -> Option<&str> {
        self.is_generated.then(|| self.password.reveal())
    }

    /// Reports the action. A generated password is the only output on standard output, so that a
    /// script can store it. With `--json` the object has both.
    pub(in crate::operate) fn tell(&self, done: &str, output: &mut Output) -> Result<(), Failure> {
        match self.to_print() {
            _ if output.is_json => Ok(()),
            Some(password) => {
                output.line(password)?;
                output.did_beside(done)
            }
            None => output.did(done),
        }
    }
}

/// Generates a password, or asks for one twice on a terminal. Otherwise reads the first line of
/// standard input without surrounding white space, which the protocol cannot transmit.
pub(in crate::operate) fn choose(name: &UserName, is_generated: bool) -> Result<Chosen, Failure> {
    if is_generated {
        return Ok(Chosen { password: generate()?, is_generated });
    }
    let password = ask(&client::password_of_prompt(name))?;
    if stdin().is_terminal() && ask(server::password_again_prompt())? != password {
        return Err(Failure::new(Exit::Usage, server::passwords_differ())
            .hint(server::nothing_done_try_again()));
    }
    Ok(Chosen { password, is_generated })
}

fn ask(prompt: &str) -> Result<Password, Failure> {
    parse(&ask_text(prompt)?)
}

fn ask_text(prompt: &str) -> Result<String, Failure> {
    secret::ask(prompt).map_err(|error| match error {
        SecretError::Interrupted => Failure::new(Exit::Interrupted, shared::interrupted()),
        SecretError::TooLong => refused(Invalid::TooLong { max: PASSWORD_BYTES_MAX }),
        SecretError::NotUtf8 => Failure::new(Exit::Data, server::password_not_utf8()),
        SecretError::Io(error) => Failure::new(Exit::Io, client::password_unreadable(error)),
    })
}

/// [`choose`] from the first line of standard input. `None` if that is empty.
pub(in crate::operate) fn of_input() -> Result<Option<Chosen>, Failure> {
    let text = ask_text("")?;
    let is_generated = false;
    match text.trim_ascii() {
        "" => Ok(None),
        text => Ok(Some(Chosen { password: parse(text)?, is_generated })),
    }
}

/// [`choose`] from the first line of a file.
pub(in crate::operate) fn of_file(path: &Path) -> Result<Chosen, Failure> {
    let unreadable = |error: io::Error| {
        let exit = if error.kind() == ErrorKind::NotFound { Exit::NoInput } else { Exit::Io };
        Failure::new(exit, client::file_not_read(path.display(), error))
    };
    let mut line = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    // A longer line is refused, even if much of it is white space.
    let mut start = BufReader::new(file).take(FILE_BYTES_MAX);
    start.read_until(b'\n', &mut line).map_err(unreadable)?;
    let text = String::from_utf8(line)
        .map_err(|_| Failure::new(Exit::Data, server::password_not_utf8()))?;
    Ok(Chosen { password: parse(&text)?, is_generated: false })
}

fn parse(text: &str) -> Result<Password, Failure> {
    text.trim_ascii().parse().map_err(refused)
}

fn refused(invalid: Invalid) -> Failure {
    Failure::new(Exit::Data, server::password_refused(of_invalid(invalid)))
        .hint(server::give_password(PASSWORD_BYTES_MAX))
}

fn generate() -> Result<Password, Failure> {
    let no_random = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Internal, server::password_not_made(error))
    };
    let mut random = [0; GENERATED_CHARACTERS];
    system::fill_random(&mut random).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => no_random(&server::too_little_random()),
        _ => no_random(&error),
    })?;
    let characters: Vec<char> =
        random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let groups: Vec<String> =
        characters.chunks(GROUP_CHARACTERS).map(|group| group.iter().collect()).collect();
    groups.join("-").parse().map_err(|invalid| no_random(&of_invalid(invalid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_passwords_are_long_and_never_the_same() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.reveal().len(), GENERATED_CHARACTERS + 3);
        assert_ne!(one.reveal(), other.reveal());
        let is_one_of_ours = |byte: u8| byte == b'-' || ALPHABET.contains(&byte);
        assert!(one.reveal().bytes().all(is_one_of_ours), "{}", one.reveal());
        let mut letters = *ALPHABET;
        letters.sort_unstable();
        assert!(letters.windows(2).all(|pair| pair[0] < pair[1]), "no letter twice");
    }
}
