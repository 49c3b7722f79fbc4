//! Whether the server can do what it is there for: store a message so that it is on the disk.

use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::Duration;

use super::listening::Waker;
use crate::model::Timestamp;
use crate::service::Service;
use crate::store::{StoreError, WriteProbe};

/// A commit that ended so short a time ago shows that the next will do, too: a busy server is not
/// asked to write for this.
const RECENT_COMMIT: Duration = Duration::from_secs(1);

/// A write that is under way, to see whether writing works. One at a time, however many ask.
#[derive(Default)]
pub(super) struct Readiness {
    probe: Option<Receiver<Result<(), StoreError>>>,
}

/// What is known.
pub(super) enum Known {
    /// A durable write is possible.
    Ready,
    /// It is not, and why.
    NotReady(String),
    /// It is being tried.
    NotYet,
}

impl Readiness {
    /// Says at once where something was just committed; else has something written, and wakes with
    /// `waker` when that is known.
    pub(super) fn ask(&mut self, service: &Service, waker: &Waker) -> Known {
        let since = service.store().measures().since_last_commit();
        if since.is_some_and(|since| since < RECENT_COMMIT) {
            return Known::Ready;
        }
        if self.probe.is_none() {
            let (sender, receiver) = mpsc::channel();
            let waker = waker.clone();
            service.store().write(WriteProbe(Timestamp::now()), move |written| {
                let _ = sender.send(written);
                waker.wake();
            });
            self.probe = Some(receiver);
        }
        self.look()
    }

    /// What the write that is under way has come to.
    pub(super) fn look(&mut self) -> Known {
        let Some(probe) = &self.probe else { return Known::NotYet };
        let known = match probe.try_recv() {
            Err(TryRecvError::Empty) => return Known::NotYet,
            Ok(Ok(())) => Known::Ready,
            Ok(Err(StoreError::Busy)) => Known::NotReady(
                "the database is busy: another program holds it, or too much is waiting".to_owned(),
            ),
            Ok(Err(error)) => Known::NotReady(error.to_string()),
            Err(TryRecvError::Disconnected) => Known::NotReady("the writer has ended".to_owned()),
        };
        self.probe = None;
        known
    }
}
