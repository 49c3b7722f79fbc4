//! The gateway: HTTP for users and their programs. It turns a request into the same
//! [`Request`](crate::protocol::command::Request) that a line becomes, and the answer into a
//! response. No rule of the service is written again here. Paths and parameters are those of ntfy.

mod api;
mod body;
mod boundaries;
mod call;
mod cookie;
mod delay;
mod encoded_word;
mod expect;
mod fields;
mod form;
mod frames;
mod handshake;
mod hooks;
mod kind;
mod message;
mod names;
mod openapi;
mod origins;
mod page;
mod publish;
mod read;
mod refused;
mod routes;
mod sign_in;
mod since;
mod socket;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tokio::sync::{Semaphore, watch};

use crate::adjustable::Adjustable;
use crate::protocol::refusal::Code;
use crate::server::{Metrics, Proxies};
use crate::service::Service;
use refused::Refused;
use sign_in::SignIns;

pub use kind::{KINDS, kind};

/// The most pages of the store at a time, each of 1 MiB at most, that become the text of a response.
const PAGES_MAX: usize = 8;

/// The gateway of a service.
pub struct Gateway {
    service: Arc<Service>,
    sign_ins: SignIns,
    options: Options,
    /// Lets few polls have a page of the store at a time.
    pages: Semaphore,
    /// Streams end when this becomes true.
    stopping: watch::Sender<bool>,
}

/// Settings of the gateway.
pub struct Options {
    /// How long a stream may be silent before it gets an event.
    pub heartbeat: Adjustable<Duration>,
    /// The sites whose pages may use it, as browsers name them: `https://a.example`.
    pub origins: Vec<String>,
    /// The proxies that name their client in `X-Forwarded-For`.
    pub proxies: Proxies,
    /// Counts the verbs that clients call over HTTP.
    pub metrics: Arc<Metrics>,
}

/// The response to a request that does not come to the paths.
pub fn refusal(status: StatusCode, why: String) -> Response {
    Refused::new(status, Code::BadRequest, why).into_response()
}

impl Gateway {
    /// The gateway of this service.
    pub fn new(service: Arc<Service>, options: Options) -> Arc<Self> {
        let (stopping, _) = watch::channel(false);
        let pages = Semaphore::new(PAGES_MAX);
        Arc::new(Self { service, sign_ins: SignIns::new(), options, pages, stopping })
    }

    /// Its paths.
    pub fn router(self: &Arc<Self>) -> Router {
        routes::router(Arc::clone(self))
    }

    /// Ends all streams.
    pub fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Ends the sessions that were opened for names and passwords in requests. Returns before the
    /// store has done it.
    pub fn sign_out(&self) {
        self.sign_ins.sign_out(&self.service);
    }
}
