//! Another protocol on a connection, after a response that agrees to it. The connection keeps its
//! place among the others, and its deadline for a slow reader, until that protocol ends.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::Request;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;

/// The bytes of a connection that speaks another protocol.
pub type Wire = TokioIo<Upgraded>;

type Next = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What comes after HTTP on a connection, if anything does.
#[derive(Clone, Default)]
pub(super) struct Successor(Arc<Mutex<Option<Next>>>);

/// The offer of a request to speak another protocol. It is among the request's extensions.
#[derive(Clone)]
pub struct Upgrade {
    wire: OnUpgrade,
    successor: Successor,
}

impl Successor {
    /// Puts the offer of this request, if it makes one, among its extensions.
    pub(super) fn offer<B>(&self, request: &mut Request<B>) {
        let extensions = request.extensions_mut();
        if let Some(wire) = extensions.remove::<OnUpgrade>() {
            extensions.insert(Upgrade { wire, successor: self.clone() });
        }
    }

    /// What to run once HTTP has ended.
    pub(super) fn take(&self) -> Option<Next> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Upgrade {
    /// Accepts the offer: after the response, which must have the status 101, `serve` has the
    /// connection. Without that response it never runs.
    pub fn accept<F>(self, serve: impl FnOnce(Wire) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send,
    {
        let Self { wire, successor } = self;
        let next = async move {
            if let Ok(upgraded) = wire.await {
                serve(TokioIo::new(upgraded)).await;
            }
        };
        *successor.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::pin(next));
    }
}
