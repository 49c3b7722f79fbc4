//! The body of a request: how much of it is read, and for how long.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Limited};

use super::refused::Refused;
use crate::protocol::refusal::Code;

/// How long a client may take to send a body.
const BODY_WAIT: Duration = Duration::from_secs(10);

/// Reads a body of at most `max` bytes of UTF-8.
pub(super) async fn read(headers: &HeaderMap, body: Body, max: usize) -> Result<String, Refused> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && encoding != "identity"
    {
        let why = "Content-Encoding: send the body as it is";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadArgument, why));
    }
    // Whoever reads the connection undoes the last coding only, which is `chunked`. A proxy may
    // undo each one.
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if !codings.next().is_none_or(is_chunked) || codings.next().is_some() {
        let why = "Transfer-Encoding: send the body as it is, or chunked";
        return Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::BadArgument, why));
    }
    let told = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if told.is_some_and(|length: u64| length > max as u64) {
        return Err(too_long(max));
    }
    let read = Limited::new(body, max).collect();
    let bytes = match tokio::time::timeout(BODY_WAIT, read).await {
        Ok(Ok(collected)) => collected.to_bytes(),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            return Err(too_long(max));
        }
        Ok(Err(_)) => return Err(Refused::bad("the body is broken")),
        Err(_) => {
            let wait = BODY_WAIT.as_secs();
            let why = format!("the body did not come within {wait} s");
            return Err(Refused::new(StatusCode::REQUEST_TIMEOUT, Code::BadRequest, why));
        }
    };
    String::from_utf8(bytes.into()).map_err(|_| {
        Refused::new(StatusCode::BAD_REQUEST, Code::BadEncoding, "the body is not UTF-8")
    })
}

pub(super) fn too_long(max: usize) -> Refused {
    let why = format!("the body is longer than {max} bytes");
    Refused::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLong, why)
}
