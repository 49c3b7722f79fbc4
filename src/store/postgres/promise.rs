//! What a node knows of the promise that its database holds. Every change is one line of the server
//! log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::postgres::durability::{self, Durability, Found, Shortfall};

/// The promise of a database, as the last look found it.
pub(in crate::store) struct Promised {
    asked: Durability,
    /// Whether the database held it. Set by `note` alone.
    holds: AtomicBool,
    state: Mutex<State>,
}

struct State {
    verdict: Verdict,
    known: Known,
}

/// What the server log says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// Writes are acknowledged.
    Held,
    /// Writes wait, because no synchronous standby is connected.
    Waits,
    /// Writes are refused, because this is missing.
    Broken(Vec<Shortfall>),
}

/// What was found.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct Known {
    /// See [`Found::strongest`]. `None` if the last look failed.
    pub(in crate::store) found: Option<&'static str>,
    /// How many synchronous standbys are connected, if the user may know.
    pub(in crate::store) standbys: Option<u64>,
    /// How many nodes have a lease.
    pub(in crate::store) nodes: Option<u64>,
}

impl Promised {
    /// Nothing was found yet, and nothing speaks against the promise.
    pub(in crate::store) fn new(asked: Durability) -> Self {
        let state = State { verdict: Verdict::Held, known: Known::default() };
        Self { asked, holds: AtomicBool::new(true), state: Mutex::new(state) }
    }

    /// What the operator has chosen.
    pub(in crate::store) fn asked(&self) -> Durability {
        self.asked
    }

    /// Whether the database held the promise when it was looked at last.
    pub(in crate::store) fn holds(&self) -> bool {
        self.holds.load(Ordering::SeqCst)
    }

    /// What was found last.
    pub(in crate::store) fn known(&self) -> Known {
        self.lock().known
    }

    /// Takes over what a look has found.
    ///
    /// # Errors
    /// What is missing for the promise.
    pub(in crate::store) fn note(&self, found: Found) -> Result<(), Vec<Shortfall>> {
        let decided = durability::decide(&found, self.asked);
        let verdict = match &decided {
            Ok(promise) if promise.is_waiting() => Verdict::Waits,
            Ok(_) => Verdict::Held,
            Err(missing) => Verdict::Broken(missing.clone()),
        };
        let mut state = self.lock();
        self.holds.store(decided.is_ok(), Ordering::SeqCst);
        state.known.found = Some(found.strongest());
        state.known.standbys = found.standbys.map(|standbys| standbys.len() as u64);
        if state.verdict != verdict {
            verdict.log(&state.verdict, self.asked);
            state.verdict = verdict;
        }
        decided.map(drop)
    }

    /// Takes over how many nodes have a lease.
    pub(in crate::store) fn note_nodes(&self, nodes: u64) {
        self.lock().known.nodes = Some(nodes);
    }

    /// A look has failed: what was found may be over. The promise counts as before, because a write
    /// that the database cannot make is not acknowledged anyway.
    pub(in crate::store) fn note_unknown(&self) {
        self.lock().known = Known::default();
    }

    /// No statement leaves the state half changed when it panics.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Verdict {
    fn log(&self, before: &Self, asked: Durability) {
        let durability = asked.as_str();
        match (self, before) {
            (Self::Broken(missing), _) => {
                let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                let missing = missing.join(", ");
                tracing::error!(
                    durability,
                    missing,
                    "the database does not hold the durability any more: writes are refused as busy"
                );
            }
            (Self::Held, Self::Broken(_)) => {
                tracing::info!(durability, "the database holds the durability again");
            }
            (Self::Held, _) => {
                tracing::info!(
                    durability,
                    "a synchronous standby is connected: writes are answered"
                );
            }
            (Self::Waits, _) => tracing::warn!(
                durability,
                "no synchronous standby is connected: every write waits for one"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &str, standbys: &[&str]) -> Found {
        Found {
            server_version: 150_018,
            is_in_recovery: false,
            fsync: true,
            full_page_writes: true,
            synchronous_standby_names: names.to_owned(),
            synchronous_commit: "on".to_owned(),
            standbys: Some(standbys.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn promise_is_broken_and_holds_again_with_the_settings() {
        let promised = Promised::new(Durability::Standby);
        assert_eq!(promised.note(found("ANY 1 (a)", &["a"])), Ok(()));
        assert_eq!(promised.note(found("", &["a"])), Err(vec![Shortfall::NoStandby]));
        assert!(!promised.holds());
        assert_eq!(promised.known().found, Some("local"));
        promised.note_unknown();
        assert!(!promised.holds(), "silence repairs nothing");
        assert_eq!(promised.note(found("ANY 1 (a)", &["a"])), Ok(()));
        assert!(promised.holds());
    }

    #[test]
    fn promise_holds_without_a_connected_standby_because_writes_wait() {
        let promised = Promised::new(Durability::Standby);
        assert_eq!(promised.note(found("ANY 1 (a)", &[])), Ok(()));
        assert!(promised.holds());
        assert_eq!((promised.known().found, promised.known().standbys), (Some("standby"), Some(0)));
        assert_eq!(promised.state.lock().unwrap().verdict, Verdict::Waits);
    }

    #[test]
    fn look_that_fails_makes_the_figures_unknown() {
        let promised = Promised::new(Durability::Local);
        promised.note(found("", &[])).unwrap();
        promised.note_nodes(2);
        assert_eq!(promised.known().nodes, Some(2));
        promised.note_unknown();
        let known = promised.known();
        assert_eq!((known.found, known.standbys, known.nodes), (None, None, None));
        assert!(promised.holds());
    }
}
