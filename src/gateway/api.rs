//! The project's own API: every verb of the line protocol is `POST /api/v1/VERB`. The body is the
//! verb's JSON object, and the response is the reply of the line protocol.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};

use super::call::execute_counted;
use super::names::Name;
use super::openapi::NO_STREAM;
use super::publish::{REPLAYED, key};
use super::refused::Refused;
use super::{Gateway, body, openapi, read, socket};
use crate::http::Peer;
use crate::model::Key;
use crate::protocol::command::{Action, Request};
use crate::protocol::framing::{LINE_BYTES_MAX, REPLY_END};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;
use crate::protocol::verb::Verb;

/// How a client names itself. Not `Basic`: a browser would ask its user for a password, and the page
/// could not.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"chat\"");

/// A refusal in the form of the line protocol.
pub(super) struct OwnForm(pub(super) Refused);

/// The paths below [`openapi::ROOT`].
pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/openapi.json", get(openapi::document))
        .route("/events", get(async |parts| read::events(parts).await.map_err(OwnForm)))
        .route("/socket", get(async |parts| socket::open(parts).await.map_err(OwnForm)))
        .route("/{verb}", post(call))
        .fallback(async || OwnForm(Refused::new(StatusCode::NOT_FOUND, Code::BadRequest, NO_PATH)))
        .method_not_allowed_fallback(async || {
            let why = "this path does not take this method: POST calls a verb";
            OwnForm(Refused::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, why))
        })
}

const NO_PATH: &str = "no such path: /api/v1/openapi.json describes the API";

/// `POST /api/v1/VERB`.
async fn call(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    word: Result<Name, Refused>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, OwnForm> {
    let Name(word) = word?;
    let verb = Verb::from_word(&word).filter(|verb| *verb != Verb::Invalid).ok_or_else(|| {
        let why = "there is no such verb: /api/v1/openapi.json describes the API";
        Refused::new(StatusCode::NOT_FOUND, Code::UnknownCommand, why)
    })?;
    let caller = match verb.needs_token() {
        true => Some(gateway.caller(&headers, peer).await?),
        false => None,
    };
    if verb == Verb::Watch {
        return Err(Refused::new(StatusCode::BAD_REQUEST, Code::Usage, NO_STREAM).into());
    }
    let key = key(&headers)?;
    if key.is_some() && verb != Verb::Post {
        return Err(Refused::bad("Idempotency-Key: only post has a key").into());
    }
    let object = body::read(&headers, body, LINE_BYTES_MAX).await?;
    let (mut request, network) = match caller {
        Some(caller) => (Request::of_object(verb, caller.token, &object)?, caller.network),
        None => {
            let network = gateway.network(&headers, peer);
            (Request::of_open_object(verb, &object)?, network)
        }
    };
    set_key(&mut request, key)?;
    let reply = execute_counted(&gateway, request, network).await;
    if verb == Verb::Passwd
        && reply.is_ok()
        && let Some(caller) = caller
    {
        gateway.forget_sign_in(caller.token);
    }
    Ok(respond(reply))
}

/// The header `Idempotency-Key` is the key of a `post`.
fn set_key(request: &mut Request, key: Option<Key>) -> Result<(), Refused> {
    // What could not be read is refused by the service.
    let Request::InSession { action: Ok(Action::Post(post)), .. } = request else { return Ok(()) };
    if key.is_some() && post.key.is_some() {
        return Err(Refused::bad("Idempotency-Key: the body has a key already"));
    }
    post.key = key.or(post.key.take());
    Ok(())
}

fn respond(reply: Reply) -> Response {
    match reply {
        Reply::Refused(refusal) => OwnForm(refusal.into()).into_response(),
        Reply::Posted(ref posted) if posted.duplicate => {
            ([(REPLAYED, HeaderValue::from_static("true"))], object(&reply)).into_response()
        }
        reply => object(&reply),
    }
}

/// A reply as the line protocol has it, on one line.
pub(super) fn object(reply: &Reply) -> Response {
    let mut line = Vec::new();
    reply.encode(&mut line);
    line.truncate(line.len() - REPLY_END.len());
    line.push(b'\n');
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], line).into_response()
}

impl<E: Into<Refused>> From<E> for OwnForm {
    fn from(refused: E) -> Self {
        Self(refused.into())
    }
}

impl IntoResponse for OwnForm {
    fn into_response(self) -> Response {
        let Self(refused) = self;
        let refusal = refused.refusal().clone();
        // The status and the header fields are those of every refusal.
        let (mut parts, _) = refused.into_response().into_parts();
        if let Some(challenge) = parts.headers.get_mut(WWW_AUTHENTICATE) {
            *challenge = CHALLENGE;
        }
        let body = object(&refusal.into()).into_body();
        parts.headers.remove(axum::http::header::CONTENT_LENGTH);
        Response::from_parts(parts, body)
    }
}
