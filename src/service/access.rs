//! Logging in and out, and who is.

use std::sync::Arc;
use std::time::Instant;

use super::hashers::Unverified;
use super::sessions::LiveSession;
use super::throttle::{Held, Login, Reached};
use super::{Responder, Service, failure};
use crate::model::{Password, Token, USER_NAME_BYTES_MAX, UserId, UserName};
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::{Active, PAGE_BYTES_MAX, Reply};
use crate::store::{
    EndSessions, FindUser, ListActiveUsers, OpenSession, Opened, SessionFilter, StoredUser,
};

/// As many names as fit into a reply, however long they are.
const ACTIVE_USERS_MAX: usize = PAGE_BYTES_MAX / (USER_NAME_BYTES_MAX + 1);

impl Service {
    /// `auth`: the user is looked up, the password compared (for an unknown user with nobody's, so
    /// that it takes as long), and a session opened. To a disabled user every password is wrong.
    pub(super) fn authenticate(
        self: &Arc<Self>,
        name: UserName,
        password: Password,
        responder: Responder,
    ) {
        let login = Login { account: name.clone(), network: responder.network() };
        // Before anything is read: what is refused in any case shall cost next to nothing.
        if let Err(held) = self.throttle.check(&login, Instant::now()) {
            return responder.answer(refused(held));
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
            service.hashers.verify(login, password, hash, move |verified| match (user, verified) {
                (Some(user), Ok(())) => opener.open_session(user, responder),
                (user, Err(unverified)) => {
                    let user = user.map(|user| user.id);
                    let wrong = user.map_or(Code::UnknownUser, |_| Code::WrongPassword);
                    responder.refuse_password(unverified, wrong, user);
                }
                // Nobody's password fits nothing.
                (None, Ok(())) => responder.answer(Code::UnknownUser),
            });
        });
    }

    fn open_session(self: &Arc<Self>, user: StoredUser, responder: Responder) {
        let token = Token::generate();
        let at = self.clock.now();
        let session = OpenSession {
            user: user.id,
            password_hash: user.password_hash,
            token: token.hash(),
            at,
            expires_at: at.plus(self.options.session_lifetime.get()),
            sessions_max: self.options.sessions_per_user,
        };
        let service = Arc::clone(self);
        self.store.write(session, move |opened| match opened {
            Ok(Opened::Yes { ended }) => {
                service.sessions.end_all(ended);
                responder.answer(Reply::Authenticated(token));
            }
            Ok(Opened::PasswordChanged) => responder.answer(Code::WrongPassword),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `logout`: answered when the session's end is durable.
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

    /// `list`: who has a session.
    pub(super) fn list(&self, session: &LiveSession, responder: Responder) {
        let list =
            ListActiveUsers { reader: session.user, live: self.live(), max: ACTIVE_USERS_MAX };
        self.store.read(list, move |found| match found {
            Ok((users, more)) => responder.answer(Reply::Active(Active { users, more })),
            Err(error) => responder.answer(failure(error)),
        });
    }
}

impl Responder {
    /// Says that a password was not found to be right; `wrong` where it was compared.
    pub(super) fn refuse_password(self, unverified: Unverified, wrong: Code, user: Option<UserId>) {
        match unverified {
            Unverified::TooMany => self.answer(Code::Busy),
            Unverified::Held(held) => self.answer(refused(held)),
            Unverified::Wrong(reached) => {
                if let Some(reached) = reached {
                    log_reached(&self, reached, user);
                }
                self.answer(wrong);
            }
        }
    }
}

/// A try more than there may be. It is refused whether the password is right or not, which nobody has
/// looked at.
fn refused(held: Held) -> Refusal {
    Refusal::to_try_again(Code::RateLimited, held.for_time)
}

/// Names the user by number, and only where there is one: who mistakes the fields types a password
/// for a name.
fn log_reached(responder: &Responder, reached: Reached, user: Option<UserId>) {
    tracing::warn!(
        user = user.map(|user| user.0),
        address = %responder.network(),
        limit = reached.limit,
        seconds = reached.held.for_time.as_secs_f64().ceil(),
        left_out = (reached.left_out > 0).then_some(reached.left_out),
        "too many failed logins"
    );
}
