//! Where the messages of a WebSocket begin and end in the bytes of a client (RFC 6455, section 5.2).
//! tungstenite returns whole messages only. So it cannot say that one has begun.

/// The longest head of a frame: 2 bytes, 8 of the length, 4 of the mask.
const HEAD_BYTES_MAX: usize = 14;

/// Follows the bytes of a client. It judges nothing: tungstenite refuses what is no frame.
#[derive(Debug, Default)]
pub(super) struct Boundaries {
    head: [u8; HEAD_BYTES_MAX],
    head_bytes: usize,
    /// The rest of the frame behind its head.
    left: u64,
    /// More frames of the same message will come.
    is_fragmented: bool,
    /// The number of messages that have ended.
    ended: u64,
}

impl Boundaries {
    /// Takes the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped =
                    usize::try_from(self.left).map_or(bytes.len(), |it| it.min(bytes.len()));
                self.left -= skipped as u64;
                bytes = &bytes[skipped..];
            } else {
                self.head[self.head_bytes] = *first;
                self.head_bytes += 1;
                bytes = rest;
                self.take_head();
            }
            if self.left == 0 && self.head_bytes == 0 && !self.is_fragmented {
                self.ended += 1;
            }
        }
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_inside(&self) -> bool {
        self.left > 0 || self.head_bytes > 0 || self.is_fragmented
    }

    /// How many messages have ended.
    pub(super) fn ended(&self) -> u64 {
        self.ended
    }

    /// Begins to skip a frame, once its head is whole.
    fn take_head(&mut self) {
        let [first, second, ..] = self.head;
        let length_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        if self.head_bytes < 2 + length_bytes + mask_bytes {
            return;
        }
        self.left = match length_bytes {
            0 => u64::from(second & 0x7f),
            _ => self.head[2..2 + length_bytes]
                .iter()
                .fold(0, |so_far, byte| so_far << 8 | u64::from(*byte)),
        };
        self.head_bytes = 0;
        // A ping may stand between the frames of a message.
        if first & 0x08 == 0 {
            self.is_fragmented = first & 0x80 == 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with a mask.
    fn frame(first: u8, count: usize) -> Vec<u8> {
        let mut bytes = vec![first];
        match count {
            ..126 => bytes.push(0x80 | count as u8),
            126..0x1_0000 => {
                bytes.push(0x80 | 126);
                bytes.extend((count as u16).to_be_bytes());
            }
            _ => {
                bytes.push(0x80 | 127);
                bytes.extend((count as u64).to_be_bytes());
            }
        }
        bytes.extend([0x55; 4]);
        bytes.resize(bytes.len() + count, 0xff);
        bytes
    }

    #[test]
    fn message_is_inside_from_its_first_byte_to_its_last_in_any_pieces() {
        const TEXT: u8 = 1;
        const PING: u8 = 0x89;
        // A message is one frame, or several with pings between them.
        let messages = [
            frame(0x80 | TEXT, 0),
            frame(0x80 | TEXT, 5),
            frame(0x80 | TEXT, 126),
            frame(0x80 | TEXT, 70_000),
            frame(PING, 3),
            [frame(TEXT, 2), frame(PING, 0), frame(0, 200), frame(0x80, 1)].concat(),
            b"\x81\x02hi".to_vec(),
        ];
        for piece in [1, 2, 3, 7, 1_000, usize::MAX] {
            let mut boundaries = Boundaries::default();
            for (number, message) in messages.iter().enumerate() {
                let (last, begin) = message.split_last().unwrap();
                for bytes in begin.chunks(piece.min(begin.len())) {
                    boundaries.feed(bytes);
                    assert!(boundaries.is_inside(), "{number} in pieces of {piece}");
                }
                boundaries.feed(&[*last]);
                let found = (boundaries.is_inside(), boundaries.ended());
                assert_eq!(found, (false, number as u64 + 1), "{piece}");
            }
            boundaries.feed(&[messages.concat(), vec![0x81]].concat());
            assert_eq!((boundaries.is_inside(), boundaries.ended()), (true, 14));
        }
    }
}
