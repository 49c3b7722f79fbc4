//! What an operator's command asks of a database and what it is told, whether the server has the
//! file open and is asked over its admin socket, or nobody has and the command opens it itself.
//!
//! On the socket a request is one line of JSON, and so is its outcome. Both carry a version: a
//! command and a server of different versions refuse each other, and guess nothing. Nothing here
//! knows threads or SQL.

pub mod answer;
pub mod purge;
pub mod request;
pub mod socket;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::protocol::json;
use answer::{Code, Outcome, Refusal};
use request::Request;

/// Rises whenever a request or an answer changes in a released version.
pub const VERSION: u32 = 1;
/// The longest line in either direction, in bytes, with its line feed. What may be longer is asked
/// for in parts.
pub const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A line in either direction.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<T> {
    v: u32,
    content: T,
}

/// A request as a line, with its line feed.
pub fn encode_request(request: &Request) -> Vec<u8> {
    encode(request)
}

/// What a line asks for. The refusal repeats nothing of the line: it may hold a password.
///
/// # Errors
/// What to answer instead.
pub fn decode_request(line: &[u8]) -> Result<Request, Refusal> {
    decode(line)
}

/// An outcome as a line, with its line feed.
pub fn encode_outcome(outcome: &Outcome) -> Vec<u8> {
    let line = encode(outcome);
    if line.len() <= LINE_BYTES_MAX {
        return line;
    }
    let refusal = Refusal::new(Code::Internal, "the answer is longer than a line may be");
    encode(&Outcome::Err(refusal))
}

/// What a line from the server says; what cannot be understood is a refusal too.
pub fn decode_outcome(line: &[u8]) -> Outcome {
    decode::<Outcome>(line)?
}

fn encode(content: &impl Serialize) -> Vec<u8> {
    let mut line = Vec::new();
    json::encode(&Line { v: VERSION, content }, &mut line);
    line.push(b'\n');
    line
}

/// The version is looked at first: what another version says need not be understood.
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
        .map_err(|_| Refusal::new(Code::BadRequest, "the line is not understood"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::answer::Answer;

    #[test]
    fn requests_and_outcomes_read_back() {
        let line = encode_request(&Request::UserList { after: Some("paff".parse().unwrap()) });
        assert!(line.ends_with(b"\n"));
        assert!(matches!(decode_request(&line), Ok(Request::UserList { after: Some(_) })));
        let done = decode_outcome(&encode_outcome(&Ok(Answer::Done)));
        assert!(matches!(done, Ok(Answer::Done)), "{done:?}");
        let refused = decode_outcome(&encode_outcome(&Err(Refusal::new(Code::Busy, "busy"))));
        assert_eq!(refused.unwrap_err().code, Code::Busy);
    }

    #[test]
    fn other_version_is_told_as_such_whatever_else_it_says() {
        for line in [r#"{"v": 2, "content": {"do": "dance"}}"#, r#"{"v": 0}"#] {
            assert_eq!(decode_request(line.as_bytes()).unwrap_err().code, Code::Version);
        }
    }

    #[test]
    fn what_is_not_understood_is_not_repeated() {
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
