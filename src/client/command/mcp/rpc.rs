//! JSON-RPC 2.0: lines to requests, results to lines. Knows no method.

use serde_json::{Map, Value, json};

use crate::catalogue::mcp as texts;

/// The most requests of a batch.
pub const BATCH_MAX: usize = 100;

/// The errors of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is not JSON.
    Parse = -32700,
    /// It is no request.
    Request = -32600,
    /// There is no such method.
    Method = -32601,
    /// The parameters do not fit the method.
    Params = -32602,
}

/// The id of a request: a text or a whole number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Id(Value);

/// What a client has sent.
#[derive(Debug, PartialEq)]
pub enum Incoming {
    /// A request, which gets an answer.
    Request { id: Id, method: String, params: Map<String, Value> },
    /// Gets no answer.
    Notification { method: String, params: Map<String, Value> },
    /// A response to a request of ours, which there is none of. Gets no answer.
    Response,
    /// Requests that get one answer together.
    Batch(Vec<Incoming>),
    /// None of them. Gets this answer.
    Wrong(Value),
}

impl Incoming {
    /// Parses a line.
    pub fn parse(line: &[u8]) -> Self {
        match serde_json::from_slice(line) {
            Ok(Value::Array(items)) if (1..=BATCH_MAX).contains(&items.len()) => {
                Self::Batch(items.into_iter().map(Self::of_object).collect())
            }
            Ok(value) => Self::of_object(value),
            Err(error) => Self::Wrong(fault(None, Fault::Parse, &texts::not_json(error))),
        }
    }

    /// The id, if it is a request.
    pub fn id(&self) -> Option<&Id> {
        match self {
            Self::Request { id, .. } => Some(id),
            _ => None,
        }
    }

    /// A request, notification or response.
    fn of_object(value: Value) -> Self {
        let wrong = |id: Option<&Id>| Self::Wrong(fault(id, Fault::Request, texts::no_request()));
        let Value::Object(mut fields) = value else { return wrong(None) };
        let id = match fields.remove("id") {
            Some(id @ (Value::String(_) | Value::Number(_))) if !id.is_f64() => Some(Id(id)),
            Some(_) => return wrong(None),
            None => None,
        };
        if fields.get("jsonrpc") != Some(&Value::from("2.0")) {
            return wrong(id.as_ref());
        }
        let is_response = fields.contains_key("result") || fields.contains_key("error");
        let method = match fields.remove("method") {
            Some(Value::String(method)) => method,
            None if is_response && id.is_some() => return Self::Response,
            _ => return wrong(id.as_ref()),
        };
        let params = match (fields.remove("params"), &id) {
            (Some(Value::Object(params)), _) => params,
            (None | Some(Value::Null), _) => Map::new(),
            (Some(_), Some(id)) => {
                return Self::Wrong(fault(Some(id), Fault::Params, texts::params_no_object()));
            }
            // A notification gets no answer, not even this one.
            (Some(_), None) => return Self::Response,
        };
        match id {
            Some(id) => Self::Request { id, method, params },
            None => Self::Notification { method, params },
        }
    }
}

impl Id {
    /// The id in a field of a notification.
    pub fn of(value: &Value) -> Self {
        Self(value.clone())
    }
}

/// The answer to a request that was carried out.
pub fn result(id: &Id, result: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id.0, "result": result})
}

/// The answer to a request that was not.
pub fn fault(id: Option<&Id>, fault: Fault, message: &str) -> Value {
    let id = id.map_or(Value::Null, |id| id.0.clone());
    json!({"jsonrpc": "2.0", "id": id, "error": {"code": fault as i64, "message": message}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn code(line: &str) -> Option<i64> {
        match Incoming::parse(line.as_bytes()) {
            Incoming::Wrong(answer) => answer["error"]["code"].as_i64(),
            _ => None,
        }
    }

    #[test]
    fn requests_and_notifications_are_told_apart() {
        let parse = |line: &str| Incoming::parse(line.as_bytes());
        let params = Map::from_iter([("a".to_owned(), json!(1))]);
        for id in ["7", "\"x\"", "0", "-1"] {
            let line = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"m","params":{{"a":1}}}}"#);
            let id = Id(serde_json::from_str(id).unwrap());
            let expected = Incoming::Request { id, method: "m".to_owned(), params: params.clone() };
            assert_eq!(parse(&line), expected);
        }
        let line = r#"{"jsonrpc":"2.0","method":"m"}"#;
        let none = Incoming::Notification { method: "m".to_owned(), params: Map::new() };
        assert_eq!(parse(line), none);
        assert_eq!(parse(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Incoming::Response);
        match parse(&format!("[{line},1]")) {
            Incoming::Batch(items) => assert!(matches!(items[..], [_, Incoming::Wrong(_)])),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_code_of_the_standard() {
        for line in ["", "{", "nul", "\u{1}", "{\"a\":}", &"[".repeat(1000)] {
            assert_eq!(code(line), Some(-32700), "{line:.20}");
        }
        for line in [
            "1",
            "[]",
            "{}",
            r#"{"jsonrpc":"1.0","id":1,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":1.5,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"m"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":1}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            &format!("[{}1]", "1,".repeat(BATCH_MAX)),
        ] {
            assert_eq!(code(line), Some(-32600), "{line:.50}");
        }
        assert_eq!(code(r#"{"jsonrpc":"2.0","id":1,"method":"m","params":[1]}"#), Some(-32602));
    }

    proptest! {
        #[test]
        fn any_bytes_are_something(bytes: Vec<u8>) {
            let _ = Incoming::parse(&bytes);
        }
    }
}
