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
                        let took = begun.elapsed();
                        if shared.metrics.since_last_commit().is_some_and(|since| since < took) {
                            thread::park_timeout(REST * took);
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
