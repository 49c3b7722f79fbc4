//! Passwords and session tokens. They never appear in logs.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use super::{Invalid, PASSWORD_BYTES_MAX, check_length};

/// A password: 1 to 128 bytes of UTF-8. Its `Debug` output hides it.
///
/// Any password that can be set can also be used: parsing accepts exactly what the line
/// `auth USER PASSWORD` can carry. That excludes ASCII white space at the ends, NUL, CR and LF.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl Password {
    /// A password to compare with the stored one. It only checks the length, because an earlier
    /// version may have stored a password that no line can carry.
    ///
    /// # Errors
    /// [`Invalid::Empty`] and [`Invalid::TooLong`].
    pub fn shown(text: &str) -> Result<Self, Invalid> {
        check_length(text, PASSWORD_BYTES_MAX)?;
        Ok(Self(text.into()))
    }

    /// The secret itself. Never log or store it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Password {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let password = Self::shown(text)?;
        if text.trim_ascii().len() < text.len() {
            return Err(Invalid::WhiteSpace);
        }
        if text.contains(['\0', '\r', '\n']) {
            return Err(Invalid::Character);
        }
        Ok(password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// A session token: a version 4 UUID from the system's random source. Its only valid form is lower
/// case with hyphens. Its `Debug` output hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token(Uuid);

impl Token {
    /// A new token with 122 random bits.
    pub fn generate() -> Self {
        Self(Uuid::new_v4())
    }

    /// The hash of the token, which is all that may be stored: see [`TokenHash`].
    pub fn hash(&self) -> TokenHash {
        let mut text = Uuid::encode_buffer();
        let text = self.0.as_hyphenated().encode_lower(&mut text);
        TokenHash(Sha256::digest(text.as_bytes()).into())
    }

    /// The secret itself, for the reply that issues it and for the requests that carry it.
    pub fn reveal(&self) -> String {
        self.0.as_hyphenated().to_string()
    }
}

impl FromStr for Token {
    type Err = Invalid;

    /// Accepts only the form that the server issues. Upper case, braces and a form without hyphens
    /// are [`Invalid::Character`].
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() != Hyphenated::LENGTH || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Invalid::Character);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| Invalid::Character)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// The SHA-256 of a token's text. A fast hash suffices, because a token has 122 random bits: a
/// thief of the hash cannot find the token. The time of a lookup by hash reveals nothing about a
/// token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_accepts_only_its_canonical_form() {
        let text = Token::generate().reveal();
        assert_eq!(text.parse::<Token>().unwrap().reveal(), text);
        let without_hyphens = text.replace('-', "");
        let upper = text.to_uppercase();
        for bad in [&text[1..], &format!("{text}0"), &without_hyphens, &format!("{{{text}}}"), ""] {
            assert!(bad.parse::<Token>().is_err(), "{bad:?} is accepted");
        }
        assert!(upper == text || upper.parse::<Token>().is_err());
    }

    #[test]
    fn token_hash_is_the_sha256_of_its_text() {
        let token: Token = "7a592c0e-2cb5-4de6-866b-4e216b0caf15".parse().unwrap();
        let expected = Sha256::digest("7a592c0e-2cb5-4de6-866b-4e216b0caf15");
        assert_eq!(token.hash().0.as_slice(), expected.as_slice());
    }

    #[test]
    fn password_accepts_exactly_what_a_line_can_carry() {
        for good in ["x", "two words", "a\tb", "\u{a0}\u{a0}", &"x".repeat(PASSWORD_BYTES_MAX)] {
            assert_eq!(good.parse::<Password>().unwrap().reveal(), good);
        }
        for ends in [" x", "x ", "\tx", "x\n", "x\r", " ", "\u{c}"] {
            assert_eq!(ends.parse::<Password>(), Err(Invalid::WhiteSpace), "{ends:?}");
            assert!(Password::shown(ends).is_ok(), "{ends:?} may be stored already");
        }
        for inside in ["a\0b", "a\rb", "a\nb", "\0"] {
            assert_eq!(inside.parse::<Password>(), Err(Invalid::Character), "{inside:?}");
        }
        assert_eq!("".parse::<Password>(), Err(Invalid::Empty));
        let max = PASSWORD_BYTES_MAX;
        assert_eq!("x".repeat(max + 1).parse::<Password>(), Err(Invalid::TooLong { max }));
    }
}
