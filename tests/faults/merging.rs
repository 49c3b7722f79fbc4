//! Runs of deliveries are merged, and what they say stays what the message log says: the server is
//! killed at random moments, and in the middle of a merge; between that messages are purged and all
//! runs are made anew.
//!
//! A server makes a run of 16,384 deliveries or more when it stops, and merges eight runs of about
//! one size once there is a ninth. So with a message to a hundred recipients a few hundred requests
//! are enough for a merge.

use std::collections::BTreeMap;
use std::io::Write;
use std::thread;
use std::time::Instant;

use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::support::operator::done;
use crate::support::{PATIENCE, Random, Server, Wire, scaled};

/// Recipients of each message.
const USERS: usize = 100;
/// So many messages are a run when the server stops: at least 16,384 deliveries.
const MESSAGES_OF_RUN: usize = 170;
/// So many runs beside each other become one when there is another one behind them.
const RUNS_MERGED: i64 = 8;

#[test]
fn deliveries_match_the_message_log_after_merges_under_kills_purge_and_rebuild() {
    let mut random = Random::new();
    let mut session = Session::begin();
    let rounds = scaled(2, 24);
    let (mut merges, mut kills) = (0, 0);
    for round in 0..rounds {
        while kills == round {
            session.fill_runs(&mut random);
            kills += session.kill_while_merging();
        }
        // What the killed server had written of the merge is begun again.
        session.purge(&mut random);
        merges += session.wait_for_merge();
        session.check("after a merge");
        if round % 2 == 0 {
            session.rebuild();
        }
    }
    println!(
        "{rounds} rounds, {kills} kills in a merge, {merges} merges: deliveries are the log's"
    );
    assert_eq!((merges, kills), (rounds, rounds), "each round merges, and is killed in it");
}

struct Session {
    server: Server,
    token: String,
    /// How many messages were asked for; the number of one is its key.
    made: usize,
    /// The first id of each message that was acknowledged, by its number.
    acknowledged: BTreeMap<usize, i64>,
    /// Every message up to and with this id has been purged.
    purged: i64,
}

impl Session {
    fn begin() -> Self {
        let server = Server::start_with_users(USERS);
        let token = server.log_in("paff");
        Self { server, token, made: 0, acknowledged: BTreeMap::new(), purged: 0 }
    }

    /// Fills the log, with kills in between, until so many runs are there that a merge is due; the
    /// server is stopped then.
    fn fill_runs(&mut self, random: &mut Random) {
        while number(&self.database(), RUNS) <= RUNS_MERGED {
            self.post(MESSAGES_OF_RUN, None);
            if random.below(4) == 0 {
                // The killed server has made no run of it: the next one does.
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

    /// Asks for so many messages, those first that were not acknowledged before; kills the server
    /// when so many have been.
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
            // Where the server is killed nothing more is taken.
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

    /// Starts the server, and kills it while it merges. Tells how often that was in the middle: not
    /// at all where the merge was done before.
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

    /// Waits until a merge is under way, or done.
    fn wait_until_it_merges(&self) {
        let database = self.database();
        wait_until("a merge is under way, or done", || {
            number(&database, MERGE_UNDER_WAY) > 0 || number(&database, RUNS) <= RUNS_MERGED
        });
    }

    /// Waits until the server that runs has put a merged run in place of others, and nothing is left
    /// to be done; tells how many merged runs came.
    fn wait_for_merge(&self) -> usize {
        let database = self.database();
        wait_until("the runs are merged", || {
            number(&database, RUNS) <= RUNS_MERGED
                && number(&database, MERGED_RUNS) > 0
                && number(&database, ROWS_OF_NO_RUN) == 0
        });
        1
    }

    /// Purges some messages, of the runs that are being merged, too.
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

    /// Makes all runs anew, as one.
    fn rebuild(&mut self) {
        assert!(self.server.stop().success());
        done(&self.server.database(), &["check", "--rebuild"]);
        assert_eq!(number(&self.database(), RUNS), 1, "all is one run");
        self.server.start_again();
        self.check("after all runs were made anew");
    }

    /// Compares the deliveries with the log, the log with what was acknowledged, and what users are
    /// told with both.
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
            // The copies of a message rise from its id on.
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

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        thread::yield_now();
    }
}

/// How many runs count.
const RUNS: &str = "SELECT count(*) FROM delivery_runs";
/// How many of them were made of others: their numbers fall.
const MERGED_RUNS: &str = "SELECT count(*) FROM delivery_runs WHERE run < 1";
/// Whether a run is being made of others: it has rows and does not count yet.
const MERGE_UNDER_WAY: &str = "
    SELECT EXISTS (SELECT 1 FROM deliveries
                    WHERE run < (SELECT min(min(run), 1) FROM delivery_runs))";
/// Whether there are rows of runs that do not count. It looks at one row of each run: a long read
/// would keep the WAL from being folded in, and the server from merging.
const ROWS_OF_NO_RUN: &str = "
    WITH RECURSIVE runs (run) AS (
        SELECT min(run) FROM deliveries
         UNION ALL
        SELECT (SELECT min(run) FROM deliveries WHERE run > runs.run) FROM runs WHERE run NOT NULL)
    SELECT EXISTS (SELECT 1 FROM runs
                    WHERE run NOT NULL AND run NOT IN (SELECT run FROM delivery_runs))";
/// How many deliveries the log has and the runs have not, or the other way round, or twice.
const ASTRAY: &str = "
    SELECT (SELECT count(*) FROM (SELECT recipient_id, id FROM messages
                                  EXCEPT SELECT user_id, message_id FROM delivered))
         + (SELECT count(*) FROM (SELECT user_id, message_id FROM delivered
                                  EXCEPT SELECT recipient_id, id FROM messages))
         + (SELECT count(*) FROM delivered) - (SELECT count(*) FROM messages)";
