//! A WebSocket as a client has it, down to its bytes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::http::{Response, connect, read_head};

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The key of RFC 6455, and the answer to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The header fields of a handshake.
pub const HANDSHAKE: [(&str, &str); 4] = [
    ("Connection", "keep-alive, Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", KEY),
];

/// The last frame of a WebSocket.
#[derive(Debug, PartialEq, Eq)]
pub struct Closed {
    pub code: u16,
    pub reason: String,
}

/// A WebSocket. As a stream of bytes it is a connection of the line protocol: a line that is written
/// becomes a text, and a text that is read ends as a reply does.
pub struct WebSocket {
    pub stream: TcpStream,
    /// The head of the response.
    pub head: Response,
    /// The rest of a text that was read, and of a line that was written.
    reply: Vec<u8>,
    line: Vec<u8>,
}

impl WebSocket {
    /// Opens one. `Err` is the response of a refusal, without its body.
    pub fn open(
        address: SocketAddr,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Self, Response> {
        let (stream, head) = shake_hands(address, path, &[&HANDSHAKE, fields].concat());
        if head.status != 101 {
            return Err(head);
        }
        assert_eq!(head.field("sec-websocket-accept"), Some(ACCEPT), "{head:?}");
        Ok(Self { stream, head, reply: Vec::new(), line: Vec::new() })
    }

    /// Sends a text.
    pub fn send(&mut self, text: &str) {
        self.send_frame(TEXT, text.as_bytes());
    }

    /// Sends a frame, masked with zeros.
    pub fn send_frame(&mut self, kind: u8, payload: &[u8]) {
        self.stream.write_all(&frame(0x80 | kind, payload)).expect("the server reads");
    }

    /// The next frame: its kind and its bytes. `None` at the end of the connection.
    pub fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        if !read_all(&mut self.stream, &mut head) {
            return None;
        }
        assert_eq!(head[0] & 0xf0, 0x80, "a whole message");
        let length = match head[1] {
            126 => u64::from(u16::from_be_bytes(self.bytes())),
            127 => u64::from_be_bytes(self.bytes()),
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).expect("a length")];
        read_all(&mut self.stream, &mut payload).then_some((head[0] & 0xf, payload))
    }

    /// The next text. Pings are answered.
    pub fn text(&mut self) -> Result<String, Option<Closed>> {
        loop {
            match self.frame() {
                Some((TEXT, text)) => return Ok(String::from_utf8(text).expect("UTF-8")),
                Some((PING, payload)) => self.send_frame(PONG, &payload),
                Some((CLOSE, payload)) => {
                    let code = u16::from_be_bytes([payload[0], payload[1]]);
                    let reason = String::from_utf8(payload[2..].to_vec()).expect("UTF-8");
                    return Err(Some(Closed { code, reason }));
                }
                None => return Err(None),
                Some(other) => panic!("{other:?}"),
            }
        }
    }

    /// How the server closes it, after any number of texts.
    pub fn closed(&mut self) -> Option<Closed> {
        loop {
            if let Err(closed) = self.text() {
                return closed;
            }
        }
    }

    fn bytes<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        let mut bytes = [0; COUNT];
        assert!(read_all(&mut self.stream, &mut bytes), "a length");
        bytes
    }
}

/// A frame of a client. Its mask is zero.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    bytes
}

/// Requests a path with these header fields. Returns the connection and the head of the response.
pub fn shake_hands(
    address: SocketAddr,
    path: &str,
    fields: &[(&str, &str)],
) -> (TcpStream, Response) {
    let mut stream = connect(address);
    let mut request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n");
    fields.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{request}\r\n").as_bytes()).expect("the server accepts a head");
    let head = read_head(&mut stream);
    (stream, head)
}

/// Whether so many bytes came before the end.
fn read_all(stream: &mut TcpStream, bytes: &mut [u8]) -> bool {
    match stream.read_exact(bytes) {
        Ok(()) => true,
        Err(error) => {
            let ended = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
            assert!(ended.contains(&error.kind()), "{error}");
            false
        }
    }
}

impl Read for WebSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.reply.is_empty() {
            let Ok(text) = self.text() else { return Ok(0) };
            self.reply = format!("{text}\r\n\r\n").into_bytes();
        }
        let count = self.reply.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.reply[..count]);
        self.reply.drain(..count);
        Ok(count)
    }
}

impl Write for WebSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        while let Some(end) = self.line.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.line.drain(..=end).collect();
            let line = line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")).expect("an end");
            self.send_frame(TEXT, line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
