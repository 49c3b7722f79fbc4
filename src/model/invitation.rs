//! Invitations by link: their secrets and numbers.

use std::fmt::{self, Write};
use std::str::FromStr;

use arrayvec::ArrayString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::secrets::{TokenHash, hexadecimal};
use super::{Invalid, UserName, deserialize_text};

/// The longest life of an invitation, in seconds: a year.
pub const INVITATION_SECONDS_MAX: u64 = 366 * 24 * 60 * 60;

/// The text before the digits of a secret. Secret scanners find secrets by it.
const PREFIX: &str = "ci_";
/// The random bytes of a secret.
const BYTES: usize = 16;

/// The number of an invitation in the store. An older one has a lower number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InvitationId(pub i64);

/// The secret of an invitation: `ci_` and 32 hexadecimal digits in lower case, 128 random bits. The
/// `Debug` output hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct InvitationSecret([u8; BYTES]);

impl InvitationSecret {
    /// A new secret.
    pub fn generate() -> Self {
        // Two UUIDs have 244 random bits. The hash spreads them over all bits of the secret.
        let random = Sha256::new()
            .chain_update(Uuid::new_v4().as_bytes())
            .chain_update(Uuid::new_v4().as_bytes())
            .finalize();
        let mut bytes = [0; BYTES];
        bytes.iter_mut().zip(random).for_each(|(byte, random)| *byte = random);
        Self(bytes)
    }

    /// The secret itself, for the answer that issues it and for the requests that carry it.
    pub fn reveal(&self) -> String {
        let mut text = PREFIX.to_owned();
        self.0.iter().for_each(|byte| text.push_str(&format!("{byte:02x}")));
        text
    }

    /// The hash of the secret, which is all that may be stored.
    pub fn hash(&self) -> TokenHash {
        TokenHash(Sha256::digest(self.reveal()).into())
    }

    /// A name that stands for the invitation where logins are counted by their accounts. Nobody who
    /// is called so by chance can be told from it.
    pub fn account(&self) -> UserName {
        let mut name = ArrayString::new();
        for byte in &self.hash().0[..BYTES] {
            // 32 hexadecimal digits are a name of the longest kind.
            let _ = write!(name, "{byte:02x}");
        }
        UserName(name)
    }
}

impl FromStr for InvitationSecret {
    type Err = Invalid;

    /// Accepts only the form that the server issues.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.strip_prefix(PREFIX).ok_or(Invalid::Character)?;
        hexadecimal(digits).map(Self).ok_or(Invalid::Character)
    }
}

impl fmt::Debug for InvitationSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InvitationSecret(…)")
    }
}

impl Serialize for InvitationSecret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.reveal())
    }
}

impl<'de> Deserialize<'de> for InvitationSecret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_recognisable_and_accepts_only_its_form() {
        let secret = InvitationSecret::generate();
        let text = secret.reveal();
        assert!(text.starts_with("ci_") && text.len() == 35, "{text}");
        assert_eq!(text.parse(), Ok(secret));
        assert!(secret != InvitationSecret::generate());
        assert!(!format!("{secret:?}").contains(&text));
        assert_eq!(secret.hash().0.as_slice(), Sha256::digest(&text).as_slice());
        let (upper, other) = (text.to_uppercase(), format!("ci_{}", "g".repeat(32)));
        for bad in
            [&text[..34], &format!("{text}0"), &format!("{text}00"), &upper, &text[3..], &other]
        {
            assert!(bad.parse::<InvitationSecret>().is_err(), "{bad:?} is accepted");
        }
    }

    #[test]
    fn account_of_a_secret_tells_nothing_of_it() {
        let secret = InvitationSecret::generate();
        let account = secret.account();
        assert_eq!(account.as_str().len(), 32);
        assert!(!secret.reveal().contains(account.as_str()));
        assert_eq!(account, secret.account());
    }
}
