//! Lists and ends the sessions of all users.

use std::sync::Arc;

use super::super::Service;
use super::users::session;
use super::{AdminResponder, failure, unknown_user};
use crate::admin::answer::{AdminReply, Code, Refusal};
use crate::admin::request::Sessions;
use crate::model::{SessionId, UserId, UserName};
use crate::store::{EndSessions, FindUser, ListAllSessions, SessionFilter};

/// The maximum number of sessions in one reply.
const SESSIONS_PER_ANSWER_MAX: usize = 1_000;

impl Service {
    pub(super) fn list_all_sessions(
        self: &Arc<Self>,
        user: Option<UserName>,
        after: Option<SessionId>,
        responder: AdminResponder,
    ) {
        let after = after.unwrap_or(SessionId(0));
        match user {
            None => self.list_sessions_after(after, None, responder),
            Some(name) => self.find_user(name, responder, move |service, user, responder| {
                service.list_sessions_after(after, Some(user), responder);
            }),
        }
    }

    fn list_sessions_after(
        &self,
        after: SessionId,
        user: Option<UserId>,
        responder: AdminResponder,
    ) {
        let list = ListAllSessions { user, after, live: self.live(), max: SESSIONS_PER_ANSWER_MAX };
        self.store.read(list, move |found| {
            responder.answer(found.map_err(failure).map(|(sessions, more)| {
                let sessions =
                    sessions.into_iter().map(|listed| session(listed.user, listed.session));
                AdminReply::Sessions { sessions: sessions.collect(), more }
            }));
        });
    }

    pub(super) fn revoke_listed_sessions(
        self: &Arc<Self>,
        sessions: Sessions,
        responder: AdminResponder,
    ) {
        match sessions {
            Sessions::Only(id) => self.revoke_all_in(SessionFilter::Session(id), responder),
            Sessions::All => self.revoke_all_in(SessionFilter::All, responder),
            Sessions::Of(name) => self.find_user(name, responder, |service, user, responder| {
                service.revoke_all_in(SessionFilter::User(user), responder);
            }),
        }
    }

    /// Ends sessions. A client with one of them gets the refusal at its next request, and its
    /// streams end.
    fn revoke_all_in(self: &Arc<Self>, which: SessionFilter, responder: AdminResponder) {
        let service = Arc::clone(self);
        self.store.write(EndSessions(which), move |revoked| match (revoked, which) {
            (Ok(revoked), SessionFilter::Session(id)) if revoked.is_empty() => {
                let message = format!("there is no session {}", id.0);
                responder.answer(Err(Refusal::new(Code::UnknownSession, message)));
            }
            (Ok(revoked), _) => {
                tracing::info!(sessions = revoked.len(), ?which, "sessions revoked");
                service.sessions.end_all(revoked.iter().map(|&(_, token)| token));
                revoked.iter().for_each(|&(user, _)| service.hub.publish(user));
                responder.answer(Ok(AdminReply::Ended { sessions: revoked.len() }));
            }
            (Err(error), _) => responder.answer(Err(failure(error))),
        });
    }

    pub(super) fn find_user(
        self: &Arc<Self>,
        name: UserName,
        responder: AdminResponder,
        then: impl FnOnce(&Arc<Self>, UserId, AdminResponder) + Send + 'static,
    ) {
        let service = Arc::clone(self);
        self.store.read(FindUser::Named(name.clone()), move |found| match found {
            Ok(Some(user)) => then(&service, user.id, responder),
            Ok(None) => responder.answer(Err(unknown_user(&name))),
            Err(error) => responder.answer(Err(failure(error))),
        });
    }
}
