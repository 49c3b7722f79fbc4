//! The first users of a new database: those of `seed/users.json`, which is part of the binary.

use std::sync::mpsc;
use std::thread;

use super::hashers;
use crate::admin::request::NewUser;
use crate::model::{Password, UserName};
use crate::store::{self, IsSeeded, ListPublishedPasswords, SeedUsers, Store, StoreError};

const SEED: &str = include_str!("../../seed/users.json");

/// Why the first users were not created.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The users could not be read, or their passwords not hashed: a fault of the build or the
    /// system.
    #[error("the first users cannot be made: {0}")]
    Users(String),
}

/// Creates the first users in a database that was never seeded. Without `wanted` it creates none,
/// and records that choice. Blocks until the users are durable. Returns whether the database was
/// new.
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

/// The users whose passwords are published in the source, as they are after [`seed`]. Blocks.
/// Changes nothing.
///
/// # Errors
/// See [`SeedError`].
pub fn users_with_published_password(
    store: &Store,
    wanted: bool,
) -> Result<Vec<UserName>, SeedError> {
    if wanted && !wait(|done| store.read(IsSeeded, done))? {
        return users_of_the_seed(wanted);
    }
    Ok(wait(|done| store.read(ListPublishedPasswords, done))?)
}

/// The users that [`seed`] creates in a new database.
///
/// # Errors
/// See [`SeedError`].
pub fn users_of_the_seed(wanted: bool) -> Result<Vec<UserName>, SeedError> {
    let users = if wanted { users()? } else { Vec::new() };
    Ok(users.into_iter().map(|user| user.name).collect())
}

/// The users of the seed.
pub(super) fn users() -> Result<Vec<NewUser>, SeedError> {
    serde_json::from_str(SEED).map_err(|error| SeedError::Users(error.to_string()))
}

/// Whether this password is published in the source.
pub(super) fn is_published(password: &Password) -> bool {
    let users = users().unwrap_or_default();
    users.iter().any(|user| user.password.0.reveal() == password.reveal())
}

fn hashed_users() -> Result<Vec<store::NewUser>, SeedError> {
    // Hashing is slow by design, so all passwords are hashed in parallel.
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

/// Waits for the store's answer.
fn wait<T: Send + 'static>(
    operation: impl FnOnce(Box<dyn FnOnce(Result<T, StoreError>) + Send>),
) -> Result<T, StoreError> {
    let (sender, receiver) = mpsc::channel();
    operation(Box::new(move |answer| drop(sender.send(answer))));
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
