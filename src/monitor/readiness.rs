//! Whether the server is ready: whether it can store a message durably.

use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Duration;

use crate::model::Timestamp;
use crate::service::Service;
use crate::store::{StoreError, WriteProbe};
use crate::system::Waker;

/// A commit this recent shows that the next one will succeed too, so a busy server gets no extra
/// write.
const RECENT_COMMIT: Duration = Duration::from_secs(1);

/// The state of the probe write. At most one runs at a time, however many clients ask.
#[derive(Default)]
pub(super) struct Readiness {
    probe: Option<Receiver<Result<(), StoreError>>>,
}

/// The readiness of the server.
pub(super) enum State {
    /// A durable write succeeded.
    Ready,
    /// A durable write failed, for this reason.
    NotReady(String),
    /// A probe write is running.
    Pending,
}

impl Readiness {
    /// Returns the readiness. Without a recent commit, it starts a probe write, and `waker` wakes
    /// the monitor when that write ends.
    pub(super) fn check(&mut self, service: &Service, waker: &Waker) -> State {
        let node = service.store().standing().node;
        if node.is_some_and(|node| !node.is_promised) {
            let problem = "the database does not hold the durability: writes are refused";
            return State::NotReady(problem.to_owned());
        }
        let since = service.store().metrics().since_last_commit();
        if since.is_some_and(|since| since < RECENT_COMMIT) {
            return State::Ready;
        }
        // The event loop reports the result to all waiting clients at once. If this client took it,
        // the others would wait until their deadline and get the answer that the server is not ready.
        if self.probe.is_some() {
            return State::Pending;
        }
        let (sender, receiver) = mpsc::channel();
        let waker = waker.clone();
        service.store().write(WriteProbe(Timestamp::now()), move |written| {
            let _ = sender.send(written);
            waker.wake();
        });
        self.probe = Some(receiver);
        self.poll()
    }

    /// The result of the probe write. A result is reported once; afterwards a new write is needed.
    pub(super) fn poll(&mut self) -> State {
        let Some(probe) = &self.probe else { return State::Pending };
        let state = match probe.try_recv() {
            Err(TryRecvError::Empty) => return State::Pending,
            Ok(Ok(())) => State::Ready,
            Ok(Err(StoreError::Busy)) => State::NotReady(
                "the database is busy: another program holds it, or too much is waiting".to_owned(),
            ),
            Ok(Err(error)) => State::NotReady(error.to_string()),
            Err(TryRecvError::Disconnected) => State::NotReady("the writer has ended".to_owned()),
        };
        self.probe = None;
        state
    }
}
