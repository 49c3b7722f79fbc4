//! Lines: one line is exactly one request or one refusal, and a request can be encoded again.

use chat::protocol::command::Request;
use chat::protocol::framing::LINE_BYTES_MAX;
use chat::protocol::refusal::Refusal;
use chat::protocol::reply::{DecodedReply, REPLY_END, Reply};

use serde_json::Value;

use super::choices::Choices;

const TOKEN: &str = "7a592c0e-2cb5-4de6-866b-4e216b0caf15";
const VERBS: [&str; 10] =
    ["users", "post", "fetch", "ack", "unread", "watch", "whoami", "sessions", "revoke", "passwd"];

/// A line is a request that encodes and parses to itself, or it is refused with one frame that the
/// client decodes.
pub fn line_is_one_request_or_one_refusal(bytes: &[u8]) {
    // A line that framing accepts.
    let Ok(line) = str::from_utf8(bytes) else { return };
    if line.len() > LINE_BYTES_MAX || line.contains(['\0', '\r', '\n']) {
        return;
    }
    match Request::parse(line) {
        Err(refusal) => check_refusal(refusal),
        Ok(Request::InSession { action: Err(refusal), .. }) => check_refusal(refusal),
        Ok(request) => check_request(request),
    }
}

fn check_request(request: Request) {
    let line = request.encode();
    let again = line.strip_suffix("\r\n").expect("a line ends");
    assert!(!again.contains(['\0', '\r', '\n']), "{again:?} is one line");
    assert!(line.starts_with(request.verb().as_str()), "{line:?} begins with its verb");
    assert_eq!(Request::parse(again).as_ref(), Ok(&request), "{again:?}");
}

fn check_refusal(refusal: Refusal) {
    let (code, message, users) =
        (refusal.code, refusal.message.clone().into_owned(), refusal.users.clone());
    let retry_after = refusal.retry_after;
    let mut out = Vec::new();
    Reply::from(refusal).encode(&mut out);
    assert!(out.is_ascii() && !out.contains(&b'\x1b'), "a refusal does nothing to a terminal");
    let end = out.windows(REPLY_END.len()).position(|bytes| bytes == REPLY_END);
    assert_eq!(end, Some(out.len() - REPLY_END.len()), "a refusal is one frame");
    let answer = DecodedReply::decode(&out).expect("a refusal is understood");
    assert_eq!(
        answer,
        DecodedReply::Refused { code: Some(code), unknown_code: None, message, users, retry_after }
    );
}

/// The arguments of the newer verbs: another formatting of the same JSON has the same meaning.
/// Additional text after it, or one field twice, is refused.
pub fn arguments_mean_the_same_however_their_json_is_written(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let verb = VERBS[choices.below(VERBS.len())];
    let Ok(fields) = str::from_utf8(choices.0) else { return };
    if fields.contains(['\0', '\r', '\n']) {
        return;
    }
    let parse = |fields: &str| match Request::parse(&format!("{verb} {TOKEN} {fields}")) {
        Ok(Request::InSession { action: Ok(action), .. }) => Some(action),
        Ok(Request::InSession { action: Err(refusal), .. }) => {
            check_refusal(refusal);
            None
        }
        other => panic!("{other:?}: the session is looked at first"),
    };
    let Some(action) = parse(fields) else { return };
    // The white space at the end of a line is ignored.
    let given = fields.trim_ascii_end();
    let given = if given.is_empty() { "{}" } else { given };
    let value: Value = serde_json::from_str(given).expect("an accepted argument is JSON");
    assert!(value.is_object(), "an accepted argument is an object");
    let compact = value.to_string();
    assert_eq!(parse(&compact).as_ref(), Some(&action), "{compact}");
    let mut ascii = Vec::new();
    chat::protocol::json::encode(&value, &mut ascii);
    let ascii = String::from_utf8(ascii).expect("ASCII");
    assert_eq!(parse(&ascii).as_ref(), Some(&action), "{ascii}");
    let longest = with_all_escaped(&value);
    assert_eq!(parse(&longest).as_ref(), Some(&action), "{longest}");
    let line_bytes = verb.len() + TOKEN.len() + longest.len() + 2;
    assert!(line_bytes <= LINE_BYTES_MAX, "a legal request fits into a line");
    assert_eq!(parse(&format!("{compact} {{}}")), None, "two objects are accepted");
    let object = value.as_object().expect("an object");
    if let Some((name, first)) = object.iter().next() {
        let (name, inside) = (Value::from(name.as_str()), &compact[1..]);
        assert_eq!(
            parse(&format!("{{{name}:{first},{inside}")),
            None,
            "one field is accepted twice"
        );
    }
    check_request(Request::InSession {
        token: TOKEN.parse().expect("a token"),
        action: Ok(action),
    });
}

/// JSON in which each unit of every text is an escape.
fn with_all_escaped(value: &Value) -> String {
    let text = |text: &str| {
        let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        format!("\"{}\"", units.collect::<String>())
    };
    match value {
        Value::String(string) => text(string),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(with_all_escaped).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let fields: Vec<String> = fields
                .map(|(name, value)| format!("{}: {}", text(name), with_all_escaped(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        other => other.to_string(),
    }
}
