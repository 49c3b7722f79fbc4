//! Frames on the wire: the end of a reply, and the decoder that splits a stream into lines. A
//! request is one line of UTF-8 that ends in LF or CR LF. The bytes may arrive in pieces of any
//! size. Memory is bounded by the longest line plus the piece fed last.

use memchr::{memchr, memchr2};

/// The longest request line in bytes, without the LF or CR LF that ends it. Every legal request
/// fits, however its JSON is escaped; the rest is for white space between its parts.
pub const LINE_BYTES_MAX: usize = 256 * 1024;

/// Ends every reply and event. The JSON before it contains no line endings, because they are
/// escaped.
pub const REPLY_END: &[u8] = b"\r\n\r\n";

/// Why a line, or the stream, cannot be read as text. It says nothing about the request in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineError {
    /// The line is longer than the limit. It is reported once, and the rest of the line is dropped.
    TooLong,
    /// The line is not UTF-8.
    NotUtf8,
    /// The line contains a NUL, or a CR that is not part of the line ending.
    ForbiddenByte,
    /// The stream begins with a TLS handshake. The decoder cannot recover from this.
    TlsHandshake,
}

/// The decoder for request lines.
pub type LineDecoder = BoundedLineDecoder<LINE_BYTES_MAX>;

/// Turns a stream of bytes into lines of at most `MAX` bytes. The result does not depend on how the
/// bytes were split into pieces. (The limit is a parameter because fuzzing covers far more inputs
/// per second with short lines.)
#[derive(Debug, Default)]
pub struct BoundedLineDecoder<const MAX: usize> {
    buffer: Vec<u8>,
    /// The offset in `buffer` where the next line begins.
    start: usize,
    /// `buffer` has no LF between `start` and this offset.
    scanned: usize,
    /// The current line was already refused as too long; its remaining bytes are dropped up to the
    /// LF.
    discarding: bool,
    /// The first bytes of the stream were already checked for a TLS handshake.
    begun: bool,
}

impl<const MAX: usize> BoundedLineDecoder<MAX> {
    /// Appends the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete line without its ending, or the error in it. `None` means that more bytes
    /// are needed.
    pub fn next_line(&mut self) -> Option<Result<&str, LineError>> {
        if !self.begun && self.is_tls_handshake()? {
            return Some(Err(LineError::TlsHandshake));
        }
        loop {
            let Some(length) = memchr(b'\n', &self.buffer[self.scanned..]) else {
                return self.wait_for_more();
            };
            let (start, end) = (self.start, self.scanned + length);
            self.start = end + 1;
            self.scanned = end + 1;
            if std::mem::take(&mut self.discarding) {
                continue;
            }
            return Some(check_line::<MAX>(&self.buffer[start..end]));
        }
    }

    /// Whether a line has begun but not ended.
    pub fn has_partial_line(&self) -> bool {
        self.discarding || self.buffer.len() > self.start
    }

    /// The number of bytes that were fed but not yet returned as lines.
    pub fn held_bytes(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Handles a buffer without an LF: keeps it, or drops it if the line is already too long.
    fn wait_for_more(&mut self) -> Option<Result<&str, LineError>> {
        let held = self.held_bytes();
        // One byte above the limit is still fine if it is the CR of a CR LF.
        let too_long = held > MAX + 1 || (held > MAX && self.buffer.last() != Some(&b'\r'));
        if self.discarding || too_long || held == 0 {
            self.start = 0;
            self.scanned = 0;
            // Free the memory, so that ten thousand idle connections hold no buffers.
            self.buffer = Vec::new();
        } else {
            self.scanned = self.buffer.len();
        }
        if too_long && !std::mem::replace(&mut self.discarding, true) {
            return Some(Err(LineError::TooLong));
        }
        None
    }

    /// Whether the stream begins like a TLS handshake record (RFC 8446, section 5.1: type 22, then
    /// a major version of 3). `None` means that there are too few bytes to decide.
    fn is_tls_handshake(&mut self) -> Option<bool> {
        let is_tls = match self.buffer.as_slice() {
            [] | [0x16] => return None,
            [0x16, 0x03, ..] => true,
            _ => false,
        };
        // Checked once per stream: a later line that begins with these bytes is an ordinary line.
        self.begun = true;
        Some(is_tls)
    }
}

fn check_line<const MAX: usize>(bytes: &[u8]) -> Result<&str, LineError> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    if bytes.len() > MAX {
        return Err(LineError::TooLong);
    }
    if memchr2(0, b'\r', bytes).is_some() {
        return Err(LineError::ForbiddenByte);
    }
    std::str::from_utf8(bytes).map_err(|_| LineError::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type OwnedLine = Result<String, LineError>;

    fn lines(decoder: &mut LineDecoder) -> Vec<OwnedLine> {
        std::iter::from_fn(|| decoder.next_line().map(|line| line.map(str::to_owned))).collect()
    }

    fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<OwnedLine>, LineDecoder) {
        let mut decoder = LineDecoder::default();
        let mut found = Vec::new();
        for piece in pieces {
            decoder.feed(piece);
            found.extend(lines(&mut decoder));
        }
        (found, decoder)
    }

    fn decode_whole(bytes: &[u8]) -> Vec<OwnedLine> {
        decode([bytes]).0
    }

    #[test]
    fn lf_and_cr_lf_both_end_a_line() {
        assert_eq!(
            decode_whole(b"one\ntwo\r\n\r\n\n"),
            ["one", "two", "", ""].map(|line| Ok(line.to_owned()))
        );
    }

    #[test]
    fn nul_and_lone_cr_are_refused_and_the_next_line_is_read() {
        let forbidden = Err(LineError::ForbiddenByte);
        assert_eq!(
            decode_whole(b"a\0b\na\rb\na\r\r\nfine\n"),
            [forbidden.clone(), forbidden.clone(), forbidden, Ok("fine".to_owned())]
        );
    }

    #[test]
    fn invalid_utf8_is_refused_and_the_next_line_is_read() {
        let not_utf8 = Err(LineError::NotUtf8);
        assert_eq!(
            decode_whole(b"\xff\n\xc0\xaf\n\xed\xa0\x80\nfine\n"),
            [not_utf8.clone(), not_utf8.clone(), not_utf8, Ok("fine".to_owned())]
        );
    }

    #[test]
    fn line_at_the_limit_is_read_and_one_byte_more_is_refused_once() {
        for ending in ["\n", "\r\n"] {
            let at_limit = "x".repeat(LINE_BYTES_MAX);
            let over = "x".repeat(LINE_BYTES_MAX + 1);
            let stream = format!("{at_limit}{ending}{over}{ending}after{ending}");
            let expected = [Ok(at_limit), Err(LineError::TooLong), Ok("after".to_owned())];
            assert_eq!(decode_whole(stream.as_bytes()), expected);
            let in_pieces = decode(stream.as_bytes().chunks(1000)).0;
            assert_eq!(in_pieces, expected);
        }
    }

    #[test]
    fn endless_line_is_refused_once_and_uses_bounded_memory() {
        let mut decoder = LineDecoder::default();
        let mut refusals = 0;
        for _ in 0..1000 {
            decoder.feed(&[b'x'; 4096]);
            refusals += lines(&mut decoder).len();
            assert!(decoder.buffer.capacity() <= 2 * LINE_BYTES_MAX + 4096);
        }
        assert_eq!(refusals, 1);
        assert!(decoder.has_partial_line());
    }

    #[test]
    fn tls_handshake_is_recognized_by_its_first_two_bytes() {
        assert_eq!(decode_whole(b"\x16\x03\x01\x02"), [Err(LineError::TlsHandshake)]);
        assert_eq!(decode([b"\x16".as_slice(), b"\x03\x01"]).0, [Err(LineError::TlsHandshake)]);
        assert_eq!(decode_whole(b"\x16x\n"), [Ok("\x16x".to_owned())]);
        assert_eq!(decode_whole(b"a\n\x16\x03\n").len(), 2);
    }

    #[test]
    fn idle_decoder_holds_no_memory() {
        let (_, decoder) = decode([b"list\r\n".as_slice()]);
        assert_eq!(decoder.buffer.capacity(), 0);
        assert!(!decoder.has_partial_line());
    }

    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            4 => "[a-z ]{0,20}".prop_map(String::into_bytes),
            2 => prop::collection::vec(any::<u8>(), 0..20),
            1 => (LINE_BYTES_MAX - 2..LINE_BYTES_MAX + 3).prop_map(|length| vec![b'x'; length]),
        ];
        let ending = prop_oneof![Just(b"\n".to_vec()), Just(b"\r\n".to_vec())];
        prop::collection::vec((line, ending), 0..6).prop_map(|lines| {
            lines.into_iter().flat_map(|(line, end)| [line, end].concat()).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_split_of_the_stream_gives_the_same_lines(
            stream in stream(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces = cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]);
            prop_assert_eq!(decode(pieces).0, decode_whole(&stream));
        }

        #[test]
        fn byte_by_byte_gives_the_same_lines(stream in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(decode(stream.chunks(1)).0, decode_whole(&stream));
        }
    }
}
