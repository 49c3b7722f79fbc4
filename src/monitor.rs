//! The monitor: metrics, health and a status page over HTTP, on a listener of its own. It reads the
//! counters of the other layers on request; those layers do not depend on it.
//!
//! It serves the server's own machine or a trusted network: there is no authentication. Its output
//! contains no user names and no messages.

mod exposition;
mod history;
mod pages;
mod readiness;
mod status;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, SystemTime};

use axum::Router;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::http::Traffic;
use crate::log::Log;
use crate::server;
use crate::service::Service;
use crate::store::Totals;
use history::History;
use readiness::Readiness;

/// The most connections at a time. A new one replaces the oldest connection without a request in
/// progress, or else the oldest of all.
pub const CONNECTIONS_MAX: usize = 32;
/// How often users and sessions are counted: in intervals of the history.
const TOTALS_EVERY: u32 = 5;
/// How long the first count may take.
const TOTALS_WAIT: Duration = Duration::from_secs(60);

/// What the monitor reports on.
pub struct Sources {
    /// The service, which also gives access to the store.
    pub service: Arc<Service>,
    /// The server's metrics.
    pub server: Arc<server::Metrics>,
    /// The requests over HTTP.
    pub http: Arc<Traffic>,
    /// The server log, whose queue is reported.
    pub log: Log,
}

/// The monitor's pages, and what they show.
pub struct Monitor {
    sources: Sources,
    /// The server is stopping.
    stopping: AtomicBool,
    readiness: Readiness,
    totals: Arc<Mutex<Totals>>,
    history: Mutex<History>,
    started_at: SystemTime,
}

impl Monitor {
    /// Creates the monitor. Blocks until the users and sessions were counted once.
    ///
    /// # Errors
    /// The first count failed or took too long.
    pub fn new(sources: Sources) -> io::Result<Arc<Self>> {
        let totals = Arc::new(Mutex::new(first_totals(&sources.service)?));
        let history = Mutex::new(History::new(&sources));
        Ok(Arc::new(Self {
            sources,
            stopping: AtomicBool::new(false),
            readiness: Readiness::default(),
            totals,
            history,
            started_at: SystemTime::now(),
        }))
    }

    /// The pages.
    pub fn router(self: &Arc<Self>) -> Router {
        pages::router(Arc::clone(self))
    }

    /// Reports the server as not ready from now on, because it is stopping.
    pub fn note_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    /// Keeps the history and the counts of users and sessions up to date. Never ends.
    pub async fn keep_counting(self: Arc<Self>) {
        let mut ticks = interval_at(Instant::now() + history::INTERVAL, history::INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for tick in 1_u32.. {
            ticks.tick().await;
            if tick % TOTALS_EVERY == 0 {
                self.count_totals();
            }
            let monitor = Arc::clone(&self);
            // A panic was logged, and the next interval is a new one.
            let _ = tokio::task::spawn_blocking(move || {
                monitor.history().look(&monitor.sources);
            })
            .await;
        }
    }

    /// Starts a count of users and sessions. Responses use the last result.
    fn count_totals(&self) {
        let found = Arc::clone(&self.totals);
        self.sources.service.count_totals(move |totals| {
            // A failed count is repeated after the next interval.
            if let Ok(totals) = totals {
                *found.lock().unwrap_or_else(PoisonError::into_inner) = totals;
            }
        });
    }

    fn totals(&self) -> Totals {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// Counts users and sessions before the first response.
fn first_totals(service: &Service) -> io::Result<Totals> {
    let (sender, receiver) = mpsc::channel();
    service.count_totals(move |totals| {
        let _ = sender.send(totals);
    });
    let totals = receiver.recv_timeout(TOTALS_WAIT).map_err(io::Error::other)?;
    totals.map_err(io::Error::other)
}
