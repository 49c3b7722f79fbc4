//! Names and values with `&` between them: the query of a URL, and the body of a form.

use percent_encoding::percent_decode_str;

/// The names and values, in their order.
///
/// # Errors
/// A name or a value is not UTF-8. It is refused and not altered. The error is the name, as it is
/// written.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, &str> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let parsed = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        decoded(name).zip(decoded(value)).ok_or(name)
    });
    parsed.collect()
}

fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(|decoded| decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded_and_no_byte_is_replaced() {
        for (text, expected) in [
            ("", &[][..]),
            ("&&a=b&", &[("a", "b")]),
            ("a=b=c&d", &[("a", "b=c"), ("d", "")]),
            ("a+b=c%20d%2B", &[("a b", "c d+")]),
            ("%E7%8C%AB=%F0%9F%90%B1&x=%EF%BF%BD", &[("猫", "🐱"), ("x", "\u{fffd}")]),
            ("a=100%&b=%zz", &[("a", "100%"), ("b", "%zz")]),
        ] {
            let found = parse(text).unwrap();
            let found: Vec<_> = found.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            assert_eq!(found, expected, "{text}");
        }
        for (text, name) in [("a=b&c=%ff", "c"), ("m=%ED%A0%80", "m"), ("%C0%80=x", "%C0%80")] {
            assert_eq!(parse(text), Err(name), "{text}");
        }
    }
}
