//! Lines and frames: the result does not depend on the pieces in which the stream arrives, and the
//! memory is bounded.

use chat::client::frames::FrameDecoder;
use chat::protocol::framing::{BoundedLineDecoder, LINE_BYTES_MAX, LineError};
use chat::protocol::reply::{REPLY_BYTES_MAX, REPLY_END};

use super::choices::Choices;

/// A low limit, so that a short stream can exceed it.
const LOW_BYTES_MAX: usize = 24;
/// The most bytes of a stream after a line that is too long.
const REST_BYTES_MAX: usize = 1024;
/// In any pieces the decoder finds the same lines as a decoder of the whole stream, and never holds
/// more than a line and a piece. This uses a low limit: the code is the same for any.
pub fn lines_are_those_of_the_whole_stream(bytes: &[u8]) {
    check_lines::<LOW_BYTES_MAX>(bytes);
}

/// The same for the server's limit, which takes much longer if lines reach it.
#[allow(dead_code, reason = "not of the fuzz targets")]
pub fn lines_at_the_servers_limit_are_too(bytes: &[u8]) {
    check_lines::<LINE_BYTES_MAX>(bytes);
}

fn check_lines<const MAX: usize>(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let cuts = choices.bytes();
    let stream = stream(choices, MAX);
    let expected = lines_of(&stream, MAX);
    for cuts in [cuts, &[]] {
        let mut decoder = BoundedLineDecoder::<MAX>::default();
        let mut found = 0;
        let mut ended = false;
        for piece in pieces(&stream, cuts) {
            decoder.feed(piece);
            assert!(decoder.held_bytes() <= MAX + 1 + piece.len(), "held");
            while let Some(line) = decoder.next_line() {
                assert_eq!(expected.get(found).map(|line| line.as_deref()), Some(as_bytes(&line)));
                found += 1;
                // Nobody reads further lines after this.
                ended = line == Err(LineError::TlsHandshake);
                if ended {
                    break;
                }
            }
            if ended {
                break;
            }
            assert!(decoder.held_bytes() <= MAX + 1, "held between two pieces");
        }
        assert_eq!(found, expected.len());
    }
}

fn as_bytes<'a>(line: &Result<&'a str, LineError>) -> Result<&'a [u8], &'a LineError> {
    match line {
        Ok(line) => Ok(line.as_bytes()),
        Err(LineError::TooLong) => Err(&LineError::TooLong),
        Err(LineError::NotUtf8) => Err(&LineError::NotUtf8),
        Err(LineError::ForbiddenByte) => Err(&LineError::ForbiddenByte),
        Err(LineError::TlsHandshake) => Err(&LineError::TlsHandshake),
    }
}

/// The same, as simply as possible for a whole stream.
fn lines_of(stream: &[u8], max: usize) -> Vec<Result<Vec<u8>, LineError>> {
    if stream.starts_with(&[0x16, 0x03]) {
        return vec![Err(LineError::TlsHandshake)];
    }
    // One byte that may begin TLS decides nothing yet, so there is no line either.
    let mut lines: Vec<&[u8]> = stream.split(|&byte| byte == b'\n').collect();
    let rest = lines.pop().unwrap_or_default();
    let line = |line: &[u8]| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > max {
            Err(LineError::TooLong)
        } else if line.contains(&0) || line.contains(&b'\r') {
            Err(LineError::ForbiddenByte)
        } else if str::from_utf8(line).is_err() {
            Err(LineError::NotUtf8)
        } else {
            Ok(line.to_vec())
        }
    };
    let mut found: Vec<_> = lines.into_iter().map(line).collect();
    let cr_may_end_it = rest.len() == max + 1 && rest.ends_with(b"\r");
    if rest.len() > max && !cr_may_end_it {
        found.push(Err(LineError::TooLong));
    }
    found
}

/// [`FrameDecoder`] finds the same frames as a decoder of the whole stream.
pub fn frames_are_those_of_the_whole_stream(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let cuts = choices.bytes();
    let stream = stream(choices, LOW_BYTES_MAX);
    let mut expected = frames_of(&stream).into_iter();
    let mut decoder = FrameDecoder::default();
    for piece in pieces(&stream, cuts) {
        decoder.buffer().extend_from_slice(piece);
        loop {
            let has_frame = decoder.has_frame();
            let Some(frame) = decoder.next_frame().expect("no stream here is too long") else {
                assert!(!has_frame);
                break;
            };
            assert!(has_frame);
            assert_eq!(Some(frame), expected.next());
        }
    }
    assert_eq!(expected.next(), None);
}

const _: () = assert!(LOW_BYTES_MAX + REST_BYTES_MAX < REPLY_BYTES_MAX);

fn frames_of(mut stream: &[u8]) -> Vec<&[u8]> {
    let mut frames = Vec::new();
    while let Some(end) = stream.windows(REPLY_END.len()).position(|bytes| bytes == REPLY_END) {
        frames.push(&stream[..end]);
        stream = &stream[end + REPLY_END.len()..];
    }
    frames
}

/// The remaining bytes, with runs in them: a few bytes must suffice for a line that is too long.
/// `0xfe` and a byte repeat the previous byte; twice `0xfe` and a byte make it a line around the
/// limit.
fn stream(choices: Choices<'_>, line_max: usize) -> Vec<u8> {
    let stream_max = line_max + REST_BYTES_MAX;
    let mut stream = Vec::new();
    let mut bytes = choices.0.iter();
    while let Some(&byte) = bytes.next() {
        match (byte, stream.last()) {
            (0xfe, Some(&last)) => {
                let mut count = || usize::from(bytes.next().copied().unwrap_or(0));
                let count = match count() {
                    0xfe => line_max - 4 + count() % 8,
                    count => count,
                };
                let room = stream_max - stream.len();
                stream.extend(std::iter::repeat_n(last, count.min(room)));
            }
            _ => stream.push(byte),
        }
        if stream.len() >= stream_max {
            break;
        }
    }
    stream
}

/// The stream in pieces of the lengths in `cuts`, repeatedly; most are short.
fn pieces<'a>(stream: &'a [u8], cuts: &[u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut lengths: Vec<usize> = cuts.iter().map(|&cut| piece_bytes(cut)).collect();
    if lengths.is_empty() {
        lengths.push(usize::MAX);
    }
    // Not byte by byte for long streams: short ones test that.
    let least = 1 + stream.len() / 2048;
    let mut rest = stream;
    lengths.into_iter().cycle().map_while(move |length| {
        let (piece, after) = rest.split_at(length.max(least).min(rest.len()));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

fn piece_bytes(cut: u8) -> usize {
    match cut {
        ..=200 => usize::from(cut),
        _ => 1 << (cut - 200).min(17),
    }
}
