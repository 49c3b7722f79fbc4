//! Runs of deliveries are merged, and still agree with the message log. The server is killed at
//! random moments and during a merge. In between, messages are purged and all runs are rebuilt.
//!
//! A stopping server writes a run of at least 16,384 deliveries, and merges eight runs of similar
//! size once there is a ninth. With a hundred recipients for each message, a few hundred requests
//! are enough for a merge.

use std::collections::BTreeMap;
use std::io::Write;
use std::thread;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::operator::done;
use crate::support::{Random, Server, Wire, scaled, wait_until};

/// Recipients of each message.
const USERS: usize = 100;
/// The stopping server writes a run after so many messages: at least 16,384 deliveries.
const MESSAGES_OF_RUN: usize = 170;
/// So many neighbouring runs are merged once there is another one after them.
const RUNS_MERGED: i64 = 8;

#[test]
fn deliveries_match_the_message_log_after_merges_under_kills_purge_and_rebuild() {
    let mut random = Random::new();
    let mut session = Session::begin();
    let rounds = scaled(1, 24);
    let (mut merges, mut kills) = (0, 0);
    for round in 0..rounds {
        while kills == round {
            session.fill_runs(&mut random);
            kills += session.kill_while_merging();
        }
        // The server starts the killed merge again.
        session.purge(&mut random);
        merges += session.wait_for_merge();
        session.check("after a merge");
        if round % 2 == 0 {
            session.rebuild();
        }
    }
    println!(
        "{rounds} rounds, {kills} kills in a merge, {merges} merges: deliveries match the message log"
    );
    assert_eq!((merges, kills), (rounds, rounds), "each round merges, and is killed in it");
}

struct Session {
    server: Server,
    token: String,
    /// The number of messages requested; the number of a message is its key.
    made: usize,
    /// The first id of each acknowledged message, by its number.
    acknowledged: BTreeMap<usize, i64>,
    /// Every message up to and including this id has been purged.
    purged: i64,
}

impl Session {
    fn begin() -> Self {
        let server = Server::start_with_users(USERS);
        let token = server.log_in("paff");
        Self { server, token, made: 0, acknowledged: BTreeMap::new(), purged: 0 }
    }

    /// Fills the message log, with kills in between, until there are enough runs for a merge; then
    /// the server is stopped.
    fn fill_runs(&mut self, random: &mut Random) {
        while number(&self.database(), RUNS) <= RUNS_MERGED {
            self.post(MESSAGES_OF_RUN, None);
            if random.below(4) == 0 {
                // The killed server wrote no run of it; the next server does.
                self.post(MESSAGES_OF_RUN, Some(random.below(MESSAGES_OF_RUN)));
                self.server.start_again();
                self.check("after a kill under load");
            }
            assert!(self.server.stop().success());
            if number(&self.database(), RUNS) <= RUNS_MERGED {
                self.server.start_again();
            }
        }
    }

    /// Requests so many messages, first those without an acknowledgement; kills the server after so
    /// many acknowledgements.
    fn post(&mut self, count: usize, kill_after: Option<usize>) {
        let unanswered = (0..self.made).filter(|number| !self.acknowledged.contains_key(number));
        let mut numbers: Vec<usize> = unanswered.collect();
        numbers.extend(self.made..self.made + count);
        self.made += count;
        let mut wire = self.server.connect();
        let mut reader = Wire::over(wire.stream().try_clone().unwrap());
        let lines: Vec<String> = numbers.iter().map(|&number| self.line(number)).collect();
        let server = &mut self.server;
        let acknowledged = &mut self.acknowledged;
        thread::scope(|scope| {
            // A killed server accepts nothing more.
            scope.spawn(move || {
                lines.iter().all(|line| wire.stream_mut().write_all(line.as_bytes()).is_ok())
            });
            for (place, number) in numbers.into_iter().enumerate() {
                if kill_after == Some(place) {
                    server.kill();
                }
                let Some(reply) = reader.try_reply_bytes() else { break };
                let reply: Value = serde_json::from_slice(&reply).unwrap();
                assert_eq!(reply["status"], "OK", "{reply}");
                acknowledged.insert(number, reply["id"].as_i64().unwrap());
            }
        });
    }

    fn line(&self, number: usize) -> String {
        let to: Vec<String> = (0..USERS).map(|user| format!("user-{user}")).collect();
        let post = json!({"to": to, "body": number.to_string(), "key": key(number)});
        format!("post {} {post}\r\n", self.token)
    }

    /// Starts the server, and kills it during a merge. Returns how many kills hit a merge: none if
    /// the merge was done before.
    fn kill_while_merging(&mut self) -> usize {
        self.server.start_again();
        let database = self.database();
        let runs = number(&database, RUNS);
        self.wait_until_it_merges();
        self.server.kill();
        let is_in_the_middle =
            number(&database, MERGE_UNDER_WAY) > 0 && number(&database, RUNS) == runs;
        self.server.start_again();
        self.check("after a kill in a merge");
        usize::from(is_in_the_middle)
    }

    /// Waits until a merge has begun, or is done.
    fn wait_until_it_merges(&self) {
        let database = self.database();
        wait_until("a merge is under way, or done", || {
            number(&database, MERGE_UNDER_WAY) > 0 || number(&database, RUNS) <= RUNS_MERGED
        });
    }

    /// Waits until the running server has replaced runs by a merged one and nothing is left to
    /// merge. Returns the number of merged runs.
    fn wait_for_merge(&self) -> usize {
        let database = self.database();
        wait_until("the runs are merged", || {
            number(&database, RUNS) <= RUNS_MERGED
                && number(&database, MERGED_RUNS) > 0
                && number(&database, ROWS_OF_NO_RUN) == 0
        });
        1
    }

    /// Purges some messages, also of the runs that are being merged.
    fn purge(&mut self, random: &mut Random) {
        self.wait_until_it_merges();
        let ids: Vec<i64> = self.acknowledged.values().copied().collect();
        let upto = ids[random.below(ids.len() / 4)];
        let before = upto.to_string();
        done(
            &self.server.database(),
            &["message", "purge", "--before-id", &before, "--unread-too"],
        );
        self.purged = self.purged.max(upto - 1);
        self.check("after a purge");
    }

    /// Rebuilds all runs, as one.
    fn rebuild(&mut self) {
        assert!(self.server.stop().success());
        done(&self.server.database(), &["check", "--rebuild"]);
        assert_eq!(number(&self.database(), RUNS), 1, "all is one run");
        self.server.start_again();
        self.check("after all runs were rebuilt");
    }

    /// Compares the deliveries with the message log, the log with the acknowledgements, and the
    /// users' inboxes with both.
    fn check(&self, when: &str) {
        let database = self.database();
        assert_eq!(number(&database, ASTRAY), 0, "{when}");
        let stored: BTreeMap<String, i64> = {
            let mut statement =
                database.prepare("SELECT key, min(id) FROM messages GROUP BY key").unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        };
        for (&message, &id) in &self.acknowledged {
            // The copies of a message have consecutive ids.
            if id > self.purged {
                assert_eq!(stored.get(&key(message)), Some(&id), "{when}: message {message}");
            }
        }
        let first_gone = "SELECT count(*) FROM messages WHERE id <= ?1";
        let left: i64 = database.query_row(first_gone, [self.purged], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{when}: purged messages are gone");
        let user = format!("user-{}", self.made % USERS);
        let mut wire = self.server.connect();
        let token = wire.log_in(&user);
        let unread = wire.done(format!("unread {token}"))["unread"].as_i64().unwrap();
        let theirs = "SELECT count(*) FROM messages m JOIN users u ON u.id = m.recipient_id
                       WHERE u.name = ?1";
        let expected: i64 = database.query_row(theirs, [&user], |row| row.get(0)).unwrap();
        assert_eq!(unread, expected, "{when}: the inbox of {user}");
    }

    fn database(&self) -> Connection {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        Connection::open_with_flags(self.server.database(), flags).unwrap()
    }
}

fn key(message: usize) -> String {
    format!("key-{message}")
}

fn number(database: &Connection, sql: &str) -> i64 {
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// The number of active runs.
const RUNS: &str = "SELECT count(*) FROM delivery_runs";
/// The number of merged runs among them: their numbers fall.
const MERGED_RUNS: &str = "SELECT count(*) FROM delivery_runs WHERE run < 1";
/// Whether a merge is writing: it has rows of a run that is not active yet.
const MERGE_UNDER_WAY: &str = "
    SELECT EXISTS (SELECT 1 FROM deliveries
                    WHERE run < (SELECT min(min(run), 1) FROM delivery_runs))";
/// Whether there are rows of inactive runs. It reads one row of each run, because a long read would
/// block checkpoints and with them the merge.
const ROWS_OF_NO_RUN: &str = "
    WITH RECURSIVE runs (run) AS (
        SELECT min(run) FROM deliveries
         UNION ALL
        SELECT (SELECT min(run) FROM deliveries WHERE run > runs.run) FROM runs WHERE run NOT NULL)
    SELECT EXISTS (SELECT 1 FROM runs
                    WHERE run NOT NULL AND run NOT IN (SELECT run FROM delivery_runs))";
/// The number of deliveries that only the message log or only the runs have, or that are there
/// twice.
const ASTRAY: &str = "
    SELECT (SELECT count(*) FROM (SELECT recipient_id, id FROM messages
                                  EXCEPT SELECT user_id, message_id FROM delivered))
         + (SELECT count(*) FROM (SELECT user_id, message_id FROM delivered
                                  EXCEPT SELECT recipient_id, id FROM messages))
         + (SELECT count(*) FROM delivered) - (SELECT count(*) FROM messages)";
