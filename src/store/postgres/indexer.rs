//! The indexer: a thread that has the words of new messages indexed, for searches.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use crate::store::postgres::link::Link;
use crate::store::postgres::shared::Shared;
use crate::store::postgres::words::{self, Step};

/// How often the indexer looks for new messages.
const INTERVAL: Duration = Duration::from_secs(1);
/// The rest after a step, in times of the step, while this server stores messages: the database's
/// processors are for the senders first.
const REST: u32 = 8;
/// The longest rest. A step may have waited long, for the database or for a purge, and a search looks
/// at every message that is not indexed.
const REST_MAX: Duration = Duration::from_secs(10);

/// A running indexer.
pub(in crate::store) struct Indexer {
    thread: Thread,
    join: JoinHandle<()>,
}

impl Indexer {
    /// Starts the thread, which works over `link`.
    pub(in crate::store) fn start(mut link: Link, shared: Arc<Shared>) -> io::Result<Self> {
        let join = thread::Builder::new().name("indexer".to_owned()).spawn(move || {
            while !shared.is_closing() {
                let begun = Instant::now();
                match link.session().and_then(words::index_some) {
                    Ok(Step::Indexed) => {
                        let rest = rest(begun.elapsed(), shared.metrics.since_last_commit());
                        if !rest.is_zero() {
                            thread::park_timeout(rest);
                        }
                        continue;
                    }
                    Ok(Step::Nothing) => {}
                    Err(error) => link.drop_session(&error),
                }
                if !shared.is_closing() {
                    thread::park_timeout(INTERVAL);
                }
            }
        })?;
        Ok(Self { thread: join.thread().clone(), join })
    }

    /// Wakes the thread, to see that the store closes, and waits for its end.
    pub(in crate::store) fn join(self) {
        self.thread.unpark();
        // A panic of it changes no answer.
        let _ = self.join.join();
    }
}

/// How long to rest after a step that took so long. The last commit of this server was so long ago.
fn rest(took: Duration, since_commit: Option<Duration>) -> Duration {
    match since_commit {
        Some(since) if since < took => took.saturating_mul(REST).min(REST_MAX),
        _ => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexer_rests_while_messages_are_stored_and_never_for_long() {
        let [short, long] = [50, 3_600_000].map(Duration::from_millis);
        assert_eq!(rest(short, None), Duration::ZERO);
        assert_eq!(rest(short, Some(short)), Duration::ZERO, "nothing was stored meanwhile");
        assert_eq!(rest(short, Some(short / 2)), 8 * short);
        assert_eq!(rest(long, Some(short)), REST_MAX);
        assert_eq!(rest(Duration::MAX, Some(short)), REST_MAX);
    }
}
