//! A room while the server is killed: a guest joins and leaves, and a reader marks it as read.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use rusqlite::Connection;
use serde_json::json;

use super::requests::Requests;
use crate::load::Client;
use crate::support::Wire;

/// The room. Its owner posts; the clients of the load post there, too.
pub const ROOM: &str = "#build";
const GUEST: &str = "robo";
const READER: &str = "neko";
/// How many messages a page has.
const PAGE_MESSAGES: usize = 1_000;

/// What was acknowledged of the room, beside the messages themselves.
pub struct Members {
    guest: String,
    reader: String,
    /// Messages that were sent while the guest was a member, and while the guest was not.
    seen: BTreeSet<i64>,
    unseen: BTreeSet<i64>,
    /// The newest mark that was acknowledged, and those that were sent after it.
    marked: i64,
    perhaps_marked: Vec<i64>,
}

impl Members {
    /// Creates the room. A guest sees only what is sent while they are a member.
    pub fn begin(wire: &mut Wire, owner: &str) -> Self {
        let room = json!({"room": ROOM, "history": "joined"});
        wire.done(format!("room_create {owner} {room}"));
        let [guest, reader] = [GUEST, READER].map(|user| wire.log_in(user));
        wire.done(format!("room_join {reader} {}", json!({"room": ROOM})));
        let (seen, unseen) = (BTreeSet::new(), BTreeSet::new());
        Self { guest, reader, seen, unseen, marked: 0, perhaps_marked: Vec::new() }
    }

    /// The guest comes and goes until the connection breaks, or an answer does not count any more.
    /// Each time a message is posted meanwhile and another one afterwards.
    pub fn come_and_go(
        &mut self,
        poster: &mut Client,
        owner: &str,
        address: SocketAddr,
        counts: &impl Fn() -> bool,
    ) {
        poster.unanswered.splice(0..0, poster.unheard.drain(..));
        let Some(mut server) = Requests::to(address, counts) else { return };
        // The outcome of the last change before the end is unknown.
        let left = server.ask(&self.leave());
        if left.is_none_or(|left| left["status"] != "OK" && left["code"] != "not_allowed") {
            return;
        }
        while let Some(&message) = poster.unanswered.first() {
            if server.post(poster, owner, message).is_none() {
                return;
            }
        }
        while self.come_and_go_once(poster, owner, &mut server).is_some() {}
    }

    /// `None` if an answer does not come or does not count.
    fn come_and_go_once(
        &mut self,
        poster: &mut Client,
        owner: &str,
        server: &mut Requests<impl Fn() -> bool>,
    ) -> Option<()> {
        server.done(&format!("room_join {} {}", self.guest, json!({"room": ROOM})))?;
        let message = poster.make();
        let id = server.post(poster, owner, message)?;
        self.seen.insert(id);
        self.perhaps_marked.push(id);
        server.done(&format!("ack {} {}", self.reader, json!({"room": ROOM, "upto": id})))?;
        self.marked = id;
        self.perhaps_marked.clear();
        server.done(&self.leave())?;
        let message = poster.make();
        self.unseen.insert(server.post(poster, owner, message)?);
        Some(())
    }

    fn leave(&self) -> String {
        format!("room_leave {} {}", self.guest, json!({"room": ROOM}))
    }

    /// The guest may read what their memberships say, as they were acknowledged. The mark is where it
    /// was acknowledged, or where a request without an answer moved it.
    pub fn check(&self, address: SocketAddr, database: &Connection) {
        let mut wire = Wire::connect(address);
        let read = self.read(&mut wire);
        let ids = |sql: &str| -> BTreeSet<i64> {
            let mut statement = database.prepare(sql).unwrap();
            let rows = statement.query_map([ROOM, GUEST], |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        assert_eq!(read, ids(OF_INTERVALS), "what the guest reads, and the memberships");
        assert!(self.seen.is_subset(&read), "{:?} are not read", &self.seen - &read);
        assert!(self.unseen.is_disjoint(&read), "{:?} are read", &self.unseen & &read);
        let list = wire.done(format!("conversations {}", self.reader));
        let rooms = list["conversations"].as_array().unwrap().iter();
        let upto = rooms.filter(|of| of["room"] == ROOM).find_map(|of| of["upto"].as_i64());
        let at = upto.unwrap_or(0);
        assert!(
            at == self.marked || self.perhaps_marked.contains(&at),
            "the mark is at {at}, acknowledged at {} and perhaps at {:?}",
            self.marked,
            self.perhaps_marked
        );
    }

    /// What the guest may read of the room. Nothing until they have joined.
    fn read(&self, wire: &mut Wire) -> BTreeSet<i64> {
        let mut read = BTreeSet::new();
        loop {
            let after = read.last().copied().unwrap_or(0);
            let fields = json!({"with": ROOM, "after": after, "limit": PAGE_MESSAGES});
            let page = wire.ask(format!("fetch {} {fields}", self.guest));
            if page["code"] == "not_allowed" {
                return read;
            }
            let messages = page["messages"].as_array().unwrap_or_else(|| panic!("{page}"));
            for message in messages {
                let id = message["id"].as_i64().unwrap();
                assert!(read.insert(id), "message {id} is read twice");
            }
            if page["more"] == false {
                return read;
            }
        }
    }
}

/// The messages of a room during the memberships of a user.
const OF_INTERVALS: &str = r#"
    SELECT m.id FROM v2_messages m JOIN v2_members b
        ON b.room = m.recipient AND m.id > b.joined_after
           AND (b.left_upto IS NULL OR m.id <= b.left_upto)
     WHERE m.recipient = ?1 AND b."user" = ?2"#;
