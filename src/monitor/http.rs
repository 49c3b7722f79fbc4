//! The part of HTTP that the monitor needs: it parses the head of a request and encodes a response.
//! It uses no socket and no clock.

use std::fmt::Write as _;
use std::net::IpAddr;

/// The longest head of a request in bytes: the request line and the header fields.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The most header fields of a request.
pub const HEADERS_MAX: usize = 64;

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The client wants only the head of the response.
    pub head_only: bool,
    /// The path, without a query.
    pub path: String,
    /// The connection stays open for another request.
    pub keep_alive: bool,
}

/// Why a request is refused. The connection is closed after the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The input is not valid HTTP, or a feature that is not supported.
    BadRequest(&'static str),
    /// The method is neither GET nor HEAD.
    MethodNotAllowed,
    /// The request is addressed to a host name that is not this machine's.
    Misdirected,
    /// The head is too long.
    HeadTooLarge,
    /// The request has another HTTP version.
    Version,
}

/// The host names that the monitor answers to. The check defeats DNS rebinding: a web page on a
/// foreign name must not read the monitor after that name changes to this machine's address.
/// Requests to an IP address are always allowed, because no such page can have one as its name.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// The names besides `localhost`.
    pub names: Vec<String>,
}

impl Hosts {
    /// Whether the monitor answers to `authority`, a host with an optional port.
    fn has(&self, authority: &str) -> bool {
        let host = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => {
                let port_is_fine = port.is_empty() || is_port(port);
                return port_is_fine && matches!(address.parse(), Ok(IpAddr::V6(_)));
            }
            None => match authority.find(':') {
                Some(at) if !is_port(&authority[at..]) => return false,
                Some(at) => &authority[..at],
                None => authority,
            },
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        let local = host.eq_ignore_ascii_case("localhost");
        let named = || self.names.iter().any(|name| name.eq_ignore_ascii_case(host));
        local || matches!(host.parse(), Ok(IpAddr::V4(_))) || named()
    }
}

/// Whether `text` is a colon and digits, such as `:8080`.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Request {
    /// Parses the request at the start of `received`. Also returns the length of its head. `None`
    /// means that the head is incomplete.
    pub fn parse(received: &[u8], hosts: &Hosts) -> Result<Option<(Self, usize)>, Fault> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Request::new(&mut fields);
        let length = match head.parse(received) {
            Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
            Ok(httparse::Status::Partial) if received.len() < HEAD_BYTES_MAX => return Ok(None),
            Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(Fault::HeadTooLarge),
            Err(httparse::Error::Version) => return Err(Fault::Version),
            Err(_) => return Err(Fault::BadRequest("this is not HTTP")),
        };
        let head_only = match head.method {
            Some("GET") => false,
            Some("HEAD") => true,
            _ => return Err(Fault::MethodNotAllowed),
        };
        let is_http_1_1 = head.version == Some(1);
        let (authority, path) = split_target(head.path.unwrap_or_default())?;
        let host = single_value(head.headers, "host")?;
        match authority.or(host) {
            Some(authority) if !hosts.has(authority) => return Err(Fault::Misdirected),
            None if is_http_1_1 => return Err(Fault::BadRequest("there is no Host")),
            _ => {}
        }
        let has_body = head.headers.iter().any(|field| {
            let name = field.name;
            name.eq_ignore_ascii_case("transfer-encoding")
                || (name.eq_ignore_ascii_case("content-length") && field.value != b"0")
        });
        if has_body {
            return Err(Fault::BadRequest("a request here has no body"));
        }
        let keep_alive = is_http_1_1 && !asks_to_close(head.headers);
        Ok(Some((Self { head_only, path: path.to_owned(), keep_alive }, length)))
    }
}

/// Splits a request target into its authority, if any (`http://localhost/status`), and its path.
fn split_target(target: &str) -> Result<(Option<&str>, &str), Fault> {
    let (authority, path) = match target.strip_prefix("http://") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
            (Some(authority), if path.starts_with('/') { path } else { "/" })
        }
        None if target.starts_with('/') => (None, target),
        None => return Err(Fault::BadRequest("the target is not a path")),
    };
    Ok((authority, path.split(['?', '#']).next().unwrap_or(path)))
}

/// The value of a header field that may occur at most once.
fn single_value<'a>(fields: &[httparse::Header<'a>], name: &str) -> Result<Option<&'a str>, Fault> {
    let mut found = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
    let first = found.next();
    if found.next().is_some() {
        return Err(Fault::BadRequest("there are several Hosts"));
    }
    let text = first.map(|field| std::str::from_utf8(field.value));
    text.transpose().map_err(|_| Fault::BadRequest("the Host is no text"))
}

fn asks_to_close(fields: &[httparse::Header<'_>]) -> bool {
    let connection = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("connection"));
    connection
        .flat_map(|field| field.value.split(|&byte| byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

/// A response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// Additional header lines, each with its CR LF.
    pub more_head: String,
}

impl Response {
    /// A response with one line of text.
    pub fn text(status: u16, line: impl Into<String>) -> Self {
        let mut body = line.into();
        body.push('\n');
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// A response with any body.
    pub fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, body, more_head: String::new() }
    }

    /// Encodes the response. `date` is the current time in the format of HTTP.
    pub fn encode(&self, head_only: bool, keep_alive: bool, date: &str) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            421 => "Misdirected Request",
            431 => "Request Header Fields Too Large",
            503 => "Service Unavailable",
            505 => "HTTP Version Not Supported",
            _ => "Internal Server Error",
        };
        let mut out = String::with_capacity(512 + self.body.len());
        let _ = write!(
            out,
            "HTTP/1.1 {} {reason}\r\n\
             Date: {date}\r\n\
             Content-Type: {}\r\n\
             Content-Length: {}\r\n\
             Cache-Control: no-store\r\n\
             X-Content-Type-Options: nosniff\r\n\
             Cross-Origin-Resource-Policy: same-origin\r\n\
             Connection: {}\r\n\
             {}\r\n",
            self.status,
            self.content_type,
            self.body.len(),
            if keep_alive { "keep-alive" } else { "close" },
            self.more_head,
        );
        if !head_only {
            out.push_str(&self.body);
        }
        out.into_bytes()
    }
}

impl From<Fault> for Response {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::BadRequest(why) => Self::text(400, why),
            Fault::MethodNotAllowed => Self {
                more_head: "Allow: GET, HEAD\r\n".to_owned(),
                ..Self::text(405, "only GET and HEAD are done here")
            },
            Fault::Misdirected => Self::text(
                421,
                "the monitor does not answer to this name; add it with --metrics-host",
            ),
            Fault::HeadTooLarge => Self::text(431, "the head of the request is too long"),
            Fault::Version => Self::text(505, "only HTTP/1.0 and HTTP/1.1 are spoken here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<(Request, usize)>, Fault> {
        Request::parse(text.as_bytes(), &Hosts { names: vec!["chat.example".to_owned()] })
    }

    fn with_host(host: &str) -> Result<Option<(Request, usize)>, Fault> {
        parse(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }

    #[test]
    fn incomplete_head_is_no_request_yet() {
        let whole = "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n";
        for cut in 0..whole.len() {
            assert_eq!(parse(&whole[..cut]), Ok(None), "at {cut}");
        }
        let (request, length) = parse(&format!("{whole}GET /")).unwrap().unwrap();
        assert_eq!(length, whole.len());
        let path = "/metrics".to_owned();
        assert_eq!(request, Request { head_only: false, path, keep_alive: true });
    }

    #[test]
    fn keep_alive_follows_version_and_connection_header() {
        let keeps = |text: &str| parse(text).unwrap().unwrap().0.keep_alive;
        assert!(!keeps("GET / HTTP/1.0\r\n\r\n"));
        assert!(!keeps(
            "GET / HTTP/1.1\r\nHost: ::\r\nConnection: te, Close\r\n\r\n"
                .replace("::", "[::1]")
                .as_str()
        ));
        assert!(keeps("HEAD / HTTP/1.1\r\nHost: 127.0.0.1:9\r\nConnection: keep-alive\r\n\r\n"));
    }

    #[test]
    fn foreign_host_names_are_refused_and_addresses_accepted() {
        for host in [
            "localhost",
            "LOCALHOST.",
            "localhost:9464",
            "127.0.0.1",
            "127.0.0.1:1",
            "[::1]",
            "[::1]:80",
            "192.0.2.7:80",
            "chat.example",
            "CHAT.example:443",
        ] {
            assert!(with_host(host).is_ok(), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "localhost:x",
            "[::1",
            "[127.0.0.1]",
            "[::1]x",
            "user@localhost",
            "a:b:c",
            "localhost:80:80",
        ] {
            assert_eq!(with_host(host), Err(Fault::Misdirected), "{host}");
        }
        let target = parse("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(target, Err(Fault::Misdirected));
        let target = parse("GET http://localhost?x HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(target.unwrap().unwrap().0.path, "/");
    }

    #[test]
    fn malformed_request_is_refused() {
        let refused = |text: &str| parse(text).unwrap_err();
        let is_bad = |text: &str| matches!(refused(text), Fault::BadRequest(_));
        assert!(is_bad("nonsense\r\n\r\n"));
        assert!(is_bad("GET / HTTP/1.1\r\n\r\n"));
        assert!(is_bad("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"));
        assert!(is_bad("GET * HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        assert!(is_bad("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi"));
        assert!(is_bad("GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"));
        assert!(is_bad("GET / HTTP/1.1\r\n folded: x\r\n\r\n"));
        assert_eq!(refused("POST / HTTP/1.1\r\nHost: localhost\r\n\r\n"), Fault::MethodNotAllowed);
        assert_eq!(refused("GET / HTTP/2.0\r\n\r\n"), Fault::Version);
        let many = "X: y\r\n".repeat(HEADERS_MAX + 1);
        assert_eq!(refused(&format!("GET / HTTP/1.1\r\n{many}\r\n")), Fault::HeadTooLarge);
        let long = "x".repeat(HEAD_BYTES_MAX);
        assert_eq!(refused(&format!("GET /{long}")), Fault::HeadTooLarge);
        assert_eq!(refused(&format!("GET /{long} HTTP/1.1\r\n\r\n")), Fault::HeadTooLarge);
    }

    #[test]
    fn head_response_has_content_length_without_a_body() {
        let response = Response::text(404, "no");
        let text = |head| String::from_utf8(response.encode(head, false, "now")).unwrap();
        assert!(text(false).ends_with("Connection: close\r\n\r\nno\n"));
        assert!(text(true).ends_with("Connection: close\r\n\r\n"));
        assert!(text(true).contains("Content-Length: 3\r\n"));
    }
}
