//! The monitor's paths.

use std::sync::Arc;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{Monitor, exposition, readiness, status};
use crate::http::text;

pub(super) fn router(monitor: Arc<Monitor>) -> Router {
    Router::new()
        .route("/", get(async || status::page()))
        .route("/status.json", get(figures))
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || text(StatusCode::OK, "ok")))
        .route("/readyz", get(ready))
        .fallback(async || {
            text(
                StatusCode::NOT_FOUND,
                "there is nothing here; there are /, /status.json, /metrics, /healthz and /readyz",
            )
        })
        .layer(middleware::from_fn(only_reading))
        .with_state(monitor)
}

/// Refuses everything that is not a plain reading of a page.
async fn only_reading(request: Request, next: Next) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let refusal = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are done here");
        return ([(ALLOW, "GET, HEAD")], refusal).into_response();
    }
    if !request.body().is_end_stream() {
        return text(StatusCode::BAD_REQUEST, "a request here has no body");
    }
    next.run(request).await
}

async fn figures(State(monitor): State<Arc<Monitor>>) -> Response {
    aside(move || {
        let (totals, history) = (monitor.totals(), monitor.history());
        let stopping = monitor.is_stopping();
        status::figures(&monitor.sources, totals, monitor.started_at, stopping, &history)
    })
    .await
}

async fn metrics(State(monitor): State<Arc<Monitor>>) -> Response {
    aside(move || {
        let text = exposition::render(&monitor.sources, monitor.totals(), monitor.started_at);
        ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response()
    })
    .await
}

async fn ready(State(monitor): State<Arc<Monitor>>) -> Response {
    let not_ready = |why: &str| text(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}"));
    if monitor.is_stopping() {
        return not_ready("the server is stopping");
    }
    match monitor.readiness.check(&monitor.sources.service).await {
        readiness::State::Ready => text(StatusCode::OK, "ready"),
        readiness::State::NotReady(why) => not_ready(&why),
    }
}

/// Runs work that asks the system, away from the threads that serve connections.
async fn aside(work: impl FnOnce() -> Response + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "the monitor panicked");
            text(StatusCode::INTERNAL_SERVER_ERROR, "internal server error")
        }
    }
}
