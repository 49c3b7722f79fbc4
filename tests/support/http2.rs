//! A minimal client of HTTP/2 that decides itself what it reads.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::http::connect;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The types of frames (RFC 9113, section 6).
pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;

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
}

impl Http2 {
    /// Connects. The server may send this many bytes of each response.
    pub fn connect(address: SocketAddr, window: u32) -> Self {
        let mut http = Self { socket: connect(address), next: 1 };
        let mut first = PREFACE.to_vec();
        // SETTINGS_INITIAL_WINDOW_SIZE
        let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
        first.extend(frame(SETTINGS, 0, 0, &settings));
        http.socket.write_all(&first).expect("the server accepts a preface");
        http
    }

    /// Requests a path. Gives the number of the stream.
    pub fn get(&mut self, path: &str, authorization: &str) -> u32 {
        let mut head = Vec::new();
        for (name, value) in [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "localhost"),
            (":path", path),
            ("authorization", authorization),
        ] {
            // A literal without indexing; the lengths are below 127.
            head.push(0);
            for text in [name, value] {
                head.push(u8::try_from(text.len()).expect("it is short"));
                head.extend(text.as_bytes());
            }
        }
        let stream = self.next;
        self.next += 2;
        // END_STREAM and END_HEADERS
        self.socket.write_all(&frame(HEADERS, 5, stream, &head)).expect("a request is accepted");
        stream
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
                ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => None,
                _ => panic!("{error}"),
            },
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("it is short").to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}
