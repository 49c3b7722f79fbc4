//! Everybody's sessions.

use std::sync::Arc;

use super::super::Service;
use super::users::session;
use super::{Asker, failure, unknown_user};
use crate::admin::answer::{Answer, Code, Refusal};
use crate::admin::request::Sessions;
use crate::model::{SessionId, UserId, UserName};
use crate::store::{EndSessions, FindUser, ListAllSessions, SessionFilter};

/// How many sessions one answer tells of.
const SESSIONS_PER_ANSWER_MAX: usize = 1_000;

impl Service {
    pub(super) fn list_all_sessions(
        self: &Arc<Self>,
        user: Option<UserName>,
        after: Option<SessionId>,
        asker: Asker,
    ) {
        let after = after.unwrap_or(SessionId(0));
        match user {
            None => self.list_sessions_after(after, None, asker),
            Some(name) => self.find_user(name, asker, move |service, user, asker| {
                service.list_sessions_after(after, Some(user), asker);
            }),
        }
    }

    fn list_sessions_after(&self, after: SessionId, user: Option<UserId>, asker: Asker) {
        let list = ListAllSessions { user, after, live: self.live(), max: SESSIONS_PER_ANSWER_MAX };
        self.store.read(list, move |found| {
            asker.tell(found.map_err(failure).map(|(sessions, more)| {
                let sessions = sessions.into_iter().map(|held| session(held.user, held.session));
                Answer::Sessions { sessions: sessions.collect(), more }
            }));
        });
    }

    pub(super) fn revoke_held_sessions(self: &Arc<Self>, sessions: Sessions, asker: Asker) {
        match sessions {
            Sessions::Only(id) => self.revoke_held(SessionFilter::Session(id), asker),
            Sessions::All => self.revoke_held(SessionFilter::All, asker),
            Sessions::Of(name) => self.find_user(name, asker, |service, user, asker| {
                service.revoke_held(SessionFilter::User(user), asker);
            }),
        }
    }

    /// Whoever is connected with one of them is told so with the next request; streams end.
    fn revoke_held(self: &Arc<Self>, which: SessionFilter, asker: Asker) {
        let service = Arc::clone(self);
        self.store.write(EndSessions(which), move |revoked| match (revoked, which) {
            (Ok(revoked), SessionFilter::Session(id)) if revoked.is_empty() => {
                let message = format!("there is no session {}", id.0);
                asker.tell(Err(Refusal::new(Code::UnknownSession, message)));
            }
            (Ok(revoked), _) => {
                tracing::info!(sessions = revoked.len(), ?which, "sessions revoked");
                service.sessions.end_all(revoked.iter().map(|&(_, token)| token));
                revoked.iter().for_each(|&(user, _)| service.hub.publish(user));
                asker.tell(Ok(Answer::Ended { sessions: revoked.len() }));
            }
            (Err(error), _) => asker.tell(Err(failure(error))),
        });
    }

    fn find_user(
        self: &Arc<Self>,
        name: UserName,
        asker: Asker,
        then: impl FnOnce(&Arc<Self>, UserId, Asker) + Send + 'static,
    ) {
        let service = Arc::clone(self);
        self.store.read(FindUser::Named(name.clone()), move |found| match found {
            Ok(Some(user)) => then(&service, user.id, asker),
            Ok(None) => asker.tell(Err(unknown_user(&name))),
            Err(error) => asker.tell(Err(failure(error))),
        });
    }
}
