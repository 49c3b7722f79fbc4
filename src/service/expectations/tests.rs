//! Messages about expectations: their keys, and the hints that go with them.

use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::*;
use crate::model::{EXPECTATION_NAME_BYTES_MAX, UserId};
use crate::service::{Deliver, LoginLimits, Network, Options, Outcome, Ticket, UnixUsers};
use crate::store::{AddUsers, NewUser, Store};

fn untold(name: &str, what: Told) -> Untold {
    Untold {
        owner: UserId(1),
        name: name.parse().unwrap(),
        tell: "neko".parse().unwrap(),
        late_since: Timestamp(253_402_300_799_999),
        what,
        text: None,
    }
}

#[test]
fn end_of_a_long_report_is_told() {
    let text = format!("{}é the end", "é".repeat(BODY_BYTES_MAX / 2 - 5));
    let mut failed = untold("backup", Told::Failed(3));
    failed.text = Some(text.parse().unwrap());
    let body = message(&failed).expect("a message").body;
    let (first, rest) = body.as_str().split_once("\n\n").unwrap();
    assert!(first.starts_with("backup failed with 3 at ") && rest.ends_with("é the end"));
    assert!((BODY_BYTES_MAX - 1..=BODY_BYTES_MAX).contains(&body.as_str().len()));
    failed.what = Told::Missing { last_at: None };
    assert!(!message(&failed).expect("a message").body.as_str().contains("the end"));
}

#[test]
fn every_state_has_a_message_with_a_key_of_its_own() {
    let longest = "x".repeat(EXPECTATION_NAME_BYTES_MAX);
    let untold = |what| untold(&longest, what);
    let at = Timestamp(0);
    let keys = [Told::Missing { last_at: None }, Told::Failed(255), Told::Back(at)]
        .map(|what| message(&untold(what)).expect("a message").key.unwrap());
    assert_eq!(keys[0], keys[1], "late and failed at the same time are one thing");
    assert_ne!(keys[0], keys[2]);
}

/// Counts the hints of a connection.
#[derive(Default)]
struct Hints(AtomicUsize);

impl Deliver for Hints {
    fn deliver(&self, _ticket: Ticket, _answer: Outcome) {}

    fn attach_session(&self, _ticket: Ticket, _session: Arc<LiveSession>) {}

    fn hint(&self, _ticket: Ticket) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server that ended after it had stored the message gave no hint.
#[test]
fn message_that_was_stored_before_is_hinted_and_not_counted() {
    let folder = TempDir::new().unwrap();
    let service = service(&folder, 10);
    let told = untold("backup", Told::Failed(1));
    assert!(matches!(
        service.write_now(message(&told).unwrap()),
        Ok(Appended::Stored { duplicate: false, .. })
    ));
    let (hints, ticket) =
        (Arc::new(Hints::default()), Ticket { connection: 0, generation: 0, sequence: 0 });
    let responder = Responder::new(hints.clone(), ticket, Network::ThisMachine);
    let watching = service.hub.subscribe(UserId(1), responder.reply_address());
    service.tell(&[told], &mut Round::default()).unwrap();
    assert_eq!(hints.0.load(Ordering::SeqCst), 1);
    assert_eq!(service.metrics.messages.get(), 0);
    drop(watching);
    service.store.close();
}

/// A service with the user neko, in a new database.
pub(in crate::service) fn service(folder: &TempDir, inbox_unread_max: usize) -> Arc<Service> {
    let path = folder.path().join("chat.sqlite");
    let inbox_unread_max = inbox_unread_max.into();
    let options = crate::store::Options { path, readers: 1, inbox_unread_max };
    let store = Store::open(&options, Arc::new(|error| panic!("{error}"))).unwrap();
    let limits = LoginLimits { per_address: 1.into(), per_account: 1.into() };
    let options = Options {
        session_idle: SLEEP_MAX.into(),
        session_lifetime: SLEEP_MAX.into(),
        sessions_per_user: 1,
        hashers: 1,
        login_limits: limits,
        users_hidden: false.into(),
        unix_users: UnixUsers::default(),
        published_passwords_allowed: true,
    };
    let service = Service::new(store, options).unwrap();
    let neko = NewUser {
        name: "neko".parse().unwrap(),
        display_name: "Neko".to_owned(),
        password_hash: String::new(),
        password_is_published: false,
    };
    assert_eq!(service.write_now(AddUsers(vec![neko])), Ok(vec![]));
    service
}
