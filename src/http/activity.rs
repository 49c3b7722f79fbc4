//! What a connection is doing: whether it answers a request, or waits for one.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};

/// The requests of one connection. Its deadlines follow from them.
#[derive(Debug, Default)]
pub(super) struct Activity {
    in_progress: AtomicUsize,
    completed: AtomicUsize,
    is_multiplexed: AtomicBool,
}

/// A request in progress, until it is dropped. A response's body carries it to its end.
pub(super) struct InProgress(Arc<Activity>);

/// A body that ends a request with its own end.
struct Answering {
    body: Body,
    _request: InProgress,
}

impl Activity {
    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>, is_multiplexed: bool) -> InProgress {
        self.in_progress.fetch_add(1, Ordering::SeqCst);
        self.is_multiplexed.store(is_multiplexed, Ordering::SeqCst);
        InProgress(Arc::clone(self))
    }

    /// Whether a request is in progress.
    pub(super) fn is_busy(&self) -> bool {
        self.in_progress.load(Ordering::SeqCst) > 0
    }

    /// The number of requests that have ended.
    pub(super) fn completed(&self) -> usize {
        self.completed.load(Ordering::SeqCst)
    }

    /// Whether requests overlap on this connection, as in HTTP/2.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.is_multiplexed.load(Ordering::SeqCst)
    }
}

impl InProgress {
    /// A body that ends the request when it ends itself.
    pub(super) fn until_the_end_of(self, body: Body) -> Body {
        Body::new(Answering { body, _request: self })
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.completed.fetch_add(1, Ordering::SeqCst);
        self.0.in_progress.fetch_sub(1, Ordering::SeqCst);
    }
}

impl http_body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
