//! The client decodes or refuses any bytes of a server, and prints nothing that acts on a terminal.

use chat::client::connection;
use chat::client::render::json_line;
use chat::protocol::event::Event;
use chat::protocol::reply::{
    Acked, DecodedReply, Ended, Hello, Help, Identity, Marked, Page, Posted, Reply, Sessions,
    Unread, Watching, decode_fields, decode_messages, decode_token,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// See the module. A decoded reply to a verb encodes and decodes to itself.
pub fn any_bytes_are_an_answer_or_refused(bytes: &[u8]) {
    let answer = DecodedReply::decode(bytes);
    match (&answer, connection::decode(bytes)) {
        (Ok(answer), Ok(told)) => assert_eq!(*answer, told),
        (Err(_), Err(error)) => {
            let told = error.to_string();
            assert!(!told.contains(char::is_control), "{told:?} acts on a terminal");
        }
        (one, other) => panic!("{one:?} and {other:?}"),
    }
    let Ok(DecodedReply::Done(fields)) = answer else { return };
    let line = json_line(&fields);
    assert!(line.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{line:?} is printable");
    let again: Value = serde_json::from_str(&line).expect("the output is JSON");
    // The protocol has no fractions, and the nearest number is not always found for them.
    if !has_fraction(&fields) {
        assert_eq!(again, fields);
    }
    let _ = decode_messages(&fields);
    if let Ok(token) = decode_token(&fields) {
        assert_eq!(fields["tokenid"].as_str(), Some(token.reveal().as_str()));
    }
    check(&fields, Reply::Posted as fn(Posted) -> Reply);
    check(&fields, Reply::Page as fn(Page) -> Reply);
    check(&fields, Reply::Acked as fn(Acked) -> Reply);
    check(&fields, Reply::Marked as fn(Marked) -> Reply);
    check(&fields, Reply::Unread as fn(Unread) -> Reply);
    check(&fields, Reply::Watching as fn(Watching) -> Reply);
    check(&fields, Reply::Identity as fn(Identity) -> Reply);
    check(&fields, Reply::Sessions as fn(Sessions) -> Reply);
    check(&fields, Reply::Ended as fn(Ended) -> Reply);
    check(&fields, |hello: Hello| Reply::Hello(Box::new(hello)));
    check(&fields, Reply::Help as fn(Help) -> Reply);
    if let Ok(event) = decode_fields::<Event>(fields) {
        let mut out = Vec::new();
        event.encode(&mut out);
        let Ok(DecodedReply::Done(fields)) = DecodedReply::decode(&out) else {
            panic!("{event:?}")
        };
        assert_eq!(decode_fields::<Event>(fields).ok(), Some(event));
    }
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_fraction),
        Value::Object(fields) => fields.values().any(has_fraction),
        _ => false,
    }
}

fn check<T: DeserializeOwned + PartialEq + Clone + std::fmt::Debug>(
    fields: &Value,
    reply: fn(T) -> Reply,
) {
    let Ok(meant) = decode_fields::<T>(fields.clone()) else { return };
    let mut out = Vec::new();
    reply(meant.clone()).encode(&mut out);
    let Ok(DecodedReply::Done(fields)) = DecodedReply::decode(&out) else { panic!("{meant:?}") };
    assert_eq!(decode_fields::<T>(fields).ok(), Some(meant));
}
