//! Publishing: a message to a mailbox, in the three ways of ntfy's clients.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use smallvec::smallvec;

use super::call::act;
use super::fields::{Fields, unsupported_field};
use super::message::Event;
use super::names::{self, Name};
use super::refused::Refused;
use super::sign_in::Caller;
use super::{Gateway, body, delay};
use crate::http::Peer;
use crate::model::{BODY_BYTES_MAX, Body as Text, Details, Key, Priority, Tag, Tags, Timestamp};
use crate::protocol::arguments::{Post, When};
use crate::protocol::command::Action;
use crate::protocol::framing::LINE_BYTES_MAX;
use crate::protocol::refusal::{Code, USER_AND_ROOM};
use crate::protocol::reply::{Posted, Reply};

/// The text of a message without one, as ntfy has it.
const NO_TEXT: &str = "triggered";

/// The line breaks at the end of a body, which do not count as text.
const LINE_BREAKS_MAX: usize = 1024;

const MESSAGE_ID: HeaderName = HeaderName::from_static("x-message-id");
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// `POST /NAME`: the body is the text. Line breaks at its end do not belong to it.
pub(super) async fn text(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    Name(name): Name,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let caller = gateway.caller(&headers, peer).await?;
    let fields = Fields::of_publish(&headers, &uri)?;
    let body = body::read(&headers, body, BODY_BYTES_MAX + LINE_BREAKS_MAX).await?;
    let text = match (body.trim_end_matches(['\r', '\n']), fields.get("message")) {
        ("", message) => message.map_or(NO_TEXT.to_owned(), unescaped),
        (text, None) => text.to_owned(),
        (_, Some(_)) => return Err(Refused::bad("message: the body has the text already")),
    };
    let carried = (details(&fields)?, when(fields.get("delay"))?);
    publish(&gateway, caller, &headers, &name, &text, carried).await
}

/// `GET /NAME/publish?message=…`. A browser could be made to send it, so it takes a token only.
pub(super) async fn by_query(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    Name(name): Name,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let caller = gateway.caller(&headers, peer).await?;
    caller.check_token()?;
    let fields = Fields::of_publish(&headers, &uri)?;
    let text = fields.get("message").map_or(NO_TEXT.to_owned(), unescaped);
    let carried = (details(&fields)?, when(fields.get("delay"))?);
    publish(&gateway, caller, &headers, &name, &text, carried).await
}

/// A message as JSON.
#[derive(Deserialize)]
struct Json {
    topic: String,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    priority: Value,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    click: Option<String>,
    #[serde(default)]
    delay: Option<Value>,
    #[serde(default)]
    expires: Option<Value>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

/// `POST /`: a message as JSON. Parameters in the head hold too, as apprise gives them; where JSON
/// has another value, that is the message's.
pub(super) async fn json(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Refused> {
    let caller = gateway.caller(&headers, peer).await?;
    let fields = Fields::of_publish(&headers, &uri)?;
    let body = body::read(&headers, body, LINE_BYTES_MAX).await?;
    let json: Json = serde_json::from_str(&body)
        .map_err(|error| Refused::bad(format!("the body is not a message as JSON: {error}")))?;
    if let Some(name) = unsupported_field(&json.more) {
        return Err(Refused::bad(format!("{name}: this server does not support it")));
    }
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let named = |name: &'static str| move |error| Refused::bad(format!("{name}: {error}"));
    let title = given(json.title).map(|text| text.parse()).transpose().map_err(named("title"))?;
    let click = given(json.click).map(|text| text.parse()).transpose();
    let click = click.map_err(|error| Refused::bad(format!("click: {error}")))?;
    let head = details(&fields)?;
    let details = Details {
        title: title.or(head.title),
        priority: json_priority(&json.priority)?.unwrap_or(head.priority),
        tags: if json.tags.is_empty() { head.tags } else { each_tag(&json.tags)? },
        click: click.or(head.click),
        ..with_expiry(json_time(json.expires).as_deref())?.unwrap_or(Details {
            expires: head.expires,
            expires_in: head.expires_in,
            ..Details::default()
        })
    };
    let message = given(json.message).or(fields.get("message").map(unescaped));
    let text = message.unwrap_or_else(|| NO_TEXT.to_owned());
    let when = when(json_time(json.delay).as_deref())?;
    let when = when.map_or_else(|| self::when(fields.get("delay")), |when| Ok(Some(when)))?;
    publish(&gateway, caller, &headers, &json.topic, &text, (details, when)).await
}

async fn publish(
    gateway: &Gateway,
    caller: Caller,
    headers: &HeaderMap,
    to: &str,
    text: &str,
    (details, when): (Details, Option<When>),
) -> Result<Response, Refused> {
    let key = key(headers)?;
    let body: Text = text.parse().map_err(|invalid| match invalid {
        crate::model::Invalid::Empty => Refused::from(Code::EmptyMessage),
        _ => body::too_long(BODY_BYTES_MAX),
    })?;
    let details = details.if_any();
    let (mailbox, or_room) = names::parse(to)?;
    let shown = (text, details.clone());
    let post = Post { to: smallvec![mailbox], or_room, body, key, details, when };
    match act(&gateway.service, caller.token, Action::Post(post), caller.network).await {
        Reply::Posted(posted) => {
            let to = &posted.sent.first().ok_or(Code::Internal)?.to;
            let event =
                Event::message((posted.id, posted.at), None, to, shown.0, shown.1.as_deref());
            let mut response = axum::Json(&event).into_response();
            answer_headers(response.headers_mut(), &posted);
            Ok(response)
        }
        Reply::Later(later, to) => {
            let to = to.first().ok_or(Code::Internal)?;
            let event = Event::scheduled(&later, to, shown.0, shown.1.as_deref());
            let mut response = axum::Json(&event).into_response();
            if later.duplicate {
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
            }
            Ok(response)
        }
        Reply::Refused(refusal) if refusal.message == USER_AND_ROOM => {
            let why = format!("{to} is a user and a room: give @{to} or #{to} (in a URL, %23{to})");
            Err(Refused::new(StatusCode::CONFLICT, Code::BadArgument, why))
        }
        Reply::Refused(refusal) => Err(refusal.into()),
        _ => Err(Code::Internal.into()),
    }
}

/// What the head of the answer says about the message.
pub(super) fn answer_headers(headers: &mut HeaderMap, posted: &Posted) {
    headers.insert(MESSAGE_ID, posted.id.0.into());
    if posted.duplicate {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
}

/// The message's key. A quoted text is the form of the standard's draft.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<Key>, Refused> {
    let mut fields = headers.get_all("idempotency-key").iter();
    let Some(field) = fields.next() else { return Ok(None) };
    let bad = |why: String| Refused::bad(format!("Idempotency-Key: {why}"));
    if fields.next().is_some() {
        return Err(bad("it is given twice".to_owned()));
    }
    let text = field.to_str().map_err(|_| bad("it is not ASCII".to_owned()))?;
    let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    inside.parse().map(Some).map_err(|error| bad(format!("{error}")))
}

fn details(fields: &Fields) -> Result<Details, Refused> {
    Ok(Details {
        title: fields.parse("title")?,
        priority: priority(fields.get("priority"))?.unwrap_or_default(),
        tags: tags(fields.get("tags"))?,
        click: fields.parse("click")?,
        ..with_expiry(fields.get("expires"))?.unwrap_or_default()
    })
}

/// Details that say only when the message expires. An empty value asks for nothing.
fn with_expiry(given: Option<&str>) -> Result<Option<Details>, Refused> {
    // A message is sent again as it was sent first, so its time may have passed.
    Ok(time("expires", given, None)?.map(When::as_expiry))
}

/// A time or a duration in JSON: ntfy's clients write a number of seconds as text or not.
fn json_time(given: Option<Value>) -> Option<String> {
    match given? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    }
}

/// When the message is sent. An empty value asks for nothing.
fn when(given: Option<&str>) -> Result<Option<When>, Refused> {
    time("delay", given, Some(Timestamp::now()))
}

fn time(name: &str, given: Option<&str>, now: Option<Timestamp>) -> Result<Option<When>, Refused> {
    let given = given.filter(|text| !text.trim().is_empty());
    given.map(|text| delay::parse(name, text, now)).transpose()
}

/// A priority by number or by name. ntfy has two names for the highest.
pub(super) fn priority(given: Option<&str>) -> Result<Option<Priority>, Refused> {
    let parse = |text: &str| match text.to_ascii_lowercase().as_str() {
        "max" => Ok(Priority::Urgent),
        text => text.parse().map_err(|error| {
            Refused::bad(format!("priority: {error}, or min, low, default, high, urgent or max"))
        }),
    };
    given.map(parse).transpose()
}

/// The priority in JSON: a number or a name.
fn json_priority(given: &Value) -> Result<Option<Priority>, Refused> {
    match given {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => priority(Some(text)),
        other => priority(Some(&other.to_string())),
    }
}

/// Tags, with commas between them.
pub(super) fn tags(given: Option<&str>) -> Result<Tags, Refused> {
    let tags = given.into_iter().flat_map(|tags| tags.split(','));
    each_tag(tags.map(str::trim).filter(|tag| !tag.is_empty()))
}

fn each_tag(tags: impl IntoIterator<Item: AsRef<str>>) -> Result<Tags, Refused> {
    let bad = |error: &dyn std::fmt::Display| Refused::bad(format!("tags: {error}"));
    let tags: Result<Vec<Tag>, _> = tags.into_iter().map(|tag| tag.as_ref().parse()).collect();
    Tags::try_from(tags.map_err(|error| bad(&error))?).map_err(|error| bad(&error))
}

/// A text in a header or a query has its line breaks as `\n`.
fn unescaped(text: &str) -> String {
    text.replace("\\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priority_and_tags_are_read_as_ntfy_has_them() {
        for (text, expected) in [
            ("1", Priority::Min),
            ("LOW", Priority::Low),
            ("default", Priority::Default),
            ("4", Priority::High),
            ("max", Priority::Urgent),
            ("urgent", Priority::Urgent),
        ] {
            assert_eq!(priority(Some(text)).unwrap(), Some(expected), "{text}");
        }
        assert!(priority(Some("6")).is_err());
        let found = tags(Some("warning, disk,,warning")).unwrap();
        assert_eq!(found.iter().map(Tag::as_str).collect::<Vec<_>>(), ["warning", "disk"]);
        assert!(tags(Some("two words")).is_err());
    }

    #[test]
    fn key_may_stand_in_quotes() {
        let key = |text: &str| {
            let headers = [("idempotency-key".parse().unwrap(), text.parse().unwrap())];
            key(&headers.into_iter().collect()).map(|key| key.unwrap().as_str().to_owned())
        };
        assert_eq!(key("build-417").unwrap(), "build-417");
        assert_eq!(key("\"build-417\"").unwrap(), "build-417");
        assert!(key("").is_err() && key(&"x".repeat(65)).is_err());
    }
}
