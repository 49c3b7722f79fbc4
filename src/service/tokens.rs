//! Access tokens: the verbs `token_create`, `tokens` and `token_revoke`, and what the holder of a
//! token may do.

use std::sync::Arc;
use std::time::Duration;

use smallvec::smallvec;

use super::sessions::LiveSession;
use super::{Responder, Service, failure};
use crate::model::{AccessTokenId, MailboxName, Rights, Token, UserId};
use crate::protocol::arguments::Post;
use crate::protocol::command::Action;
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::{Ended, Reply};
use crate::protocol::tokens::{TokenCreate, TokenCreated, TokenInfo, TokenRevoke, Tokens};
use crate::store::{
    Access, CreateToken, CreatedToken, ListTokens, ListedToken, RevokeTokens, StoreError,
    TOKENS_MAX, Targets,
};

impl LiveSession {
    /// The mailboxes to which it may send. `None` means all to which its user may send.
    pub(super) fn targets(&self) -> Option<Targets> {
        self.access.as_ref()?.targets.clone()
    }

    /// Why the holder of an access token may not do this. A session may do everything, but for the
    /// message of a hook, whose recipient is the target of its token.
    pub(super) fn refusal(&self, action: &Action) -> Option<Refusal> {
        let is_of_hook = is_of_hook(action);
        let Some(Access { rights, .. }) = self.access else {
            return is_of_hook.then(no_hook);
        };
        if !rights.include(action.verb().right()) {
            return Some(not_included(rights));
        }
        match action {
            _ if is_of_hook != (rights == Rights::Hook) => {
                Some(if is_of_hook { no_hook() } else { not_included(rights) })
            }
            // Only a reader may learn which messages there are.
            Action::Post(post) if rights == Rights::Send && post.answers() => {
                Some(not_included(rights))
            }
            _ => None,
        }
    }
}

/// Whether it is the message of an incoming hook.
fn is_of_hook(action: &Action) -> bool {
    matches!(action, Action::Post(post) if post.to.is_empty())
}

fn no_hook() -> Refusal {
    let code = Code::TokenRights;
    Refusal::new(code, format!("{}: it is no hook", code.message()))
}

fn not_included(rights: Rights) -> Refusal {
    let why = match rights {
        Rights::Send => "it may only send",
        Rights::Hook => "it may only post to /hooks/TOKEN over HTTP",
        Rights::Read => "it may only read",
        Rights::All => "log in with the password to manage the account",
    };
    let code = Code::TokenRights;
    Refusal::new(code, format!("{}: {why}", code.message()))
}

/// A token that was made, or why it was not.
pub(super) type Made = Result<Result<TokenCreated, NotMade>, StoreError>;

/// Why a token was not made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotMade {
    /// The user has a token of this name.
    NameTaken,
    /// The user has as many as there may be.
    TooMany,
    /// The user cannot send to these.
    UnknownTargets(Vec<MailboxName>),
}

impl Service {
    /// Makes a token. The result has the only copy of the secret.
    pub(super) fn make_token(
        &self,
        user: UserId,
        create: TokenCreate,
        done: impl FnOnce(Made) + Send + 'static,
    ) {
        let TokenCreate { name, can, to, expires_in } = create;
        let token = Token::generate_access();
        let create = CreateToken {
            user,
            name: name.clone(),
            hash: token.hash(),
            rights: can,
            to,
            now: self.now(),
            lifetime: expires_in.map(Duration::from_secs),
        };
        self.store.write(create, move |created| {
            done(created.map(|created| match created {
                CreatedToken::Yes { expires_at } => Ok(TokenCreated { token, name, expires_at }),
                CreatedToken::NameTaken => Err(NotMade::NameTaken),
                CreatedToken::TooMany => Err(NotMade::TooMany),
                CreatedToken::UnknownTargets(unknown) => Err(NotMade::UnknownTargets(unknown)),
            }));
        });
    }

    /// Revokes tokens, and ends their streams. The result has how many there were.
    pub(super) fn revoke_tokens_of(
        self: &Arc<Self>,
        revoke: RevokeTokens,
        done: impl FnOnce(Result<usize, StoreError>) + Send + 'static,
    ) {
        let (service, user) = (Arc::clone(self), revoke.user);
        self.store.write(revoke, move |revoked| {
            done(revoked.map(|hashes| {
                let count = hashes.len();
                service.sessions.end_all(hashes);
                service.hub.publish(user);
                count
            }));
        });
    }

    /// The message of an incoming hook: a `post` to the one target of its token, by the name of
    /// today.
    pub(super) fn post_to_target(
        self: &Arc<Self>,
        session: &Arc<LiveSession>,
        post: Post,
        responder: Responder,
    ) {
        let Some(Access { id, .. }) = session.access else {
            return responder.answer(no_hook());
        };
        let after = AccessTokenId(id.0 - 1);
        let list = ListTokens { user: Some(session.user), after, max: 1 };
        let (service, session) = (Arc::clone(self), Arc::clone(session));
        self.store.read(list, move |found| match found {
            Ok((tokens, _)) => {
                let token = tokens.into_iter().find(|token| token.id == id);
                match token.and_then(|token| token.to).unwrap_or_default().pop() {
                    Some(to) => {
                        service.post(&session, Post { to: smallvec![to], ..post }, responder)
                    }
                    // A deleted user has no name.
                    None => responder.answer(Code::UnknownRecipient),
                }
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `token_create`: answers when the token is durable.
    pub(super) fn create_token(
        &self,
        session: &LiveSession,
        create: TokenCreate,
        responder: Responder,
    ) {
        self.make_token(session.user, create, move |made| match made {
            Ok(Ok(created)) => responder.answer(Reply::TokenCreated(Box::new(created))),
            Ok(Err(NotMade::NameTaken)) => responder.answer(Code::TokenExists),
            Ok(Err(NotMade::TooMany)) => responder.answer(Code::TooManyTokens),
            Ok(Err(NotMade::UnknownTargets(unknown))) => {
                let unknown = unknown.into_iter().map(|name| name.to_string());
                responder.answer(Refusal::from(Code::UnknownRecipient).about(unknown));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `tokens`: lists the user's tokens.
    pub(super) fn list_tokens(&self, session: &LiveSession, responder: Responder) {
        let user = Some(session.user);
        let list = ListTokens { user, after: AccessTokenId(0), max: TOKENS_MAX };
        self.store.read(list, move |found| match found {
            Ok((tokens, _)) => {
                let tokens = tokens.into_iter().map(info).collect();
                responder.answer(Reply::Tokens(Tokens { tokens }));
            }
            Err(error) => responder.answer(failure(error)),
        });
    }

    /// `token_revoke`: answers when the end of the tokens is durable, and known on every server.
    pub(super) fn revoke_tokens(
        self: &Arc<Self>,
        session: &LiveSession,
        revoke: TokenRevoke,
        responder: Responder,
    ) {
        let name = match revoke {
            TokenRevoke::Named(name) => Some(name),
            TokenRevoke::All => None,
        };
        let revoke = RevokeTokens { user: session.user, name };
        self.revoke_tokens_of(revoke, move |revoked| match revoked {
            Ok(ended) => responder.answer(Reply::Ended(Ended { ended })),
            Err(error) => responder.answer(failure(error)),
        });
    }
}

/// A token as its user sees it.
pub(super) fn info(listed: ListedToken) -> TokenInfo {
    let (last_used_at, last_used_from) = listed.last_use.unzip();
    TokenInfo {
        name: listed.name,
        can: listed.rights,
        to: listed.to,
        created_at: listed.created_at,
        expires_at: listed.expires_at,
        last_used_at,
        last_used_from,
    }
}
