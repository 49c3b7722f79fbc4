//! Invitations by link: the verbs `invitation` and `accept`, whose client has no account yet.

use std::sync::Arc;
use std::time::Instant;

use super::access::refused;
use super::throttle::Login;
use super::{Responder, Service, failure, seed};
use crate::model::{DisplayName, InvitationSecret, UserId, UserName};
use crate::protocol::invitations::{Accept, Accepted, InvitationInfo};
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::Reply;
use crate::store::{
    AcceptInvitation, AcceptedInvitation, FindInvitation, FindUser, Invitation, NewUser,
};

impl Service {
    /// `invitation`: what the holder of the link is invited to. A used one tells nothing.
    pub(super) fn show_invitation(&self, secret: InvitationSecret, responder: Responder) {
        let find = FindInvitation { hash: secret.hash(), name: None, now: self.now() };
        self.store.read(find, move |found| match found {
            Ok(Some(Invitation { used_by: Some(_), .. })) => {
                responder.answer(Code::InvitationUsed);
            }
            Ok(Some(Invitation { name, rooms, expires_at, .. })) => {
                let info = InvitationInfo { user: name, rooms, expires_at };
                responder.answer(Reply::Invitation(info));
            }
            Ok(None) => responder.answer(Code::UnknownInvitation),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `accept`: makes the account, and answers when it is durable. The same request again has the
    /// same answer. A name that is taken counts as a failed login: otherwise an invitation would
    /// tell which names there are, as fast as one can ask.
    pub(super) fn accept(self: &Arc<Self>, accept: Accept, responder: Responder) {
        self.find_and_accept(accept, responder, true);
    }

    fn find_and_accept(
        self: &Arc<Self>,
        accept: Accept,
        responder: Responder,
        may_be_overtaken: bool,
    ) {
        let account = accept.invitation.account();
        let login = Login { account, network: responder.network() };
        if let Err(throttled) = self.throttle.check(&login, Instant::now()) {
            return responder.answer(refused(throttled));
        }
        let (hash, name) = (accept.invitation.hash(), accept.user.clone());
        let service = Arc::clone(self);
        let find = FindInvitation { hash, name, now: self.now() };
        self.store.read(find, move |found| {
            let found = match found {
                Ok(Some(found)) => found,
                Ok(None) => return responder.answer(Code::UnknownInvitation),
                Err(error) => return responder.answer(failure(error)),
            };
            let Some(name) = accept.user.clone().or_else(|| found.name.clone()) else {
                let missing = "user: choose a name to log in with";
                return responder.answer(Refusal::new(Code::BadArgument, missing));
            };
            if let Some(by) = found.used_by {
                return service.accept_again(by, name, found, accept, responder);
            }
            if let Some(theirs) = found.name.as_ref().filter(|theirs| **theirs != name) {
                let wrong = format!("user: the invitation is for {theirs}");
                return responder.answer(Refusal::new(Code::BadArgument, wrong));
            }
            let is_published = seed::is_published(&accept.password);
            if is_published && !service.options.published_passwords_allowed {
                let problem = "password: everybody can know this password: choose another";
                return responder.answer(Refusal::new(Code::BadArgument, problem));
            }
            let (judge, storer) = (service.judge(), Arc::clone(&service));
            let is_free = !found.name_is_taken && !name.is_reserved();
            let password = accept.password.clone();
            service.hashers.create(judge, login, is_free, password, move |hashed| match hashed {
                Ok(Some(password_hash)) => {
                    let display_name = accept.display_name.clone();
                    let display_name = display_name.unwrap_or_else(|| DisplayName::from(&name));
                    let display_name = display_name.as_str().to_owned();
                    let password_is_published = is_published;
                    let new = NewUser { name, display_name, password_hash, password_is_published };
                    storer.store_account(new, accept, responder, may_be_overtaken);
                }
                Ok(None) => responder.answer(Code::Internal),
                Err(unverified) => responder.refuse_password(unverified, Code::NameTaken, None),
            });
        });
    }

    fn store_account(
        self: &Arc<Self>,
        user: NewUser,
        accept: Accept,
        responder: Responder,
        may_be_overtaken: bool,
    ) {
        let (service, name) = (Arc::clone(self), user.name.clone());
        let hash = accept.invitation.hash();
        let write = AcceptInvitation { hash, user, now: self.now() };
        self.store.write(write, move |accepted| match accepted {
            Ok(AcceptedInvitation::Yes { user, rooms }) => {
                tracing::info!(user = user.0, %name, "an invitation was accepted");
                let accepted = Accepted { user: name, rooms, duplicate: false };
                responder.answer(Reply::Accepted(accepted));
            }
            // Another request was faster. It may have been the same one.
            Ok(AcceptedInvitation::Used) if may_be_overtaken => {
                service.find_and_accept(accept, responder, false);
            }
            Ok(AcceptedInvitation::Used) => responder.answer(Code::InvitationUsed),
            Ok(AcceptedInvitation::Unknown) => responder.answer(Code::UnknownInvitation),
            Ok(AcceptedInvitation::NameTaken) => responder.answer(Code::NameTaken),
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// The invitation was accepted. Whoever knows name and password is who accepted it: the answer
    /// was lost. It is judged as a login, and another name takes as long.
    fn accept_again(
        self: &Arc<Self>,
        by: UserId,
        name: UserName,
        found: Invitation,
        accept: Accept,
        responder: Responder,
    ) {
        let login = Login { account: name.clone(), network: responder.network() };
        if let Err(throttled) = self.throttle.check(&login, Instant::now()) {
            return responder.answer(refused(throttled));
        }
        let service = Arc::clone(self);
        self.store.read(FindUser::Numbered(by), move |user| {
            let user = match user {
                Ok(user) => user.filter(|user| user.name == name && !user.disabled),
                Err(error) => return responder.answer(failure(error)),
            };
            let hash = user.map(|user| user.password_hash);
            let judge = service.judge();
            service.hashers.verify(judge, login, accept.password, hash, move |verified| {
                match verified {
                    Ok(()) => {
                        let rooms = found.rooms;
                        let accepted = Accepted { user: name, rooms, duplicate: true };
                        responder.answer(Reply::Accepted(accepted));
                    }
                    Err(unverified) => {
                        responder.refuse_password(unverified, Code::InvitationUsed, None);
                    }
                }
            });
        });
    }
}
