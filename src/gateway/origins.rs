//! The pages that may use this server: its own, and those of the sites that the operator lists
//! (CORS). A page of a listed site names its user by a token that it has. What a browser adds by
//! itself, a cookie or a remembered password, counts for the server's own page only.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, COOKIE, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::api::OwnForm;
use super::refused::Refused;
use super::{Gateway, cookie, openapi, page};
use crate::protocol::refusal::Code;

/// The methods that a page of a listed site may use.
const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, PUT");
/// The fields of a response that such a page may read, beside those that every page may.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("X-Message-Id, Idempotent-Replayed, Retry-After, WWW-Authenticate");
/// How long a browser remembers what a site may do, in seconds.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("600");

/// Where the page that sends a request is from.
#[derive(Debug, PartialEq, Eq)]
enum Site {
    /// This server, or no page sends it.
    Own,
    /// A site that the operator has listed.
    Listed(HeaderValue),
    Other,
}

/// Refuses what a page of another site sends, because a browser would add a password that it
/// remembers; likewise what may be such a page's, if a cookie says who sends it. Lets the pages of
/// listed sites read the responses.
pub(super) async fn check(
    State(gateway): State<Arc<Gateway>>,
    mut request: Request,
    next: Next,
) -> Response {
    let listed = &gateway.options.origins;
    let mut response = match site(request.uri(), request.headers(), listed) {
        Site::Other if !is_for_page(&request) => {
            refuse(&request, "a page of another site may not use this server")
        }
        Site::Own if cookie::is_forgeable(request.method(), request.headers()) => {
            let why =
                "a request with a cookie needs Origin or Sec-Fetch-Site, as browsers send them";
            refuse(&request, why)
        }
        Site::Own | Site::Other => next.run(request).await,
        Site::Listed(origin) => {
            request.headers_mut().remove(COOKIE);
            let mut response = if request.uri().path().starts_with(page::ROOT) {
                refuse(&request, "only the page of this server logs in here")
            } else if is_preflight(&request) {
                allow(request.headers())
            } else if has_password(request.headers()) {
                refuse(&request, "a page of another site needs a token: Authorization: Bearer")
            } else {
                next.run(request).await
            };
            let headers = response.headers_mut();
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            response
        }
    };
    if !listed.is_empty() {
        response.headers_mut().append(VARY, HeaderValue::from_static("Origin"));
    }
    response
}

/// Whether a request is for the page itself. The page is the same for everybody, and a link on any
/// site may lead to it.
fn is_for_page(request: &Request) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path() == "/"
}

fn refuse(request: &Request, why: &str) -> Response {
    let refused = Refused::new(StatusCode::FORBIDDEN, Code::BadRequest, why);
    let path = request.uri().path();
    match path.starts_with(openapi::ROOT) || path.starts_with(page::ROOT) {
        true => OwnForm(refused).into_response(),
        false => refused.into_response(),
    }
}

/// A browser asks before a request that no form could send.
fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to such a question. The fields that the page wants to send change nothing by
/// themselves.
fn allow(headers: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let allowed = response.headers_mut();
    allowed.insert(ACCESS_CONTROL_ALLOW_METHODS, METHODS);
    allowed.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
    if let Some(fields) = headers.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        allowed.insert(ACCESS_CONTROL_ALLOW_HEADERS, fields.clone());
    }
    response
}

/// Whether a browser may have added the user by itself.
fn has_password(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    fields.any(|field| {
        !field.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    })
}

fn site(uri: &Uri, headers: &HeaderMap, listed: &[String]) -> Site {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let mut origins = headers.get_all(ORIGIN).iter();
    let Some(field) = origins.next() else {
        return match text("sec-fetch-site") {
            Some("cross-site" | "same-site") => Site::Other,
            _ => Site::Own,
        };
    };
    let (Ok(origin), None) = (field.to_str(), origins.next()) else { return Site::Other };
    let host = uri.authority().map(|authority| authority.as_str()).or_else(|| text(HOST.as_str()));
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    match (authority, host) {
        (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host) => Site::Own,
        _ if listed.iter().any(|listed| listed == origin) => Site::Listed(field.clone()),
        _ => Site::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(fields: &[(&'static str, &str)], listed: &[&str]) -> Site {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().unwrap());
        }
        let listed: Vec<String> = listed.iter().map(ToString::to_string).collect();
        site(&Uri::from_static("/neko"), &headers, &listed)
    }

    #[test]
    fn page_of_another_site_is_found_by_its_origin() {
        let host = ("host", "chat.example:8080");
        assert_eq!(of(&[host], &[]), Site::Own);
        assert_eq!(of(&[host, ("origin", "https://chat.example:8080")], &[]), Site::Own);
        for origin in ["https://evil.example", "null", "https://chat.example", ""] {
            assert_eq!(of(&[host, ("origin", origin)], &[]), Site::Other, "{origin}");
        }
        for (from, expected) in [
            ("cross-site", Site::Other),
            ("same-site", Site::Other),
            ("same-origin", Site::Own),
            ("none", Site::Own),
        ] {
            assert_eq!(of(&[host, ("sec-fetch-site", from)], &[]), expected, "{from}");
        }
    }

    #[test]
    fn only_exactly_the_origins_of_the_list_are_listed() {
        let host = ("host", "chat.example");
        let listed = ["https://a.example", "http://b.example:8080"];
        for origin in listed {
            let fields = [host, ("origin", origin), ("sec-fetch-site", "cross-site")];
            assert_eq!(of(&fields, &listed), Site::Listed(origin.parse().unwrap()), "{origin}");
        }
        for origin in [
            "http://a.example",
            "https://a.example:443",
            "https://a.example.evil.example",
            "https://evil-a.example",
            "https://x.a.example",
            "https://a.example/",
            "https://a.example@evil.example",
            "http://b.example",
            "a.example",
            "*",
            "null",
        ] {
            assert_eq!(of(&[host, ("origin", origin)], &listed), Site::Other, "{origin}");
        }
        let twice = [host, ("origin", "https://a.example"), ("origin", "https://evil.example")];
        assert_eq!(of(&twice, &listed), Site::Other);
    }
}
