//! Creates, lists and changes users.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::Service;
use super::super::hashers::{NOBODY, TooMany};
use super::super::seed;
use super::{AdminResponder, failure, unknown_user};
use crate::admin::answer::{AdminReply, Code, Cursor, Refusal, Session, State, User, UserDetails};
use crate::admin::request::{NewUser, SEED_USERS_MAX, Secret};
use crate::model::{DisplayName, MessageId, Password, UserName};
use crate::store::{
    self, Account, Activity, AddUsers, Change, ChangeUser, Changed, FindAccount, FindMessageOf,
    ListAccounts, ListSessions, ListedSession, MessageSearch,
};
use crate::transfer::PasswordHash;

/// The maximum number of users in one reply.
const USERS_PER_ANSWER_MAX: usize = 200;

impl Service {
    pub(super) fn add_user(self: &Arc<Self>, user: NewUser, responder: AdminResponder) {
        self.create_users(vec![user], responder);
    }

    /// Creates a user whom no password logs in: access tokens do.
    pub(super) fn add_bot(
        self: &Arc<Self>,
        name: UserName,
        display_name: &DisplayName,
        responder: AdminResponder,
    ) {
        let bot = store::NewUser {
            name: name.clone(),
            display_name: display_name.as_str().to_owned(),
            // A login takes as long as any other, and fails.
            password_hash: NOBODY.to_owned(),
            password_is_published: false,
        };
        self.insert_users(vec![name], vec![bot], responder);
    }

    /// Creates the given users, or the users of the seed.
    pub(super) fn seed_users(
        self: &Arc<Self>,
        users: Option<Vec<NewUser>>,
        responder: AdminResponder,
    ) {
        if users.as_ref().is_some_and(|users| users.len() > SEED_USERS_MAX) {
            let message = format!("at most {SEED_USERS_MAX} users are created at once");
            return responder.answer(Err(Refusal::new(Code::BadRequest, message)));
        }
        if let Some(twice) = users.as_deref().and_then(given_twice) {
            let message = format!("the user {twice} is given twice");
            return responder.answer(Err(Refusal::new(Code::NameTaken, message)));
        }
        match users.map_or_else(seed::users, Ok) {
            Ok(users) => self.create_users(users, responder),
            Err(error) => responder.answer(Err(Refusal::new(Code::Internal, error.to_string()))),
        }
    }

    /// Creates all users or none. A published password is refused unless the options allow it.
    fn create_users(self: &Arc<Self>, users: Vec<NewUser>, responder: AdminResponder) {
        let published = |user: &NewUser| seed::is_published(&user.password.0);
        let are_published: Vec<bool> = users.iter().map(published).collect();
        if are_published.contains(&true) && !self.options.published_passwords_allowed {
            return responder.answer(Err(unsafe_password()));
        }
        let service = Arc::clone(self);
        let passwords = users.iter().map(|user| user.password.0.clone()).collect();
        self.hash_passwords(passwords, responder, move |hashes, responder| {
            let names: Vec<UserName> = users.iter().map(|user| user.name.clone()).collect();
            let new = users.into_iter().zip(hashes).zip(are_published);
            let new = new.map(|((user, password_hash), password_is_published)| store::NewUser {
                name: user.name,
                display_name: user.display_name.as_str().to_owned(),
                password_hash,
                password_is_published,
            });
            service.insert_users(names, new.collect(), responder);
        });
    }

    fn insert_users(
        &self,
        names: Vec<UserName>,
        users: Vec<store::NewUser>,
        responder: AdminResponder,
    ) {
        if let Some(refused) = names.iter().find_map(reserved) {
            return responder.answer(Err(refused));
        }
        self.store.write(AddUsers(users), move |taken| match taken {
            Ok(taken) if taken.is_empty() => {
                names.iter().for_each(|name| tracing::info!(%name, "user added"));
                responder.answer(Ok(AdminReply::Created { users: names }));
            }
            Ok(taken) => responder.answer(Err(name_taken(&taken))),
            Err(error) => responder.answer(Err(failure(error))),
        });
    }

    pub(super) fn list_users(&self, after: Option<UserName>, responder: AdminResponder) {
        self.store.read(ListAccounts { after, max: USERS_PER_ANSWER_MAX }, move |found| {
            responder.answer(found.map_err(failure).map(|(accounts, more)| AdminReply::Users {
                users: accounts.into_iter().map(user).collect(),
                more,
            }));
        });
    }

    pub(super) fn show_user(self: &Arc<Self>, name: UserName, responder: AdminResponder) {
        let service = Arc::clone(self);
        self.store.read(FindAccount(name.clone()), move |found| match found {
            Ok(Some((account, activity))) => {
                service.store.read(ListSessions { user: account.id }, move |sessions| {
                    responder.answer(sessions.map_err(failure).map(|sessions| {
                        AdminReply::UserDetails(Box::new(details(account, activity, sessions)))
                    }));
                });
            }
            Ok(None) => responder.answer(Err(unknown_user(&name))),
            Err(error) => responder.answer(Err(failure(error))),
        });
    }

    pub(super) fn set_password(
        self: &Arc<Self>,
        name: UserName,
        Secret(password): Secret,
        responder: AdminResponder,
    ) {
        let is_published = seed::is_published(&password);
        if is_published && !self.options.published_passwords_allowed {
            return responder.answer(Err(unsafe_password()));
        }
        let service = Arc::clone(self);
        self.hash_passwords(vec![password], responder, move |mut hashes, responder| {
            let Some(hash) = hashes.pop() else { return };
            let change = Change::Password(PasswordHash { hash, is_published });
            service.change_user(name, change, "password changed", responder);
        });
    }

    pub(super) fn disable_user(self: &Arc<Self>, name: UserName, responder: AdminResponder) {
        self.change_user(name, Change::Disable, "user disabled", responder);
    }

    pub(super) fn enable_user(self: &Arc<Self>, name: UserName, responder: AdminResponder) {
        self.change_user(name, Change::Enable, "user enabled", responder);
    }

    pub(super) fn rename_user(
        self: &Arc<Self>,
        name: UserName,
        to: UserName,
        responder: AdminResponder,
    ) {
        match reserved(&to) {
            Some(refused) => responder.answer(Err(refused)),
            None => self.change_user(name, Change::Rename(to), "user renamed", responder),
        }
    }

    pub(super) fn delete_user(self: &Arc<Self>, name: UserName, responder: AdminResponder) {
        self.change_user(name, Change::Delete, "user deleted", responder);
    }

    pub(super) fn remove_user(self: &Arc<Self>, name: UserName, responder: AdminResponder) {
        self.remove_user_after(name, MessageId::ZERO, responder);
    }

    /// Looks for messages of the user, one step at a time, by a reader: no sender waits for that.
    /// Then the user is removed.
    fn remove_user_after(
        self: &Arc<Self>,
        name: UserName,
        after: MessageId,
        responder: AdminResponder,
    ) {
        let service = Arc::clone(self);
        let find = FindMessageOf { name: name.clone(), after };
        self.store.read(find, move |found| match found {
            Ok(Some(MessageSearch::Found)) => responder.answer(Err(has_messages(&name))),
            Ok(Some(MessageSearch::NoneUpTo(after))) => {
                service.remove_user_after(name, after, responder);
            }
            Ok(Some(MessageSearch::None(looked_upto))) => {
                let change = Change::Remove { looked_upto };
                service.change_user(name, change, "user removed", responder);
            }
            Ok(None) => responder.answer(Err(unknown_user(&name))),
            Err(error) => responder.answer(Err(failure(error))),
        });
    }

    /// Changes a user. The sessions that this ends, and their streams, end at once for connected
    /// clients.
    fn change_user(
        self: &Arc<Self>,
        name: UserName,
        change: Change,
        event: &'static str,
        responder: AdminResponder,
    ) {
        let service = Arc::clone(self);
        let to = match &change {
            Change::Rename(to) => Some(to.clone()),
            _ => None,
        };
        self.store.write(ChangeUser { name: name.clone(), change }, move |changed| match changed {
            Ok(Changed::Yes { user, ended }) => {
                match &to {
                    Some(to) => tracing::info!(%name, %to, "{event}"),
                    None => tracing::info!(%name, "{event}"),
                }
                let sessions = ended.len();
                service.sessions.end_all(ended);
                service.sessions.doubt_tokens(user);
                service.hub.publish(user);
                responder.answer(Ok(AdminReply::Ended { sessions }));
            }
            Ok(Changed::Unknown) => responder.answer(Err(unknown_user(&name))),
            Ok(Changed::Deleted) => {
                let message = format!("the user {name} is deleted");
                responder.answer(Err(Refusal::new(Code::UserDeleted, message)));
            }
            Ok(Changed::InUse) => responder.answer(Err(has_messages(&name))),
            Ok(Changed::NameTaken) => responder.answer(Err(name_taken(to.as_slice()))),
            Err(error) => responder.answer(Err(failure(error))),
        });
    }

    /// Hashes passwords on a hasher thread and passes the hashes to `then`.
    fn hash_passwords(
        &self,
        passwords: Vec<Password>,
        responder: AdminResponder,
        then: impl FnOnce(Vec<String>, AdminResponder) + Send + 'static,
    ) {
        self.hashers.hash_all(passwords, move |hashed| match hashed {
            Ok(Some(hashes)) => then(hashes, responder),
            Ok(None) => {
                let message = "the system gives no random bytes";
                responder.answer(Err(Refusal::new(Code::Internal, message)));
            }
            Err(TooMany) => {
                responder
                    .answer(Err(Refusal::new(Code::Busy, "too many passwords are being hashed")));
            }
        });
    }
}

fn has_messages(name: &UserName) -> Refusal {
    Refusal::new(Code::Busy, format!("there are still messages of {name}"))
}

fn unsafe_password() -> Refusal {
    let message = "the server can be reached from other machines, and the password of \
                   the seed's users is public";
    Refusal::new(Code::Unsafe, message)
}

fn given_twice(users: &[NewUser]) -> Option<&UserName> {
    let mut seen = HashSet::new();
    users.iter().map(|user| &user.name).find(|name| !seen.insert(*name))
}

/// The refusal of a new name that nobody gets.
pub(super) fn reserved(name: &UserName) -> Option<Refusal> {
    let message = || format!("the name {name} is reserved: @{name} is everybody");
    name.is_reserved().then(|| Refusal::new(Code::NameTaken, message()))
}

fn name_taken(names: &[UserName]) -> Refusal {
    let names: Vec<&str> = names.iter().map(UserName::as_str).collect();
    Refusal::new(Code::NameTaken, format!("there is a user {} already", names.join(", ")))
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

fn details(account: Account, activity: Activity, sessions: Vec<ListedSession>) -> UserDetails {
    let (disabled_at, deleted_at) = (account.disabled_at, account.deleted_at);
    let user = user(account);
    let name = user.name.clone();
    let cursors = activity.cursors.into_iter();
    UserDetails {
        user,
        disabled_at,
        deleted_at,
        sent: activity.sent,
        received: activity.received,
        sessions: sessions.into_iter().map(|listed| session(name.clone(), listed)).collect(),
        cursors: cursors.map(|(name, upto, moved_at)| Cursor { name, upto, moved_at }).collect(),
    }
}

pub(super) fn session(user: UserName, listed: ListedSession) -> Session {
    Session {
        id: listed.id,
        user,
        created_at: listed.created_at,
        last_seen_at: listed.last_seen_at,
        expires_at: listed.expires_at,
    }
}
