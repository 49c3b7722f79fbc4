//! Rooms on several nodes.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::model::{MailboxId, RoomId, UserName, mentions};
use crate::store::postgres::operation::Query;
use crate::store::postgres::session::Session;
use crate::store::{
    Actor, CreateRoom, FindStart, JoinRoom, Joining, KickFromRoom, ListRooms, RoomSettings,
    StreamStart, Wanted,
};

const ROBO: UserId = UserId(3);
/// The mailbox of the first room.
pub(super) const BUILD: MailboxId = MailboxId(-1);

pub(super) fn create(node: &Engine) {
    let (name, settings) = ("#build".parse().unwrap(), RoomSettings::default());
    let created = node.write(CreateRoom { actor: Actor::User(PAFF), name, settings });
    assert_eq!(created.unwrap().unwrap().room.id, RoomId(1));
}

pub(super) fn join(node: &Engine, user: UserId) {
    let join = JoinRoom { room: "#build".parse().unwrap(), joining: Joining::Oneself(user) };
    node.write(join).unwrap().unwrap();
}

fn kick(user: &str) -> KickFromRoom {
    let (room, user) = ("#build".parse().unwrap(), user.parse().unwrap());
    KickFromRoom { actor: Actor::User(PAFF), room, user }
}

pub(super) fn post(node: &Engine, sender: UserId, text: &str) -> Appended {
    node.append(message(sender, &["#build"], text, None))
}

/// The stream of a user begins, or looks again, at a node.
pub(super) fn follow(node: &Engine, inbox: &LiveInbox, reader: UserId) -> MessageId {
    let as_of = inbox.memberships();
    let wanted = Wanted::Incoming { muted: false };
    let start = FindStart { reader, cursor: None, start: StreamStart::Newest, wanted };
    let start = node.read(start).unwrap();
    inbox.follow(&start.rooms, as_of);
    start.after
}

#[test]
fn post_of_one_node_is_live_for_a_member_at_the_other() {
    let Some([first, second]) = nodes() else { return };
    create(&first);
    join(&first, NEKO);
    let events = listen(&second);
    let inbox = second.store().watch(NEKO);
    let after = follow(&second, &inbox, NEKO);
    let stored = ids(&post(&first, PAFF, "done"))[0];
    wait_for(&events, |event| event == Event::Messages(BUILD));
    assert_eq!(live(&inbox, after.0), Some(vec![stored]));
}

#[test]
fn who_joined_or_was_removed_at_one_node_may_post_at_the_other_or_not() {
    let Some([first, second]) = nodes() else { return };
    create(&first);
    let names = || vec!["#build".parse().unwrap()];
    for round in 0..5 {
        assert_eq!(post(&second, ROBO, "early"), Appended::NotAllowed(names()), "{round}");
        join(&first, ROBO);
        assert!(matches!(post(&second, ROBO, "hai"), Appended::Stored { .. }), "{round}");
        first.write(kick("robo")).unwrap().unwrap();
    }
    assert_eq!(post(&second, ROBO, "late"), Appended::NotAllowed(names()));
}

/// One node removes a member, while both post and the other has the member's stream.
#[test]
fn removed_member_gets_no_message_that_came_later() {
    let Some([first, second]) = nodes() else { return };
    create(&first);
    join(&first, ROBO);
    let events = listen(&second);
    let inbox = second.store().watch(NEKO);
    for round in 0..20 {
        join(&first, NEKO);
        let mut after = follow(&second, &inbox, NEKO);
        let (done, removed) = channel();
        let is_removed = AtomicBool::new(false);
        let mut seen = Vec::new();
        thread::scope(|scope| {
            for (node, sender) in [(&first, PAFF), (&second, ROBO)] {
                let is_removed = &is_removed;
                scope.spawn(move || {
                    let mut numbers = 0..1_000;
                    while !is_removed.load(Ordering::Relaxed)
                        && let Some(number) = numbers.next()
                    {
                        post(node, sender, &format!("{round} {number}"));
                    }
                });
            }
            // As a stream does it: the second node may hear of the join after the stream began.
            while seen.is_empty() {
                wait_for(&events, |event| event == Event::Messages(BUILD));
                match live(&inbox, after.0) {
                    Some(messages) => seen.extend(messages),
                    None => after = follow(&second, &inbox, NEKO),
                }
            }
            first.store().write(kick("neko"), move |kicked| done.send(kicked).unwrap());
            // Until the removal is answered, and once more.
            loop {
                let is_last = is_removed.load(Ordering::Relaxed);
                seen.extend(live(&inbox, after.0).unwrap_or_default());
                if is_last {
                    break;
                }
                let answered = removed.recv_timeout(Duration::from_millis(1)).is_ok();
                is_removed.store(answered, Ordering::Relaxed);
            }
            assert_eq!(live(&inbox, after.0), None, "what the stream follows is out of date");
        });
        let left = databases::query(
            &url(&first),
            "SELECT max(left_upto) FROM memberships WHERE user_id = 1 AND room_id = 1",
        );
        let left: i64 = left[0].parse().unwrap();
        assert!(seen.iter().all(|id| *id <= left), "{seen:?} after {left}");
    }
}

/// The rows of a table that a transaction reads.
const ROWS_READ: &str = "SELECT (seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint
                           FROM pg_stat_xact_user_tables
                          WHERE schemaname = 'chat' AND relname = $1";

/// Which messages of a room are unread does not take longer with the cursors of everybody.
#[test]
fn unread_messages_of_a_room_are_found_by_the_cursors_of_its_members() {
    let Some(engine) = Engine::new(open_postgres) else { return };
    create(&engine);
    databases::query(
        &url(&engine),
        "INSERT INTO cursors (user_id, name, upto_id, moved_at)
         SELECT u.id, 'c' || n.number, 0, 0
           FROM (SELECT 2 AS id UNION SELECT generate_series(100, 2000)) AS u,
                generate_series(1, 5) AS n (number);
         ANALYZE cursors",
    );
    let mut session = session(&engine);
    session.execute("BEGIN", &[]).unwrap();
    let parts = "SELECT after_id, upto_id FROM chat.unread_parts(0, -1)";
    assert_eq!(session.query(parts, &[]).unwrap().len(), 1);
    let read: i64 = session.query_one(ROWS_READ, &[&"cursors"]).unwrap().get(0);
    assert!((5..50).contains(&read), "{read} cursors were read");
}

/// A user's own rooms do not take longer to list with the rooms of everybody.
#[test]
fn own_rooms_are_found_by_their_numbers() {
    let Some(engine) = Engine::new(open_postgres) else { return };
    create(&engine);
    databases::query(
        &url(&engine),
        "INSERT INTO rooms (id, name, posting, history, created_at)
         SELECT number, '#r' || number, 'members', 'all', 0
           FROM generate_series(1000, 9000) AS number;
         INSERT INTO invitations (user_id, room_id, at) VALUES (2, 2000, 0);
         ANALYZE rooms",
    );
    let mut session = session(&engine);
    session.execute("BEGIN", &[]).unwrap();
    let list = ListRooms { actor: Actor::User(PAFF), after: None, max: 10, mine: true };
    let (found, more) = list.query(&mut session).unwrap();
    let names: Vec<&str> = found.iter().map(|room| room.name.as_str()).collect();
    assert_eq!((&names[..], more), (&["#build", "#r2000"][..], false));
    let read: i64 = session.query_one(ROWS_READ, &[&"rooms"]).unwrap().get(0);
    assert!((2..50).contains(&read), "{read} rooms were read");
}

/// A session of the database of an engine.
fn session(engine: &Engine) -> Session {
    let connector =
        Connector { target: url(engine).parse().unwrap(), password: PasswordSource::None };
    Opener::new(connector, Arc::new(Promised::new(Durability::Storage))).open().unwrap()
}

/// Views and counts decide in the database what counts as a mention.
#[test]
fn mentions_in_the_database_are_the_same() {
    const WORDS: [&str; 12] =
        ["@neko", "@", "neko", " ", "-", "_", "a", "Z", "7", "\\", "\0", "é🐱"];
    let Some(engine) = Engine::new(open_postgres) else { return };
    let mut session = session(&engine);
    let mut texts = vec![String::new()];
    let mut last = texts.clone();
    for _ in 0..4 {
        let longer = |text: &String| WORDS.map(|word| format!("{text}{word}"));
        last = last.iter().flat_map(longer).collect();
        texts.extend_from_slice(&last);
    }
    let bodies: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    let sql = "SELECT chat.mentions(b.body, 'neko')
                 FROM unnest($1::bytea[]) WITH ORDINALITY AS b (body, place) ORDER BY b.place";
    let rows = session.query(sql, &[&bodies]).unwrap();
    let neko: UserName = "neko".parse().unwrap();
    let mut count = 0;
    for (text, row) in texts.iter().zip(&rows) {
        assert_eq!(row.get::<_, bool>(0), mentions(text, &neko), "{text:?}");
        count += usize::from(row.get::<_, bool>(0));
    }
    assert_eq!(rows.len(), texts.len());
    assert!(count > 100, "only {count} mentions");
}
