//! Watchers that go from server to server, and the judgement of what they got.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::crowd::Run;
use crate::load::name_of;
use crate::support::{Server, Wire};

/// The text of the last message of each mailbox that is watched.
pub const LAST: &str = "last";

/// A watcher with a cursor acknowledges one in so many messages.
const ACKNOWLEDGED_OF: usize = 64;

/// Who watches, and whether by a cursor. Otherwise by the last id that was seen.
const WATCHERS: [(&str, bool); 4] =
    [("neko", true), ("neko", false), ("robo", false), ("ivy", true)];

/// A program that reads one mailbox.
pub struct Watcher {
    /// Its user.
    pub user: &'static str,
    token: String,
    cursor: Option<String>,
    /// What it got over each connection.
    pieces: Vec<Piece>,
    /// Its cursor was acknowledged to be here.
    acknowledged: i64,
}

/// What came over one connection.
struct Piece {
    /// It began after this id.
    after: i64,
    /// The id and the name of each message.
    messages: Vec<(i64, String)>,
}

impl Piece {
    fn last(&self) -> i64 {
        self.messages.last().map_or(self.after, |(id, _)| *id)
    }
}

impl Watcher {
    /// Logs the watchers in.
    pub fn all(node: &Server) -> Vec<Self> {
        let watcher = |(number, (user, has_cursor)): (usize, (&'static str, bool))| Self {
            user,
            token: node.log_in(user),
            cursor: has_cursor.then(|| format!("watcher-{number}")),
            pieces: Vec::new(),
            acknowledged: 0,
        };
        WATCHERS.into_iter().enumerate().map(watcher).collect()
    }

    /// How many messages it got.
    pub fn count(&self) -> usize {
        self.pieces.iter().map(|piece| piece.messages.len()).sum()
    }

    /// Watches, at one server or another, until the last message.
    pub fn watch(&mut self, run: &Run, mut node: usize) {
        while !run.is_over() {
            let is_done = run.connect(node).is_some_and(|wire| self.follow(run, wire));
            if is_done {
                return;
            }
            run.pause();
            node += 1;
        }
    }

    /// Watches over one connection. Returns whether the last message came.
    fn follow(&mut self, run: &Run, mut wire: Wire) -> bool {
        let seen = self.pieces.last().map_or(0, Piece::last);
        let begin = match &self.cursor {
            Some(cursor) => json!({"cursor": cursor, "from": "all"}),
            None => json!({"from": seen}),
        };
        let request = |wire: &Wire, line: String| {
            // Whether the server has read it is known by its reply.
            let _ = wire.stream().write_all(format!("{line}\r\n").as_bytes());
        };
        request(&wire, format!("watch {} {begin}", self.token));
        let mut is_watching = false;
        while let Some(reply) = wire.try_reply_bytes() {
            let reply: Value = serde_json::from_slice(&reply).unwrap();
            match reply["event"].as_str() {
                None if reply["code"] == "busy" => return false,
                None if !is_watching => {
                    let after = reply["after"].as_i64().unwrap_or_else(|| panic!("{reply}"));
                    assert!(after <= seen, "watching begins at {after}, not at {seen}");
                    assert!(after >= self.acknowledged, "a cursor has moved back to {after}");
                    self.pieces.push(Piece { after, messages: Vec::new() });
                    is_watching = true;
                }
                None => self.acknowledged = reply["upto"].as_i64().unwrap_or(self.acknowledged),
                Some("message") => {
                    let piece = self.pieces.last_mut().unwrap();
                    let (id, body) = (reply["id"].as_i64().unwrap(), &reply["body"]);
                    if body == LAST {
                        return true;
                    }
                    piece.messages.push((id, name_of(body.as_str().unwrap()).to_owned()));
                    if let Some(cursor) = &self.cursor
                        && piece.messages.len().is_multiple_of(ACKNOWLEDGED_OF)
                    {
                        let ack = json!({"cursor": cursor, "upto": id});
                        request(&wire, format!("ack {} {ack}", self.token));
                    }
                }
                Some("end") => return false,
                // It would wait for ever after a test that failed.
                Some(_) if run.is_over() => return false,
                Some(_) => {}
            }
        }
        false
    }

    /// Each piece is a run of what is stored, and they leave nothing out.
    pub fn judge(&self, stored: &[(i64, String, String)]) {
        let own = stored.iter().filter(|(_, mailbox, body)| mailbox == self.user && body != LAST);
        let own: Vec<(i64, &str)> = own.map(|(id, _, body)| (*id, name_of(body))).collect();
        let mut upto = 0;
        for piece in &self.pieces {
            assert!(piece.after <= upto, "{} missed what came after {upto}", self.user);
            let from = own.partition_point(|(id, _)| *id <= piece.after);
            for (index, (id, name)) in piece.messages.iter().enumerate() {
                let there = own.get(from + index).copied();
                let got = Some((*id, name.as_str()));
                assert_eq!(there, got, "what {} got is not what is stored", self.user);
            }
            upto = piece.last().max(upto);
        }
        let newest = own.last().map_or(0, |(id, _)| *id);
        assert_eq!(upto, newest, "{} missed the newest messages", self.user);
    }
}
