//! The replies and events of a connection that the socket has not taken yet.

use std::time::{Duration, Instant};

/// If more than this is unsent when a reply is added, the server closes the connection.
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;
/// While this much is unsent, no further request is executed. So replies alone never reach
/// [`OUTBOX_BYTES_MAX`].
pub(super) const OUTBOX_BYTES_BUSY: usize = 64 * 1024;
/// How long a write may make no progress.
pub const WRITE_WAIT: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Default)]
pub(super) struct Outbox {
    pub(super) bytes: Vec<u8>,
    /// The number of `bytes` that were sent.
    sent: usize,
    /// When to close the connection, unless the socket takes something before.
    pub(super) write_by: Option<Instant>,
}

impl Outbox {
    /// The bytes to send next.
    pub(super) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Whether so much is unsent that no request is executed and no stream reads.
    pub(super) fn is_congested(&self) -> bool {
        self.unsent().len() >= OUTBOX_BYTES_BUSY
    }

    /// Records that bytes of [`Self::unsent`] were sent: 0 if the socket accepts no more. An empty
    /// outbox holds no memory.
    pub(super) fn sent(&mut self, count: usize, now: Instant) {
        self.sent += count;
        if self.sent > OUTBOX_BYTES_BUSY {
            self.bytes.drain(..std::mem::take(&mut self.sent));
        }
        if self.sent == self.bytes.len() {
            self.bytes = Vec::new();
            self.sent = 0;
            self.write_by = None;
        } else if count > 0 || self.write_by.is_none() {
            self.write_by = Some(now + WRITE_WAIT);
        }
    }
}
