//! Login, logout, and the list of logged-in users.

use std::sync::Arc;
use std::time::Instant;

use super::hashers::{TooMany, Unverified};
use super::sessions::LiveSession;
use super::system_users::Unmapped;
use super::throttle::{LimitReached, Login, Throttled};
use super::{Responder, Service, failure};
use crate::model::{
    DISPLAY_NAME_BYTES_MAX, Password, Token, USER_NAME_BYTES_MAX, UserId, UserName,
};
use crate::protocol::arguments::{USERS_MAX, Users};
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::{Active, PAGE_BYTES_MAX, Reply, UserInfo, UserList};
use crate::store::{
    EndSessions, Endable, FindUser, ListActiveUsers, ListUsers, OpenSession, Opened, SessionFilter,
    StoredUser,
};

/// How often a login chooses sessions to end, when other logins of the same user interfere.
const OPEN_TRIES_MAX: usize = 100;

/// The number of names of maximum length that fit into a reply.
const ACTIVE_USERS_MAX: usize = PAGE_BYTES_MAX / (USER_NAME_BYTES_MAX + 1);

/// The longest user in a reply to `users`: each byte of the display name may be escaped.
const USER_BYTES_MAX: usize = r#"{"user": "", "display_name": ""}, "#.len()
    + USER_NAME_BYTES_MAX
    + 6 * DISPLAY_NAME_BYTES_MAX;
const _: () = assert!(USERS_MAX * USER_BYTES_MAX <= PAGE_BYTES_MAX);

/// A session that is about to be opened.
struct Opening {
    session: OpenSession,
    /// The answer when it is open.
    reply: Reply,
    /// The answer if the user was changed in the meantime.
    if_changed: Code,
}

impl Service {
    /// `auth`: finds the user, verifies the password, and opens a session. For an unknown user it
    /// verifies against `NOBODY`, so that the reply takes as long. For a disabled user every
    /// password is wrong.
    pub(super) fn authenticate(
        self: &Arc<Self>,
        name: UserName,
        password: Password,
        responder: Responder,
    ) {
        let login = Login { account: name.clone(), network: responder.network() };
        // A throttled login is refused before it reads anything, so it costs next to nothing.
        if let Err(throttled) = self.throttle.check(&login, Instant::now()) {
            return responder.answer(refused(throttled));
        }
        let service = Arc::clone(self);
        self.store.read(FindUser::Named(name), move |found| {
            let user = match found {
                Ok(user) => user,
                Err(error) => return responder.answer(failure(error)),
            };
            let allowed = user.as_ref().filter(|user| !user.disabled);
            let hash = allowed.map(|user| user.password_hash.clone());
            let opener = Arc::clone(&service);
            let judge = service.judge();
            service.hashers.verify(judge, login, password, hash, move |verified| {
                match (user, verified) {
                    (Some(user), Ok(())) => {
                        let opening =
                            opener.opening(user, Code::WrongPassword, Reply::Authenticated);
                        opener.try_to_open(opening, Vec::new(), responder, OPEN_TRIES_MAX);
                    }
                    (user, Err(unverified)) => {
                        let user = user.map(|user| user.id);
                        let wrong = user.map_or(Code::UnknownUser, |_| Code::WrongPassword);
                        responder.refuse_password(unverified, wrong, user);
                    }
                    // No password matches `NOBODY`.
                    (None, Ok(())) => responder.answer(Code::UnknownUser),
                }
            });
        });
    }

    /// `auth` without a password: opens a session for the user whom the kernel names at the other
    /// end of a Unix-domain socket. Where that is not allowed, the request lacks its fields.
    pub(super) fn authenticate_peer(self: &Arc<Self>, responder: Responder) {
        let Some(uid) = responder.peer().filter(|_| self.options.unix_users.is_on()) else {
            return responder.answer(Code::Usage);
        };
        let (service, users) = (Arc::clone(self), self.options.unix_users.clone());
        // The system may ask another machine who its users are.
        self.hashers.run(
            move || users.user_of(uid),
            move |named| match named {
                Ok(Ok(name)) => service.admit_peer(name, uid, responder),
                Ok(Err(unmapped)) => responder.answer(no_user(&unmapped)),
                Err(TooMany) => responder.answer(Code::Busy),
            },
        );
    }

    fn admit_peer(self: &Arc<Self>, name: UserName, uid: u32, responder: Responder) {
        let service = Arc::clone(self);
        self.store.read(FindUser::Named(name.clone()), move |found| match found {
            Ok(Some(user)) if user.disabled => {
                responder.answer(no_user(&Unmapped::Disabled { uid, name }));
            }
            Ok(Some(user)) => {
                let reply = |token| Reply::AuthenticatedAs(token, name);
                // No password was given that could be wrong: the client may try again.
                let opening = service.opening(user, Code::Busy, reply);
                service.try_to_open(opening, Vec::new(), responder, OPEN_TRIES_MAX);
            }
            Ok(None) => responder.answer(no_user(&Unmapped::NoSuchUser { uid, name })),
            Err(error) => responder.answer(failure(error)),
        });
    }

    fn opening(
        &self,
        user: StoredUser,
        if_changed: Code,
        reply: impl FnOnce(Token) -> Reply,
    ) -> Opening {
        let token = Token::generate();
        let at = self.now();
        let session = OpenSession {
            user: user.id,
            password_hash: user.password_hash,
            token: token.hash(),
            at,
            expires_at: at.plus(self.options.session_lifetime.get()),
            sessions_max: self.options.sessions_per_user,
            end: Vec::new(),
        };
        Opening { session, reply: reply(token), if_changed }
    }

    /// Opens the session, and ends the sessions `ended` to make room. If another login took the
    /// room first, it chooses the sessions again. Each retry means that another login succeeded.
    fn try_to_open(
        self: &Arc<Self>,
        mut opening: Opening,
        ended: Vec<Endable>,
        responder: Responder,
        tries: usize,
    ) {
        let (service, user) = (Arc::clone(self), opening.session.user);
        opening.session.end = ended.iter().map(|session| session.id).collect();
        self.store.write(opening.session.clone(), move |opened| match opened {
            Ok(Opened::Yes) => {
                service.displace_sessions(user, &ended);
                responder.answer(opening.reply);
            }
            Ok(Opened::Full(_)) if tries == 0 => responder.answer(Code::Busy),
            Ok(Opened::Full(open)) => {
                let sessions_max = opening.session.sessions_max;
                let excess = open.len() + 1 - sessions_max;
                match service.sessions.choose_to_end(open, excess) {
                    Some(chosen) => {
                        service.try_to_open(opening, chosen, responder, tries - 1);
                    }
                    None => {
                        tracing::warn!(
                            user = user.0,
                            sessions_max,
                            "a login was refused: every session of the user has an open stream"
                        );
                        responder.answer(Code::TooManySessions);
                    }
                }
            }
            Ok(Opened::PasswordChanged) => responder.answer(opening.if_changed),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// Ends the sessions `ended` in memory, logs them, and wakes their streams.
    fn displace_sessions(&self, user: UserId, ended: &[Endable]) {
        let now = self.now();
        for session in ended {
            self.sessions.displace(session.token, now);
            self.metrics.sessions_displaced.add(1);
            let (session, sessions_max) = (session.id.0, self.options.sessions_per_user);
            tracing::warn!(
                user = user.0,
                session,
                sessions_max,
                "a session was ended: its user logged in once more than there may be sessions"
            );
        }
        if !ended.is_empty() {
            // A stream that was opened in the meantime ends at once.
            self.hub.publish(user);
        }
    }

    /// `logout`: answers when the session's end is durable.
    pub(super) fn log_out(self: &Arc<Self>, session: &Arc<LiveSession>, responder: Responder) {
        let (service, token, user) = (Arc::clone(self), session.token, session.user);
        let end = EndSessions(SessionFilter::OfUser(user, session.id));
        self.store.write(end, move |ended| match ended {
            Ok(_) => {
                service.sessions.end(token);
                service.hub.publish(user);
                responder.answer(Reply::LoggedOut);
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `list`: lists the users that have a session.
    pub(super) fn list(&self, session: &LiveSession, responder: Responder) {
        let list =
            ListActiveUsers { reader: session.user, live: self.live(), max: ACTIVE_USERS_MAX };
        self.store.read(list, move |found| match found {
            Ok((users, more)) => responder.answer(Reply::Active(Active { users, more })),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `users`: all recipients, logged in or not.
    pub(super) fn list_recipients(
        &self,
        session: &LiveSession,
        users: Users,
        responder: Responder,
    ) {
        if self.options.users_hidden.get() {
            return responder.answer(Code::UsersHidden);
        }
        let Users { after, limit } = users;
        self.store.read(ListUsers { reader: session.user, after, max: limit }, move |found| {
            match found {
                Ok((users, more)) => {
                    let info = |(user, display_name)| UserInfo { user, display_name };
                    let users = users.into_iter().map(info).collect();
                    responder.answer(Reply::Users(UserList { users, more }));
                }
                Err(error) => responder.answer(failure(error)),
            }
        });
    }
}

impl Responder {
    /// Refuses a password that was not verified. `wrong` is the code for a password that does not
    /// match.
    pub(super) fn refuse_password(self, unverified: Unverified, wrong: Code, user: Option<UserId>) {
        match unverified {
            Unverified::TooMany => self.answer(Code::Busy),
            Unverified::Throttled(throttled) => self.answer(refused(throttled)),
            Unverified::Unjudged(error) => self.answer(failure(error)),
            Unverified::Wrong(reached) => {
                if let Some(reached) = reached {
                    log_reached(&self, reached, user);
                }
                self.answer(wrong);
            }
        }
    }
}

/// The refusal of a throttled login. It says nothing about the password, which was not compared.
pub(super) fn refused(throttled: Throttled) -> Refusal {
    Refusal::to_try_again(Code::RateLimited, throttled.retry_after)
}

/// The refusal of a login by the kernel. The client learns only about its own user.
fn no_user(unmapped: &Unmapped) -> Refusal {
    Refusal::new(Code::UnknownUser, format!("{}: {unmapped}", Code::UnknownUser.message()))
}

/// Logs that a login limit was reached. It names an existing user by number and never logs the name
/// that the client sent: a user who confuses the fields types a password there.
fn log_reached(responder: &Responder, reached: LimitReached, user: Option<UserId>) {
    tracing::warn!(
        user = user.map(|user| user.0),
        address = %responder.network(),
        limit = reached.limit,
        seconds = reached.throttled.retry_after.as_secs_f64().ceil(),
        left_out = (reached.left_out > 0).then_some(reached.left_out),
        "too many failed logins"
    );
}
