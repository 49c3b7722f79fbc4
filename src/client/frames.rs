//! Splits the server's bytes into frames: replies and events, each one JSON object. Knows no
//! socket.

use crate::catalogue::client;
use crate::protocol::reply::{REPLY_BYTES_MAX, REPLY_END};

/// Finds the frames in a stream that arrives in arbitrary pieces. It holds the bytes that no
/// returned frame contained.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    /// The start of the next frame in `buffer`.
    start: usize,
    /// Before this offset, `buffer` contains no end of a frame.
    scanned: usize,
}

/// The frame is longer than any frame of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", client::reply_endless())]
pub struct FrameTooLong;

impl FrameDecoder {
    /// The buffer to which the caller appends the next bytes of the stream.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        &mut self.buffer
    }

    /// The next complete frame without its ending; `None` if more bytes are needed.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, FrameTooLong> {
        match self.find_end() {
            Some(end) => {
                let start = self.start;
                self.start = end + REPLY_END.len();
                self.scanned = self.start;
                Ok(Some(&self.buffer[start..end]))
            }
            None if self.buffer.len() - self.start > REPLY_BYTES_MAX => Err(FrameTooLong),
            None => Ok(None),
        }
    }

    /// Whether [`next_frame`](Self::next_frame) would return a frame.
    pub fn has_frame(&mut self) -> bool {
        self.find_end().is_some()
    }

    /// The end of the next frame. Each byte is scanned once, except the few that may begin an
    /// ending.
    fn find_end(&mut self) -> Option<usize> {
        let rest = &self.buffer[self.scanned..];
        match rest.windows(REPLY_END.len()).position(|found| found == REPLY_END) {
            Some(length) => {
                self.scanned += length;
                Some(self.scanned)
            }
            None => {
                // The ending may be split between two pieces.
                let overlap = REPLY_END.len() - 1;
                self.scanned = self.scanned.max(self.buffer.len().saturating_sub(overlap));
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_in_any_pieces_are_found() {
        let bytes = b"{\"a\": 1}\r\n\r\n\r\n\r\n{\"b\": \"\\r\\n\"}\r\n\r\n{";
        for size in 1..bytes.len() {
            let mut decoder = FrameDecoder::default();
            let mut frames = Vec::new();
            for piece in bytes.chunks(size) {
                decoder.buffer().extend_from_slice(piece);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    frames.push(String::from_utf8(frame.to_vec()).unwrap());
                }
            }
            assert_eq!(frames, ["{\"a\": 1}", "", "{\"b\": \"\\r\\n\"}"], "pieces of {size}");
        }
    }

    #[test]
    fn endless_frame_is_given_up() {
        let mut decoder = FrameDecoder::default();
        decoder.buffer().resize(REPLY_BYTES_MAX, b'x');
        assert_eq!(decoder.next_frame(), Ok(None));
        decoder.buffer().extend_from_slice(b"xx");
        assert_eq!(decoder.next_frame(), Err(FrameTooLong));
    }
}
