//! The users of a new database: those of `seed/users.json`, which is part of the binary.

use std::sync::mpsc;
use std::thread;

use super::hashers;
use crate::admin::request::NewUser;
use crate::model::{Password, UserName};
use crate::store::{self, IsSeeded, ListPublishedPasswords, SeedUsers, Store, StoreError};

const SEED: &str = include_str!("../../seed/users.json");

/// Why a new database was not given its users.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The store did not take them.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// They could not be read or their passwords hashed: a fault of the build or the system.
    #[error("the first users cannot be made: {0}")]
    Users(String),
}

/// Gives a database that has never been seeded its first users (none, without `wanted`; the
/// choice is remembered). Blocks until they are durable. Tells whether it was a new one.
///
/// # Errors
/// See [`SeedError`].
pub fn seed(store: &Store, wanted: bool) -> Result<bool, SeedError> {
    if wait(|done| store.read(IsSeeded, done))? {
        return Ok(false);
    }
    let users = if wanted { hashed_users()? } else { Vec::new() };
    Ok(wait(|done| store.write(SeedUsers(users), done))?)
}

/// Who can be logged in as by everybody who has read the source, once [`seed`] has been done.
/// Blocks; changes nothing.
///
/// # Errors
/// See [`SeedError`].
pub fn users_with_published_password(
    store: &Store,
    wanted: bool,
) -> Result<Vec<UserName>, SeedError> {
    if wanted && !wait(|done| store.read(IsSeeded, done))? {
        return Ok(users()?.into_iter().map(|user| user.name).collect());
    }
    Ok(wait(|done| store.read(ListPublishedPasswords, done))?)
}

/// The users of the seed.
pub(super) fn users() -> Result<Vec<NewUser>, SeedError> {
    serde_json::from_str(SEED).map_err(|error| SeedError::Users(error.to_string()))
}

/// Whether everybody who has read the source knows this password, whoever has it.
pub(super) fn is_published(password: &Password) -> bool {
    let users = users().unwrap_or_default();
    users.iter().any(|user| user.password.0.reveal() == password.reveal())
}

fn hashed_users() -> Result<Vec<store::NewUser>, SeedError> {
    // Hashing is slow on purpose: all at once.
    let hashing: Vec<_> =
        users()?.into_iter().map(|user| thread::spawn(move || hashed(&user))).collect();
    let hashed = hashing.into_iter().map(|user| user.join().ok().flatten());
    let users: Option<Vec<store::NewUser>> = hashed.collect();
    users.ok_or_else(|| SeedError::Users("a password could not be hashed".to_owned()))
}

fn hashed(user: &NewUser) -> Option<store::NewUser> {
    Some(store::NewUser {
        name: user.name.clone(),
        display_name: user.display_name.as_str().to_owned(),
        password_hash: hashers::hash(&user.password.0)?,
        password_is_published: true,
    })
}

/// Waits for what the store answers.
fn wait<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, StoreError>) + Send>),
) -> Result<T, StoreError> {
    let (sender, receiver) = mpsc::channel();
    ask(Box::new(move |answer| drop(sender.send(answer))));
    receiver.recv().unwrap_or(Err(StoreError::Closed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_users_of_the_seed_are_in_the_binary() {
        let users = users().unwrap();
        let names: Vec<&str> = users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(names, ["paff", "neko", "robo", "ivy", "vanessa"]);
        assert!(users.iter().all(|user| user.password.0.reveal() == "cytus"));
    }
}
