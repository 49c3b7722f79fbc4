//! A connection that is opened again after it broke.

use std::time::{Duration, Instant};

use crate::store::postgres::error::{Error, Result};
use crate::store::postgres::session::{Opener, Session};

/// How long to wait after a failed attempt to connect.
const PAUSE: Duration = Duration::from_millis(100);

/// A connection of a node, open or not.
pub(in crate::store) struct Link {
    opener: Opener,
    node: i64,
    session: Option<Session>,
    /// When the last attempt to connect failed.
    failed: Option<Instant>,
    /// Since when the server log says that the database cannot be used.
    away_since: Option<Instant>,
}

impl Link {
    /// Takes over an open connection, which is proven.
    pub(in crate::store) fn new(opener: Opener, node: i64, session: Session) -> Self {
        Self { opener, node, session: Some(session), failed: None, away_since: None }
    }

    /// Whether the connection is open, as far as is known.
    pub(in crate::store) fn is_open(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.client.is_closed())
    }

    /// The connection. Opens it if it is not open: its database then holds the promise, and a
    /// synchronous write has returned on it.
    pub(in crate::store) fn session(&mut self) -> Result<&mut Session> {
        if !self.is_open() {
            self.session = None;
            self.pause();
            let opened = self.opener.open_checked().and_then(|mut session| {
                session.prove(self.node)?;
                Ok(session)
            });
            let session = opened.inspect_err(|error| {
                self.failed = Some(Instant::now());
                self.report(error);
            })?;
            self.session = Some(session);
            if let Some(since) = self.away_since.take() {
                let seconds = since.elapsed().as_secs_f64();
                tracing::info!(seconds, "the database can be used again");
            }
        }
        match &mut self.session {
            Some(session) => Ok(session),
            None => Err(Error::Unexpected("no connection")),
        }
    }

    /// Closes the connection, because it broke.
    pub(in crate::store) fn drop_session(&mut self, error: &Error) {
        self.session = None;
        self.report(error);
    }

    /// Logs the first error since the connection was last open.
    fn report(&mut self, error: &Error) {
        if !error.is_logged() && self.away_since.is_none() {
            tracing::warn!(%error, "the database cannot be used; the server tries again");
            self.away_since = Some(Instant::now());
        }
    }

    /// Waits until [`PAUSE`] after the last failed attempt.
    fn pause(&mut self) {
        if let Some(failed) = self.failed.take() {
            std::thread::sleep(PAUSE.saturating_sub(failed.elapsed()));
        }
    }
}
