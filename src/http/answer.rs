//! Responses that every site gives alike.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// A response with one line of text.
pub fn text(status: StatusCode, line: impl Into<String>) -> Response {
    let mut body = line.into();
    body.push('\n');
    (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response()
}
