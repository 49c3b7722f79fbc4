//! Files as they go over the network: compressed, if the client takes that.

use std::io::Write;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use flate2::Compression;
use flate2::write::GzEncoder;

/// A text in both forms. It is compressed once, and has no secrets whose length would tell anything.
pub(super) struct Encoded {
    plain: Bytes,
    gzip: Option<Bytes>,
}

impl Encoded {
    pub(super) fn new(plain: impl Into<Bytes>) -> Self {
        let plain = plain.into();
        let gzip = compress(&plain).filter(|gzip| gzip.len() < plain.len());
        Self { plain, gzip }
    }

    /// The form for this request, and whether it is compressed.
    pub(super) fn form(&self, headers: &HeaderMap) -> (Bytes, bool) {
        match &self.gzip {
            Some(gzip) if takes_gzip(headers) => (gzip.clone(), true),
            _ => (self.plain.clone(), false),
        }
    }
}

fn compress(plain: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).ok()?;
    Some(encoder.finish().ok()?.into())
}

/// Whether a client takes gzip (RFC 9110, 12.5.3): it names it, or anything, with a weight above 0.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let fields = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|field| field.to_str().ok());
    let (mut named, mut any) = (None, false);
    for item in fields.flat_map(|field| field.split(',')) {
        let (coding, parameter) = item.split_once(';').unwrap_or((item, ""));
        let weight = parameter.trim().strip_prefix("q=").map(|weight| weight.trim().parse());
        let is_taken = !matches!(weight, Some(Ok(0.0)));
        match coding.trim() {
            name if name.eq_ignore_ascii_case("gzip") => named = Some(is_taken),
            "*" => any = is_taken,
            _ => {}
        }
    }
    named.unwrap_or(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_for_clients_that_take_it() {
        for (field, expected) in [
            ("gzip", true),
            ("deflate, GZip;q=0.5, br", true),
            ("br;q=1.0, *", true),
            ("*;q=0", false),
            ("*, gzip;q=0", false),
            ("gzip;q=0.000", false),
            ("gzip; q=0.001", true),
            ("br, deflate", false),
            ("xgzip", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, field.parse().unwrap())]);
            assert_eq!(takes_gzip(&headers), expected, "{field}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }

    #[test]
    fn text_that_compression_makes_longer_stays_as_it_is() {
        let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, "gzip".parse().unwrap())]);
        assert_eq!(Encoded::new("hai").form(&headers), ("hai".into(), false));
        let (text, is_compressed) = Encoded::new("hai ".repeat(100)).form(&headers);
        assert!(is_compressed && text.len() < 50, "{}", text.len());
    }
}
