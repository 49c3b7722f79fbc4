//! Reads and checks passwords.

use super::exit::Exit;
use super::failure::Failure;
use crate::catalogue::client;
use crate::model::{Invalid, Password};
use crate::protocol::refusal::Code;
use crate::terminal::reason::of_invalid;
use crate::terminal::secret::{self, SecretError};

/// Reads a password from standard input, see [`secret::ask`]. Ctrl-C is [`Failure::Interrupted`].
pub fn ask(prompt: &str) -> Result<Password, Failure> {
    check(&secret::ask(prompt).map_err(failure)?)
}

/// Like [`ask`], between lines that are read from standard input; see
/// [`secret::ask_between_lines`].
pub fn ask_between_lines(prompt: &str) -> Result<Password, Failure> {
    check(&secret::ask_between_lines(prompt).map_err(failure)?)
}

fn failure(error: SecretError) -> Failure {
    match error {
        SecretError::Interrupted => Failure::Interrupted,
        SecretError::TooLong => Code::TooLong.into(),
        SecretError::NotUtf8 => Code::BadEncoding.into(),
        SecretError::Io(error) => Failure::new(Exit::LocalFile, client::password_unreadable(error)),
    }
}

/// Checks a password. White space around it is removed, because the protocol cannot carry it.
pub fn check(text: &str) -> Result<Password, Failure> {
    text.trim_ascii().parse().map_err(|invalid| match invalid {
        Invalid::Empty => {
            Failure::new(Exit::Usage, client::password_empty()).with_hint(client::give_password())
        }
        Invalid::TooLong { .. } => Code::TooLong.into(),
        Invalid::Character | Invalid::WhiteSpace => {
            Failure::new(Exit::TextRefused, client::password_refused(of_invalid(invalid)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_checked_before_anything_is_sent() {
        assert_eq!(check(" cytus\r").unwrap().reveal(), "cytus");
        assert_eq!(check("two words").unwrap().reveal(), "two words");
        assert_eq!(check("a\rb").unwrap_err().exit(), Exit::TextRefused);
        assert_eq!(check(" ").unwrap_err().exit(), Exit::Usage);
        assert_eq!(check(&"x".repeat(129)).unwrap_err().exit(), Exit::TextRefused);
    }
}
