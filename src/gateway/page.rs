//! The inbox in the browser: its files, and the session of its user, which is in a cookie.

mod encoding;
mod files;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, SET_COOKIE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};

use super::api::{OwnForm, object};
use super::call::{act, execute_counted};
use super::cookie::token;
use super::refused::Refused;
use super::{Gateway, body};
use crate::http::Peer;
use crate::protocol::command::{Action, Request};
use crate::protocol::cookie;
use crate::protocol::framing::LINE_BYTES_MAX;
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;
use crate::protocol::verb::Verb;

/// The paths of the page begin with it.
pub(super) const ROOT: &str = "/page/";
/// What a program that tries the server's root learns.
const WHAT_THIS_IS: &str = "chat-server over HTTP: docs/http.md describes it\n";
/// The answer if nobody is logged in.
const NOBODY: &str = "{\"status\": \"OK\"}\n";

/// The paths of the page beside the root.
pub(super) fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/page/session", get(whoami).post(log_in).delete(log_out))
        .route("/page/{release}/{file}", get(file))
        .route(
            "/service-worker.js",
            get(async |headers: HeaderMap| files::service_worker(&headers)),
        )
}

/// `GET /`: the page for a browser, and a line for a program.
pub(super) async fn root(headers: HeaderMap) -> Response {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|field| field.to_str().ok());
    let (mut response, vary) = match accepts.into_iter().any(|field| field.contains("text/html")) {
        true => (files::page(&headers), "accept, accept-encoding"),
        false => (WHAT_THIS_IS.into_response(), "accept"),
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static(vary));
    response
}

/// `GET /page/RELEASE/FILE`.
async fn file(
    Path((release, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    files::file(&release, &name, &headers)
        .ok_or_else(|| Refused::new(StatusCode::NOT_FOUND, Code::BadRequest, "no such path"))
}

type Session = (State<Arc<Gateway>>, Extension<Peer>, HeaderMap);

/// `GET /page/session`: who is logged in. It is no error if nobody is.
async fn whoami((State(gateway), Extension(peer), headers): Session) -> Result<Response, OwnForm> {
    let is_encrypted = gateway.is_encrypted(&headers, peer);
    // A link on another site comes without the cookie: it must not take it from the browser.
    let Some(token) = token(&headers, is_encrypted) else { return Ok(nobody()) };
    let network = gateway.network(&headers, peer);
    match act(&gateway.service, token, Action::Whoami, network).await {
        reply @ Reply::Identity(_) => Ok(object(&reply)),
        Reply::Refused(refusal) if refusal.code == Code::NoSession => Ok(forget(is_encrypted)),
        Reply::Refused(refusal) => Err(refusal.into()),
        _ => Err(Code::Internal.into()),
    }
}

/// `POST /page/session`: opens a session.
async fn log_in(
    (State(gateway), Extension(peer), headers): Session,
    body: Body,
) -> Result<Response, OwnForm> {
    let object_text = body::read(&headers, body, LINE_BYTES_MAX).await?;
    let request = Request::of_open_object(Verb::Auth, &object_text)?;
    let network = gateway.network(&headers, peer);
    let opened = match execute_counted(&gateway, request, network).await {
        Reply::Authenticated(opened) => opened,
        Reply::Refused(refusal) => return Err(refusal.into()),
        _ => return Err(Code::Internal.into()),
    };
    let is_encrypted = gateway.is_encrypted(&headers, peer);
    // The browser forgets it. It may have ended already.
    if let Some(before) = token(&headers, is_encrypted) {
        act(&gateway.service, before, Action::Logout, network).await;
    }
    let identity = act(&gateway.service, opened, Action::Whoami, network).await;
    Ok(([(SET_COOKIE, cookie::set(opened, is_encrypted))], object(&identity)).into_response())
}

/// `DELETE /page/session`: ends the session.
async fn log_out((State(gateway), Extension(peer), headers): Session) -> Result<Response, OwnForm> {
    let is_encrypted = gateway.is_encrypted(&headers, peer);
    if let Some(token) = token(&headers, is_encrypted) {
        let network = gateway.network(&headers, peer);
        match act(&gateway.service, token, Action::Logout, network).await {
            Reply::Refused(refusal) if refusal.code != Code::NoSession => {
                return Err(refusal.into());
            }
            _ => {}
        }
    }
    Ok(forget(is_encrypted))
}

fn nobody() -> Response {
    ([(CONTENT_TYPE, "application/json")], NOBODY).into_response()
}

/// Nobody is logged in, and the browser forgets its cookie.
fn forget(is_encrypted: bool) -> Response {
    ([(SET_COOKIE, cookie::clear(is_encrypted))], nobody()).into_response()
}
