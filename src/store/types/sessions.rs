//! Sessions: a client that has shown a password holds a token. The store has the token's hash.

use crate::model::{SessionId, Timestamp, TokenHash, UserId, UserName};
use crate::store::operation::{Party, Read, Write};

/// Opens a session, and ends those in `end` to make room. Where there is still none, nothing is
/// done. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// The user.
    pub user: UserId,
    /// The hash that the password was compared with; it has to be the user's still.
    pub password_hash: String,
    /// The hash of the new token.
    pub token: TokenHash,
    /// When.
    pub at: Timestamp,
    /// When the session ends, used or not.
    pub expires_at: Timestamp,
    /// How many sessions the user may have, this one included: at least 1.
    pub sessions_max: usize,
    /// Sessions of the user that end with it.
    pub end: Vec<SessionId>,
}

impl Write for OpenSession {
    type Answer = Opened;
}

/// What came of [`OpenSession`].
#[derive(Debug, Clone)]
pub enum Opened {
    /// It is open.
    Yes,
    /// The user has too many sessions, these: there is no new one, and none was ended.
    Full(Vec<Endable>),
    /// The password was changed, or the user disabled, in between. There is no session.
    PasswordChanged,
}

/// A session that may be ended to make room for another of its user.
#[derive(Debug, Clone)]
pub struct Endable {
    /// The number.
    pub id: SessionId,
    /// The hash of the token.
    pub token: TokenHash,
    /// When it was last used, give or take a minute.
    pub last_seen_at: Timestamp,
}

/// Ends the sessions that fit, and answers with them. Ending none is no error. Durable when the
/// answer comes.
#[derive(Debug, Clone, Copy)]
pub struct EndSessions(pub SessionFilter);

impl Write for EndSessions {
    type Answer = Vec<EndedSession>;
}

/// Selects sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionFilter {
    /// This one, whatever user it belongs to.
    Session(SessionId),
    /// This one, if it is this user's.
    OfUser(UserId, SessionId),
    /// All of this user but one.
    Others(UserId, SessionId),
    /// All of this user.
    User(UserId),
    /// All.
    All,
}

/// A session that was ended: its user and the hash of its token.
pub type EndedSession = (UserId, TokenHash);

/// The sessions of a user, the oldest first.
pub struct ListSessions {
    /// The user.
    pub user: UserId,
}

impl Read for ListSessions {
    type Answer = Vec<ListedSession>;

    fn party(&self) -> Party {
        Some(self.user)
    }
}

/// A session as its user sees it.
#[derive(Debug, Clone)]
pub struct ListedSession {
    /// The number.
    pub id: SessionId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, give or take a minute.
    pub last_seen_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
}

/// The sessions of one user or of all users that have not expired, after a number, the oldest
/// first: at most `max`, and whether there are more.
pub struct ListAllSessions {
    /// Only the sessions of this user.
    pub user: Option<UserId>,
    /// Where the list goes on.
    pub after: SessionId,
    /// Which sessions have expired.
    pub live: Live,
    /// The most sessions.
    pub max: usize,
}

impl Read for ListAllSessions {
    type Answer = (Vec<HeldSession>, bool);
}

/// A session as an operator sees it.
#[derive(Debug, Clone)]
pub struct HeldSession {
    /// The user.
    pub user: UserName,
    /// The session.
    pub session: ListedSession,
}

/// Which sessions have not expired.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// A session that ends at this moment or before has expired.
    pub now: Timestamp,
    /// So has a session that was last used at this moment or before.
    pub seen_after: Timestamp,
}

/// Looks up a session by its token.
pub struct FindSession(pub TokenHash);

impl Read for FindSession {
    type Answer = Option<StoredSession>;
}

/// A session as the database has it.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// The number.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// When it was last used, give or take a minute.
    pub last_seen_at: Timestamp,
    /// When it ends, used or not.
    pub expires_at: Timestamp,
    /// The user may not act.
    pub disabled: bool,
}

/// The users with a session that has not expired, each once, in the order in which they logged in:
/// at most `max`, and whether there are more.
pub struct ListActiveUsers {
    /// The user who asks.
    pub reader: UserId,
    /// Which sessions have expired.
    pub live: Live,
    /// The most users.
    pub max: usize,
}

impl Read for ListActiveUsers {
    type Answer = (Vec<UserName>, bool);

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// Ends the sessions that have expired, at the start of a server. A session that was used in the
/// future counts as used now. One that was opened in the future also keeps what was left of its
/// lifetime when it was last used, and no more. Durable when the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct SettleSessions(pub Live);

impl Write for SettleSessions {
    type Answer = ();
}

/// Notes when sessions were last used, and ends those that have expired. The answer has the tokens
/// of the ended sessions.
#[derive(Debug, Clone)]
pub struct SweepSessions {
    /// When each was last used.
    pub seen: Vec<(SessionId, Timestamp)>,
    /// Which sessions have expired.
    pub live: Live,
}

impl Write for SweepSessions {
    type Answer = Vec<TokenHash>;
}
