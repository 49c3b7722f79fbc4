//! The sessions and access tokens in use, in memory. Looking up a request's token needs no access
//! to the store. The last use of each is recorded here and stored once a minute.

use std::collections::{HashMap, hash_map};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use foldhash::fast::RandomState;

use super::throttle::Network;
use crate::adjustable::Adjustable;
use crate::model::{SessionId, Timestamp, TokenHash, UserId};
use crate::store::{Access, Endable, StoredSession, TokenUse};

/// Above this many sessions in memory, unused ones are removed from memory. The store still has
/// them.
const SESSIONS_IN_MEMORY: usize = 10_000;
/// A session that was not used for this long counts as unused.
const NOT_IN_USE: Duration = Duration::from_secs(3600);
/// How long the client of a displaced session gets the reason.
const DISPLACED_TOLD_FOR: Duration = Duration::from_secs(24 * 3600);

/// A session that has not ended, or an access token that is valid: what a request acts for.
#[derive(Debug)]
pub struct LiveSession {
    /// The number of the session; 0 for an access token, which has no right that needs it.
    pub(super) id: SessionId,
    pub(super) token: TokenHash,
    pub(super) user: UserId,
    /// What it grants, if it is an access token.
    pub(super) access: Option<Access>,
    /// From where an access token was last used.
    used_from: Mutex<Option<Network>>,
    expires_at: Timestamp,
    /// The last use, and the last use known to the store, in milliseconds as [`Timestamp`].
    seen: AtomicI64,
    stored_seen: AtomicI64,
    /// The number of its open streams.
    streams: AtomicUsize,
    /// Its open connections and streams.
    open: Mutex<Open>,
    /// Its end may have been missed: see [`Sessions::doubt_all`].
    in_doubt: AtomicBool,
}

impl LiveSession {
    /// The user of the session.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// No statement leaves the value half changed when it panics.
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes from where it is used. Only that of access tokens is stored.
    pub(super) fn note_use_from(&self, network: Network) {
        if self.access.is_some() {
            *self.used_from.lock().unwrap_or_else(PoisonError::into_inner) = Some(network);
        }
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
    /// The access token has expired. The next sweep removes it from the store.
    TokenExpired,
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

/// What a session has open.
#[derive(Debug, Default)]
struct Open {
    count: usize,
    /// Since when there is something.
    since: Option<Timestamp>,
}

/// An open connection that was last used for a session, or a stream of the session. As long as there
/// is one, the user counts as connected.
#[derive(Debug)]
pub struct OpenConnection(Arc<LiveSession>);

impl OpenConnection {
    /// Opens a connection.
    pub fn of(session: &Arc<LiveSession>) -> Self {
        let mut open = session.open();
        open.count += 1;
        open.since.get_or_insert_with(Timestamp::now);
        drop(open);
        Self(Arc::clone(session))
    }

    /// The session.
    pub fn session(&self) -> &Arc<LiveSession> {
        &self.0
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut open = self.0.open();
        open.count = open.count.saturating_sub(1);
        if open.count == 0 {
            open.since = None;
        }
    }
}

/// An open stream of a session. A session with an open stream is never displaced.
#[derive(Debug)]
pub(super) struct OpenStream(OpenConnection);

impl OpenStream {
    pub(super) fn of(session: &Arc<LiveSession>) -> Self {
        session.streams.fetch_add(1, Ordering::SeqCst);
        Self(OpenConnection::of(session))
    }

    pub(super) fn session(&self) -> &LiveSession {
        self.0.session()
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.session().streams.fetch_sub(1, Ordering::SeqCst);
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

/// What was used since the store was last told.
#[derive(Debug, Default)]
pub(super) struct Used {
    pub(super) sessions: Vec<(SessionId, Timestamp)>,
    pub(super) tokens: Vec<TokenUse>,
}

impl Used {
    fn add(&mut self, session: &LiveSession, at: Timestamp) {
        match &session.access {
            None => self.sessions.push((session.id, at)),
            Some(access) => {
                let from = *session.used_from.lock().unwrap_or_else(PoisonError::into_inner);
                let from = from.map_or_else(String::new, |network| network.to_string());
                self.tokens.push(TokenUse { id: access.id, at, from });
            }
        }
    }
}

#[derive(Debug)]
pub(super) struct Sessions {
    entries: RwLock<Entries>,
    idle: Adjustable<Duration>,
    /// How often sessions came into doubt, and users may have changed.
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
        // An access token waits for its next use as long as it may.
        let is_idle = session.access.is_none() && now >= seen.plus(self.idle.get());
        if now >= session.expires_at || is_idle {
            self.end(*token);
            return match session.access {
                None => Lookup::Expired(session.id),
                Some(_) => Lookup::TokenExpired,
            };
        }
        session.seen.fetch_max(now.0, Ordering::Relaxed);
        Lookup::Live(session)
    }

    /// The users who are connected to this server, each with the time since when. This is no use of
    /// their sessions.
    pub(super) fn connected(&self, now: Timestamp) -> HashMap<UserId, Timestamp> {
        let mut connected: HashMap<UserId, Timestamp> = HashMap::new();
        for entry in self.read().values() {
            let Entry::Live(session) = entry else { continue };
            let Some(since) = session.open().since.filter(|_| now < session.expires_at) else {
                continue;
            };
            let first = connected.entry(session.user).or_insert(since);
            *first = since.min(*first);
        }
        connected
    }

    /// Begins a question to the store about a session.
    pub(super) fn ask(&self) -> Question {
        Question { doubts: self.doubts() }
    }

    /// How often sessions came into doubt.
    pub(super) fn doubts(&self) -> u64 {
        self.doubts.load(Ordering::SeqCst)
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
        if self.doubts() != doubts {
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
                    access: stored.access,
                    used_from: Mutex::default(),
                    expires_at: stored.expires_at,
                    seen: AtomicI64::new(stored.last_seen_at.0),
                    stored_seen: AtomicI64::new(stored.last_seen_at.0),
                    streams: AtomicUsize::new(0),
                    open: Mutex::default(),
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

    /// The access tokens of a user may have become valid or invalid. So the next request or read of
    /// each asks the store.
    pub(super) fn doubt_tokens(&self, user: UserId) {
        let entries = self.write();
        self.doubts.fetch_add(1, Ordering::SeqCst);
        for entry in entries.values() {
            if let Entry::Live(session) = entry
                && session.user == user
                && session.access.is_some()
            {
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

    /// The sessions and access tokens used since the last call, with the time of their last use.
    /// Also removes entries that are no longer needed.
    pub(super) fn take_seen(&self, now: Timestamp) -> Used {
        let mut entries = self.write();
        let crowded = entries.len() > SESSIONS_IN_MEMORY;
        let in_use_after = now.minus(NOT_IN_USE).0;
        let mut taken = Used::default();
        entries.retain(|_, entry| match entry {
            Entry::Live(session) => {
                let seen = session.seen.load(Ordering::Relaxed);
                if session.stored_seen.swap(seen, Ordering::Relaxed) != seen {
                    taken.add(session, Timestamp(seen));
                }
                let is_idle = session.streams.load(Ordering::SeqCst) == 0;
                let is_unused = session.open().count == 0 && seen <= in_use_after;
                // One in doubt may have ended long ago.
                let is_wanted = !session.in_doubt.load(Ordering::SeqCst);
                !is_idle || is_wanted && !(crowded && is_unused)
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
mod tests;
