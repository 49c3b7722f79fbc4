//! The tools: their descriptions, and what they do. `tools.json` has the descriptions, which are for
//! programs and therefore in one language.

mod answer;
mod reading;
mod sending;
mod waiting;

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::calls::{CALLS_MAX, Call};
use super::session::Session;
use crate::catalogue::mcp as texts;
use crate::client::command::parse_user;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::model::{Filter, Priority, TAGS_MAX, Tag, Tags};
use crate::terminal::reason::parse_room;

/// The descriptions of all tools.
const DESCRIPTIONS: &str = include_str!("tools.json");

/// How many messages a page has, unless the call says so.
const LIMIT_DEFAULT: usize = 20;
/// The most messages of a page.
const LIMIT_MAX: usize = 100;
/// The longest time that a call waits.
const WAIT_MAX: Duration = Duration::from_secs(300);

/// What an agent should know about this server.
pub fn instructions() -> Value {
    descriptions()["instructions"].take()
}

/// The tools with their schemas.
pub fn list() -> Value {
    let mut all = descriptions();
    let message = all["message"].take();
    let mut tools = all["tools"].take();
    for tool in tools.as_array_mut().into_iter().flatten() {
        if tool["outputSchema"].to_string().contains("#/$defs/message") {
            tool["outputSchema"]["$defs"] = json!({"message": message});
        }
    }
    tools
}

fn descriptions() -> Value {
    // A test parses it.
    serde_json::from_str(DESCRIPTIONS).unwrap_or_default()
}

/// Runs a tool; `None` if there is none of this name. A failure is a result, too.
pub fn run(name: &str, arguments: Value, session: &Session, call: &Call) -> Option<Value> {
    let done = match name {
        "send" => given(arguments).and_then(|it| sending::send(it, session)),
        "reply" => given(arguments).and_then(|it| sending::reply(it, session)),
        "ask" => given(arguments).and_then(|it| sending::ask(it, session)),
        "ack" => given(arguments).and_then(|it| reading::ack(it, session)),
        "inbox" => given(arguments).and_then(|it| reading::inbox(it, session)),
        "conversations" => given(arguments).and_then(|it| reading::conversations(it, session)),
        "history" => given(arguments).and_then(|it| reading::history(it, session)),
        "search" => given(arguments).and_then(|it| reading::search(it, session, call)),
        "wait" => given(arguments).and_then(|it| waiting::wait(it, session, call)),
        "answer" => given(arguments).and_then(|it| answer::answer(it, session, call)),
        _ => return None,
    };
    Some(match done {
        Ok(result) => json!({
            "content": [{"type": "text", "text": result.to_string()}],
            "structuredContent": result,
            "isError": false,
        }),
        Err(failure) => failed(&failure),
    })
}

/// The result of a call that cannot run beside so many others.
pub fn too_many() -> Value {
    let failure = Failure::new(Exit::TryAgain, texts::too_many_calls(CALLS_MAX));
    failed(&failure.with_hint(texts::wait_for_a_call()))
}

/// A failure as the object of `--json`, which has a stable code and a hint.
fn failed(failure: &Failure) -> Value {
    let mut line = Vec::new();
    failure.report_json(&mut line);
    let text = String::from_utf8_lossy(&line).trim_end().to_owned();
    json!({"content": [{"type": "text", "text": text}], "isError": true})
}

/// The arguments of a tool. The error names the field.
fn given<T: DeserializeOwned>(arguments: Value) -> Result<T, Failure> {
    // Serde would take the items of an array for the fields in their order.
    let arguments = match arguments {
        Value::Null => json!({}),
        Value::Object(_) => arguments,
        _ => return Err(refused("arguments", texts::no_object())),
    };
    serde_path_to_error::deserialize(arguments).map_err(|error| {
        let path = error.path().to_string();
        refused(&path, error.into_inner())
    })
}

fn refused(path: &str, reason: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Usage, format!("{path}: {reason}"))
}

/// A number of messages.
fn limit(given: Option<usize>) -> Result<usize, Failure> {
    match given.unwrap_or(LIMIT_DEFAULT) {
        limit @ 1..=LIMIT_MAX => Ok(limit),
        _ => Err(refused("limit", texts::give_range(1, LIMIT_MAX))),
    }
}

/// How long to wait.
fn timeout(given: Option<f64>, default: f64) -> Result<Duration, Failure> {
    let seconds = given.unwrap_or(default);
    match Duration::try_from_secs_f64(seconds) {
        Ok(timeout) if timeout <= WAIT_MAX => Ok(timeout),
        _ => Err(refused("timeout_seconds", texts::give_range(0, WAIT_MAX.as_secs()))),
    }
}

fn tags(given: Vec<Tag>) -> Result<Tags, Failure> {
    Tags::try_from(given).map_err(|_| refused("tags", texts::give_range(0, TAGS_MAX)))
}

/// Which messages are wanted.
fn filter(given: &Selection) -> Result<Box<Filter>, Failure> {
    let room = given.room.as_deref().map(parse_room).transpose();
    Ok(Box::new(Filter {
        min_priority: given.min_priority,
        tags: tags(given.tags.clone())?,
        sender: given.from.as_deref().map(parse_user).transpose()?,
        room: room.map_err(|reason| refused("room", reason))?,
    }))
}

/// Which messages `inbox` and `wait` return.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Selection {
    timeout_seconds: Option<f64>,
    after: Option<crate::model::MessageId>,
    limit: Option<usize>,
    from: Option<String>,
    room: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    min_priority: Option<Priority>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn properties(schema: &Value) -> Vec<&str> {
        schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
    }

    /// The fields that a tool takes: it names them when it refuses another one.
    fn taken(name: &str) -> Vec<String> {
        let link = crate::client::link::Link::new(
            crate::client::dial::Dialer::new(crate::client::servers::Servers::local(), None),
            Duration::from_secs(1),
        );
        let call = super::super::calls::Calls::default().begin(&super::super::rpc::Id::default());
        let wrong = json!({"no_such_field": 1});
        let result = run(name, wrong, &Session::new(&link), &call).expect(name);
        assert_eq!(result["isError"], true);
        let text = result["content"][0]["text"].as_str().unwrap();
        let (_, fields) = text.split_once("expected ").unwrap();
        fields.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn every_tool_is_there_and_takes_what_its_schema_says() {
        assert!(instructions().as_str().unwrap().contains("ask"));
        let tools = list();
        let tools = tools.as_array().unwrap();
        assert_eq!(tools.len(), 10);
        for tool in tools {
            let name = tool["name"].as_str().unwrap();
            let mut described = properties(&tool["inputSchema"]);
            let mut taken = taken(name);
            // `inbox` and `wait` share their fields.
            taken.retain(|field| name != "inbox" || field != "timeout_seconds");
            described.sort_unstable();
            taken.sort_unstable();
            assert_eq!(described, taken, "{name}");
            assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}");
            assert!(!properties(&tool["outputSchema"]).is_empty(), "{name}");
        }
    }
}
