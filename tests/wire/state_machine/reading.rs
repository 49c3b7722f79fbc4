//! Reading: pages, counts, streams, marks, conversations and searches.

use super::*;

/// How many received messages the move of a mark looks at to raise the cursor `inbox`.
const FLOOR_MESSAGES_MAX: usize = 256;

impl Run {
    pub(super) fn inbox(&mut self) {
        let Session { user, token } = self.session();
        let reply = self.wire.done(format!("inbox {token}"));
        let ids = self.model.unread(user);
        let mut senders = serde_json::Map::new();
        for &id in &ids {
            let message = &self.model.log[id - 1];
            let Message { from, to, body, .. } = message;
            let (group, entry) = match message.is_in_room() {
                true => (*to, json!({"msg": body, "from": from})),
                false => (*from, json!({"msg": body})),
            };
            senders.entry(group).or_insert(json!([])).as_array_mut().unwrap().push(entry);
        }
        // In the order of the senders, too: compared as text.
        assert_eq!(reply["messages"].to_string(), Value::Object(senders).to_string());
        // The cursor moves past what was left out, too.
        if !ids.is_empty() {
            let last = self.model.received(user).last().copied().unwrap_or(0);
            self.model.cursors.insert((user, "inbox"), last);
        }
    }

    pub(super) fn check_page(&self, reply: &Value, expected: &[usize], more: bool) {
        let messages = reply["messages"].as_array().unwrap();
        let shown: Vec<Value> = messages
            .iter()
            .map(|message| {
                let to = message.get("room").unwrap_or(&message["to"]);
                json!([message["id"], message["from"], to, message["body"]])
            })
            .collect();
        let expected: Vec<Value> = expected
            .iter()
            .map(|&id| {
                let Message { from, to, body, .. } = &self.model.log[id - 1];
                json!([id, from, to, body])
            })
            .collect();
        assert_eq!((shown, &reply["more"]), (expected, &json!(more)));
    }

    pub(super) fn fetch(&mut self) {
        let Session { user, token } = self.session();
        let (limit, edge) =
            (1 + self.random.below(20), self.random.below(self.model.log.len() + 2));
        let with = match self.random.below(4) {
            0 => Some(self.user()),
            1 => Some(self.room()),
            _ => None,
        };
        let kind = self.random.below(4);
        let cursor = self.pick(&["inbox", "worker"]);
        let mut arguments = match kind {
            0 => json!({"after": edge}),
            1 => json!({"before": edge}),
            2 => json!({"cursor": cursor}),
            _ => json!({}),
        };
        arguments["limit"] = json!(limit);
        if let Some(with) = with {
            arguments["with"] = json!(with);
        }
        let line = format!("fetch {token} {arguments}");
        if let Some(refused) = with.and_then(|with| self.model.refusal_to_read(user, with)) {
            return assert_eq!(self.wire.refused(line), refused);
        }
        let reply = self.wire.done(line);
        let all = match with {
            Some(with) if with.starts_with('#') => self.model.in_room(user, with, kind == 2),
            Some(with) => {
                let all = self.model.between(user, with);
                all.filter(|&id| kind != 2 || !self.model.log[id - 1].has_expired).collect()
            }
            None if kind == 2 => self.model.incoming(user, 0).collect(),
            None => self.model.readable(user),
        };
        let position = |id: usize| match (cursor, with) {
            ("inbox", Some(with)) => self.model.read_upto(user, with),
            ("inbox", None) if !self.model.is_unread(user, id) => id,
            _ => self.model.cursor(user, cursor),
        };
        let found: Vec<usize> = match kind {
            0 => all.into_iter().filter(|&id| id > edge).collect(),
            1 => all.into_iter().filter(|&id| id < edge).collect(),
            2 => all.into_iter().filter(|&id| id > position(id)).collect(),
            _ => all,
        };
        let newest_first = kind == 1 || kind == 3;
        let from = if newest_first { found.len().saturating_sub(limit) } else { 0 };
        let page = &found[from..found.len().min(from + limit)];
        self.check_page(&reply, page, found.len() > limit);
    }

    pub(super) fn count_unread(&mut self) {
        let Session { user, token } = self.session();
        let reply = self.wire.done(format!("unread {token}"));
        let mut counted: Vec<(&str, usize, usize)> = Vec::new();
        for id in self.model.unread(user) {
            let message = &self.model.log[id - 1];
            let from = if message.is_in_room() { message.to } else { message.from };
            match counted.iter_mut().find(|(sender, ..)| *sender == from) {
                Some((_, count, newest)) => (*count, *newest) = (*count + 1, id),
                None => counted.push((from, 1, id)),
            }
        }
        let all: usize = counted.iter().map(|(_, count, _)| count).sum();
        let (rooms, senders): (Vec<_>, Vec<_>) =
            counted.into_iter().partition(|(from, ..)| from.starts_with('#'));
        let entries = |of: &[(&str, usize, usize)], field: &str| -> Vec<Value> {
            let entry =
                |&(from, count, newest): &_| json!({field: from, "count": count, "newest": newest});
            of.iter().map(entry).collect()
        };
        let expected = json!([all, entries(&senders, "from"), entries(&rooms, "room")]);
        let no_rooms = json!([]);
        let of_rooms = reply.get("rooms").unwrap_or(&no_rooms);
        assert_eq!(json!([reply["unread"], reply["senders"], of_rooms]), expected);
    }

    pub(super) fn watch(&mut self) {
        let Session { user, token } = self.session();
        let after = self.random.below(self.model.log.len() + 1);
        let mut wire = self.server.connect();
        wire.done(format!(r#"watch {token} {{"from": {after}}}"#));
        for id in self.model.incoming(user, after) {
            let event = wire.reply();
            assert_eq!((&event["event"], &event["id"]), (&json!("message"), &json!(id)));
            assert_eq!(event["body"], self.model.log[id - 1].body);
        }
        assert_eq!(wire.reply()["event"], "caught_up");
        let to = self.session();
        let line = format!("send {} {user} live", to.token);
        if self.model.is_blocked_by(user, to.user) {
            return assert_eq!(self.wire.refused(line), "not_allowed");
        }
        self.wire.done(line);
        let id = self.model.append(to.user, user, "live");
        assert_eq!(wire.reply()["id"], id);
    }

    /// Moves the mark of a conversation.
    pub(super) fn mark(&mut self) {
        let Session { user, token } = self.session();
        let is_room = self.random.below(2) == 0;
        let with = if is_room { self.room() } else { self.user() };
        let upto = self.random.below(self.model.log.len() + 2);
        let field = if is_room { "room" } else { "with" };
        let line = format!("ack {token} {}", json!({field: with, "upto": upto}));
        if let Some(refused) = self.model.refusal_to_read(user, with) {
            return assert_eq!(self.wire.refused(line), refused);
        }
        if upto > self.model.log.len() {
            return assert_eq!(self.wire.refused(line), "unknown_message");
        }
        let reply = self.wire.done(line);
        let read = self.model.read_upto(user, with);
        assert_eq!((&reply[field], &reply["upto"]), (&json!(with), &json!(read.max(upto))));
        if upto > read {
            self.model.marks.insert((user, with), upto);
            self.model.raise_floor(user);
        }
    }

    pub(super) fn list_conversations(&mut self) {
        let Session { user, token } = self.session();
        let reply = self.wire.done(format!("conversations {token}"));
        let model = &self.model;
        let mut expected: Vec<(usize, Value)> = Vec::new();
        for with in USERS.into_iter().chain(ROOMS) {
            let is_room = with.starts_with('#');
            let got: Vec<usize> = match is_room {
                true => model.in_room(user, with, false),
                false => {
                    model.between(user, with).filter(|&id| model.log[id - 1].to == user).collect()
                }
            };
            let Some(&last) = got.last() else { continue };
            let unread: Vec<usize> =
                got.into_iter().filter(|&id| model.is_unread(user, id)).collect();
            let is_mention = |id: &&usize| rooms::mentions(&model.log[**id - 1].body, user);
            let mentions = unread.iter().filter(is_mention).count();
            let mentions = if is_room { mentions } else { 0 };
            let upto = model.read_upto(user, with);
            expected.push((last, json!([with, last, unread.len(), mentions, upto])));
        }
        expected.sort_by_key(|&(last, _)| std::cmp::Reverse(last));
        let expected: Vec<Value> = expected.into_iter().map(|(_, listed)| listed).collect();
        let found = reply["conversations"].as_array().unwrap().iter().map(|of| {
            let with = of.get("room").unwrap_or(&of["with"]);
            json!([with, of["last"]["id"], of["unread"], of["mentions"], of["upto"]])
        });
        assert_eq!(found.collect::<Vec<_>>(), expected, "{user}: {reply}");
        assert_eq!(reply["more"], false);
    }

    pub(super) fn search(&mut self) {
        let Session { user, token } = self.session();
        let word = format!("hai{}", self.random.below(10));
        let place = match self.random.below(3) {
            0 => Some(self.room()),
            _ => None,
        };
        let query = place.map_or_else(|| word.clone(), |room| format!("{word} in:{room}"));
        let line = format!("search {token} {}", json!({"query": query, "limit": 1000}));
        if let Some(refused) = place.and_then(|room| self.model.refusal_to_read(user, room)) {
            return assert_eq!(self.wire.refused(line), refused);
        }
        let reply = self.wire.done(line);
        let is_found = |id: &usize| {
            let message = &self.model.log[id - 1];
            let Message { to, body, readers, .. } = message;
            let has_word = body.split_whitespace().any(|found| found == word);
            let is_seen = readers.contains(user) && !self.model.is_hidden_from(user, message);
            has_word && is_seen && place.is_none_or(|room| room == *to)
        };
        let expected: Vec<usize> = (1..=self.model.log.len()).rev().filter(is_found).collect();
        self.check_page(&reply, &expected, false);
    }
}

impl Model {
    /// The messages that a page looks at: those to the user, and to rooms that they have not muted, own
    /// ones and those of blocked users included.
    fn received(&self, user: &str) -> Vec<usize> {
        let is_received = |message: &Message| match self.rooms.get(message.to) {
            None => message.to == user,
            Some(room) => message.receivers.contains(user) && !room.is_muted(user),
        };
        (1..=self.log.len()).filter(|&id| is_received(&self.log[id - 1])).collect()
    }

    /// What a user may read of a room, or what they got of it, muted or not.
    fn in_room(&self, user: &str, room: &str, is_incoming: bool) -> Vec<usize> {
        let is_it = |message: &Message| match is_incoming {
            _ if self.is_hidden_from(user, message) => false,
            true => {
                let is_it = message.receivers.contains(user) && message.from != user;
                is_it && !message.has_expired
            }
            false => message.readers.contains(user),
        };
        let is_wanted = |id: &usize| self.log[id - 1].to == room && is_it(&self.log[id - 1]);
        (1..=self.log.len()).filter(is_wanted).collect()
    }

    /// The cursor rises to the last message before the oldest unread one.
    fn raise_floor(&mut self, user: &'static str) {
        let floor = self.cursor(user, "inbox");
        let received = self.received(user).into_iter().filter(|&id| id > floor);
        let read = received.take(FLOOR_MESSAGES_MAX).take_while(|&id| !self.is_unread(user, id));
        if let Some(id) = read.last() {
            self.cursors.insert((user, "inbox"), id);
        }
    }
}
