//! Messages that are sent later, and expectations, while the server is killed or its power is cut.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use chat::model::Timestamp;
use rusqlite::Connection;
use serde_json::json;

use super::requests::Requests;
use crate::support::{Wire, wait_until};

/// The user to whom everything here belongs, and nothing else.
const SENDER: &str = "ivy";
/// The latest that a message is due, in milliseconds from when it is scheduled.
const AHEAD_MAX: usize = 1_500;
/// One in so many messages is cancelled.
const CANCELLED_OF: usize = 3;
/// After so many messages comes an expectation, for which nobody reports.
const MESSAGES_OF_EXPECTATION: usize = 10;

/// What was acknowledged of all that is to come later.
pub struct Later {
    token: String,
    messages: Vec<Message>,
    /// The expectations, and whether they were acknowledged.
    expectations: Vec<bool>,
}

struct Message {
    at: String,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Without an answer. It is asked for again.
    Asked,
    /// It must be sent, once.
    Scheduled,
    /// Without an answer to its cancellation: it may be sent, once.
    Cancelling(i64),
    /// It must never be sent.
    Cancelled,
}

impl Later {
    pub fn begin(wire: &mut Wire) -> Self {
        Self { token: wire.log_in(SENDER), messages: Vec::new(), expectations: Vec::new() }
    }

    /// Schedules and cancels until the connection breaks, or an answer does not count any more.
    pub fn schedule(&mut self, address: SocketAddr, counts: &impl Fn() -> bool) {
        let Some(mut server) = Requests::to(address, counts) else { return };
        for number in 0..self.messages.len() {
            let done = match self.messages[number].state {
                State::Asked => self.ask(number, &mut server).map(drop),
                State::Cancelling(id) => self.cancel(number, id, &mut server),
                State::Scheduled | State::Cancelled => Some(()),
            };
            if done.is_none() {
                return;
            }
        }
        while self.schedule_next(&mut server).is_some() {}
    }

    fn schedule_next(&mut self, server: &mut Requests<impl Fn() -> bool>) -> Option<()> {
        let number = self.messages.len();
        let at = Timestamp(now() + (137 * number % AHEAD_MAX) as i64).to_rfc3339();
        self.messages.push(Message { at, state: State::Asked });
        let id = self.ask(number, server)?;
        if number.is_multiple_of(CANCELLED_OF) {
            self.cancel(number, id?, server)?;
        }
        if number.is_multiple_of(MESSAGES_OF_EXPECTATION) {
            let name = format!("job-{}", self.expectations.len());
            self.expectations.push(false);
            let fields = json!({"name": name, "every": 1, "tell": "vanessa"});
            server.done(&format!("expect {} {fields}", self.token))?;
            *self.expectations.last_mut()? = true;
        }
        Some(())
    }

    /// Gives the number of the scheduled message, unless it is sent by now.
    fn ask(
        &mut self,
        number: usize,
        server: &mut Requests<impl Fn() -> bool>,
    ) -> Option<Option<i64>> {
        let name = name(number);
        let at = &self.messages[number].at;
        let mut fields = json!({"to": ["neko"], "body": name, "key": name, "at": at});
        if expires(number) {
            fields["expires_in"] = json!(60);
        }
        let reply = server.ask(&format!("post {} {fields}", self.token))?;
        let code = reply["code"].as_str().unwrap_or_default();
        assert!(!["key_conflict", "bad_argument"].contains(&code), "{name}: {reply}");
        if reply["status"] != "OK" || !server.counts() {
            return None;
        }
        let id = reply["scheduled"].as_i64();
        assert!(id.is_some() || reply["duplicate"] == true, "{reply}");
        self.messages[number].state = State::Scheduled;
        Some(id)
    }

    fn cancel(
        &mut self,
        number: usize,
        id: i64,
        server: &mut Requests<impl Fn() -> bool>,
    ) -> Option<()> {
        let was = self.messages[number].state;
        self.messages[number].state = State::Cancelling(id);
        let reply = server.ask(&format!("cancel {} {}", self.token, json!({"id": id})))?;
        if reply["code"] == "unknown_scheduled" {
            // It is being sent. Or it was cancelled before, by a request without an answer.
            self.messages[number].state = was;
            return Some(());
        }
        if reply["status"] != "OK" || !server.counts() {
            return None;
        }
        self.messages[number].state = State::Cancelled;
        Some(())
    }

    /// Everything was sent once, or is still to be sent. Nothing that was cancelled is either.
    pub fn check(&self, database: &Connection) {
        // One snapshot: the server is sending meanwhile.
        let snapshot = database.unchecked_transaction().unwrap();
        let sent = self.sent(&snapshot);
        let waiting: BTreeSet<String> =
            texts(&snapshot, "SELECT key FROM v2_scheduled").into_iter().collect();
        let expiring = "SELECT key FROM v2_messages WHERE expires_at IS NOT NULL";
        let expiring: BTreeSet<String> = texts(&snapshot, expiring).into_iter().collect();
        for (number, message) in self.messages.iter().enumerate() {
            let name = name(number);
            let is_expiring = sent.contains(&name) && expires(number);
            assert_eq!(expiring.contains(&name), is_expiring, "{name} expires or not");
            let is_there = sent.contains(&name) || waiting.contains(&name);
            match message.state {
                State::Scheduled => assert!(is_there, "{name} is lost"),
                State::Cancelled => assert!(!is_there, "{name} was cancelled"),
                State::Asked | State::Cancelling(_) => {}
            }
        }
    }

    /// Waits until everything is sent that was scheduled. Returns the numbers of sent messages, of
    /// cancelled ones, and of expectations.
    pub fn finish(&self, database: &Connection) -> [usize; 3] {
        let waiting = || texts(database, "SELECT key FROM v2_scheduled");
        wait_until("all are sent", || waiting().is_empty());
        self.check(database);
        let names = self.expectations.iter().enumerate();
        let names: Vec<String> = names
            .filter(|(_, is_acknowledged)| **is_acknowledged)
            .map(|(number, _)| format!("job-{number}"))
            .collect();
        wait_until("all are told", || {
            let told = self.told(database);
            names.iter().all(|name| told.contains(name))
        });
        let cancelled = self.messages.iter().filter(|message| message.state == State::Cancelled);
        [self.sent(database).len(), cancelled.count(), names.len()]
    }

    /// The messages that were sent, each once.
    fn sent(&self, database: &Connection) -> BTreeSet<String> {
        let all = "SELECT body FROM v1_messages WHERE sender = 'ivy' AND body NOT LIKE 'job-%'";
        let mut sent = BTreeSet::new();
        for body in texts(database, all) {
            assert!(body.starts_with("later-"), "nobody has sent {body:?}");
            assert!(sent.insert(body.clone()), "{body} is sent twice");
        }
        sent
    }

    /// The expectations that somebody was told of, each once.
    fn told(&self, database: &Connection) -> BTreeSet<String> {
        let all = "SELECT body FROM v1_messages WHERE sender = 'ivy' AND body LIKE 'job-%'";
        let mut told = BTreeMap::new();
        for body in texts(database, all) {
            let (name, _) = body.split_once(" is late: ").unwrap_or_else(|| panic!("{body:?}"));
            let before = told.insert(name.to_owned(), body.clone());
            assert_eq!(before, None, "then {body}");
        }
        told.into_keys().collect()
    }
}

/// The text of a message, and its key.
fn name(number: usize) -> String {
    format!("later-{number}")
}

/// Whether it expires some time after it is sent.
fn expires(number: usize) -> bool {
    number.is_multiple_of(2)
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn texts(database: &Connection, sql: &str) -> Vec<String> {
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
