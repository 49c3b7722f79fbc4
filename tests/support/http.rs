//! A minimal HTTP client, which shows the exact response.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::{PATIENCE, read_some};

/// A response.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The head, with the status line.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Response {
    /// The value of a field of the head.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// Requests a path on a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> Response {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut stream = connect(address);
    stream.write_all(request.as_bytes()).expect("the monitor accepts a request");
    read_to_end(&mut stream)
}

/// Sends a request with these header fields and this body, on a connection of its own.
pub fn send(
    address: SocketAddr,
    request: &str,
    fields: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Response {
    let body = body.as_ref();
    let mut head = format!("{request} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    fields.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    let mut stream = connect(address);
    stream.write_all(head.as_bytes()).expect("the server accepts a head");
    stream.write_all(b"\r\n").expect("the server accepts a head");
    // A refusal may come before the body was read.
    let _ = stream.write_all(body);
    read_to_end(&mut stream)
}

/// A response that goes on: its lines.
pub struct Stream {
    /// The head, with the status line.
    pub head: String,
    lines: BufReader<TcpStream>,
}

impl Stream {
    /// Requests a path. HTTP/1.0 has no chunks: the body is what the server writes.
    pub fn open(address: SocketAddr, path: &str, fields: &[(&str, &str)]) -> Self {
        let mut stream = connect(address);
        let mut request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n");
        fields.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        stream.write_all(format!("{request}\r\n").as_bytes()).expect("the server accepts a head");
        let mut opened = Self { head: String::new(), lines: BufReader::new(stream) };
        while let Some(line) = opened.line().filter(|line| !line.is_empty()) {
            opened.head.push_str(&format!("{line}\n"));
        }
        opened
    }

    /// The next line without its end; `None` at the end of the response, also if it was cut.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = match self.lines.read_line(&mut line) {
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => 0,
            read => read.expect("a line, or the end"),
        };
        (count > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
    }
}

/// A connection.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("the monitor accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// The response that ends with its connection.
pub fn read_to_end(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("a response and an end");
    parse(&bytes)
}

/// The head of the next response; its body, if it has one, is left unread.
pub fn read_head(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    // Byte by byte, because what comes after the head is no HTTP.
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        let count = read_some(&mut *stream, &mut byte).expect("a head");
        assert!(count > 0, "the connection ended: {:?}", String::from_utf8_lossy(&bytes));
        bytes.push(byte[0]);
    }
    parse(&bytes)
}

/// The next response on a connection that stays open.
pub fn read_one(stream: &mut TcpStream) -> Response {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let response = parse(&bytes);
            let length = response.field("content-length").and_then(|length| length.parse().ok());
            assert!(body.len() <= length.expect("a length"), "nothing but one response: {head}");
            if Some(body.len()) == length {
                return response;
            }
        }
        let count = read_some(&mut *stream, &mut chunk).expect("a response");
        assert!(count > 0, "the connection ended: {text:?}");
        bytes.extend_from_slice(&chunk[..count]);
    }
}

fn parse(bytes: &[u8]) -> Response {
    let text = String::from_utf8(bytes.to_vec()).expect("a response is text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    let version = ["HTTP/1.1 ", "HTTP/1.0 "].iter().find_map(|version| head.strip_prefix(version));
    let status = version.and_then(|rest| rest.get(..3)?.parse().ok());
    Response {
        status: status.unwrap_or_else(|| panic!("no status in {head:?}")),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

/// Writes these bytes on a connection of its own, and reads until the server closes it.
pub fn talk(address: SocketAddr, bytes: &[u8]) -> Vec<Response> {
    let mut stream = connect(address);
    // A refusal may come, and the end, before all was read.
    let _ = stream.write_all(bytes);
    let mut answers = Vec::new();
    match stream.read_to_end(&mut answers) {
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        read => _ = read.expect("responses and an end"),
    }
    responses(&answers)
}

/// The responses of a connection, none of which is to a HEAD.
pub fn responses(mut bytes: &[u8]) -> Vec<Response> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let end = memchr::memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4);
        let end = end.unwrap_or_else(|| panic!("no head in {:?}", String::from_utf8_lossy(bytes)));
        let mut response = parse(&bytes[..end]);
        let rest = &bytes[end..];
        let length = response.field("content-length").map(|length| length.parse().unwrap());
        let is_chunked = response.field("transfer-encoding") == Some("chunked");
        let (body, taken) = match length {
            Some(length) => (rest[..length].to_vec(), length),
            None if is_chunked => chunks(rest),
            None => (Vec::new(), 0),
        };
        response.body = String::from_utf8(body).expect("a body is text");
        found.push(response);
        bytes = &rest[taken..];
    }
    found
}

/// A body in chunks, and how many bytes it takes.
fn chunks(bytes: &[u8]) -> (Vec<u8>, usize) {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let line = memchr::memmem::find(&bytes[at..], b"\r\n").expect("the size of a chunk");
        let size = std::str::from_utf8(&bytes[at..at + line]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        at += line + 2;
        body.extend_from_slice(&bytes[at..at + size]);
        at += size + 2;
        if size == 0 {
            return (body, at);
        }
    }
}
