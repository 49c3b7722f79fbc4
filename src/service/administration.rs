//! What operators ask for: done in one place, whether the request came over the admin socket or
//! from a command that has opened the file itself.

use std::sync::Arc;

use super::Service;
use super::hashers::TooMany;
use crate::admin::answer::{Answer, Code, Outcome, Refusal, State, User};
use crate::admin::request::{Request, Secret};
use crate::model::{DisplayName, UserName};
use crate::store::{Account, NewUser, StoreError};

/// How many users one answer tells of.
const USERS_PER_ANSWER_MAX: usize = 200;

impl Service {
    /// Has `request` done and tells `asker` what came of it: at once, or later from another
    /// thread. What it tells is durable.
    pub fn administer(self: &Arc<Self>, request: Request, asker: Asker) {
        match request {
            Request::UserAdd { name, display_name, password } => {
                self.add_user(name, display_name, password, asker);
            }
            Request::UserList { after } => self.list_users(after, asker),
        }
    }

    fn add_user(
        self: &Arc<Self>,
        name: UserName,
        display_name: DisplayName,
        password: Secret,
        asker: Asker,
    ) {
        let service = Arc::clone(self);
        self.hash_password(password, asker, move |password_hash, asker| {
            let user = NewUser {
                name: name.clone(),
                display_name: display_name.as_str().to_owned(),
                password_hash,
                password_is_published: false,
            };
            service.store.add_user(user, move |added| match added {
                Ok(true) => {
                    tracing::info!(%name, "user added");
                    asker.tell(Ok(Answer::Done));
                }
                Ok(false) => {
                    let message = format!("there is a user {name} already");
                    asker.tell(Err(Refusal::new(Code::NameTaken, message)));
                }
                Err(error) => asker.tell(Err(failure(error))),
            });
        });
    }

    fn list_users(&self, after: Option<UserName>, asker: Asker) {
        self.store.list_accounts(after, USERS_PER_ANSWER_MAX, move |found| {
            asker.tell(found.map_err(failure).map(|(accounts, more)| Answer::Users {
                users: accounts.into_iter().map(user).collect(),
                more,
            }));
        });
    }

    /// Hashes a password on a hasher's thread and goes on with its hash.
    fn hash_password(
        &self,
        Secret(password): Secret,
        asker: Asker,
        then: impl FnOnce(String, Asker) + Send + 'static,
    ) {
        self.hashers.hash(password, move |hashed| match hashed {
            Ok(Some(hash)) => then(hash, asker),
            Ok(None) => {
                let message = "the system gives no random bytes";
                asker.tell(Err(Refusal::new(Code::Internal, message)));
            }
            Err(TooMany) => asker.tell(Err(Refusal::new(Code::Busy, "too many passwords wait"))),
        });
    }
}

/// Whoever asked. Is told once, from any thread; dropped without (a panic has unwound through its
/// owner), it tells by itself that the outcome is not known.
pub struct Asker(Option<Box<dyn FnOnce(Outcome) + Send>>);

impl Asker {
    /// Calls `tell` with the outcome. It must not block.
    pub fn new(tell: impl FnOnce(Outcome) + Send + 'static) -> Self {
        Self(Some(Box::new(tell)))
    }

    /// Tells the outcome.
    pub fn tell(mut self, outcome: Outcome) {
        if let Some(tell) = self.0.take() {
            tell(outcome);
        }
    }
}

impl Drop for Asker {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            let message = "a fault of the program; whether it was done is not known";
            tell(Err(Refusal::new(Code::Internal, message)));
        }
    }
}

fn user(account: Account) -> User {
    let state = match (account.disabled_at, account.deleted_at) {
        (_, Some(_)) => State::Deleted,
        (Some(_), None) => State::Disabled,
        (None, None) => State::Active,
    };
    User {
        name: account.name,
        display_name: account.display_name,
        state,
        created_at: account.created_at,
        last_seen_at: account.last_seen_at,
        unread: account.unread,
        password_is_published: account.password_is_published,
    }
}

/// What is said of a request that the store could not do.
fn failure(error: StoreError) -> Refusal {
    let code = match error {
        StoreError::Busy => Code::Busy,
        StoreError::Full => Code::StorageFull,
        StoreError::Closed => Code::ShuttingDown,
        StoreError::Statement(_) | StoreError::Fatal(_) => {
            tracing::error!(%error, "an operator's request failed in the store");
            Code::Internal
        }
    };
    Refusal::new(code, error.to_string())
}
