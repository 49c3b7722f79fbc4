//! The token of a session as a cookie: a browser sends it by itself, and no script can read it.

use crate::model::Token;

/// The cookie over TLS. A browser takes this name only from this host, only over TLS, and only for
/// all paths, so no other host of the domain can set it.
const ENCRYPTED: &str = "__Host-chat";
/// The cookie without TLS.
const PLAIN: &str = "chat";
/// The server ends a session earlier (`--session-idle-days`); a cookie of an ended one does no harm.
const LIFE_SECONDS: u32 = 90 * 24 * 60 * 60;

fn name(is_encrypted: bool) -> &'static str {
    if is_encrypted { ENCRYPTED } else { PLAIN }
}

/// The field `Set-Cookie` that gives the browser this token.
pub fn set(token: Token, is_encrypted: bool) -> String {
    field(&token.reveal(), LIFE_SECONDS, is_encrypted)
}

/// The field `Set-Cookie` that takes the cookie from the browser.
pub fn clear(is_encrypted: bool) -> String {
    field("", 0, is_encrypted)
}

fn field(value: &str, seconds: u32, is_encrypted: bool) -> String {
    let name = name(is_encrypted);
    let secure = if is_encrypted { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
}

/// The token in the fields `Cookie` of a request. Two cookies of the name are none: one of them is
/// somebody else's.
pub fn find<'a>(fields: impl Iterator<Item = &'a str>, is_encrypted: bool) -> Option<Token> {
    let pairs = fields.flat_map(|field| field.split(';'));
    let mut values = pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(found, _)| *found == name(is_encrypted));
    let (_, value) = values.next().filter(|_| values.next().is_none())?;
    value.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookie_that_was_set_is_found_beside_others() {
        let token = Token::generate();
        for is_encrypted in [false, true] {
            let field = set(token, is_encrypted);
            assert!(field.contains("; HttpOnly; SameSite=Strict"), "{field}");
            assert_eq!(field.ends_with("; Secure"), is_encrypted, "{field}");
            let pair = field.split(';').next().unwrap();
            let found = |text: &str| find([text].into_iter(), is_encrypted).map(|it| it.hash());
            assert_eq!(found(&format!("look=dark; {pair}; a=b")), Some(token.hash()));
            assert_eq!(found(&format!("{pair}; {pair}")), None);
            assert_eq!(find([pair].into_iter(), !is_encrypted).map(|it| it.hash()), None);
            let cleared = clear(is_encrypted);
            assert!(cleared.contains("Max-Age=0"), "{cleared}");
            assert_eq!(found(cleared.split(';').next().unwrap()), None);
        }
    }
}
