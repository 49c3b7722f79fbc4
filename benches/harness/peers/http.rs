//! POST over HTTP/1.1, on connections that stay open.

use std::io::Write;

use anyhow::{Context, Result};

use super::chat::begins_with;
use super::{Key, MessageSource, Messages, write_recipient};
use crate::harness::generator::Protocol;

/// Requests that publish a message each, with a time-ordered key.
pub struct Requests {
    /// The fields that all requests have.
    fields: String,
    /// How a response begins.
    expected: &'static [u8],
    source: MessageSource,
}

impl Requests {
    /// Those of a session, each of which is answered by a message.
    pub fn of_session(token: &str, messages: Messages) -> Self {
        Self::new(token, b"HTTP/1.1 200 OK\r\n", messages)
    }

    /// The same requests to a server that answers all with 204.
    pub fn without_a_message(messages: Messages) -> Self {
        // A token as long as that of a session.
        Self::new("00000000-0000-0000-0000-000000000000", b"HTTP/1.1 204 No Content\r\n", messages)
    }

    fn new(token: &str, expected: &'static [u8], messages: Messages) -> Self {
        let fields = format!("Host: localhost\r\nAuthorization: Bearer {token}\r\n");
        Self { fields, expected, source: MessageSource::new(messages) }
    }
}

impl Protocol for Requests {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"POST /");
        write_recipient(out, self.source.recipient());
        let key = Key::TimeOrdered.next(&mut self.source);
        let (fields, length) = (&self.fields, self.source.messages.body_bytes);
        write!(
            out,
            " HTTP/1.1\r\n{fields}Idempotency-Key: {key}\r\nContent-Length: {length}\r\n\r\n"
        )
        .expect("a vector accepts bytes");
        self.source.write_body(out);
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        begins_with(received, self.expected)?;
        response_length(received)
    }
}

/// The length of the response at the start of `received`; `None` if it is incomplete.
fn response_length(received: &[u8]) -> Result<Option<usize>> {
    const FIELD: &str = "content-length: ";
    let Some(head) = received.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&received[..head])?;
    let field = text.lines().find_map(|line| line.strip_prefix(FIELD));
    let body: usize = match field {
        None if text.starts_with("HTTP/1.1 204 ") => 0,
        field => field.with_context(|| format!("no length in {text:?}"))?.parse()?,
    };
    let length = head + 4 + body;
    Ok((received.len() >= length).then_some(length))
}
