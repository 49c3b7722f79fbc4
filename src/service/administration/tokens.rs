//! Makes, lists and revokes the access tokens of all users.

use std::sync::Arc;

use super::super::Service;
use super::super::tokens::{NotMade, info};
use super::{AdminResponder, failure};
use crate::admin::answer::{AdminReply, Code, HeldToken, Refusal};
use crate::model::{AccessTokenId, AccessTokenName, UserId, UserName};
use crate::protocol::tokens::TokenCreate;
use crate::store::{ListTokens, RevokeTokens, TOKENS_MAX};

/// The maximum number of tokens in one reply: each has at most 64 names.
const TOKENS_PER_ANSWER_MAX: usize = 500;

impl Service {
    pub(super) fn make_token_for(
        self: &Arc<Self>,
        user: UserName,
        create: TokenCreate,
        responder: AdminResponder,
    ) {
        let create = match create.check() {
            Ok(create) => create,
            Err(refusal) => {
                let refusal = Refusal::new(Code::BadRequest, refusal.message);
                return responder.answer(Err(refusal));
            }
        };
        let (owner, name) = (user.clone(), create.name.clone());
        self.find_user(user, responder, move |service, user, responder| {
            service.make_token(user, create, move |made| match made {
                Ok(Ok(token)) => {
                    tracing::info!(user = %owner, token = %name, "access token made");
                    let token = Box::new(token);
                    responder.answer(Ok(AdminReply::TokenCreated { token }));
                }
                Ok(Err(why)) => responder.answer(Err(not_made(why, &owner, &name))),
                Err(error) => responder.answer(Err(failure(error))),
            });
        });
    }

    pub(super) fn list_all_tokens(
        self: &Arc<Self>,
        user: Option<UserName>,
        after: Option<AccessTokenId>,
        responder: AdminResponder,
    ) {
        let after = after.unwrap_or(AccessTokenId(0));
        match user {
            None => self.list_tokens_after(after, None, responder),
            Some(name) => self.find_user(name, responder, move |service, user, responder| {
                service.list_tokens_after(after, Some(user), responder);
            }),
        }
    }

    fn list_tokens_after(
        &self,
        after: AccessTokenId,
        user: Option<UserId>,
        responder: AdminResponder,
    ) {
        let list = ListTokens { user, after, max: TOKENS_PER_ANSWER_MAX };
        self.store.read(list, move |found| {
            responder.answer(found.map_err(failure).map(|(tokens, more)| {
                let held = tokens.into_iter().map(|listed| HeldToken {
                    id: listed.id,
                    user: listed.user.clone(),
                    token: info(listed),
                });
                AdminReply::Tokens { tokens: held.collect(), more }
            }));
        });
    }

    pub(super) fn revoke_tokens_for(
        self: &Arc<Self>,
        user: UserName,
        name: Option<AccessTokenName>,
        responder: AdminResponder,
    ) {
        let owner = user.clone();
        self.find_user(user, responder, move |service, user, responder| {
            let revoke = RevokeTokens { user, name: name.clone() };
            service.revoke_tokens_of(revoke, move |revoked| match (revoked, name) {
                (Ok(0), Some(name)) => {
                    let message = format!("{owner} has no access token {name}");
                    responder.answer(Err(Refusal::new(Code::UnknownToken, message)));
                }
                (Ok(tokens), _) => {
                    tracing::info!(user = %owner, tokens, "access tokens revoked");
                    responder.answer(Ok(AdminReply::TokensRevoked { tokens }));
                }
                (Err(error), _) => responder.answer(Err(failure(error))),
            });
        });
    }
}

fn not_made(why: NotMade, user: &UserName, name: &AccessTokenName) -> Refusal {
    match why {
        NotMade::NameTaken => {
            let message = format!("{user} has an access token {name} already");
            Refusal::new(Code::NameTaken, message)
        }
        NotMade::TooMany => {
            let message = format!("{user} has {TOKENS_MAX} access tokens");
            Refusal::new(Code::TooManyTokens, message)
        }
        NotMade::UnknownTargets(unknown) => {
            let names: Vec<&str> = unknown.iter().map(|name| name.as_str()).collect();
            let message = format!("{user} can send to nobody called {}", names.join(", "));
            Refusal::new(Code::UnknownUser, message)
        }
    }
}
