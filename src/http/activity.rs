//! What a connection is doing: whether it answers a request, or waits for one, and whether its client
//! reads the answers.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// The requests of one connection. Its deadlines follow from them.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicUsize,
    in_progress: AtomicUsize,
    completed: AtomicUsize,
    is_multiplexed: AtomicBool,
    /// Since when a part of a response waits for its reader, for each such response of HTTP/2. One
    /// of them may wait while the socket writes others, so a deadline of the socket is not enough.
    unread: Mutex<HashMap<usize, Instant>>,
    /// There is an unread response.
    is_unread: Notify,
}

/// A request in progress, until it is dropped. A response's body carries it to its end.
pub(super) struct InProgress {
    activity: Arc<Activity>,
    /// Its number, if it is one of several at a time.
    number: Option<usize>,
}

/// A body that ends a request with its own end.
struct Answering {
    body: Body,
    request: InProgress,
}

impl Activity {
    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>, is_multiplexed: bool) -> InProgress {
        self.in_progress.fetch_add(1, Ordering::SeqCst);
        self.is_multiplexed.store(is_multiplexed, Ordering::SeqCst);
        let number = is_multiplexed.then(|| self.begun.fetch_add(1, Ordering::SeqCst));
        InProgress { activity: Arc::clone(self), number }
    }

    /// Whether a request is in progress.
    pub(super) fn is_busy(&self) -> bool {
        self.in_progress.load(Ordering::SeqCst) > 0
    }

    /// The number of requests that have ended.
    pub(super) fn completed(&self) -> usize {
        self.completed.load(Ordering::SeqCst)
    }

    /// Waits until a part of a response of HTTP/2 has waited for its reader for so long.
    pub(super) async fn unread_for(&self, wait: Duration) {
        loop {
            // The guard is not held while waiting.
            let oldest = self.unread().values().min().copied();
            match oldest {
                None => self.is_unread.notified().await,
                Some(since) if since.elapsed() >= wait => return,
                Some(since) => sleep_until(since + wait).await,
            }
        }
    }

    fn unread(&self) -> MutexGuard<'_, HashMap<usize, Instant>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether requests overlap on this connection, as in HTTP/2.
    pub(super) fn is_multiplexed(&self) -> bool {
        self.is_multiplexed.load(Ordering::SeqCst)
    }
}

impl InProgress {
    /// A body that ends the request when it ends itself.
    pub(super) fn until_the_end_of(self, body: Body) -> Body {
        Body::new(Answering { body, request: self })
    }

    /// A part of the response waits for its reader.
    fn note_unread(&self) {
        let Some(number) = self.number else { return };
        self.activity.unread().insert(number, Instant::now());
        self.activity.is_unread.notify_one();
    }

    /// No part of the response waits.
    fn note_read(&self) {
        if let Some(number) = self.number {
            self.activity.unread().remove(&number);
        }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.note_read();
        self.activity.completed.fetch_add(1, Ordering::SeqCst);
        self.activity.in_progress.fetch_sub(1, Ordering::SeqCst);
    }
}

impl http_body::Body for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // hyper asks for a part when the one before has gone to the client's window.
        self.request.note_read();
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(Some(Ok(_)))) {
            self.request.note_unread();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
