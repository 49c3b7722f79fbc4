//! JSON as the seed's programs write it (Python's `json.dumps`): a space after every comma and
//! colon, and nothing but printable ASCII, so that a client that decodes each piece it receives by
//! itself never meets half a character, and a terminal that shows a reply is not made to act.

use std::io;

use memchr::memchr;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// How long a short line is: so much room is made by [`encode`].
pub(super) const SHORT_BYTES: usize = 256;

/// Appends `value` as one line of ASCII JSON, without a line ending.
///
/// Only for values that always have a JSON form (no maps with keys that are not text, no failing
/// `Serialize`); for another nothing or half of it is appended and `false` is returned.
pub fn encode(value: &impl Serialize, out: &mut Vec<u8>) -> bool {
    // Enough for a short one: it is made of a dozen pieces, which would make room one by one.
    out.reserve(SHORT_BYTES);
    value.serialize(&mut Serializer::with_formatter(out, AsciiFormatter)).is_ok()
}

/// [`encode`], as text.
pub fn to_string(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    encode(value, &mut out);
    // What `encode` writes is ASCII.
    String::from_utf8(out).unwrap_or_default()
}

/// The version of what `--json` prints. It rises when a field goes away or changes its meaning; a
/// new field is no new version.
pub const OBJECT_VERSION: u32 = 1;

/// The fields as one line, without its ending, `v` first: what `--json` prints.
pub fn versioned(fields: &impl Serialize) -> String {
    #[derive(Serialize)]
    struct Versioned<'a, T> {
        v: u32,
        #[serde(flatten)]
        fields: &'a T,
    }
    to_string(&Versioned { v: OBJECT_VERSION, fields })
}

/// How many bytes [`encode`] makes of `text`, without the quotes around it.
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
        // Most texts are nothing else: looked at as bytes, many at a time.
        if text.is_ascii() && memchr(0x7f, text.as_bytes()).is_none() {
            return out.write_all(text.as_bytes());
        }
        let mut rest = text;
        // The control characters below the space are escaped by `serde_json`, DEL is not.
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
    fn is_written_as_the_seed_writes_it() {
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
