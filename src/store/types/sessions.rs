//! Sessions. A client gets a token when it logs in; the store has the token's hash only.

use crate::model::{SessionId, Timestamp, TokenHash, UserId, UserName};
use crate::store::operation::{Party, Read, Write};
use crate::store::types::tokens::{Access, TokenUse};

/// Opens a session, and ends the sessions in `end` to make room. If there is still no room, it does
/// nothing. Durable when the answer comes.
#[derive(Debug, Clone)]
pub struct OpenSession {
    /// The user.
    pub user: UserId,
    /// The hash that the password was compared with. It must still be the user's hash.
    pub password_hash: String,
    /// The hash of the new token.
    pub token: TokenHash,
    /// The time of the login. An engine that several servers share takes its own clock, and the
    /// time between this and `expires_at`.
    pub at: Timestamp,
    /// When the session expires, used or not.
    pub expires_at: Timestamp,
    /// The maximum number of the user's sessions, including the new one. At least 1.
    pub sessions_max: usize,
    /// The user's sessions to end.
    pub end: Vec<SessionId>,
}

impl Write for OpenSession {
    type Answer = Opened;
}

/// The result of [`OpenSession`].
#[derive(Debug, Clone)]
pub enum Opened {
    /// The session is open.
    Yes,
    /// The user has too many sessions; here they are. None was opened and none was ended.
    Full(Vec<Endable>),
    /// The password was changed, or the user was disabled, since the comparison. No session was
    /// opened.
    PasswordChanged,
}

/// A session that may be ended to make room for another session of the same user.
#[derive(Debug, Clone)]
pub struct Endable {
    /// The session's number.
    pub id: SessionId,
    /// The hash of the token.
    pub token: TokenHash,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
}

/// Ends the sessions that match. The answer has those that ended, which may be none. Durable when
/// the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct EndSessions(pub SessionFilter);

impl Write for EndSessions {
    type Answer = Vec<EndedSession>;
}

/// Selects sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionFilter {
    /// This session, of any user.
    Session(SessionId),
    /// This session, if it belongs to this user.
    OfUser(UserId, SessionId),
    /// All sessions of this user except this one.
    Others(UserId, SessionId),
    /// All sessions of this user.
    User(UserId),
    /// All sessions.
    All,
}

/// An ended session: its user and the hash of its token.
pub type EndedSession = (UserId, TokenHash);

/// Lists the sessions of a user, oldest first.
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
    /// The session's number.
    pub id: SessionId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// When it expires, used or not.
    pub expires_at: Timestamp,
}

/// Lists the unexpired sessions of one user or of all users, oldest first. The answer has at most
/// `max` sessions, and whether there are more.
pub struct ListAllSessions {
    /// Only sessions of this user.
    pub user: Option<UserId>,
    /// The list continues after this session.
    pub after: SessionId,
    /// Which sessions have not expired.
    pub live: Live,
    /// The maximum number of sessions.
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

/// Which sessions have not expired. An engine that several servers share takes its own clock for
/// `now`, and the time between the two.
#[derive(Debug, Clone, Copy)]
pub struct Live {
    /// A session that expires at this time or before has expired.
    pub now: Timestamp,
    /// A session that was last used at this time or before has expired, too.
    pub seen_after: Timestamp,
}

#[cfg(feature = "postgres")]
impl Live {
    /// How many milliseconds a session lives without use.
    pub(in crate::store) fn idle(&self) -> i64 {
        self.now.0.saturating_sub(self.seen_after.0)
    }
}

/// Looks up a session by the hash of its token, or an access token by its hash.
pub struct FindSession(pub TokenHash);

impl Read for FindSession {
    type Answer = Option<StoredSession>;
}

/// A session with what authentication needs.
#[derive(Debug, Clone)]
pub struct StoredSession {
    /// The session's number. An access token is no session and has 0.
    pub id: SessionId,
    /// The user.
    pub user: UserId,
    /// When it was last used, to the minute.
    pub last_seen_at: Timestamp,
    /// When it expires, used or not.
    pub expires_at: Timestamp,
    /// Whether the user is disabled.
    pub disabled: bool,
    /// What it grants, if it is an access token.
    pub access: Option<Access>,
}

impl StoredSession {
    /// An access token of nobody; the engine adds the rest. The numbers of sessions begin with 1.
    pub(in crate::store) fn of_access(access: Access) -> Self {
        Self {
            id: SessionId(0),
            user: UserId(0),
            last_seen_at: Timestamp(0),
            expires_at: Timestamp(0),
            disabled: true,
            access: Some(access),
        }
    }
}

/// Lists the users who have an unexpired session, each once, in the order of their first such
/// login. The answer has at most `max` users, and whether there are more.
pub struct ListActiveUsers {
    /// The user who asks.
    pub reader: UserId,
    /// Which sessions have not expired.
    pub live: Live,
    /// The maximum number of users.
    pub max: usize,
}

impl Read for ListActiveUsers {
    type Answer = (Vec<UserName>, bool);

    fn party(&self) -> Party {
        Some(self.reader)
    }
}

/// Ends expired sessions when a server starts, and corrects times after the clock was set back. A
/// session that was last used in the future counts as used now. A session that was opened in the
/// future keeps the lifetime that it had left when it was last used. Durable when the answer comes.
#[derive(Debug, Clone, Copy)]
pub struct SettleSessions(pub Live);

impl Write for SettleSessions {
    type Answer = ();
}

/// Records when sessions and access tokens were last used, and ends those that have expired. The
/// answer has the tokens of the ended sessions.
#[derive(Debug, Clone)]
pub struct SweepSessions {
    /// When each session was last used.
    pub seen: Vec<(SessionId, Timestamp)>,
    /// When each access token was last used, and from where.
    pub used: Vec<TokenUse>,
    /// Which sessions have not expired.
    pub live: Live,
}

impl Write for SweepSessions {
    type Answer = Vec<TokenHash>;
}
