//! Carries out admin requests, from the admin socket or from a command that has opened the database
//! file itself.

mod figures;
mod import;
mod invitations;
mod purge;
mod rooms;
mod sessions;
mod tokens;
mod users;

use std::sync::Arc;

use super::Service;
use crate::admin::answer::{AdminReply, AdminResult, Code, Refusal};
use crate::admin::request::Request;
use crate::model::UserName;
use crate::store::StoreError;

impl Service {
    /// Executes `request`. `responder` gets the result before this returns, or later from another
    /// thread. The result is durable then, and already applies to connected clients.
    pub fn administer(self: &Arc<Self>, request: Request, responder: AdminResponder) {
        match request {
            Request::UserAdd { user } => self.add_user(user, responder),
            Request::Seed { users } => self.seed_users(users, responder),
            Request::UserList { after } => self.list_users(after, responder),
            Request::UserShow { name } => self.show_user(name, responder),
            Request::UserPasswd { name, password } => self.set_password(name, password, responder),
            Request::UserDisable { name } => self.disable_user(name, responder),
            Request::UserEnable { name } => self.enable_user(name, responder),
            Request::UserRename { name, to } => self.rename_user(name, to, responder),
            Request::UserDelete { name } => self.delete_user(name, responder),
            Request::UserRemove { name } => self.remove_user(name, responder),
            Request::RoomList { after } => self.list_all_rooms(after, responder),
            Request::RoomShow { room } => self.show_any_room(room, responder),
            Request::RoomMembers { room, after } => {
                self.list_members_of_any_room(room, after, responder);
            }
            Request::RoomCreate { create } => self.create_room_for_operator(create, responder),
            Request::RoomEverybody => self.create_room_of_everybody(responder),
            Request::RoomAdd { room, user, role } => self.add_to_room(room, user, role, responder),
            Request::RoomRemove { room, user } => self.remove_from_room(room, user, responder),
            Request::RoomSet { set } => self.set_any_room(set, responder),
            Request::RoomArchive { archive } => self.archive_any_room(archive, responder),
            Request::SessionList { user, after } => self.list_all_sessions(user, after, responder),
            Request::BotAdd { name, display_name } => self.add_bot(name, &display_name, responder),
            Request::TokenCreate { user, create } => self.make_token_for(user, create, responder),
            Request::TokenList { user, after } => self.list_all_tokens(user, after, responder),
            Request::TokenRevoke { user, name } => self.revoke_tokens_for(user, name, responder),
            Request::Invite { invite } => self.make_invitation(invite, responder),
            Request::InvitationList { after } => self.list_invitations(after, responder),
            Request::InvitationRevoke { which } => self.revoke_invitations(which, responder),
            Request::SessionRevoke { sessions } => self.revoke_listed_sessions(sessions, responder),
            Request::MessageDelete { id } => self.delete_message(id, responder),
            Request::MessagePurge { purge, after, dry_run } => {
                self.purge_messages(purge, after, dry_run, responder);
            }
            Request::Import { steps } => self.import(steps, responder),
            Request::Rebuild { part } => self.rebuild(part, responder),
            Request::PurgeRemains { compact } => self.purge_remains(compact, responder),
            Request::Database => {
                let database = self.store.location().display().to_string();
                responder.answer(Ok(AdminReply::Serves { database }));
            }
            Request::Stats => self.count_all(responder),
            Request::Probe => self.probe(responder),
        }
    }
}

/// Answers one admin request, once, from any thread. If a panic drops it without an answer, it
/// answers that the outcome is unknown.
pub struct AdminResponder(Option<Box<dyn FnOnce(AdminResult) + Send>>);

impl AdminResponder {
    /// Creates a responder that passes the result to `answer`, which must not block.
    pub fn new(answer: impl FnOnce(AdminResult) + Send + 'static) -> Self {
        Self(Some(Box::new(answer)))
    }

    /// Gives the result.
    pub fn answer(mut self, outcome: AdminResult) {
        if let Some(answer) = self.0.take() {
            answer(outcome);
        }
    }
}

impl Drop for AdminResponder {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            let message = "a fault of the program; whether it was done is not known";
            answer(Err(Refusal::new(Code::Internal, message)));
        }
    }
}

fn unknown_user(name: &UserName) -> Refusal {
    Refusal::new(Code::UnknownUser, format!("there is no user {name}"))
}

/// The refusal of a request that failed in the store.
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
