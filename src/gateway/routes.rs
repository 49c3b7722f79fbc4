//! The paths, and what every request must fulfil.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::api::OwnForm;
use super::refused::Refused;
use super::stream::Form;
use super::{Gateway, api, cookie, expect, hooks, openapi, page, publish, read};
use crate::protocol::refusal::Code;

pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    // A HEAD changes nothing, and so it publishes and reports nothing.
    let publish_form = get(publish::by_query).head(wrong_method);
    let report = get(expect::report).post(expect::report).put(expect::report).head(wrong_method);
    Router::new()
        .route("/", get(page::root).post(publish::json).put(publish::json))
        .route("/v1/health", get(async || axum::Json(serde_json::json!({"healthy": true}))))
        .route("/hooks/{id}", post(hooks::post).put(hooks::post))
        .route("/expect/{name}", report.clone())
        .route("/expect/{name}/{word}", report)
        .nest(openapi::ROOT, api::routes())
        .merge(page::routes())
        .route("/{name}", post(publish::text).put(publish::text))
        .route("/{name}/publish", publish_form.clone())
        .route("/{name}/send", publish_form.clone())
        .route("/{name}/trigger", publish_form)
        .route("/{name}/json", get(|parts| read::read(Form::Json, parts)))
        .route("/{name}/sse", get(|parts| read::read(Form::Sse, parts)))
        .route("/{name}/raw", get(|parts| read::read(Form::Raw, parts)))
        .route("/{name}/ws", get(|parts, handshake| read::socket((parts, handshake))))
        .route("/{name}/ack", post(read::ack))
        .fallback(async || Refused::new(StatusCode::NOT_FOUND, Code::BadRequest, "no such path"))
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(check))
        .with_state(gateway)
}

async fn wrong_method() -> Refused {
    let why = "this path does not take this method";
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, why)
}

/// Refuses what a page of another site sends: a browser would add a password that it remembers.
/// Likewise what may be such a page's, if a cookie says who sends it.
async fn check(request: Request, next: Next) -> Response {
    let (method, headers) = (request.method(), request.headers());
    let why = if is_from_elsewhere(request.uri(), headers) {
        Some("a page of another site may not use this server")
    } else if cookie::is_forgeable(method, headers) {
        Some("a request with a cookie needs Origin or Sec-Fetch-Site, as browsers send them")
    } else {
        None
    };
    if let Some(why) = why {
        let refused = Refused::new(StatusCode::FORBIDDEN, Code::BadRequest, why);
        let path = request.uri().path();
        return match path.starts_with(openapi::ROOT) || path.starts_with(page::ROOT) {
            true => OwnForm(refused).into_response(),
            false => refused.into_response(),
        };
    }
    next.run(request).await
}

fn is_from_elsewhere(uri: &Uri, headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(origin) = headers.get(ORIGIN) {
        let host =
            uri.authority().map(|authority| authority.as_str()).or_else(|| text(HOST.as_str()));
        let authority = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        return match (authority, host) {
            (Some((_, authority)), Some(host)) => !authority.eq_ignore_ascii_case(host),
            _ => true,
        };
    }
    matches!(text("sec-fetch-site"), Some("cross-site" | "same-site"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_elsewhere(fields: &[(&'static str, &str)]) -> bool {
        let fields = fields.iter().map(|(name, value)| {
            (axum::http::HeaderName::from_static(name), value.parse().unwrap())
        });
        is_from_elsewhere(&Uri::from_static("/neko"), &fields.collect())
    }

    #[test]
    fn page_of_another_site_is_found_by_its_origin() {
        let host = ("host", "chat.example:8080");
        assert!(!is_elsewhere(&[host]));
        assert!(!is_elsewhere(&[host, ("origin", "https://chat.example:8080")]));
        for origin in ["https://evil.example", "null", "https://chat.example", ""] {
            assert!(is_elsewhere(&[host, ("origin", origin)]), "{origin}");
        }
        for (site, is_refused) in
            [("cross-site", true), ("same-site", true), ("same-origin", false), ("none", false)]
        {
            assert_eq!(is_elsewhere(&[host, ("sec-fetch-site", site)]), is_refused, "{site}");
        }
    }
}
