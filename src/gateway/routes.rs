//! The paths, and what every request must fulfil.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::{get, post};

use super::refused::Refused;
use super::stream::Form;
use super::{Gateway, api, expect, hooks, openapi, origins, page, publish, read};
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
        .layer(middleware::from_fn_with_state(Arc::clone(&gateway), origins::check))
        .with_state(gateway)
}

async fn wrong_method() -> Refused {
    let why = "this path does not take this method";
    Refused::new(StatusCode::METHOD_NOT_ALLOWED, Code::BadRequest, why)
}
