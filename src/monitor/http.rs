//! HTTP, as far as the monitor speaks it: the head of a request in, a response out. It knows no
//! socket and no clock.

use std::fmt::Write as _;
use std::net::IpAddr;

/// The longest head of a request: its line and its header fields.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The most header fields of a request.
pub const HEADERS_MAX: usize = 64;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Only the head of the response is wanted.
    pub head_only: bool,
    /// The path, without a query.
    pub path: String,
    /// Another request may come on the connection.
    pub keep_alive: bool,
}

/// Why something that was sent is not done. The connection ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not HTTP, or not as it must be.
    BadRequest(&'static str),
    /// It changes something, or asks for something strange.
    MethodNotAllowed,
    /// It is meant for a name that is not this machine's.
    Misdirected,
    /// The head is too long.
    HeadTooLarge,
    /// It is another version of HTTP.
    Version,
}

/// Which names the monitor is asked for by. A page on some other name whose address is suddenly
/// this machine's (DNS rebinding) must not read it; who asks by address is not misled so.
#[derive(Debug, Clone, Default)]
pub struct Hosts {
    /// Those beside `localhost`.
    pub names: Vec<String>,
}

impl Hosts {
    /// Whether `authority` (a host and perhaps a port) is one to answer to.
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

/// `:8080`.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
}

impl Request {
    /// The request that `received` begins with, and how long its head is; `None` where the head is
    /// not whole yet.
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
        let is_1_1 = head.version == Some(1);
        let (authority, path) = split_target(head.path.unwrap_or_default())?;
        let host = only(head.headers, "host")?;
        match authority.or(host) {
            Some(authority) if !hosts.has(authority) => return Err(Fault::Misdirected),
            None if is_1_1 => return Err(Fault::BadRequest("there is no Host")),
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
        let keep_alive = is_1_1 && !asks_to_close(head.headers);
        Ok(Some((Self { head_only, path: path.to_owned(), keep_alive }, length)))
    }
}

/// The authority of a target that has one (`http://localhost/status`), and the path.
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

/// The value of a field that may be there once.
fn only<'a>(fields: &[httparse::Header<'a>], name: &str) -> Result<Option<&'a str>, Fault> {
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

/// What a request is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
    /// Lines of the head beside those that every response has, each with its line end.
    pub more_head: String,
}

impl Response {
    /// A line of text.
    pub fn text(status: u16, line: impl Into<String>) -> Self {
        let mut body = line.into();
        body.push('\n');
        Self::new(status, "text/plain; charset=utf-8", body)
    }

    /// Any body.
    pub fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, body, more_head: String::new() }
    }

    /// The bytes to send. `date` is the time as HTTP writes it.
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
                "this name is not one of the monitor's; the server is told them with --metrics-host",
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
    fn request_is_whole_when_its_head_is_and_not_before() {
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
    fn connection_is_kept_by_version_and_wish() {
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
    fn names_of_others_are_refused_and_addresses_are_not() {
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
    fn what_is_not_as_it_must_be_is_refused() {
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
    fn head_only_has_the_length_of_the_body_and_no_body() {
        let response = Response::text(404, "no");
        let text = |head| String::from_utf8(response.encode(head, false, "now")).unwrap();
        assert!(text(false).ends_with("Connection: close\r\n\r\nno\n"));
        assert!(text(true).ends_with("Connection: close\r\n\r\n"));
        assert!(text(true).contains("Content-Length: 3\r\n"));
    }
}
