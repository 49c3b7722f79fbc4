//! A minimal client of HTTP/2 that decides itself what it reads.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::http::connect;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The types of frames (RFC 9113, section 6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RESET: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GO_AWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

/// Flags of frames.
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// The fields of a request that gets something, without its path.
pub const GET: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "localhost")];

/// A frame that came.
pub struct Frame {
    /// Its type.
    pub kind: u8,
    /// The number of its stream.
    pub stream: u32,
    /// Its content.
    pub payload: Vec<u8>,
}

/// A connection.
pub struct Http2 {
    socket: TcpStream,
    next: u32,
    /// How streams began or ended, for which nobody has asked yet.
    begun: HashMap<u32, Result<u16, u32>>,
}

impl Http2 {
    /// Connects. The server may send this many bytes of each response.
    pub fn connect(address: SocketAddr, window: u32) -> Self {
        let mut http = Self { socket: connect(address), next: 1, begun: HashMap::new() };
        let mut first = PREFACE.to_vec();
        // SETTINGS_INITIAL_WINDOW_SIZE
        let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
        first.extend(frame(SETTINGS, 0, 0, &settings));
        http.socket.write_all(&first).expect("the server accepts a preface");
        http
    }

    /// Requests a path. Gives the number of the stream.
    pub fn get(&mut self, path: &str, authorization: &str) -> u32 {
        let fields = [GET, &[(":path", path), ("authorization", authorization)]].concat();
        self.open(&fields, true).expect("a request is accepted")
    }

    /// Begins a request with these fields. Gives the number of the stream.
    pub fn open(&mut self, fields: &[(&str, &str)], is_whole: bool) -> io::Result<u32> {
        let stream = self.next;
        self.next += 2;
        let flags = END_HEADERS | if is_whole { END_STREAM } else { 0 };
        self.send(HEADERS, flags, stream, &block(fields))?;
        Ok(stream)
    }

    /// Sends a frame. An error means that the server has ended the connection.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.socket.write_all(&frame(kind, flags, stream, payload))
    }

    /// The status of the response on a stream; `Err` is the code with which the stream, or the
    /// connection, has ended instead. `None`: the connection is closed without a word.
    pub fn status(&mut self, stream: u32) -> Option<Result<u16, u32>> {
        loop {
            if let Some(begun) = self.begun.remove(&stream) {
                return Some(begun);
            }
            let Frame { kind, stream: of, payload } = self.frame()?;
            let code = |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().unwrap());
            match kind {
                HEADERS => _ = self.begun.insert(of, Ok(status_of(&payload))),
                RESET => _ = self.begun.entry(of).or_insert(Err(code(0))),
                GO_AWAY if code(4) != 0 => return Some(Err(code(4))),
                _ => {}
            }
        }
    }

    /// The next frame, or `None` once the server has closed the connection.
    pub fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.read(&mut payload)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], stream, payload })
    }

    fn read(&mut self, bytes: &mut [u8]) -> Option<()> {
        match self.socket.read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) => match error.kind() {
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => {
                    None
                }
                _ => panic!("{error}"),
            },
        }
    }
}

/// A block of fields: literals without indexing.
pub fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            let length = text.len();
            if length < 127 {
                block.push(length as u8);
            } else {
                // An integer beyond its first seven bits (RFC 7541, section 5.1).
                block.push(127);
                let mut rest = length - 127;
                while rest >= 128 {
                    block.push(0x80 | (rest % 128) as u8);
                    rest /= 128;
                }
                block.push(rest as u8);
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

/// The status at the start of a block. The server's encoder has it there: by the static table, or as
/// a literal, of which Huffman's code makes two or three bytes.
fn status_of(block: &[u8]) -> u16 {
    match block {
        [0x88, ..] => 200,
        [0x89, ..] => 204,
        [0x8b, ..] => 304,
        [0x8c, ..] => 400,
        [0x8d, ..] => 404,
        [0x8e, ..] => 500,
        // Indexed by `:status` (8 to 14), with or without incremental indexing.
        [0x48..=0x4e | 0x08..=0x0e, 3, digits @ ..] => {
            std::str::from_utf8(&digits[..3]).expect("digits").parse().expect("a status")
        }
        [0x48..=0x4e | 0x08..=0x0e, length, coded @ ..] if length & 0x80 != 0 => {
            huffman_digits(&coded[..usize::from(length & 0x7f)])
        }
        other => panic!("no status: {other:02x?}"),
    }
}

/// Decodes three digits: 0, 1 and 2 have five bits, the others six (RFC 7541, appendix B).
fn huffman_digits(coded: &[u8]) -> u16 {
    let mut bits = coded.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1));
    let mut number = 0;
    for _ in 0..3 {
        let mut code = 0;
        for _ in 0..5 {
            code = code << 1 | bits.next().expect("a bit");
        }
        let digit = match code {
            0..=2 => code,
            // 0x19 to 0x1f with six bits.
            _ => (code << 1 | bits.next().expect("a bit")) - 0x19 + 3,
        };
        number = number * 10 + u16::from(digit);
    }
    number
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}
