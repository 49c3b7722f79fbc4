//! What the service tells a connection, and the reading of its stream.

use std::time::{Duration, Instant};

use super::{Connection, PendingRequest};
use crate::protocol::refusal::Refusal;
use crate::protocol::reply::Reply;
use crate::server::metrics::RequestResult;
use crate::service::{Outcome, StreamPage};

impl Connection {
    /// Takes an outcome. Returns the request that it answers, if there is one.
    pub fn take_outcome(
        &mut self,
        sequence: u32,
        outcome: Outcome,
        heartbeat: Duration,
        now: Instant,
    ) -> Option<(PendingRequest, RequestResult)> {
        match outcome {
            Outcome::Reply(reply) => {
                let result = match &reply {
                    Reply::Refused(Refusal { code, .. }) => Some(*code),
                    _ => None,
                };
                Some((self.answer(sequence, reply)?, result))
            }
            Outcome::Stream(watching, watcher) => {
                let after = watching.after;
                let pending = self.answer(sequence, Reply::Watching(watching));
                self.begin_stream(sequence, after, heartbeat, now);
                self.watcher = Some(watcher);
                Some((pending?, None))
            }
            Outcome::Page(page) => {
                if !self.push_events(sequence, page, now) {
                    self.watcher = None;
                }
                None
            }
        }
    }

    /// Reads the stream's next page, if a read is due, and sends a page that is in memory. Returns
    /// whether there is more after it.
    pub fn read_stream(&mut self, now: Instant) -> bool {
        let Some(after) = self.next_read(now) else { return false };
        let Some(page) = self.watcher.as_ref().and_then(|watcher| watcher.read(after)) else {
            return false;
        };
        let more = matches!(page, StreamPage::Messages { more: true, .. });
        if !self.push_events_now(page, now) {
            self.watcher = None;
        }
        more
    }
}
