//! JSON in the format of the seed's programs (Python's `json.dumps`): a space after every comma and
//! colon, and only printable ASCII. A client may therefore decode each piece it receives alone: no
//! character is ever split. A terminal that shows a reply cannot be made to act on it.

use std::io;

use memchr::memchr;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// The room that [`encode`] reserves: enough bytes for a short object.
pub(super) const SHORT_BYTES: usize = 256;

/// Appends `value` as one line of ASCII JSON, without a line ending.
///
/// `value` must always have a JSON form: no maps with keys other than text, and no `Serialize` that
/// fails. Otherwise part of it, or nothing, is appended, and the result is `false`.
pub fn encode(value: &impl Serialize, out: &mut Vec<u8>) -> bool {
    // Serde writes an object in about a dozen pieces; reserving once avoids growing the buffer for
    // each.
    out.reserve(SHORT_BYTES);
    value.serialize(&mut Serializer::with_formatter(out, AsciiFormatter)).is_ok()
}

/// Like [`encode`], but returns a `String`.
pub fn to_string(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    encode(value, &mut out);
    // `encode` writes only ASCII, so this conversion cannot fail.
    String::from_utf8(out).unwrap_or_default()
}

/// The version of the `--json` output. It rises when a field is removed or changes its meaning. A
/// new field does not raise it.
pub const OBJECT_VERSION: u32 = 1;

/// Encodes the fields of a `--json` object as one line without its ending. `v` comes first.
pub fn versioned(fields: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        v: u32,
        #[serde(flatten)]
        fields: &'a T,
    }
    to_string(&Versioned { v: OBJECT_VERSION, fields })
}

/// The encoded length of `text` in bytes, without the surrounding quotes.
pub fn text_bytes(text: &str) -> usize {
    let escaped = |character: char| match character {
        '"' | '\\' | '\u{8}' | '\t' | '\n' | '\u{c}' | '\r' => 2,
        '\0'..='\u{1f}' | '\u{7f}' => 6,
        character if character.is_ascii() => 1,
        character => 6 * character.len_utf16(),
    };
    text.chars().map(escaped).sum()
}

struct AsciiFormatter;

impl Formatter for AsciiFormatter {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        out: &mut W,
        text: &str,
    ) -> io::Result<()> {
        // Fast path: most texts are printable ASCII, and a check of the bytes is vectorized.
        if text.is_ascii() && memchr(0x7f, text.as_bytes()).is_none() {
            return out.write_all(text.as_bytes());
        }
        let mut rest = text;
        // `serde_json` escapes the control characters below the space, but not DEL.
        let printable = |character: char| character.is_ascii() && character != '\x7f';
        while let Some(at) = rest.find(|character| !printable(character)) {
            let (ascii, other) = rest.split_at(at);
            out.write_all(ascii.as_bytes())?;
            let length = other.find(printable).unwrap_or(other.len());
            for unit in other[..length].encode_utf16() {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &other[length..];
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn output_matches_the_seeds_python_json() {
        let value = serde_json::json!({"status": "OK", "messages": {"paff": [{"msg": "hai"}, {"msg": "🐱é\x7f"}]}});
        assert_eq!(
            to_string(&value),
            r#"{"status": "OK", "messages": {"paff": [{"msg": "hai"}, {"msg": "\ud83d\udc31\u00e9\u007f"}]}}"#
        );
    }

    proptest! {
        #[test]
        fn any_text_is_printable_ascii_and_reads_back_the_same(text: String) {
            let encoded = to_string(&text);
            prop_assert!(encoded.bytes().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert_eq!(encoded.len(), text_bytes(&text) + 2);
            prop_assert_eq!(serde_json::from_str::<String>(&encoded).unwrap(), text);
        }
    }
}
