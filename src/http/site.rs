//! What a listener serves, and what every response has.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONNECTION, EXPECT, X_CONTENT_TYPE_OPTIONS};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, Version};
use tower_service::Service;

use super::hosts::Hosts;
use super::traffic::Traffic;
use crate::server::{Admission, Identity};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

/// The routes of a listener, and its limits.
pub struct Site {
    /// Answers the requests. It finds the [`Peer`] among a request's extensions.
    pub router: Router,
    /// The names it answers to.
    pub hosts: Hosts,
    /// The response to a request that does not come to the routes.
    pub refusal: fn(StatusCode, String) -> Response<Body>,
    /// Counts the requests.
    pub traffic: Option<Arc<Traffic>>,
    /// The certificate, if its connections use TLS.
    pub identity: Option<Arc<Identity>>,
    /// The number of its connections.
    pub admission: Admission,
    /// What happens when there are too many.
    pub crowd: Crowd,
}

/// What happens to a connection beyond the maximum. Connections without a request in progress always
/// make room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowd {
    /// It is closed.
    Refuse,
    /// It replaces the oldest one.
    ReplaceOldest,
}

/// The other end of a connection.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The connection uses TLS.
    pub is_encrypted: bool,
}

impl Site {
    /// Answers a request.
    pub(super) async fn answer(&self, request: Request<Body>, peer: Peer) -> Response<Body> {
        let version = request.version();
        let (mut parts, body) = request.into_parts();
        let traffic = self.traffic.as_deref().map(|it| (it, it.kind(parts.uri.path())));
        let mut response = match self.hosts.check(&parts).and_then(|()| check_expectation(&parts)) {
            Err((status, why)) => (self.refusal)(status, why),
            Ok(()) => {
                parts.extensions.insert(peer);
                let request = Request::from_parts(parts, body);
                // A router is always ready, and it cannot fail.
                match self.router.clone().call(request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        };
        if let Some((traffic, kind)) = traffic {
            traffic.note(kind, response.status());
        }
        let headers = response.headers_mut();
        let mut default = |name: HeaderName, value| {
            headers.entry(name).or_insert(HeaderValue::from_static(value));
        };
        default(CACHE_CONTROL, "no-store");
        default(X_CONTENT_TYPE_OPTIONS, "nosniff");
        default(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
        if version == Version::HTTP_11 {
            // hyper replaces it where the connection ends.
            default(CONNECTION, "keep-alive");
        }
        response
    }
}

/// Refuses an expectation that nobody here fulfils. hyper fulfils the one that there is.
fn check_expectation(request: &Parts) -> Result<(), (StatusCode, String)> {
    let mut fields = request.headers.get_all(EXPECT).iter();
    let is_known = |field: &HeaderValue| field.as_bytes().eq_ignore_ascii_case(b"100-continue");
    // HTTP/1.0 has none.
    match request.version < Version::HTTP_11 || fields.all(is_known) {
        true => Ok(()),
        false => {
            let why = "Expect: there is 100-continue only";
            Err((StatusCode::EXPECTATION_FAILED, why.to_owned()))
        }
    }
}
