//! Who is logged in without a password: which user a system user is, whom the kernel names at the
//! other end of a Unix-domain socket.
//!
//! The operator's map comes first. Root is nobody without an entry there: its processes act for many
//! people. So is the user whom the kernel names for all users without a number here, which are
//! those of other user namespaces (containers).

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use crate::model::UserName;
use crate::system;

/// The number of root.
const ROOT: u32 = 0;

/// A system user, in the operator's map.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum UnixUser {
    /// By the name in the system's list of users.
    Name(String),
    /// By the number.
    Uid(u32),
}

/// See the module. The default logs nobody in.
#[derive(Debug, Clone, Default)]
pub struct UnixUsers {
    /// Whether system users without an entry are the users of the same name.
    same_name: bool,
    map: Arc<HashMap<UnixUser, UserName>>,
}

/// Why nobody is logged in.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unmapped {
    /// The operator's map has no entry, and no user has the same name.
    #[error("{}", unmapped(*uid, name.as_deref()))]
    NoEntry {
        /// The system user.
        uid: u32,
        /// Its name, if it has one.
        name: Option<String>,
    },
    /// Root is not in the operator's map.
    #[error("root (uid 0) has to be mapped to a user by name")]
    Root,
    /// The kernel does not know the user: it is one of another user namespace.
    #[error("uid {0} stands for all users of other user namespaces, such as containers")]
    Overflow(u32),
    /// The system could not say who has this number.
    #[error("the name of uid {0} could not be looked up")]
    NotLookedUp(u32),
    /// There is no user of that name.
    #[error("uid {uid} is {name}, and there is no such user")]
    NoSuchUser {
        /// The system user.
        uid: u32,
        /// Who it would be.
        name: UserName,
    },
    /// An operator has disabled the user.
    #[error("uid {uid} is {name}, who is disabled")]
    Disabled {
        /// The system user.
        uid: u32,
        /// Who it is.
        name: UserName,
    },
}

fn unmapped(uid: u32, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("uid {uid} ({name}) is not mapped to a user"),
        None => format!("uid {uid} has no name and is not mapped to a user"),
    }
}

impl UnixUsers {
    /// With `same_name`, a system user is the user of the same name, unless `map` says otherwise.
    pub fn new(same_name: bool, map: impl IntoIterator<Item = (UnixUser, UserName)>) -> Self {
        Self { same_name, map: Arc::new(map.into_iter().collect()) }
    }

    /// Whether anybody can be logged in.
    pub fn is_on(&self) -> bool {
        self.same_name || !self.map.is_empty()
    }

    /// The user that the system user `uid` is. Blocks until the system has named it.
    pub(super) fn user_of(&self, uid: u32) -> Result<UserName, Unmapped> {
        self.choose(uid, system::overflow_user(), || system::user_name(uid))
    }

    fn choose(
        &self,
        uid: u32,
        overflow: u32,
        look_up: impl FnOnce() -> io::Result<Option<String>>,
    ) -> Result<UserName, Unmapped> {
        if let Some(user) = self.map.get(&UnixUser::Uid(uid)) {
            return Ok(user.clone());
        }
        let name = look_up().map_err(|error| {
            tracing::warn!(%error, uid, "the name of a system user could not be looked up");
            Unmapped::NotLookedUp(uid)
        })?;
        if let Some(name) = &name
            && let Some(user) = self.map.get(&UnixUser::Name(name.clone()))
        {
            return Ok(user.clone());
        }
        if uid == ROOT {
            return Err(Unmapped::Root);
        }
        if uid == overflow {
            return Err(Unmapped::Overflow(uid));
        }
        let same = name.as_ref().filter(|_| self.same_name).and_then(|name| name.parse().ok());
        same.ok_or(Unmapped::NoEntry { uid, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERFLOW: u32 = 65_534;

    fn choose(users: &UnixUsers, uid: u32, name: Option<&str>) -> Result<String, Unmapped> {
        let chosen = users.choose(uid, OVERFLOW, || Ok(name.map(str::to_owned)));
        chosen.map(|user| user.to_string())
    }

    fn map(entries: &[(UnixUser, &str)]) -> Vec<(UnixUser, UserName)> {
        let entry = |(from, to): &(UnixUser, &str)| (from.clone(), to.parse().unwrap());
        entries.iter().map(entry).collect()
    }

    #[test]
    fn system_user_is_the_user_of_the_same_name_and_root_and_strangers_are_nobody() {
        let users = UnixUsers::new(true, []);
        assert!(users.is_on() && !UnixUsers::default().is_on());
        assert_eq!(choose(&users, 1000, Some("ada")).unwrap(), "ada");
        assert_eq!(choose(&users, 0, Some("root")), Err(Unmapped::Root));
        assert_eq!(choose(&users, OVERFLOW, Some("nobody")), Err(Unmapped::Overflow(OVERFLOW)));
        for name in [None, Some("Ada"), Some("ada.l"), Some("machine$"), Some("")] {
            let unmapped = Unmapped::NoEntry { uid: 1000, name: name.map(str::to_owned) };
            assert_eq!(choose(&users, 1000, name), Err(unmapped));
        }
    }

    #[test]
    fn map_comes_first_and_a_number_comes_before_a_name() {
        let named = |name: &str| UnixUser::Name(name.to_owned());
        let entries = map(&[
            (named("alice"), "ada"),
            (UnixUser::Uid(1001), "ci"),
            (named("ci-runner"), "other"),
            (named("root"), "ops"),
            (UnixUser::Uid(OVERFLOW), "guest"),
        ]);
        for same_name in [true, false] {
            let users = UnixUsers::new(same_name, entries.clone());
            assert_eq!(choose(&users, 1000, Some("alice")).unwrap(), "ada");
            assert_eq!(choose(&users, 1001, Some("ci-runner")).unwrap(), "ci");
            assert_eq!(choose(&users, 1001, None).unwrap(), "ci");
            assert_eq!(choose(&users, 0, Some("root")).unwrap(), "ops");
            assert_eq!(choose(&users, OVERFLOW, Some("nobody")).unwrap(), "guest");
            assert_eq!(choose(&users, 1002, Some("paff")).is_ok(), same_name);
        }
    }

    #[test]
    fn failed_look_up_logs_nobody_in() {
        let users = UnixUsers::new(true, map(&[(UnixUser::Name("ada".to_owned()), "ada")]));
        let failed = users.choose(1000, OVERFLOW, || Err(io::Error::other("no answer")));
        assert_eq!(failed, Err(Unmapped::NotLookedUp(1000)));
    }
}
