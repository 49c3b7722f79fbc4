//! Header values beyond ASCII: UTF-8 as it is, and the encoded words of RFC 2047, as in
//! `=?UTF-8?B?aGFp?=`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The text of a header value. `None` if it is not UTF-8, or has an encoded word in another
/// character set.
pub(super) fn decode(value: &[u8]) -> Option<String> {
    let mut rest = std::str::from_utf8(value).ok()?;
    let mut text = String::with_capacity(rest.len());
    let mut was_word = false;
    while let Some(begin) = rest.find("=?") {
        let before = &rest[..begin];
        // White space between two encoded words only separates them.
        if !(was_word && before.bytes().all(|byte| byte.is_ascii_whitespace())) {
            text.push_str(before);
        }
        match word(&rest[begin..]) {
            Some(word) => {
                text.push_str(&word.decoded?);
                rest = &rest[begin + word.length..];
                was_word = true;
            }
            None => {
                text.push_str("=?");
                rest = &rest[begin + 2..];
                was_word = false;
            }
        }
    }
    text.push_str(rest);
    Some(text)
}

/// An encoded word.
struct Word {
    /// Its text. `None` if it is in another character set, or broken.
    decoded: Option<String>,
    /// Its length in the value.
    length: usize,
}

/// The encoded word at the start of a text, if there is one.
fn word(text: &str) -> Option<Word> {
    let inside = text.strip_prefix("=?")?;
    let (charset, rest) = inside.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (encoded, _) = rest.split_once("?=")?;
    if [charset, encoding, encoded].iter().any(|part| part.contains([' ', '\t'])) {
        return None;
    }
    let length = "=????=".len() + charset.len() + encoding.len() + encoded.len();
    // RFC 2231 allows a language: `UTF-8*en`.
    let charset = charset.split('*').next().unwrap_or(charset);
    let is_utf_8 = ["utf-8", "us-ascii"].iter().any(|known| charset.eq_ignore_ascii_case(known));
    let bytes = match encoding {
        "B" | "b" => STANDARD.decode(encoded).ok(),
        "Q" | "q" => quoted(encoded),
        _ => None,
    };
    let decoded = bytes.filter(|_| is_utf_8).and_then(|bytes| String::from_utf8(bytes).ok());
    Some(Word { decoded, length })
}

/// Decodes the encoding Q: `_` is a space, `=41` an A.
fn quoted(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        bytes.push(match first {
            b'_' => b' ',
            b'=' => {
                let (digits, after) = rest.split_at_checked(2)?;
                rest = after;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_decoded_wherever_they_stand() {
        for (value, text) in [
            ("Build 417", "Build 417"),
            ("猫 naik", "猫 naik"),
            ("=?UTF-8?B?8J+Pjg==?=", "🏎"),
            ("=?utf-8?q?Caf=C3=A9_tutup?=", "Café tutup"),
            ("a =?UTF-8?B?Yg==?= c", "a b c"),
            ("=?UTF-8?B?YQ==?=\t =?UTF-8*id?Q?b?=", "ab"),
            ("1 =? 2", "1 =? 2"),
            ("=?UTF-8?B?two words?=", "=?UTF-8?B?two words?="),
            ("=?", "=?"),
            ("", ""),
        ] {
            assert_eq!(decode(value.as_bytes()).as_deref(), Some(text), "{value}");
        }
    }

    #[test]
    fn what_is_no_utf_8_is_refused() {
        for value in [
            &b"\xff"[..],
            b"=?ISO-8859-1?Q?caf=E9?=",
            b"=?UTF-8?Q?caf=E9?=",
            b"=?UTF-8?B?*?=",
            b"=?UTF-8?X?x?=",
            b"=?UTF-8?Q?=4?=",
            b"=?UTF-8?Q?=\xc3\xa9?=",
        ] {
            assert_eq!(decode(value), None, "{value:?}");
        }
    }
}
