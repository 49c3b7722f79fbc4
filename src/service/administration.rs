//! What operators ask for: done in one place, whether the request came over the admin socket or
//! from a command that has opened the file itself.

mod figures;
mod import;
mod purge;
mod sessions;
mod users;

use std::sync::Arc;

use super::Service;
use crate::admin::answer::{Code, Outcome, Refusal};
use crate::admin::request::Request;
use crate::model::UserName;
use crate::store::StoreError;

impl Service {
    /// Has `request` done and tells `asker` what came of it: at once, or later from another
    /// thread. What it tells is durable, and whoever is connected is treated accordingly from then
    /// on.
    pub fn administer(self: &Arc<Self>, request: Request, asker: Asker) {
        match request {
            Request::UserAdd { user } => self.add_user(user, asker),
            Request::Seed { users } => self.seed_users(users, asker),
            Request::UserList { after } => self.list_users(after, asker),
            Request::UserShow { name } => self.show_user(name, asker),
            Request::UserPasswd { name, password } => self.set_password(name, password, asker),
            Request::UserDisable { name } => self.disable_user(name, asker),
            Request::UserEnable { name } => self.enable_user(name, asker),
            Request::UserRename { name, to } => self.rename_user(name, to, asker),
            Request::UserDelete { name } => self.delete_user(name, asker),
            Request::UserRemove { name } => self.remove_user(name, asker),
            Request::SessionList { user, after } => self.list_all_sessions(user, after, asker),
            Request::SessionRevoke { sessions } => self.revoke_held_sessions(sessions, asker),
            Request::MessagePurge { purge, after, dry_run } => {
                self.purge_messages(purge, after, dry_run, asker);
            }
            Request::Import { steps } => self.import(steps, asker),
            Request::Rebuild { part } => self.rebuild(part, asker),
            Request::PurgeRemains { compact } => self.purge_remains(compact, asker),
            Request::Stats => self.count_all(asker),
            Request::Probe => self.probe(asker),
        }
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

fn unknown_user(name: &UserName) -> Refusal {
    Refusal::new(Code::UnknownUser, format!("there is no user {name}"))
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
