//! Random sequences of all verbs by several users, against the server and a model of it in memory.
//! Every reply is compared.

mod blocks;
mod changes;
mod reading;
mod rooms;

use std::collections::{BTreeMap, BTreeSet};

use changes::{Change, KeyedEdit};
use rooms::Room;
use serde_json::{Value, json};

use crate::support::{Random, Server, Wire};

const USERS: [&str; 3] = ["paff", "neko", "ivy"];
const ROOMS: [&str; 3] = ["#build", "#ops", "#team"];
const STEPS: usize = 2_000;
/// What expires is sent with a text that begins so, so that its key means the same expiry, too.
const EXPIRED: &str = "old ";
/// How many logins of a name may fail within a minute.
const FAILURES_MAX: usize = 5;

/// The expected state of the server.
#[derive(Default)]
struct Model {
    /// The message log; ids are positions in it, from 1 on. Edits and deletions have ids, too.
    log: Vec<Message>,
    changes: BTreeMap<usize, Change>,
    /// Messages that were deleted, and by which entry of the log.
    deleted: BTreeMap<usize, (Message, usize)>,
    edits: BTreeMap<(&'static str, String), KeyedEdit>,
    /// The open sessions, the oldest first.
    sessions: Vec<Session>,
    passwords: BTreeMap<&'static str, String>,
    cursors: BTreeMap<(&'static str, &'static str), usize>,
    keys: BTreeMap<(&'static str, String), Keyed>,
    dead: BTreeSet<(&'static str, &'static str, usize)>,
    /// The failed logins of each name.
    failures: BTreeMap<String, usize>,
    rooms: BTreeMap<&'static str, Room>,
    /// Who blocks whom.
    blocks: BTreeSet<(&'static str, &'static str)>,
    /// By the user and the conversation: another user, or a room.
    marks: BTreeMap<(&'static str, &'static str), usize>,
}

/// A message to a user or a room.
struct Message {
    from: &'static str,
    to: &'static str,
    body: String,
    /// Who may read it, and who was a member when it was sent. Changes of members change these sets,
    /// so the model knows no intervals.
    readers: BTreeSet<&'static str>,
    receivers: BTreeSet<&'static str>,
    /// Its time had passed when it was sent, so it is in the history only.
    has_expired: bool,
}

impl Message {
    fn is_in_room(&self) -> bool {
        self.to.starts_with('#')
    }
}

#[derive(Clone, PartialEq)]
struct Session {
    user: &'static str,
    token: String,
}

struct Keyed {
    to: BTreeMap<String, usize>,
    body: String,
}

impl Model {
    /// The messages that count as unread for a user after a cursor, whatever the marks say.
    fn incoming<'a>(&'a self, user: &'a str, after: usize) -> impl Iterator<Item = usize> + 'a {
        (after + 1..=self.log.len()).filter(move |&id| self.is_incoming(user, id))
    }

    fn is_incoming(&self, user: &str, id: usize) -> bool {
        let message = &self.log[id - 1];
        if message.has_expired {
            return false;
        }
        match self.rooms.get(message.to) {
            None => message.to == user,
            Some(room) => {
                let is_wanted = room.wants(user, &message.body);
                let is_news = message.from != user && !self.is_hidden_from(user, message);
                is_news && message.receivers.contains(user) && is_wanted
            }
        }
    }

    /// Whether an incoming message comes after the cursor `inbox` and after the mark.
    fn is_unread(&self, user: &'static str, id: usize) -> bool {
        let message = &self.log[id - 1];
        let with = if message.is_in_room() { message.to } else { message.from };
        self.is_incoming(user, id) && id > self.read_upto(user, with)
    }

    fn unread(&self, user: &'static str) -> Vec<usize> {
        (1..=self.log.len()).filter(|&id| self.is_unread(user, id)).collect()
    }

    /// How far a conversation is read.
    fn read_upto(&self, user: &'static str, with: &'static str) -> usize {
        let mark = self.marks.get(&(user, with)).copied().unwrap_or(0);
        self.cursor(user, "inbox").max(mark)
    }

    /// The messages to a user and to their rooms, own ones included.
    fn readable(&self, user: &str) -> Vec<usize> {
        let is_for = |message: &Message| match message.is_in_room() {
            true => message.readers.contains(user) && !self.is_hidden_from(user, message),
            false => message.to == user,
        };
        (1..=self.log.len()).filter(|&id| is_for(&self.log[id - 1])).collect()
    }

    fn between<'a>(&'a self, user: &'a str, with: &'a str) -> impl Iterator<Item = usize> + 'a {
        (1..=self.log.len()).filter(move |&id| {
            let Message { from, to, .. } = &self.log[id - 1];
            (*from, *to) == (user, with) || (*from, *to) == (with, user)
        })
    }

    fn cursor(&self, user: &'static str, name: &'static str) -> usize {
        self.cursors.get(&(user, name)).copied().unwrap_or(0)
    }

    fn append(&mut self, from: &'static str, to: &'static str, body: &str) -> usize {
        let (readers, receivers) = match self.rooms.get(to) {
            None => ([from, to].into(), [to].into()),
            Some(room) => (room.members(), room.members()),
        };
        let (body, has_expired) = (body.to_owned(), body.starts_with(EXPIRED));
        self.log.push(Message { from, to, body, readers, receivers, has_expired });
        self.log.len()
    }
}

/// The model, the server, and the random choices between them.
struct Run {
    server: Server,
    wire: Wire,
    model: Model,
    random: Random,
}

impl Run {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.random.below(from.len())]
    }

    fn user(&mut self) -> &'static str {
        self.pick(&USERS)
    }

    /// Any session; a new one if there is none.
    fn session(&mut self) -> Session {
        if self.model.sessions.is_empty() {
            self.authenticate();
        }
        let place = self.random.below(self.model.sessions.len());
        self.model.sessions[place].clone()
    }

    fn body(&mut self) -> String {
        let number = self.random.next() % 10;
        let text = self.pick(&["hai", " spaces ", "two\nlines", "猫🐱", "\r\n\r\n", "\u{1b}[31m"]);
        format!("{text}{number}")
    }

    fn authenticate(&mut self) {
        let user = self.user();
        let password = self.model.passwords.get(user).map_or("cytus", String::as_str);
        let reply = self.wire.done(format!("auth {user} {password}"));
        let token = reply["tokenid"].as_str().unwrap().to_owned();
        self.model.sessions.push(Session { user, token });
        // As many as the model keeps, so that the server's limit is never reached.
        if self.model.sessions.len() > 12 {
            self.log_out();
        }
    }

    fn fail_to_authenticate(&mut self) {
        let user = self.user();
        self.fail_as(user, "wrong_password");
        let name = format!("nobody{}", self.random.next() % 100);
        self.fail_as(&name, "unknown_user");
    }

    /// Not more often than a name may fail in a minute. Servers on PostgreSQL remember failures
    /// over a restart.
    fn fail_as(&mut self, name: &str, code: &str) {
        let failures = self.model.failures.entry(name.to_owned()).or_default();
        *failures += 1;
        if *failures <= FAILURES_MAX {
            assert_eq!(self.wire.refused(format!("auth {name} wrong")), code);
        }
    }

    fn send(&mut self) {
        let (Session { user, token }, to, body) = (self.session(), self.user(), self.body());
        if body.contains(['\r', '\n']) {
            return;
        }
        let line = format!("send {token} {to} {body}");
        if self.model.is_blocked_by(to, user) {
            return assert_eq!(self.wire.refused(line), "not_allowed");
        }
        self.wire.done(line);
        self.model.append(user, to, body.trim_ascii());
    }

    fn send_to_nobody(&mut self) {
        let Session { token, .. } = self.session();
        assert_eq!(self.wire.refused(format!("send {token} nobody x")), "unknown_recipient");
        let line = json!({"to": ["paff", "nobody"], "body": "x"});
        assert_eq!(self.wire.refused(format!("post {token} {line}")), "unknown_recipient");
    }

    fn post(&mut self) {
        let (Session { user, token }, mut body) = (self.session(), self.body());
        let expires = self.random.below(4) == 0;
        if expires {
            body.insert_str(0, EXPIRED);
        }
        let mut to = vec![self.user(), self.user()];
        to.sort_unstable();
        to.dedup();
        let key = format!("key-{}", self.random.below(12));
        let keyed = self.random.below(3) > 0;
        let mut arguments = json!({"to": to, "body": body});
        if expires {
            arguments["expires"] = json!("2026-01-01T09:00:00Z");
        }
        if keyed {
            arguments["key"] = json!(key);
        }
        let reply = self.wire.ask(format!("post {token} {arguments}"));
        let earlier = self.model.keys.get(&(user, key.clone())).filter(|_| keyed);
        let (ids, duplicate) = match earlier {
            Some(earlier) => {
                let same_people = earlier.to.keys().map(String::as_str).eq(to.iter().copied());
                if !same_people || earlier.body != body {
                    assert_eq!(reply["code"], "key_conflict", "{reply}");
                    return;
                }
                (earlier.to.clone(), true)
            }
            None if to.iter().any(|to| self.model.is_blocked_by(to, user)) => {
                return assert_eq!(reply["code"], "not_allowed", "{reply}");
            }
            None => {
                let append =
                    |to: &&'static str| ((*to).to_owned(), self.model.append(user, to, &body));
                (to.iter().map(append).collect::<BTreeMap<_, _>>(), false)
            }
        };
        let sent: Vec<Value> = to.iter().map(|to| json!({"to": to, "id": ids[*to]})).collect();
        assert_eq!((&reply["sent"], &reply["duplicate"]), (&json!(sent), &json!(duplicate)));
        if keyed {
            self.model.keys.insert((user, key), Keyed { to: ids, body });
        }
    }

    fn list(&mut self) {
        let Session { token, .. } = self.session();
        let reply = self.wire.done(format!("list {token}"));
        let mut users: Vec<&str> = Vec::new();
        for session in &self.model.sessions {
            if !users.contains(&session.user) {
                users.push(session.user);
            }
        }
        assert_eq!(reply["messages"], format!("List user: {}", users.join(",")));
    }

    fn log_out(&mut self) {
        let session = self.session();
        self.wire.done(format!("logout {}", session.token));
        self.model.sessions.retain(|other| *other != session);
        assert_eq!(self.wire.refused(format!("whoami {}", session.token)), "no_session");
    }

    fn acknowledge(&mut self) {
        let Session { user, token } = self.session();
        let cursor = self.pick(&["inbox", "worker"]);
        let (upto, rewind) =
            (self.random.below(self.model.log.len() + 2), self.random.below(4) == 0);
        let arguments = json!({"cursor": cursor, "upto": upto, "rewind": rewind});
        let line = format!("ack {token} {arguments}");
        if upto > self.model.log.len() {
            assert_eq!(self.wire.refused(line), "unknown_message");
            return;
        }
        let reply = self.wire.done(line);
        let position = self.model.cursors.entry((user, cursor)).or_default();
        let is_back = rewind && upto < *position;
        if rewind || upto > *position {
            *position = upto;
        }
        assert_eq!(reply["upto"], *position);
        if is_back && cursor == "inbox" {
            self.model.marks.retain(|&(of, _), mark| of != user || *mark <= upto);
        }
    }

    fn give_up(&mut self) {
        let Session { user, token } = self.session();
        let own: Vec<usize> = self.model.incoming(user, 0).collect();
        if own.is_empty() {
            return;
        }
        let id = self.pick(&own);
        let add = json!({"cursor": "worker", "upto": id, "dead": "add"});
        let reply = self.wire.done(format!("ack {token} {add}"));
        let position = self.model.cursors.entry((user, "worker")).or_default();
        *position = id.max(*position);
        assert_eq!(reply["upto"], *position);
        self.model.dead.insert((user, "worker", id));
        if self.random.below(3) == 0 {
            let clear = json!({"cursor": "worker", "upto": id, "dead": "clear"});
            self.wire.done(format!("ack {token} {clear}"));
            self.model.dead.retain(|&(owner, _, dead)| owner != user || dead > id);
        }
        let reply = self.wire.done(format!(r#"fetch {token} {{"dead": "worker"}}"#));
        let dead = self.model.dead.iter().filter(|&&(owner, _, id)| {
            owner == user && !self.model.is_hidden_from(user, &self.model.log[id - 1])
        });
        let dead: Vec<usize> = dead.map(|&(.., id)| id).collect();
        self.check_page(&reply, &dead[..dead.len().min(100)], dead.len() > 100);
    }

    fn look_at_sessions(&mut self) {
        let Session { user, token } = self.session();
        assert_eq!(self.wire.done(format!("whoami {token}"))["user"], user);
        let reply = self.wire.done(format!("sessions {token}"));
        let listed = reply["sessions"].as_array().unwrap().len();
        let known = self.model.sessions.iter().filter(|session| session.user == user).count();
        assert_eq!(listed, known);
    }

    fn revoke_others(&mut self) {
        let session = self.session();
        let reply = self.wire.done(format!(r#"revoke {} {{"others": true}}"#, session.token));
        self.end_others(&session, &reply);
    }

    fn change_password(&mut self) {
        let session = self.session();
        let new = format!("password {}", self.random.below(1_000));
        let old = self.model.passwords.insert(session.user, new.clone());
        let arguments = json!({"old": old.as_deref().unwrap_or("cytus"), "new": new});
        let reply = self.wire.done(format!("passwd {} {arguments}", session.token));
        self.end_others(&session, &reply);
    }

    fn end_others(&mut self, session: &Session, reply: &Value) {
        let before = self.model.sessions.len();
        self.model.sessions.retain(|other| other.user != session.user || other == session);
        assert_eq!(reply["ended"], before - self.model.sessions.len());
    }

    fn restart(&mut self) {
        self.server.kill();
        self.server.start_again();
        self.wire = self.server.connect();
    }

    fn step(&mut self) {
        match self.random.below(168) {
            0..=3 => self.authenticate(),
            4 => self.fail_to_authenticate(),
            5..=24 => self.send(),
            25 => self.send_to_nobody(),
            26..=42 => self.post(),
            43..=52 => self.inbox(),
            53..=56 => self.list(),
            57 => self.log_out(),
            58..=72 => self.fetch(),
            73..=80 => self.acknowledge(),
            81..=84 => self.give_up(),
            85..=90 => self.count_unread(),
            91..=93 => self.watch(),
            94..=96 => self.look_at_sessions(),
            97 => self.revoke_others(),
            98 => self.change_password(),
            99 => self.restart(),
            100..=112 => self.post_to_room(),
            113..=127 => self.change_room(),
            128..=133 => self.mark(),
            134..=136 => self.list_conversations(),
            137..=139 => self.search(),
            140..=150 => self.edit(),
            151..=156 => self.delete(),
            157..=164 => self.block(),
            _ => self.watch_changes(),
        }
    }
}

#[test]
fn server_answers_as_its_model_does() {
    let random = Random::new();
    // The test has more failed logins than the limit allows.
    let server = Server::start_with(&["--login-failures-per-address-max", "1000000"]);
    let wire = server.connect();
    let mut run = Run { server, wire, model: Model::default(), random };
    for _ in 0..STEPS {
        run.step();
    }
    let stored =
        run.server.query("select id || sender || recipient || body from v2_messages order by id");
    assert_eq!(stored, run.model.texts());
    let changes = "select id || ' ' || message || ' ' || kind || ' ' || coalesce(body, '-')
                     from v2_changes order by id";
    assert_eq!(run.server.query(changes), run.model.all_changes());
    let blocks = r#"select "user" || ' ' || blocked from v2_blocks order by 1"#;
    assert_eq!(run.server.query(blocks), run.model.all_blocks());
}
