//! The session of a page, which is in a cookie. A browser sends it by itself, so what changes
//! something needs more than that.

use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN, UPGRADE};
use axum::http::{HeaderMap, Method};

use crate::model::Token;
use crate::protocol::cookie;

/// The token in the cookie of a request.
pub(super) fn token(headers: &HeaderMap, is_encrypted: bool) -> Option<Token> {
    let fields = headers.get_all(COOKIE).iter().filter_map(|field| field.to_str().ok());
    cookie::find(fields, is_encrypted)
}

/// Whether a request wants to change something by its cookie alone, and the browser does not say
/// that a page of this site has sent it. Its `Origin` was compared with the `Host` before.
pub(super) fn is_forgeable(method: &Method, headers: &HeaderMap) -> bool {
    // A WebSocket begins with a GET, and may then change anything.
    let is_read = matches!(*method, Method::GET | Method::HEAD) && !headers.contains_key(UPGRADE);
    let by_cookie = || {
        !headers.contains_key(AUTHORIZATION)
            && [false, true].into_iter().any(|encrypted| token(headers, encrypted).is_some())
    };
    let by_this_site = || {
        headers.contains_key(ORIGIN)
            || headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
    };
    !is_read && by_cookie() && !by_this_site()
}
