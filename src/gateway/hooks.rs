//! Incoming hooks: `POST /hooks/ID` takes what Slack, Mattermost, Grafana, Alertmanager and apprise
//! send to their own, as it is. The secret is in the path, and it may do nothing else: it is an
//! access token of the kind `hook`, with one target.

mod alerts;
mod apprise;
mod incoming;
mod slack;

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::call::act;
use super::names::Name;
use super::publish::{answer_headers, key};
use super::refused::Refused;
use super::{Gateway, body, form};
use crate::http::Peer;
use crate::model::Token;
use crate::protocol::arguments::Post;
use crate::protocol::command::Action;
use crate::protocol::framing::LINE_BYTES_MAX;
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;
use incoming::Incoming;

/// What Slack and Mattermost answer.
const DONE: &str = "ok";

/// `POST /hooks/ID`: a message to the target of the hook.
pub(super) async fn post(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    Name(id): Name,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    // Only hooks have their secret in the path. A session that stands there is not even looked up.
    let token: Token = id.parse().map_err(|_| unknown())?;
    if !token.is_access() {
        return Err(unknown());
    }
    let network = gateway.network(&headers, peer);
    let key = key(&headers)?;
    let sent = body::read(&headers, body, LINE_BYTES_MAX).await?;
    let Incoming { text, details } = parse(&sent)?;
    let body = text.parse().map_err(|_| Refused::from(Code::EmptyMessage))?;
    // The service knows the target.
    let (to, or_room, details, when) = (SmallVec::new(), false, details.if_any(), None);
    let post = Post { to, or_room, body, key, details, when };
    match act(&gateway.service, token, Action::Post(post), network).await {
        Reply::Posted(posted) => {
            let mut response = DONE.into_response();
            answer_headers(response.headers_mut(), &posted);
            Ok(response)
        }
        Reply::Refused(refusal) if refusal.code == Code::NoSession => Err(unknown()),
        Reply::Refused(refusal) => Err(refusal.into()),
        _ => Err(Code::Internal.into()),
    }
}

fn unknown() -> Refused {
    Refused::new(StatusCode::NOT_FOUND, Code::NoSession, "there is no such hook")
}

/// A message from a body: JSON, or a form whose field `payload` is JSON. Programs give the type of
/// either with both, so the type is not looked at.
fn parse(sent: &str) -> Result<Incoming, Refused> {
    let form = match sent.trim_start().starts_with('{') {
        true => Vec::new(),
        false => form::parse(sent)
            .map_err(|name| Refused::bad(format!("the body of a hook: {name} is not UTF-8")))?,
    };
    let payload = form.into_iter().find(|(name, _)| name == "payload").map(|(_, value)| value);
    let json = payload.as_deref().unwrap_or(sent);
    let bad = |error: serde_json::Error| Refused::bad(format!("the body of a hook: {error}"));
    let fields: Map<String, Value> = serde_json::from_str(json).map_err(bad)?;
    let value = without_nulls(Value::Object(fields));
    let has = |name: &str| value.get(name).is_some();
    match (has("alerts"), has("message") && !has("text")) {
        (true, _) => serde_json::from_value(value).map(alerts::message).map_err(bad),
        (false, true) => serde_json::from_value(value).map(apprise::message).map_err(bad),
        (false, false) => serde_json::from_value(value).map(slack::message).map_err(bad),
    }
}

/// The same value without `null` in it: that is the same as an absent field.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let given = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(given.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(values) => {
            let given = values.into_iter().filter(|value| !value.is_null());
            Value::Array(given.map(without_nulls).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_and_json_are_the_same_message() {
        let json = parse(r#" {"text": "one & two"}"#).unwrap();
        let form = parse("channel=x&payload=%7B%22text%22%3A+%22one+%26amp%3B+two%22%7D").unwrap();
        assert_eq!((json.text.as_str(), json.text == form.text), ("one & two", true));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for sent in [
            "",
            "hai",
            "payload=hai",
            "[]",
            "7",
            "{",
            "payload=%ff",
            r#"{"text": 7}"#,
            r#"{"alerts": 7}"#,
            r#"{"message": 7}"#,
        ] {
            assert!(parse(sent).is_err(), "{sent}");
        }
    }
}
