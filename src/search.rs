//! Search: what a query means, how texts are folded into words, and where a query matches a text.
//!
//! The engines index the tokens of this module, and look them up. An index may only propose
//! messages: [`Query`] decides about each of them. So every engine finds the same, and a message
//! that no index has yet is found like any other.

mod fold;
mod query;

pub use fold::{TOKEN_CHARS_MAX, Units};
pub use query::{
    BadQuery, Matches, Place, Problem, QUERY_BYTES_MAX, Query, TERMS_MAX, Term, Text, Wanted,
};

use crate::model::{Details, MailboxId, Tag, UserId};

/// The version of [`tokens`]. An index that was made by another version must be made again.
pub const TOKENS_VERSION: u32 = 1;

/// Passes all tokens of a message to `each`. A token occurs as often as its word does. It has no
/// ASCII characters but lower-case letters, digits and `:`, and is never empty. Tokens of words have
/// no `:`.
pub fn tokens(
    (sender, mailbox): (UserId, MailboxId),
    body: &str,
    details: Option<&Details>,
    mut each: impl FnMut(&str),
) {
    each(&sender_token(sender));
    each(&mailbox_token(mailbox));
    if let Some(details) = details {
        details.tags.iter().for_each(|tag| each(&tag_token(tag)));
        if let Some(title) = &details.title {
            Units::of(title.as_str()).tokens(&mut each);
        }
    }
    Units::of(body).tokens(each);
}

/// The token of all messages from this user.
pub fn sender_token(sender: UserId) -> String {
    format!("from:{}", sender.0)
}

/// The token of all messages in this mailbox. Tokens have no minus, and the number of a room is
/// negative.
pub fn mailbox_token(mailbox: MailboxId) -> String {
    let kind = if mailbox.0 < 0 { "in" } else { "to" };
    format!("{kind}:{}", mailbox.0.unsigned_abs())
}

/// The token of all messages with this tag, which may have any characters.
pub fn tag_token(tag: &Tag) -> String {
    let mut token = String::from("tag:");
    for byte in tag.as_str().bytes() {
        token.extend(
            [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[digit as usize])),
        );
    }
    token
}
