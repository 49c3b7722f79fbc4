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

/// The text before the digits of an access token. Secret scanners find tokens by it.
const ACCESS_PREFIX: &str = "ct_";
/// The random bytes of an access token.
const ACCESS_BYTES: usize = 20;
/// The length of an access token, which is longer than the token of a session.
pub const TOKEN_BYTES_MAX: usize = ACCESS_PREFIX.len() + 2 * ACCESS_BYTES;

const _: () = assert!(Hyphenated::LENGTH <= TOKEN_BYTES_MAX);

/// What a client shows with a request: the token of a session, or an access token. Both come from
/// the system's random source, and each has one valid form. The `Debug` output hides it.
///
/// The token of a session is a version 4 UUID, in lower case with hyphens. An access token is `ct_`
/// and 40 hexadecimal digits in lower case.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token(Kind);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Session(Uuid),
    Access([u8; ACCESS_BYTES]),
}

impl Token {
    /// A new token of a session, with 122 random bits.
    pub fn generate() -> Self {
        Self(Kind::Session(Uuid::new_v4()))
    }

    /// A new access token, with 160 random bits.
    pub fn generate_access() -> Self {
        // Two UUIDs have 244 random bits. The hash spreads them over all bits of the token.
        let random = Sha256::new()
            .chain_update(Uuid::new_v4().as_bytes())
            .chain_update(Uuid::new_v4().as_bytes())
            .finalize();
        let mut bytes = [0; ACCESS_BYTES];
        bytes.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
        Self(Kind::Access(bytes))
    }

    /// Whether it is an access token.
    pub fn is_access(&self) -> bool {
        matches!(self.0, Kind::Access(_))
    }

    /// The hash of the token, which is all that may be stored: see [`TokenHash`].
    pub fn hash(&self) -> TokenHash {
        let mut text = Uuid::encode_buffer();
        match &self.0 {
            Kind::Session(uuid) => {
                let text = uuid.as_hyphenated().encode_lower(&mut text);
                TokenHash(Sha256::digest(text.as_bytes()).into())
            }
            Kind::Access(_) => TokenHash(Sha256::digest(self.reveal().as_bytes()).into()),
        }
    }

    /// The secret itself, for the reply that issues it and for the requests that carry it.
    pub fn reveal(&self) -> String {
        match &self.0 {
            Kind::Session(uuid) => uuid.as_hyphenated().to_string(),
            Kind::Access(bytes) => {
                let mut text = ACCESS_PREFIX.to_owned();
                bytes.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
                text
            }
        }
    }
}

impl FromStr for Token {
    type Err = Invalid;

    /// Accepts only the forms that the server issues. Upper case, braces and a UUID without hyphens
    /// are [`Invalid::Character`].
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if let Some(digits) = text.strip_prefix(ACCESS_PREFIX) {
            return hexadecimal(digits).map(Kind::Access).map(Self).ok_or(Invalid::Character);
        }
        if text.len() != Hyphenated::LENGTH || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(Invalid::Character);
        }
        let uuid = Uuid::try_parse(text).map_err(|_| Invalid::Character)?;
        Ok(Self(Kind::Session(uuid)))
    }
}

/// The bytes that these digits in lower case stand for.
pub(super) fn hexadecimal<const BYTES: usize>(digits: &str) -> Option<[u8; BYTES]> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let pairs: &[[u8; 2]; BYTES] = pairs.try_into().ok()?;
    let digit = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; BYTES];
    for (byte, &[high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(bytes)
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(…)")
    }
}

/// The SHA-256 of a token's text. A fast hash suffices, because a token has at least 122 random
/// bits: a thief of the hash cannot find the token. The time of a lookup by hash reveals nothing
/// about a token.
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
    fn access_token_is_recognisable_and_accepts_only_its_form() {
        let token = Token::generate_access();
        let text = token.reveal();
        assert!(text.starts_with("ct_") && text.len() == 43 && token.is_access());
        assert_eq!(text.parse(), Ok(token));
        assert!(token != Token::generate_access() && !format!("{token:?}").contains(&text));
        let expected = Sha256::digest(&text);
        assert_eq!(token.hash().0.as_slice(), expected.as_slice());
        let (upper, digits) = (text.to_uppercase(), &text[3..]);
        let other = format!("ct_{}", "g".repeat(40));
        for bad in [&text[..42], &format!("{text}0"), &format!("{text}00"), &upper, digits, &other]
        {
            assert!(bad.parse::<Token>().is_err(), "{bad:?} is accepted");
        }
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
