//! Shared parts of the store's tests.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use smallvec::smallvec;
use tempfile::TempDir;

use crate::adjustable::Adjustable;
use crate::model::UserId;
use crate::store::AddUsers;
use crate::store::Append;
use crate::store::NewUser;
use crate::store::Options;
use crate::store::operation::Write;
use crate::store::sqlite::Sqlite;
use crate::store::sqlite::operation::{Apply, Statements};
use crate::store::sqlite::write::context::WriteContext;

/// A new store with the users `neko` (id 1) and `paff` (id 2).
pub(in crate::store) fn store(folder: &TempDir) -> Sqlite {
    let store = open(folder);
    let user = |name: &str| NewUser {
        name: name.parse().unwrap(),
        display_name: name.to_owned(),
        password_hash: String::new(),
        password_is_published: false,
    };
    let (done, added) = channel();
    let taken = move |taken| done.send(taken).unwrap();
    store.write(AddUsers(vec![user("neko"), user("paff")]), taken);
    assert_eq!(added.recv().unwrap().unwrap(), []);
    store
}

/// Opens the store in a folder. A fatal error fails the test.
pub(in crate::store) fn open(folder: &TempDir) -> Sqlite {
    let options = Options {
        path: folder.path().join("chat.sqlite"),
        readers: 1,
        inbox_unread_max: Adjustable::from(1_000),
    };
    Sqlite::open(&options, Arc::new(|error| panic!("{error}"))).unwrap()
}

/// Appends messages to both users in turns, each in a batch of its own. One batch begins at most
/// one run of deliveries, so this makes many runs.
pub(in crate::store) fn append_one_by_one(store: &Sqlite, messages: usize) {
    let (done, outcome) = channel();
    for number in 0..messages {
        let to = smallvec![["neko", "paff"][number % 2].parse().unwrap()];
        let append = Append::new(UserId(2), to, format!("text {number}").parse().unwrap());
        let done = done.clone();
        store.write(append, move |appended| done.send(appended).unwrap());
        outcome.recv().unwrap().unwrap();
    }
}

/// Waits up to 30 seconds for another thread to reach a state.
pub(in crate::store) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} did not come");
        thread::yield_now();
    }
}

/// Executes a closure as a write operation.
pub(in crate::store) struct Do<F>(pub(in crate::store) F);

impl<F: Send + 'static> Write for Do<F> {
    type Answer = ();
}

impl<F> Apply for Do<F>
where
    F: FnOnce(&mut WriteContext<'_>) -> rusqlite::Result<()> + Send + 'static,
{
    const STATEMENTS: Statements = Statements::One;

    fn apply(self, context: &mut WriteContext<'_>) -> rusqlite::Result<()> {
        (self.0)(context)
    }
}
