//! Whether the server is ready: whether it can store a message durably.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::model::Timestamp;
use crate::service::Service;
use crate::store::{StoreError, WriteProbe};

/// A commit this recent shows that the next one will succeed too, so a busy server gets no extra
/// write.
const RECENT_COMMIT: Duration = Duration::from_secs(1);
/// How long a request for readiness waits for the probe write.
const READY_WAIT: Duration = Duration::from_secs(2);

/// The state of the probe write. At most one runs at a time, however many clients ask.
#[derive(Default)]
pub(super) struct Readiness {
    probe: Mutex<Option<watch::Receiver<Option<State>>>>,
}

/// The readiness of the server.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// A durable write succeeded.
    Ready,
    /// A durable write failed, for this reason.
    NotReady(String),
}

impl Readiness {
    /// Returns the readiness. Without a recent commit, it waits for a probe write, up to
    /// [`READY_WAIT`].
    pub(super) async fn check(&self, service: &Service) -> State {
        let node = service.store().standing().node;
        if node.is_some_and(|node| !node.is_promised) {
            let problem = "the database does not hold the durability: writes are refused";
            return State::NotReady(problem.to_owned());
        }
        let since = service.store().metrics().since_last_commit();
        if since.is_some_and(|since| since < RECENT_COMMIT) {
            return State::Ready;
        }
        let mut probe = self.probe(service);
        let ended = tokio::time::timeout(READY_WAIT, probe.wait_for(Option::is_some)).await;
        match ended {
            Ok(Ok(state)) => state.clone().unwrap_or(State::Ready),
            Ok(Err(_)) => State::NotReady("the writer has ended".to_owned()),
            Err(_) => {
                let wait = READY_WAIT.as_secs();
                State::NotReady(format!("the writer has not answered for {wait} s"))
            }
        }
    }

    /// The probe write that runs, or a new one. A result is for the clients that waited for it.
    fn probe(&self, service: &Service) -> watch::Receiver<Option<State>> {
        let mut probe = self.probe.lock().unwrap_or_else(PoisonError::into_inner);
        let is_running = |probe: &watch::Receiver<Option<State>>| {
            probe.has_changed().is_ok() && probe.borrow().is_none()
        };
        if let Some(running) = probe.as_ref().filter(|probe| is_running(probe)) {
            return running.clone();
        }
        let (sender, receiver) = watch::channel(None);
        service.store().write(WriteProbe(Timestamp::now()), move |written| {
            sender.send_replace(Some(state_after(written)));
        });
        *probe = Some(receiver.clone());
        receiver
    }
}

fn state_after(written: Result<(), StoreError>) -> State {
    match written {
        Ok(()) => State::Ready,
        Err(StoreError::Busy) => State::NotReady(
            "the database is busy: another program holds it, or too much is waiting".to_owned(),
        ),
        Err(error) => State::NotReady(error.to_string()),
    }
}
