//! What tests of the store have in common.

use std::sync::Arc;
use std::sync::mpsc::channel;

use tempfile::TempDir;

use super::{NewUser, Options, Store};
use crate::adjustable::Adjustable;

/// A new one, with the users `neko` and `paff`: 1 and 2.
pub(super) fn store(folder: &TempDir) -> Store {
    let options = Options {
        path: folder.path().join("chat.sqlite"),
        readers: 1,
        inbox_unread_max: Adjustable::from(1_000),
    };
    let store = Store::open(&options, Arc::new(|error| panic!("{error}"))).unwrap();
    let user = |name: &str| NewUser {
        name: name.parse().unwrap(),
        display_name: name.to_owned(),
        password_hash: String::new(),
        password_is_published: false,
    };
    let (done, added) = channel();
    let taken = move |taken| done.send(taken).unwrap();
    store.add_users(vec![user("neko"), user("paff")], taken);
    assert_eq!(added.recv().unwrap().unwrap(), []);
    store
}
