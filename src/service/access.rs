//! Logging in and out, and who is.

use std::sync::Arc;

use super::hashers::TooMany;
use super::sessions::LiveSession;
use super::{Responder, Service, failure};
use crate::model::{Password, Timestamp, Token, USER_NAME_BYTES_MAX, UserName};
use crate::protocol::refusal::Code;
use crate::protocol::reply::{Active, PAGE_BYTES_MAX, Reply};
use crate::store::{NewSession, Opened, StoredUser};

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
        let service = Arc::clone(self);
        self.store.find_user(name, move |found| {
            let user = match found {
                Ok(user) => user,
                Err(error) => return responder.answer(failure(error)),
            };
            let allowed = user.as_ref().filter(|user| !user.disabled);
            let hash = allowed.map(|user| user.password_hash.clone());
            let opener = Arc::clone(&service);
            service.hashers.verify(password, hash, move |verified| match (user, verified) {
                (Some(user), Ok(true)) => opener.open_session(user, responder),
                (Some(_), Ok(false)) => responder.answer(Code::WrongPassword),
                (None, Ok(_)) => responder.answer(Code::UnknownUser),
                (_, Err(TooMany)) => responder.answer(Code::Busy),
            });
        });
    }

    fn open_session(self: &Arc<Self>, user: StoredUser, responder: Responder) {
        let token = Token::generate();
        let at = Timestamp::now();
        let session = NewSession {
            user: user.id,
            password_hash: user.password_hash,
            token: token.hash(),
            at,
            expires_at: at.plus(self.options.session_lifetime.get()),
            sessions_max: self.options.sessions_per_user,
        };
        let service = Arc::clone(self);
        self.store.open_session(session, move |opened| match opened {
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
        self.store.end_session(session.id, move |ended| match ended {
            Ok(()) => {
                service.sessions.end(token);
                service.hub.publish(user);
                responder.answer(Reply::LoggedOut);
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `list`: who has a session.
    pub(super) fn list(&self, responder: Responder) {
        let now = Timestamp::now();
        let seen_after = self.seen_after(now);
        self.store.active_users(now, seen_after, ACTIVE_USERS_MAX, move |found| match found {
            Ok((users, more)) => responder.answer(Reply::Active(Active { users, more })),
            Err(error) => responder.answer(failure(error)),
        });
    }
}
