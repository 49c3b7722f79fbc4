//! The beginning of a WebSocket (RFC 6455): what the request must have, and the response.

use axum::extract::FromRequestParts;
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::refused::{Refused, WEBSOCKET_VERSION};
use crate::http::Upgrade;
use crate::protocol::refusal::Code;

/// The name of the protocol in the frames. A client need not name one.
const PROTOCOL: &str = "chat";
/// The random bytes in a key.
const KEY_BYTES: usize = 16;

/// A request to begin a WebSocket.
pub(super) struct Handshake {
    upgrade: Upgrade,
    accept: String,
    names_protocol: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let upgrade = parts.extensions.remove::<Upgrade>();
        let headers = &parts.headers;
        let wants = parts.method == Method::GET
            && has_word(headers, &CONNECTION, "upgrade")
            && has_word(headers, &UPGRADE, "websocket")
            && headers
                .get(SEC_WEBSOCKET_VERSION)
                .is_some_and(|version| version == WEBSOCKET_VERSION);
        let upgrade = upgrade.filter(|_| wants).ok_or_else(|| {
            let why = "this path is a WebSocket (version 13) over HTTP/1.1";
            Refused::new(StatusCode::UPGRADE_REQUIRED, Code::BadRequest, why)
        })?;
        let mut keys = headers.get_all(SEC_WEBSOCKET_KEY).iter();
        let key = keys.next().filter(|key| keys.next().is_none() && is_key(key));
        let key = key.ok_or_else(|| Refused::bad("Sec-WebSocket-Key: give 16 bytes as base64"))?;
        let names_protocol = headers.contains_key(SEC_WEBSOCKET_PROTOCOL);
        if names_protocol && !has_word(headers, &SEC_WEBSOCKET_PROTOCOL, PROTOCOL) {
            // Some clients have a token there, which ends up in logs.
            let why = "Sec-WebSocket-Protocol: give chat or none, and a token in Authorization";
            return Err(Refused::bad(why));
        }
        Ok(Self { upgrade, accept: derive_accept_key(key.as_bytes()), names_protocol })
    }
}

impl Handshake {
    /// The response, after which the connection speaks frames, and the connection.
    pub(super) fn accept(self) -> (Response, Upgrade) {
        let Self { upgrade, accept, names_protocol } = self;
        let fields = [
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
        ];
        let accept = [(SEC_WEBSOCKET_ACCEPT, accept)];
        let mut response = (StatusCode::SWITCHING_PROTOCOLS, fields, accept).into_response();
        if names_protocol {
            let protocol = HeaderValue::from_static(PROTOCOL);
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        (response, upgrade)
    }
}

/// Whether a field that is a list has this word.
fn has_word(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let fields = headers.get_all(name).iter().filter_map(|field| field.to_str().ok());
    fields.flat_map(|field| field.split(',')).any(|found| found.trim().eq_ignore_ascii_case(word))
}

fn is_key(key: &HeaderValue) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}
