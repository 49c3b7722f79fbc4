//! The commands with which users see and change their own account.

use std::sync::Arc;

use super::sessions::LiveSession;
use super::throttle::Login;
use super::{Responder, Service, failure, seed};
use crate::protocol::arguments::{Passwd, Revoke};
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::{Ended, Identity, Reply, SessionInfo, Sessions};
use crate::store::{ChangePassword, EndSessions, FindUser, ListSessions, SessionFilter};
use crate::transfer::PasswordHash;

impl Service {
    /// `whoami`: the session, its user and the display name.
    pub(super) fn identify(&self, session: &Arc<LiveSession>, responder: Responder) {
        let session = Arc::clone(session);
        self.store.read(FindUser::Numbered(session.user), move |found| match found {
            Ok(Some(user)) => responder.answer(Reply::Identity(Identity {
                user: user.name,
                display_name: user.display_name,
                session: session.access.is_none().then_some(session.id),
                token: session.access.as_ref().map(|access| access.name.clone()),
                can: session.access.as_ref().map(|access| access.rights),
            })),
            Ok(None) => responder.answer(Code::NoSession),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `sessions`: lists the user's sessions.
    pub(super) fn list_sessions(&self, session: &LiveSession, responder: Responder) {
        let current = session.id;
        self.store.read(ListSessions { user: session.user }, move |found| match found {
            Ok(sessions) => {
                let sessions = sessions.into_iter().map(|listed| SessionInfo {
                    id: listed.id,
                    current: listed.id == current,
                    created_at: listed.created_at,
                    last_seen_at: listed.last_seen_at,
                    expires_at: listed.expires_at,
                });
                responder.answer(Reply::Sessions(Sessions { sessions: sessions.collect() }));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `revoke`: answers when the sessions' end is durable.
    pub(super) fn revoke(
        self: &Arc<Self>,
        session: &LiveSession,
        revoke: Revoke,
        responder: Responder,
    ) {
        let (service, user) = (Arc::clone(self), session.user);
        let filter = match revoke {
            Revoke::Session(id) => SessionFilter::OfUser(user, id),
            Revoke::Others(_) => SessionFilter::Others(user, session.id),
        };
        self.store.write(EndSessions(filter), move |sessions| match sessions {
            Ok(sessions) => {
                let ended = sessions.len();
                service.sessions.end_all(sessions.into_iter().map(|(_, token)| token));
                service.hub.publish(user);
                responder.answer(Reply::Ended(Ended { ended }));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `passwd`: verifies the old password, hashes the new one, and ends the user's other sessions.
    /// Answers when the change is durable. A wrong old password counts as a failed login. Otherwise
    /// the thief of a session could guess its password without limit.
    pub(super) fn change_password(
        self: &Arc<Self>,
        session: &Arc<LiveSession>,
        passwd: Passwd,
        responder: Responder,
    ) {
        let is_published = seed::is_published(&passwd.new);
        if is_published && !self.options.published_passwords_allowed {
            let problem = "everybody can know this password: choose another";
            return responder.answer(Refusal::new(Code::BadArgument, problem));
        }
        let (service, session) = (Arc::clone(self), Arc::clone(session));
        self.store.read(FindUser::Numbered(session.user), move |found| {
            let user = match found {
                Ok(Some(user)) => user,
                Ok(None) => return responder.answer(Code::NoSession),
                Err(error) => return responder.answer(failure(error)),
            };
            let login = Login { account: user.name, network: responder.network() };
            let (changer, old_hash) = (Arc::clone(&service), user.password_hash);
            let Passwd { old, new } = passwd;
            let compared = old_hash.clone();
            let judge = service.judge();
            service.hashers.replace(
                judge,
                login,
                old,
                compared,
                new,
                move |replaced| match replaced {
                    Ok(Some(hash)) => {
                        let new = PasswordHash { hash, is_published };
                        changer.store_password(&session, old_hash, new, responder);
                    }
                    Ok(None) => responder.answer(Code::Internal),
                    Err(unverified) => {
                        let user = Some(session.user);
                        responder.refuse_password(unverified, Code::WrongPassword, user);
                    }
                },
            );
        });
    }

    fn store_password(
        self: &Arc<Self>,
        session: &LiveSession,
        old_hash: String,
        new: PasswordHash,
        responder: Responder,
    ) {
        let (service, user) = (Arc::clone(self), session.user);
        let change = ChangePassword { user, old_hash, new, session: session.id };
        self.store.write(change, move |changed| match changed {
            Ok(Some(tokens)) => {
                let ended = tokens.len();
                service.sessions.end_all(tokens);
                service.hub.publish(user);
                responder.answer(Reply::Ended(Ended { ended }));
            }
            Ok(None) => responder.answer(Code::WrongPassword),
            Err(error) => responder.answer(failure(error)),
        });
    }
}
