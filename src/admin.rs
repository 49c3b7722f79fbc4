//! The administration protocol: the requests of an operator's command and their outcomes. While a
//! server has the database open, the command sends them over the server's admin socket. Otherwise
//! the command opens the database and carries them out itself.
//!
//! On the socket, a request is one line of JSON, and so is its outcome. Both carry a version. A
//! command and a server of different versions refuse each other instead of guessing. This module
//! uses no threads and no SQL.

pub mod answer;
pub mod purge;
pub mod request;
pub mod socket;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::protocol::json;
use answer::{AdminResult, Code, Refusal};
use request::Request;

/// The version of requests and outcomes. It rises when a released version changes either.
pub const VERSION: u32 = 1;
/// The longest line in either direction, in bytes, including its LF. A list that may be longer is
/// requested in pages.
pub const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One line in either direction.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<T> {
    v: u32,
    content: T,
}

/// Encodes a request as a line with its LF.
pub fn encode_request(request: &Request) -> Vec<u8> {
    encode(request)
}

/// Decodes a line into a request. A refusal never quotes the line, because it may contain a
/// password.
///
/// # Errors
/// The refusal to send as the result.
pub fn decode_request(line: &[u8]) -> Result<Request, Refusal> {
    decode(line)
}

/// Encodes a result as a line with its LF. A result that is too long becomes a refusal.
pub fn encode_result(result: &AdminResult) -> Vec<u8> {
    let line = encode(result);
    if line.len() <= LINE_BYTES_MAX {
        return line;
    }
    let refusal = Refusal::new(Code::Internal, "the reply is longer than a line may be");
    encode(&AdminResult::Err(refusal))
}

/// Decodes a line from the server. A line that cannot be decoded becomes a refusal.
pub fn decode_result(line: &[u8]) -> AdminResult {
    decode::<AdminResult>(line)?
}

fn encode(content: &impl Serialize) -> Vec<u8> {
    let mut line = Vec::new();
    json::encode(&Line { v: VERSION, content }, &mut line);
    line.push(b'\n');
    line
}

/// Checks the version first, because another version may encode the content differently.
fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, Refusal> {
    #[derive(Deserialize)]
    struct Version {
        v: u32,
    }
    if serde_json::from_slice::<Version>(line).is_ok_and(|line| line.v != VERSION) {
        let message = "the command and the server are of different versions";
        return Err(Refusal::new(Code::Version, message));
    }
    serde_json::from_slice::<Line<T>>(line)
        .map(|line| line.content)
        .map_err(|_| Refusal::new(Code::BadRequest, "the line cannot be decoded"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::answer::AdminReply;

    #[test]
    fn encoded_requests_and_outcomes_decode_to_the_same() {
        let line = encode_request(&Request::UserList { after: Some("paff".parse().unwrap()) });
        assert!(line.ends_with(b"\n"));
        assert!(matches!(decode_request(&line), Ok(Request::UserList { after: Some(_) })));
        let done = decode_result(&encode_result(&Ok(AdminReply::Done)));
        assert!(matches!(done, Ok(AdminReply::Done)), "{done:?}");
        let refused = decode_result(&encode_result(&Err(Refusal::new(Code::Busy, "busy"))));
        assert_eq!(refused.unwrap_err().code, Code::Busy);
    }

    #[test]
    fn other_version_is_refused_as_such_whatever_it_contains() {
        for line in [r#"{"v": 2, "content": {"do": "dance"}}"#, r#"{"v": 0}"#] {
            assert_eq!(decode_request(line.as_bytes()).unwrap_err().code, Code::Version);
        }
    }

    #[test]
    fn undecodable_line_is_refused_without_quoting_it() {
        for line in [
            "",
            "user add paff",
            r#"{"v": 1}"#,
            r#"{"v": 1, "content": {"do": "user_add", "name": "paff", "password": ["secret"]}}"#,
            r#"{"v": 1, "content": {"do": "user_list", "after": null, "secret": 1}}"#,
            r#"{"v": 1, "content": {"do": "user_list", "after": null}, "secret": 1}"#,
        ] {
            let refusal = decode_request(line.as_bytes()).unwrap_err();
            assert_eq!(refusal.code, Code::BadRequest, "{line}");
            assert!(!refusal.message.contains("secret"), "{}", refusal.message);
        }
    }
}
