//! The lookout: a thread that looks at intervals whether the database still holds the promise. Its
//! connection writes nothing, so it sees a lost standby while every writer waits for one.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::store::postgres::durability;
use crate::store::postgres::error::Result;
use crate::store::postgres::promise::Promised;
use crate::store::postgres::session::{Opener, Session};

/// A running lookout.
pub(in crate::store) struct Lookout {
    thread: Thread,
    is_closing: Arc<AtomicBool>,
}

/// The state of the thread.
struct Looking {
    opener: Opener,
    promised: Arc<Promised>,
    session: Option<Session>,
    is_closing: Arc<AtomicBool>,
    /// The last look failed.
    is_blind: bool,
}

impl Lookout {
    /// Starts the thread, which looks at once, and then after each `interval`.
    pub(in crate::store) fn start(
        opener: Opener,
        promised: Arc<Promised>,
        interval: Duration,
    ) -> io::Result<Self> {
        let is_closing = Arc::<AtomicBool>::default();
        let mut looking = Looking {
            opener,
            promised,
            session: None,
            is_closing: Arc::clone(&is_closing),
            is_blind: false,
        };
        let join = thread::Builder::new()
            .name("lookout".to_owned())
            .spawn(move || looking.run(interval))?;
        Ok(Self { thread: join.thread().clone(), is_closing })
    }

    /// Ends the thread, without waiting for it: a database that is silent does not delay the stop.
    pub(in crate::store) fn close(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Looking {
    fn run(&mut self, interval: Duration) {
        while !self.is_closing.load(Ordering::SeqCst) {
            let next = Instant::now() + interval;
            let outcome = self.look();
            if let Err(error) = &outcome {
                self.session = None;
                self.promised.note_unknown();
                if !self.is_blind {
                    tracing::warn!(%error, "what the database promises is not known for now");
                }
            }
            self.is_blind = outcome.is_err();
            self.wait_until(next);
        }
    }

    fn look(&mut self) -> Result<()> {
        let session = match self.session.take().filter(|session| !session.client.is_closed()) {
            Some(session) => self.session.insert(session),
            None => self.session.insert(self.opener.open()?),
        };
        let found = durability::look(&mut session.client)?;
        // The server log has what is missing.
        let _ = self.promised.note(found);
        let row = session.query_one(
            "SELECT count(*) FROM chat.nodes WHERE heard_at > chat.now_ms() - 3000",
            &[],
        )?;
        self.promised.note_nodes(row.get::<_, i64>(0).unsigned_abs());
        Ok(())
    }

    fn wait_until(&self, next: Instant) {
        while !self.is_closing.load(Ordering::SeqCst) {
            let left = next.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::park_timeout(left);
        }
    }
}
