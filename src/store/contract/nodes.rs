//! Several nodes of one PostgreSQL database.

mod blocks;
mod expectations;
mod rooms;
mod scheduled;

use std::sync::mpsc::Sender;

use super::*;
use crate::model::{Rights, Timestamp, TokenHash};
use crate::store::postgres::connect::Connector;
use crate::store::postgres::durability::Durability;
use crate::store::postgres::password::PasswordSource;
use crate::store::postgres::promise::Promised;
use crate::store::postgres::session::Opener;
use crate::store::{
    AcceptedInvitation, CreateToken, CreatedInvitation, CreatedToken, EndSessions, Event,
    JudgeLogin, Judgement, LiveInbox, LoginLimit, LoginOutcome, Marked, MoveMark, OpenSession,
    Opened, RevokeTokens, SessionFilter,
};

/// Two nodes of a new database with the users; `None` if the test is skipped.
fn nodes() -> Option<[Engine; 2]> {
    let first = Engine::new(open_postgres)?;
    let url = std::fs::read_to_string(first.folder.path().join("url")).unwrap();
    let store = Some(join_postgres(&url));
    let second = Engine { open: open_postgres, folder: TempDir::new().unwrap(), store };
    Some([first, second])
}

/// The database of the first node.
fn url(first: &Engine) -> String {
    std::fs::read_to_string(first.folder.path().join("url")).unwrap()
}

/// Sends every event of a node.
fn listen(node: &Engine) -> Receiver<Event> {
    let (sender, receiver): (Sender<Event>, _) = channel();
    let sender = Mutex::new(sender);
    node.store().set_on_event(Box::new(move |event| {
        let _ = sender.lock().unwrap().send(event);
    }));
    receiver
}

/// Waits for an event that `is` accepts.
fn wait_for(events: &Receiver<Event>, is: impl Fn(Event) -> bool) {
    while !is(events.recv_timeout(PATIENCE).expect("an event")) {}
}

fn bounds() -> PageBounds {
    PageBounds { messages: 1_000, size: usize::MAX, measure: |_| 1 }
}

/// What the live messages of an inbox have after an id.
fn live(inbox: &LiveInbox, after: i64) -> Option<Vec<i64>> {
    let (messages, _) = inbox.newer(MessageId(after), &bounds())?;
    Some(messages.iter().map(|message| message.id.0).collect())
}

#[test]
fn message_of_one_node_is_live_on_the_other() {
    let Some([first, second]) = nodes() else { return };
    let events = listen(&second);
    let inbox = second.store().watch(NEKO);
    let stored = ids(&first.append(message(PAFF, &["neko"], "hai", None)))[0];
    wait_for(&events, |event| event == Event::Messages(NEKO.into()));
    assert_eq!(live(&inbox, 0), Some(vec![stored]));
}

#[test]
fn nodes_that_write_at_once_have_one_order_without_a_gap() {
    const EACH: usize = 300;
    let Some(nodes) = nodes() else { return };
    let events = [listen(&nodes[0]), listen(&nodes[1])];
    let inboxes = [nodes[0].store().watch(NEKO), nodes[1].store().watch(NEKO)];
    let mut all: Vec<i64> = thread::scope(|scope| {
        let writing = nodes.iter().map(|node| {
            scope.spawn(move || {
                let send = |number| {
                    let appended =
                        node.append(message(PAFF, &["neko"], &format!("{number}"), None));
                    ids(&appended)[0]
                };
                (0..EACH).map(send).collect::<Vec<i64>>()
            })
        });
        let writing: Vec<_> = writing.collect();
        let (mut all, begun) = (Vec::new(), std::time::Instant::now());
        // Each watcher sees the log in its order and without a gap, while it grows.
        for (node, (events, inbox)) in nodes.iter().zip(events.iter().zip(&inboxes)) {
            let mut seen = Vec::new();
            while seen.len() < 2 * EACH {
                let after = seen.last().copied().unwrap_or(0);
                let newer = live(inbox, after).unwrap_or_else(|| {
                    let start = PageStart::After(MessageId(after));
                    let page = node.read(page(NEKO, start)).unwrap();
                    page.messages.iter().map(|message| message.id.0).collect()
                });
                assert!(begun.elapsed() < PATIENCE, "only {} messages came", seen.len());
                if newer.is_empty() {
                    // The service is told of a node's own messages by their answers.
                    let _ = events.recv_timeout(Duration::from_millis(10));
                }
                seen.extend(newer);
            }
            all.push(seen);
        }
        let written: BTreeSet<i64> =
            writing.into_iter().flat_map(|writing| writing.join().unwrap()).collect();
        assert!(all.iter().all(|seen| written.iter().eq(seen.iter())), "a gap or another order");
        all.pop().unwrap()
    });
    all.dedup();
    assert_eq!(all.len(), 2 * EACH);
}

#[test]
fn key_that_is_used_on_two_nodes_at_once_is_one_message() {
    let Some(nodes) = nodes() else { return };
    for round in 0..50 {
        let key = format!("key-{round}");
        let stored: Vec<i64> = thread::scope(|scope| {
            let send =
                |node: &Engine| ids(&node.append(message(PAFF, &["neko"], "once", Some(&key))))[0];
            let sending: Vec<_> =
                nodes.iter().map(|node| scope.spawn(move || send(node))).collect();
            sending.into_iter().map(|sending| sending.join().unwrap()).collect()
        });
        assert_eq!(stored[0], stored[1], "round {round}");
    }
    assert_eq!(nodes[0].inbox(NEKO).len(), 50);
}

#[test]
fn renamed_or_deleted_user_is_no_recipient_on_the_other_node() {
    let Some([first, second]) = nodes() else { return };
    // Both nodes remember the name.
    for node in [&first, &second] {
        assert!(matches!(
            node.append(message(PAFF, &["robo"], "hai", None)),
            Appended::Stored { .. }
        ));
    }
    let change = |name: &str, change| {
        first.write(ChangeUser { name: name.parse().unwrap(), change }).unwrap()
    };
    let rename = Change::Rename("robot".parse().unwrap());
    assert!(matches!(change("robo", rename), Changed::Yes { .. }));
    let unknown = |name: &str| Appended::UnknownRecipients(vec![name.parse().unwrap()]);
    assert_eq!(second.append(message(PAFF, &["robo"], "hai", None)), unknown("robo"));
    let renamed = second.append(message(PAFF, &["robot"], "hai", None));
    assert!(matches!(renamed, Appended::Stored { .. }));
    assert!(matches!(change("robot", Change::Delete), Changed::Yes { .. }));
    assert_eq!(second.append(message(PAFF, &["robot"], "hai", None)), unknown("robot"));
}

/// The answer to a revocation comes after the other node has forgotten the session.
#[test]
fn session_that_ends_on_one_node_has_ended_on_the_other_when_it_is_answered() {
    let Some([first, second]) = nodes() else { return };
    let forgotten = Arc::new(Mutex::new(Vec::new()));
    let forgetting = Arc::clone(&forgotten);
    second.store().set_on_event(Box::new(move |event| {
        if let Event::SessionEnded(user, token) = event {
            forgetting.lock().unwrap().push((user, token));
        }
    }));
    for number in 0..20 {
        let token = TokenHash([number; 32]);
        let open = OpenSession {
            user: NEKO,
            password_hash: String::new(),
            token,
            at: Timestamp::now(),
            expires_at: Timestamp(i64::MAX),
            sessions_max: 64,
            end: Vec::new(),
        };
        assert!(matches!(first.write(open), Ok(Opened::Yes)));
        let ended = first.write(EndSessions(SessionFilter::User(NEKO))).unwrap();
        assert_eq!(ended, [(NEKO, token)]);
        assert_eq!(forgotten.lock().unwrap().last(), Some(&(NEKO, token)), "answered too early");
    }
}

/// So does the answer to the revocation of an access token, and to a change of its user.
#[test]
fn token_that_is_revoked_on_one_node_is_forgotten_on_the_other_when_it_is_answered() {
    let Some([first, second]) = nodes() else { return };
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hearing = Arc::clone(&heard);
    second.store().set_on_event(Box::new(move |event| hearing.lock().unwrap().push(event)));
    let has_heard = |event| heard.lock().unwrap().contains(&event);
    for number in 0..5 {
        let create = CreateToken {
            user: NEKO,
            name: "ci".parse().unwrap(),
            hash: TokenHash([number; 32]),
            rights: Rights::Send,
            to: None,
            now: Timestamp::now(),
            lifetime: None,
        };
        assert!(matches!(first.write(create), Ok(CreatedToken::Yes { .. })));
        let revoked = first.write(RevokeTokens { user: NEKO, name: None }).unwrap();
        assert_eq!(revoked, [TokenHash([number; 32])]);
        assert!(has_heard(Event::SessionEnded(NEKO, revoked[0])), "answered too early");
    }
    let change = ChangeUser { name: "neko".parse().unwrap(), change: Change::Disable };
    assert!(matches!(first.write(change), Ok(Changed::Yes { .. })));
    assert!(has_heard(Event::UserChanged(NEKO)), "answered too early");
}

/// Two servers accept one invitation at once: one of them makes the account.
#[test]
fn invitation_that_two_nodes_accept_at_once_makes_one_account() {
    let Some([first, second]) = nodes() else { return };
    for number in 0..10 {
        let made = first.write(super::invitations::invitation(number)).unwrap();
        assert!(matches!(made, CreatedInvitation::Yes { .. }), "{made:?}");
        let (sender, receiver) = channel();
        for (node, name) in [(&first, "mia"), (&second, "zoe")] {
            let accept = super::invitations::acceptance(number, &format!("{name}{number}"));
            let sender = sender.clone();
            node.store().write(accept, move |answer| sender.send(answer.unwrap()).unwrap());
        }
        let answers = [(); 2].map(|()| receiver.recv_timeout(PATIENCE).unwrap());
        let made = |answer: &&AcceptedInvitation| matches!(answer, AcceptedInvitation::Yes { .. });
        assert_eq!(answers.iter().filter(made).count(), 1, "{answers:?}");
        assert!(answers.contains(&AcceptedInvitation::Used), "{answers:?}");
    }
}

/// A node that is killed does not sign off. Others wait for the end of its lease, and no longer.
#[test]
fn change_is_answered_after_the_lease_of_a_silent_node() {
    let Some([first, second]) = nodes() else { return };
    let url = std::fs::read_to_string(first.folder.path().join("url")).unwrap();
    // A node that was heard just now and never again.
    databases::query(
        &url,
        "INSERT INTO nodes (id, name, started_at, heard_at, seen_changes)
         VALUES (1000, 'silent', now_ms(), now_ms(), 0)",
    );
    let begun = std::time::Instant::now();
    let name = "robo".parse().unwrap();
    let changed = second.write(ChangeUser { name, change: Change::Disable }).unwrap();
    assert!(matches!(changed, Changed::Yes { .. }));
    let waited = begun.elapsed();
    assert!(waited > Duration::from_secs(2), "{waited:?}: it did not wait");
    assert!(waited < PATIENCE);
}

/// Failures on one node count on the other, by network and by account. A network that an account
/// was logged in from is not held because of others.
#[test]
fn failed_logins_of_both_nodes_are_judged_together() {
    let Some(nodes) = nodes() else { return };
    let judge = |node: usize, account: u8, network: &str, outcome| {
        nodes[node].read(JudgeLogin {
            account: [account; 32],
            network: network.to_owned(),
            is_local: network == "loopback",
            outcome,
            per_network_max: 5,
            per_account_max: 20,
        })
    };
    let open = Judgement { is_refused: false, reached: None };
    let is_held = |judgement: Judgement, by: LoginLimit| {
        let (limit, held) = judgement.reached.expect("a limit");
        assert!(held > Duration::from_secs(30) && held <= Duration::from_secs(60), "{held:?}");
        limit == by && judgement.is_refused
    };
    assert_eq!(judge(1, 1, "home", LoginOutcome::Right), open);
    for failure in 0..20 {
        let network = format!("network {}", failure / 4);
        let judged = judge(failure % 2, 1, &network, LoginOutcome::Wrong);
        assert!(!judged.is_refused);
        let reached = judged.reached.map(|(limit, _)| limit);
        assert_eq!(reached, (failure == 19).then_some(LoginLimit::Account), "{failure}");
    }
    for node in [0, 1] {
        for outcome in [LoginOutcome::Asked, LoginOutcome::Right, LoginOutcome::Wrong] {
            assert!(is_held(judge(node, 1, "new", outcome), LoginLimit::Account));
        }
        assert_eq!(judge(node, 1, "home", LoginOutcome::Right), open);
        assert_eq!(judge(node, 1, "loopback", LoginOutcome::Asked), open);
        assert_eq!(judge(node, 2, "new", LoginOutcome::Asked), open);
    }
    for failure in 0..5 {
        assert!(!judge(failure % 2, 1, "home", LoginOutcome::Wrong).is_refused);
    }
    assert!(is_held(judge(0, 1, "home", LoginOutcome::Right), LoginLimit::Network));
    // Refused attempts count nothing. A minute after the first failures, all is open again.
    let url = url(&nodes[0]);
    assert_eq!(databases::query(&url, "SELECT count(*) FROM login_failures"), ["25"]);
    databases::query(&url, "UPDATE login_failures SET at = at - 60000");
    for network in ["home", "new"] {
        assert_eq!(judge(1, 1, network, LoginOutcome::Asked), open);
    }
    databases::query(&url, "SELECT clean(0)");
    assert_eq!(databases::query(&url, "SELECT count(*) FROM login_failures"), ["0"]);
}

/// A purge or a rename changes what the live messages of the other node show.
#[test]
fn purged_message_is_not_live_on_the_other_node() {
    let Some([first, second]) = nodes() else { return };
    let events = listen(&second);
    let inbox = second.store().watch(NEKO);
    let stored = ids(&first.append(message(PAFF, &["neko"], "hai", None)))[0];
    wait_for(&events, |event| event == Event::Messages(NEKO.into()));
    assert_eq!(live(&inbox, 0), Some(vec![stored]));
    let purge = Purge { ids: vec![MessageId(stored)], unread_too: true };
    assert_eq!(first.write(purge), Ok(1));
    assert_eq!(live(&inbox, 0), None);
    assert!(second.inbox(NEKO).is_empty());
}

/// Every connection of a node breaks again and again, while it writes without keys: each message is
/// stored once, and each answer is true.
#[test]
fn broken_connections_neither_lose_nor_double_a_message() {
    const MESSAGES: usize = 400;
    let Some(engine) = Engine::new(open_postgres) else { return };
    let url = std::fs::read_to_string(engine.folder.path().join("url")).unwrap();
    let told = thread::scope(|scope| {
        // Once for each round of messages: a node that is always cut off has no lease.
        // The next one begins when the breaking of the last is over.
        let (round, rounds) = std::sync::mpsc::sync_channel(0);
        let breaking = scope.spawn(|| {
            let mut broken = 0;
            for () in rounds {
                let terminated = databases::query(
                    &url,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                      WHERE datname = current_database() AND usename = 'chat_server'
                        AND pid <> pg_backend_pid()",
                );
                broken += terminated.len();
            }
            broken
        });
        let (done, answers) = channel();
        let mut told = Vec::new();
        // Several at once, so that batches have several messages.
        for number in 0..MESSAGES {
            let done = done.clone();
            let text = format!("{number}");
            let append = message(PAFF, &["neko"], &text, None);
            engine.store().write(append, move |appended| done.send((text, appended)).unwrap());
            if number % 8 == 7 {
                round.send(()).unwrap();
                told.extend(answers.iter().take(8));
            }
        }
        drop(round);
        let broken = breaking.join().unwrap();
        assert!(broken > 10, "only {broken} connections broke");
        told
    });
    // A node that could not be heard for three seconds does nothing, and says so.
    let is_done = |appended: &Result<Appended, StoreError>| *appended != Err(StoreError::Busy);
    let mut acknowledged: Vec<(i64, String)> = told
        .into_iter()
        .filter(|(_, appended)| is_done(appended))
        .map(|(text, appended)| (ids(&appended.unwrap())[0], text))
        .collect();
    assert!(acknowledged.len() > MESSAGES / 10, "only {} were stored", acknowledged.len());
    acknowledged.sort();
    let stored: Vec<(i64, String)> =
        databases::query(&url, "SELECT id, convert_from(body, 'UTF8') FROM messages ORDER BY id")
            .iter()
            .map(|row| row.split_once('|').unwrap())
            .map(|(id, text)| (id.parse().unwrap(), text.to_owned()))
            .collect();
    assert_eq!(stored, acknowledged);
}

/// The order of the log, the durability and the patience of a node depend on settings that an
/// administrator may have changed for the whole database.
#[test]
fn connection_has_its_own_settings_whatever_those_of_the_database_are() {
    let Some(engine) = Engine::new(open_postgres) else { return };
    let url = url(&engine);
    // Limits that end no statement, however slow this machine is.
    let settings = [
        ("default_transaction_isolation", "serializable", "read committed"),
        ("statement_timeout", "1h", "0"),
        ("lock_timeout", "1h", "0"),
        ("idle_in_transaction_session_timeout", "1h", "1min"),
        ("synchronous_commit", "off", "on"),
        ("jit", "on", "off"),
        ("client_min_messages", "error", "warning"),
        ("timezone", "Asia/Jakarta", "UTC"),
    ];
    let database = databases::query(&url, "SELECT current_database()").remove(0);
    for (name, of_database, _) in settings {
        databases::query(&url, &format!("ALTER DATABASE {database} SET {name} = '{of_database}'"));
    }
    let connector = Connector { target: url.parse().unwrap(), password: PasswordSource::None };
    let opener = Opener::new(connector, Arc::new(Promised::new(Durability::Storage)));
    let mut session = opener.open().unwrap();
    for (name, of_database, of_node) in settings {
        let found = session.query_one("SELECT current_setting($1)", &[&name]).unwrap();
        assert_eq!(found.get::<_, String>(0), of_node, "{name}, of the database {of_database}");
    }
}

/// A node calls again after a broken connection, because it does not know whether the first call was
/// executed. A call of long ago, which the database executes only now, changes nothing.
#[test]
fn call_that_is_repeated_is_executed_once() {
    let Some(engine) = Engine::new(open_postgres) else { return };
    let url = url(&engine);
    engine.append(message(PAFF, &["neko"], "hai", None));
    let call = |sql: &str| {
        // A commit waits for the standbys only if its transaction has written something.
        let written = "SELECT pg_current_xact_id_if_assigned() IS NOT NULL";
        databases::query(&url, &format!("BEGIN; {sql}; {written}; COMMIT"))
    };
    let moves = |batch: i64, upto: i64| {
        format!(
            "SELECT move_cursors_once(0, 1, {batch}, 1000, ARRAY[1]::bigint[], ARRAY['inbox'],
                                      ARRAY[2]::smallint[], ARRAY[0]::bigint[],
                                      ARRAY[{upto}]::bigint[])"
        )
    };
    let newer = 1_000_000;
    assert_eq!(call(&moves(newer, 1)), ["{0,1}", "t"]);
    assert_eq!(call(&moves(newer, 1)), ["{0,1}", "t"], "not {{1,1}}: it was moved by this batch");
    assert_eq!(call(&moves(newer + 5, 0)), ["{0,0}", "t"]);
    let late = moves(newer, 1).replace("SELECT", "PERFORM");
    databases::query(
        &url,
        &format!(
            "DO $$ BEGIN
                 {late};
                 RAISE 'it was executed';
             EXCEPTION WHEN raise_exception THEN
                 IF SQLERRM NOT LIKE '%is over' THEN RAISE; END IF;
             END $$"
        ),
    );
    assert_eq!(databases::query(&url, "SELECT upto_id FROM cursors"), ["0"]);
    assert_eq!(databases::query(&url, "SELECT node, batch FROM moves"), ["1|1000005"]);

    let login = |token: &str, max: i64, end: &str| {
        format!(
            "SELECT outcome, change, id IS NOT NULL
               FROM open_session(0, (SELECT n.id FROM nodes n), 1, '', sha256('{token}'), 1000, {max},
                                 '{end}')"
        )
    };
    assert_eq!(call(&login("one", 1, "{}")), ["0||f", "t"]);
    // The first call may have ended sessions, so its repetition is answered after the newest change.
    assert_eq!(call(&login("one", 1, "{}")), ["0|0|f", "t"]);
    assert_eq!(call(&login("two", 1, "{}")), ["2||t", "f"], "there is no room");
    let id = databases::query(&url, "SELECT id FROM sessions").remove(0);
    for _ in 0..2 {
        let replaced = call(&login("two", 1, &format!("{{{id}}}")));
        let newest = databases::query(&url, "SELECT max(id) FROM changes").remove(0);
        assert_eq!(replaced, [format!("0|{newest}|f"), "t".to_owned()]);
    }
    assert_eq!(
        databases::query(&url, "SELECT count(*) FROM sessions WHERE token_hash = sha256('two')"),
        ["1"]
    );
}

/// A commit waits for the standbys only if its transaction has written something.
#[test]
fn connection_of_a_node_that_was_forgotten_is_proven_by_a_write() {
    let Some(engine) = Engine::new(open_postgres) else { return };
    let url = std::fs::read_to_string(engine.folder.path().join("url")).unwrap();
    let connector = Connector { target: url.parse().unwrap(), password: PasswordSource::None };
    let opener = Opener::new(connector, Arc::new(Promised::new(Durability::Storage)));
    let mut session = opener.open().unwrap();
    session.client.batch_execute("BEGIN").unwrap();
    session.prove(-1).unwrap();
    let written = session.query_one("SELECT pg_current_xact_id_if_assigned() IS NOT NULL", &[]);
    assert!(written.unwrap().get::<_, bool>(0));
}

#[test]
fn what_was_read_at_one_node_is_read_and_told_at_the_other() {
    let Some([first, second]) = nodes() else { return };
    let events = listen(&second);
    let old = ids(&first.append(message(UserId(3), &["neko"], "old", None)))[0];
    let new = ids(&first.append(message(PAFF, &["neko"], "new", None)))[0];
    let with: MailboxName = "paff".parse().unwrap();
    let mark = MoveMark { user: NEKO, with: with.clone(), upto: MessageId(new) };
    assert_eq!(first.write(mark), Ok(Marked::At(MessageId(new))));
    let unread = || {
        let start = PageStart::Cursor(CursorName::inbox());
        let page = second.read(page(NEKO, start)).unwrap();
        page.messages.iter().map(|message| message.id.0).collect::<Vec<_>>()
    };
    assert_eq!(unread(), [old]);
    wait_for(&events, |event| event == Event::Read(NEKO, Some(with.clone()), MessageId(new)));
    // Moves of the cursor are told to those who follow it.
    let _followed = second.store().follow_reading(NEKO);
    let acknowledge = |upto, rewind| {
        let (cursor, upto) = (CursorName::inbox(), MessageId(upto));
        first.write(Acknowledge { user: NEKO, cursor, upto, rewind }).unwrap();
        wait_for(&events, |event| event == Event::Read(NEKO, None, upto));
    };
    acknowledge(new, false);
    acknowledge(old, true);
    assert_eq!(unread(), [new], "it is unread again");
    acknowledge(new, false);
}
