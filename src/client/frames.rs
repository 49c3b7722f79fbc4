//! From the bytes that a server sends to the frames they are: replies and events, each one JSON
//! object. Knows no socket.

use crate::catalogue::client;
use crate::protocol::reply::{REPLY_BYTES_MAX, REPLY_END};

/// Finds the frames in a stream that arrives in any pieces. Holds what was fed and not yet given
/// out.
#[derive(Debug, Default)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    /// Where in `buffer` the next frame begins.
    start: usize,
    /// Up to where `buffer` is known to have no end of a frame.
    scanned: usize,
}

/// A frame is longer than any that the protocol has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", client::reply_endless())]
pub struct FrameTooLong;

impl FrameDecoder {
    /// Where the next bytes of the stream go: to be appended to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
        }
        &mut self.buffer
    }

    /// The next whole frame without its ending; `None` when more bytes are needed first.
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

    /// Whether [`next_frame`](Self::next_frame) has one.
    pub fn has_frame(&mut self) -> bool {
        self.find_end().is_some()
    }

    /// Where the next frame ends. No byte is looked at twice, but for the few of an end.
    fn find_end(&mut self) -> Option<usize> {
        let rest = &self.buffer[self.scanned..];
        match rest.windows(REPLY_END.len()).position(|found| found == REPLY_END) {
            Some(length) => {
                self.scanned += length;
                Some(self.scanned)
            }
            None => {
                // The end may lie across two pieces.
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
