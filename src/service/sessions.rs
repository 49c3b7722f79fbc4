//! The sessions in use, in memory. Looking up a request's token needs no access to the store. The
//! last use of a session is recorded here and stored once a minute.

use std::collections::{HashMap, hash_map};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use foldhash::fast::RandomState;

use crate::adjustable::Adjustable;
use crate::model::{SessionId, Timestamp, TokenHash, UserId};
use crate::store::{Endable, StoredSession};

/// Above this many sessions in memory, unused ones are removed from memory. The store still has
/// them.
const SESSIONS_IN_MEMORY: usize = 10_000;
/// A session that was not used for this long counts as unused.
const NOT_IN_USE: Duration = Duration::from_secs(3600);
/// How long the client of a displaced session gets the reason.
const DISPLACED_TOLD_FOR: Duration = Duration::from_secs(24 * 3600);

/// A session that has not ended.
#[derive(Debug)]
pub struct LiveSession {
    pub(super) id: SessionId,
    pub(super) token: TokenHash,
    pub(super) user: UserId,
    expires_at: Timestamp,
    /// The last use, and the last use known to the store, in milliseconds as [`Timestamp`].
    seen: AtomicI64,
    stored_seen: AtomicI64,
    /// The number of its open streams.
    streams: AtomicUsize,
    /// Its end may have been missed: see [`Sessions::doubt_all`].
    in_doubt: AtomicBool,
}

impl LiveSession {
    /// The user of the session.
    pub fn user(&self) -> UserId {
        self.user
    }
}

/// The result of looking up a token.
pub(super) enum Lookup {
    /// The session is live. The lookup counts as a use.
    Live(Arc<LiveSession>),
    /// The session has ended.
    Ended(EndReason),
    /// The session has expired. This lookup found it first.
    Expired(SessionId),
    /// The token is not in memory, or in doubt there: the store knows.
    Unknown,
}

/// Why a session has ended, as its client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReason {
    /// Its user or an operator ended it, or it expired.
    Any,
    /// A login of the same user displaced it, because the user had the maximum number of sessions.
    Displaced,
}

/// An open stream of a session. A session with an open stream is never displaced.
#[derive(Debug)]
pub(super) struct OpenStream(Arc<LiveSession>);

impl OpenStream {
    pub(super) fn of(session: &Arc<LiveSession>) -> Self {
        session.streams.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(session))
    }

    pub(super) fn session(&self) -> &LiveSession {
        &self.0
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A fast hash function is safe: clients cannot choose the keys, which are hashes of generated
/// tokens.
type Entries = HashMap<TokenHash, Entry, RandomState>;

#[derive(Debug)]
enum Entry {
    Live(Arc<LiveSession>),
    /// The session ended a moment ago. The entry stays until the next sweep but one, so that a
    /// request that has just read the session from the store cannot insert it again.
    Ended {
        swept: bool,
        /// When the session was displaced. The entry stays for [`DISPLACED_TOLD_FOR`] then.
        displaced: Option<Timestamp>,
    },
}

#[derive(Debug)]
pub(super) struct Sessions {
    entries: RwLock<Entries>,
    idle: Adjustable<Duration>,
    /// How often all sessions came into doubt.
    doubts: AtomicU64,
}

/// A question to the store about a session. Its answer is worth nothing if all sessions come into
/// doubt meanwhile.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    doubts: u64,
}

impl Sessions {
    pub(super) fn new(idle: Adjustable<Duration>) -> Self {
        Self { entries: RwLock::default(), idle, doubts: AtomicU64::new(0) }
    }

    /// Looks up a token and records the use of its session.
    pub(super) fn find(&self, token: &TokenHash, now: Timestamp) -> Lookup {
        let session = match self.read().get(token) {
            Some(Entry::Live(session)) => Arc::clone(session),
            Some(Entry::Ended { displaced, .. }) => {
                return Lookup::Ended(displaced.map_or(EndReason::Any, |_| EndReason::Displaced));
            }
            None => return Lookup::Unknown,
        };
        if session.in_doubt.load(Ordering::SeqCst) {
            return Lookup::Unknown;
        }
        let seen = Timestamp(session.seen.load(Ordering::Relaxed));
        if now >= session.expires_at || now >= seen.plus(self.idle.get()) {
            self.end(*token);
            return Lookup::Expired(session.id);
        }
        session.seen.fetch_max(now.0, Ordering::Relaxed);
        Lookup::Live(session)
    }

    /// Begins a question to the store about a session.
    pub(super) fn ask(&self) -> Question {
        Question { doubts: self.doubts.load(Ordering::SeqCst) }
    }

    /// Inserts a session that the store gave as the answer to this question, unless it has ended
    /// since. It is no longer in doubt. The session of a disabled user counts as ended. Returns
    /// whether the answer is worth something.
    pub(super) fn insert(
        &self,
        token: TokenHash,
        stored: StoredSession,
        Question { doubts }: Question,
    ) -> bool {
        if stored.disabled {
            return true;
        }
        let mut entries = self.write();
        if self.doubts.load(Ordering::SeqCst) != doubts {
            return false;
        }
        match entries.entry(token) {
            hash_map::Entry::Occupied(entry) => {
                if let Entry::Live(session) = entry.get() {
                    session.in_doubt.store(false, Ordering::SeqCst);
                }
            }
            hash_map::Entry::Vacant(entry) => {
                entry.insert(Entry::Live(Arc::new(LiveSession {
                    id: stored.id,
                    token,
                    user: stored.user,
                    expires_at: stored.expires_at,
                    seen: AtomicI64::new(stored.last_seen_at.0),
                    stored_seen: AtomicI64::new(stored.last_seen_at.0),
                    streams: AtomicUsize::new(0),
                    in_doubt: AtomicBool::new(false),
                })));
            }
        }
        true
    }

    /// Ends the session of a token. If it has ended already, the reason stays: another server may
    /// report the end again.
    pub(super) fn end(&self, token: TokenHash) {
        match self.write().entry(token) {
            hash_map::Entry::Occupied(mut entry) => match entry.get_mut() {
                Entry::Ended { swept, .. } => *swept = false,
                live => *live = Entry::Ended { swept: false, displaced: None },
            },
            hash_map::Entry::Vacant(entry) => {
                entry.insert(Entry::Ended { swept: false, displaced: None });
            }
        }
    }

    /// The ends of any sessions may have been missed. So the next request or read of each asks the
    /// store. The sessions stay in memory, because they count their streams.
    pub(super) fn doubt_all(&self) {
        let entries = self.write();
        self.doubts.fetch_add(1, Ordering::SeqCst);
        for entry in entries.values() {
            if let Entry::Live(session) = entry {
                session.in_doubt.store(true, Ordering::SeqCst);
            }
        }
    }

    /// Ends the sessions of several tokens.
    pub(super) fn end_all(&self, tokens: impl IntoIterator<Item = TokenHash>) {
        for token in tokens {
            self.end(token);
        }
    }

    /// Chooses `count` of a user's sessions to displace: the least recently used ones without an
    /// open stream. `None` if there are not enough of them.
    pub(super) fn choose_to_end(&self, held: Vec<Endable>, count: usize) -> Option<Vec<Endable>> {
        let entries = self.read();
        let mut idle: Vec<(Timestamp, Endable)> = Vec::with_capacity(held.len());
        for session in held {
            let seen = match entries.get(&session.token) {
                Some(Entry::Live(live)) if live.streams.load(Ordering::SeqCst) > 0 => continue,
                Some(Entry::Live(live)) => live.seen.load(Ordering::Relaxed),
                _ => session.last_seen_at.0,
            };
            idle.push((Timestamp(seen), session));
        }
        if idle.len() < count {
            return None;
        }
        idle.sort_unstable_by_key(|(seen, session)| (*seen, session.id));
        Some(idle.into_iter().take(count).map(|(_, session)| session).collect())
    }

    /// Ends a session to make room. Its client gets the reason for [`DISPLACED_TOLD_FOR`].
    pub(super) fn displace(&self, token: TokenHash, now: Timestamp) {
        self.write().insert(token, Entry::Ended { swept: false, displaced: Some(now) });
    }

    /// The sessions used since the last call, with the time of their last use. Also removes entries
    /// that are no longer needed.
    pub(super) fn take_seen(&self, now: Timestamp) -> Vec<(SessionId, Timestamp)> {
        let mut entries = self.write();
        let crowded = entries.len() > SESSIONS_IN_MEMORY;
        let in_use_after = now.minus(NOT_IN_USE).0;
        let mut taken = Vec::new();
        entries.retain(|_, entry| match entry {
            Entry::Live(session) => {
                let seen = session.seen.load(Ordering::Relaxed);
                if session.stored_seen.swap(seen, Ordering::Relaxed) != seen {
                    taken.push((session.id, Timestamp(seen)));
                }
                let is_idle = session.streams.load(Ordering::SeqCst) == 0;
                // One in doubt may have ended long ago.
                let is_wanted = !session.in_doubt.load(Ordering::SeqCst);
                !is_idle || is_wanted && (!crowded || seen > in_use_after)
            }
            Entry::Ended { swept, displaced } => {
                let is_told = displaced.is_some_and(|at| now < at.plus(DISPLACED_TOLD_FOR));
                !std::mem::replace(swept, true) || (is_told && !crowded)
            }
        });
        taken
    }

    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Token;

    const IDLE: Duration = Duration::from_secs(100);

    fn stored() -> StoredSession {
        StoredSession {
            id: SessionId(1),
            user: UserId(1),
            last_seen_at: Timestamp(0),
            expires_at: Timestamp(1_000_000),
            disabled: false,
        }
    }

    fn sessions() -> (Sessions, TokenHash) {
        let (sessions, token) = (Sessions::new(IDLE.into()), Token::generate().hash());
        sessions.insert(token, stored(), sessions.ask());
        (sessions, token)
    }

    fn lives(sessions: &Sessions, token: TokenHash, now: i64) -> bool {
        matches!(sessions.find(&token, Timestamp(now)), Lookup::Live(_))
    }

    #[test]
    fn use_keeps_a_session_until_its_lifetime_is_over() {
        let (sessions, token) = sessions();
        for now in (0..1_000_000).step_by(99_000) {
            assert!(lives(&sessions, token, now), "at {now}");
        }
        assert!(matches!(sessions.find(&token, Timestamp(1_000_000)), Lookup::Expired(_)));
    }

    #[test]
    fn unused_session_expires_and_a_clock_set_back_does_not_revive_it() {
        let (sessions, token) = sessions();
        assert!(matches!(sessions.find(&token, Timestamp(100_000)), Lookup::Expired(SessionId(1))));
        assert!(matches!(sessions.find(&token, Timestamp(0)), Lookup::Ended(EndReason::Any)));
    }

    #[test]
    fn ended_session_is_not_inserted_again_by_an_earlier_read() {
        let (sessions, token) = sessions();
        sessions.end(token);
        sessions.insert(token, stored(), sessions.ask());
        sessions.take_seen(Timestamp(1));
        sessions.insert(token, stored(), sessions.ask());
        assert!(!lives(&sessions, token, 1));
    }

    #[test]
    fn session_of_a_disabled_user_is_not_live() {
        let (sessions, token) = (Sessions::new(IDLE.into()), Token::generate().hash());
        sessions.insert(token, StoredSession { disabled: true, ..stored() }, sessions.ask());
        assert!(!lives(&sessions, token, 1));
    }

    #[test]
    fn least_recently_used_sessions_without_a_stream_are_displaced() {
        let (sessions, held): (Sessions, Vec<Endable>) = {
            let sessions = Sessions::new(IDLE.into());
            let held = (1..=4).map(|id| {
                let (id, token) = (SessionId(id), Token::generate().hash());
                sessions.insert(token, StoredSession { id, ..stored() }, sessions.ask());
                Endable { id, token, last_seen_at: Timestamp(0) }
            });
            let held = held.collect();
            (sessions, held)
        };
        let chosen = |count| {
            let chosen = sessions.choose_to_end(held.clone(), count)?;
            Some(chosen.into_iter().map(|session| session.id.0).collect::<Vec<_>>())
        };
        assert_eq!(chosen(2), Some(vec![1, 2]), "unused sessions go by age");
        assert!(lives(&sessions, held[0].token, 10));
        assert!(lives(&sessions, held[1].token, 20));
        let Lookup::Live(third) = sessions.find(&held[2].token, Timestamp(5)) else { panic!() };
        assert_eq!(chosen(3), Some(vec![4, 3, 1]));
        let streams = [OpenStream::of(&third), OpenStream::of(&third)];
        assert_eq!(chosen(3), Some(vec![4, 1, 2]));
        assert_eq!(chosen(4), None, "one session has a stream");
        drop(streams);
        assert_eq!(chosen(4), Some(vec![4, 3, 1, 2]));
    }

    #[test]
    fn displaced_session_is_reported_as_such_for_a_day() {
        let (sessions, token) = sessions();
        let is_told =
            |now| matches!(sessions.find(&token, now), Lookup::Ended(EndReason::Displaced));
        let begin = Timestamp(1);
        sessions.displace(token, begin);
        sessions.end(token);
        for hours in [1, 2, 23] {
            let now = begin.plus(Duration::from_secs(hours * 3_600));
            sessions.take_seen(now);
            assert!(is_told(now), "after {hours} h");
        }
        let now = begin.plus(DISPLACED_TOLD_FOR);
        sessions.take_seen(now);
        assert!(matches!(sessions.find(&token, now), Lookup::Unknown));
    }

    #[test]
    fn session_in_doubt_is_live_again_once_the_store_has_confirmed_it_and_keeps_its_streams() {
        let (sessions, token) = sessions();
        let Lookup::Live(session) = sessions.find(&token, Timestamp(1)) else { panic!() };
        let stream = OpenStream::of(&session);
        let earlier = sessions.ask();
        sessions.doubt_all();
        assert!(matches!(sessions.find(&token, Timestamp(2)), Lookup::Unknown));
        assert!(!sessions.insert(token, stored(), earlier), "the store was asked too early");
        assert!(matches!(sessions.find(&token, Timestamp(2)), Lookup::Unknown));
        sessions.take_seen(Timestamp(2));
        assert!(sessions.insert(token, stored(), sessions.ask()));
        let Lookup::Live(again) = sessions.find(&token, Timestamp(3)) else { panic!() };
        assert!(Arc::ptr_eq(&session, &again), "the count of its streams is lost");
        drop(stream);
        sessions.doubt_all();
        sessions.take_seen(Timestamp(4));
        assert!(sessions.read().is_empty(), "nobody asks for it again");
    }

    #[test]
    fn last_use_is_returned_once() {
        let (sessions, token) = sessions();
        assert!(sessions.take_seen(Timestamp(1)).is_empty());
        assert!(lives(&sessions, token, 5));
        assert_eq!(sessions.take_seen(Timestamp(6)), [(SessionId(1), Timestamp(5))]);
        assert!(sessions.take_seen(Timestamp(7)).is_empty());
    }
}
