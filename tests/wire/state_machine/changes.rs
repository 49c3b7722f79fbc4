//! Edits and deletions: who may make them, and what streams tell of them.

use super::*;

/// An entry of the message log that is no message.
pub(super) struct Change {
    of: usize,
    body: Option<String>,
}

/// An edit that was made once by its key.
pub(super) struct KeyedEdit {
    of: usize,
    body: String,
    change: usize,
}

impl Message {
    /// What stands in the log in the place of a change, and of a message that was deleted. It is
    /// nobody's.
    fn nothing() -> Self {
        let (readers, receivers) = (BTreeSet::new(), BTreeSet::new());
        Self { from: "", to: "", body: String::new(), readers, receivers, has_expired: false }
    }

    pub(super) fn is_there(&self) -> bool {
        !self.to.is_empty()
    }

    fn is_read_by(&self, user: &str) -> bool {
        self.from == user || self.to == user || self.readers.contains(user)
    }
}

impl Model {
    /// The message, whether it was deleted or not.
    fn ever(&self, id: usize) -> Option<&Message> {
        let there = self.log.get(id - 1).filter(|message| message.is_there());
        there.or_else(|| self.deleted.get(&id).map(|(message, _)| message))
    }

    /// Whether the user is told of a change of this message, which was made at that place.
    fn is_told(&self, user: &str, id: usize, change: usize) -> bool {
        self.ever(id).is_some_and(|message| match self.rooms.get(message.to) {
            None => message.to == user,
            Some(room) => {
                let is_news = message.from != user && !self.is_hidden_from(user, message);
                let is_received = is_news && message.receivers.contains(user);
                is_received && !room.is_muted(user) && room.was_in(user, change)
            }
        })
    }

    fn is_moderator(&self, user: &str, message: &Message) -> bool {
        self.rooms.get(message.to).is_some_and(|room| room.is_owner(user))
    }

    /// Adds a change to the log.
    fn change(&mut self, of: usize, body: Option<&str>) -> usize {
        self.log.push(Message::nothing());
        let change = self.log.len();
        self.changes.insert(change, Change { of, body: body.map(str::to_owned) });
        change
    }

    /// What a stream tells after an id, in its order: the place, the message and its text.
    pub(super) fn told(&self, user: &str, after: usize) -> BTreeMap<usize, (usize, Value)> {
        let mut told = BTreeMap::new();
        for id in self.incoming(user, after) {
            told.insert(id, (id, json!(self.log[id - 1].body)));
        }
        let mut newest = BTreeMap::new();
        for (place, change) in self.changes.range(after + 1..) {
            if change.of <= after {
                newest.insert(change.of, (*place, json!(change.body)));
            }
        }
        newest.retain(|of, (place, _)| self.is_told(user, *of, *place));
        told.extend(newest.into_iter().map(|(of, (place, body))| (place, (of, body))));
        told
    }

    /// The texts of all messages that are there, with their ids: those of `v2_messages`.
    pub(super) fn texts(&self) -> Vec<String> {
        let all = self.log.iter().enumerate().filter(|(_, message)| message.is_there());
        all.map(|(index, Message { from, to, body, .. })| format!("{}{from}{to}{body}", index + 1))
            .collect()
    }

    /// The changes as `v2_changes` shows them.
    pub(super) fn all_changes(&self) -> Vec<String> {
        let all = self.changes.iter().map(|(place, Change { of, body })| {
            let text = body.as_deref().filter(|_| !self.deleted.contains_key(of));
            let kind = if body.is_some() { "edit" } else { "deletion" };
            format!("{place} {of} {kind} {}", text.unwrap_or("-"))
        });
        all.collect()
    }
}

impl Run {
    /// One of the user's own messages more often than any entry of the log, or one that is not there.
    fn some_message(&mut self, user: &str) -> usize {
        let own: Vec<usize> =
            (1..=self.model.log.len()).filter(|id| self.model.log[id - 1].from == user).collect();
        if own.is_empty() || self.random.below(4) == 0 {
            return 1 + self.random.below(self.model.log.len() + 2);
        }
        // The newest ones are in memory.
        let newest = own.len().saturating_sub(4);
        let from = if self.random.below(2) == 0 { newest } else { 0 };
        self.pick(&own[from..])
    }

    pub(super) fn edit(&mut self) {
        let (Session { user, token }, mut body) = (self.session(), self.body());
        if self.random.below(4) == 0 {
            body = format!("{body} @{}", self.user());
        }
        let id = self.some_message(user);
        let mut fields = json!({"id": id, "body": body});
        let key = format!("edit-{}", self.random.below(8));
        let has_key = self.random.below(3) == 0;
        if has_key {
            fields["key"] = json!(key);
        }
        let line = format!("edit {token} {fields}");
        if let Some(earlier) = self.model.edits.get(&(user, key.clone())).filter(|_| has_key) {
            if (earlier.of, earlier.body.as_str()) != (id, body.as_str()) {
                return assert_eq!(self.wire.refused(line), "key_conflict");
            }
            let change = earlier.change;
            return self.check_changed(line, (id, change, true));
        }
        if let Some(refused) = self.model.refusal_to_edit(user, id) {
            return assert_eq!(self.wire.refused(line), refused);
        }
        self.model.log[id - 1].body.clone_from(&body);
        let change = self.model.change(id, Some(&body));
        self.check_changed(line, (id, change, false));
        if has_key {
            self.model.edits.insert((user, key), KeyedEdit { of: id, body, change });
        }
    }

    pub(super) fn delete(&mut self) {
        let Session { user, token } = self.session();
        let id = self.some_message(user);
        let line = format!("delete {token} {}", json!({"id": id}));
        let model = &mut self.model;
        let message = model
            .ever(id)
            .filter(|message| message.is_read_by(user) && !model.is_hidden_from(user, message));
        let may = message.map(|message| message.from == user || model.is_moderator(user, message));
        match (may, model.deleted.get(&id)) {
            (Some(true), Some(&(_, change))) => self.check_changed(line, (id, change, true)),
            (Some(true), None) => {
                let change = model.change(id, None);
                let message = std::mem::replace(&mut model.log[id - 1], Message::nothing());
                model.deleted.insert(id, (message, change));
                model.dead.retain(|&(_, _, dead)| dead != id);
                self.check_changed(line, (id, change, false));
            }
            (Some(false), None) => assert_eq!(self.wire.refused(line), "not_allowed"),
            _ => assert_eq!(self.wire.refused(line), "unknown_message"),
        }
    }

    fn check_changed(&mut self, line: String, (id, change, duplicate): (usize, usize, bool)) {
        let reply = self.wire.done(line);
        assert_eq!((&reply["id"], &reply["change"]), (&json!(id), &json!(change)));
        assert_eq!(reply["duplicate"], duplicate);
    }

    /// A stream that asks for changes.
    pub(super) fn watch_changes(&mut self) {
        let Session { user, token } = self.session();
        let after = self.random.below(self.model.log.len() + 1);
        let mut wire = self.server.connect();
        wire.done(format!(r#"watch {token} {{"from": {after}, "changes": true}}"#));
        let mut expected = self.model.told(user, after).into_iter().peekable();
        let mut has_caught_up = false;
        // A change that was made just now may come after that, on PostgreSQL.
        while !has_caught_up || expected.peek().is_some() {
            let event = wire.reply();
            let place = match event["event"].as_str() {
                Some("caught_up") => {
                    has_caught_up = true;
                    continue;
                }
                Some("message") => &event["id"],
                _ => &event["change"],
            };
            let id = event["id"].as_u64().unwrap() as usize;
            if id > after && event["event"] != "message" {
                // It came with its newest text, or not at all. A later page may tell it again.
                let text = &self.model.log[id - 1].body;
                assert!(event["event"] == "deleted" || event["body"] == *text, "{event}");
                continue;
            }
            let found = (place.as_u64().unwrap() as usize, (id, event["body"].clone()));
            assert_eq!(Some(found), expected.next(), "{user} after {after}: {event}");
        }
    }
}

impl Model {
    /// Why a user cannot edit a message.
    fn refusal_to_edit(&self, user: &str, id: usize) -> Option<&'static str> {
        let message = self.log.get(id - 1).filter(|message| message.is_there());
        let is_seen =
            |message: &&Message| message.is_read_by(user) && !self.is_hidden_from(user, message);
        let Some(message) = message.filter(is_seen) else { return Some("unknown_message") };
        if message.from != user || self.is_blocked_by(message.to, user) {
            return Some("not_allowed");
        }
        self.rooms.get(message.to).and_then(|room| room.refusal_to_post(user))
    }
}
