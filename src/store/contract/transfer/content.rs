//! Random exports, as a server would write them: names, gaps, ids near the end, and texts that
//! PostgreSQL's `text`, JSON or a terminal would change.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::KEPT;
use crate::model::{Body, CursorName, Details, Key, MessageId, Timestamp};
use crate::transfer::{Cursor, FORMAT, Header, Message, PasswordHash, Record, User, VERSION};

const CURSORS: [&str; 3] = ["bot.1", "inbox", "worker"];
const ODD: &[&str] =
    &["\0", "\u{1b}[31m", "\r\n", "\u{2028}", "\u{202e}", "e\u{301}", "\\x00", "\"", "'"];

#[derive(Debug, Clone)]
struct Person {
    display_name: String,
    ended_at: Option<i64>,
    is_deleted: bool,
    is_published: bool,
}

#[derive(Debug, Clone)]
struct Post {
    from: usize,
    to: BTreeSet<usize>,
    body: Body,
    has_key: bool,
    /// The ids before it that are gone.
    gap: u8,
    /// The recipients whose copies are gone.
    purged: u8,
    title: Option<&'static str>,
    /// The earlier message that it answers.
    answers: Option<Index>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    user: usize,
    cursor: usize,
    percent: u8,
}

/// The records of an export with secrets.
pub(in crate::store) fn records() -> impl Strategy<Value = Vec<Record>> {
    let place = (0..6_usize, 0..CURSORS.len(), 0..=100_u8)
        .prop_map(|(user, cursor, percent)| Place { user, cursor, percent });
    let content = (
        prop::collection::vec(person(), 1..6),
        prop::collection::vec(post(), 0..12),
        prop::collection::btree_set(place, 0..8),
        prop::collection::vec((any::<Index>(), 0..CURSORS.len()), 0..4),
        (prop_oneof![3 => Just(0), 1 => KEPT - 12..KEPT], 0..4_i64),
    );
    content.prop_map(|(people, posts, places, dead, (first, floor))| {
        let users: Vec<User> = people.iter().enumerate().map(user).collect();
        let mut messages = messages(&users, &posts, first);
        let last = messages.last().map_or(first, |message| message.id.0);
        let newest = if last > KEPT { last } else { (last + floor).min(KEPT) };
        let cursors = cursors(&users, &places, newest);
        for (index, name) in dead {
            let count = messages.len();
            if count > 0 {
                add_dead_letter(&mut messages[index.index(count)], CURSORS[name], &cursors);
            }
        }
        let (format, newest) = (FORMAT.to_owned(), MessageId(newest));
        let header = Record::Header(Header { format, version: VERSION, newest });
        let users = users.into_iter().map(Record::User);
        let cursors = cursors.into_iter().map(Record::Cursor);
        let messages = messages.into_iter().map(Record::Message);
        std::iter::once(header).chain(users).chain(cursors).chain(messages).collect()
    })
}

fn person() -> impl Strategy<Value = Person> {
    let name = "[a-zA-Z \u{202e}\u{2066}\u{e9}\u{1f980}\u{feff}]{1,8}";
    (name, prop::option::of(0..1_i64 << 41), any::<bool>(), any::<bool>()).prop_map(
        |(display_name, ended_at, is_deleted, is_published)| Person {
            display_name,
            ended_at,
            is_deleted,
            is_published,
        },
    )
}

fn post() -> impl Strategy<Value = Post> {
    let to = prop::collection::btree_set(0..6_usize, 1..5);
    let gap = prop_oneof![4 => Just(0), 1 => 1..5_u8];
    let title = prop::option::weighted(0.3, select(&["\u{202e}\u{1f980}", "\\ \" \u{2028}"][..]));
    let answers = prop::option::weighted(0.3, any::<Index>());
    (0..6_usize, to, body(), any::<bool>(), (gap, any::<u8>()), (title, answers)).prop_map(
        |(from, to, body, has_key, (gap, purged), (title, answers))| Post {
            from,
            to,
            body,
            has_key,
            gap,
            purged,
            title,
            answers,
        },
    )
}

fn body() -> impl Strategy<Value = Body> {
    let text = prop_oneof![
        4 => prop::collection::vec(select(ODD), 1..6).prop_map(|parts| parts.concat()),
        4 => any::<String>(),
        1 => Just("\0\u{fffd}".repeat(8 * 1024)),
    ];
    text.prop_filter_map("a text is not empty", |text| text.parse().ok())
}

fn user((number, person): (usize, &Person)) -> User {
    let ended_at = person.ended_at.map(Timestamp);
    let deleted_at = ended_at.filter(|_| person.is_deleted);
    let hash = match deleted_at {
        Some(_) => String::new(),
        None => format!("$argon2id$v=19$hash-{number}"),
    };
    User {
        name: format!("{}user-{number}", ["", "_", "9-"][number % 3]).parse().unwrap(),
        display_name: person.display_name.clone(),
        created_at: Timestamp(number as i64 * 1_000_003),
        disabled_at: ended_at,
        deleted_at,
        password: Some(PasswordHash { hash, is_published: person.is_published }),
    }
}

fn messages(users: &[User], posts: &[Post], first: i64) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut last = first;
    for (number, post) in posts.iter().enumerate() {
        let from = &users[post.from % users.len()].name;
        let key: Option<Key> = post.has_key.then(|| format!("key-{}", number % 7).parse().unwrap());
        let key = key.filter(|key| {
            !messages.iter().any(|other| other.from == *from && other.key.as_ref() == Some(key))
        });
        let answered = post.answers.filter(|_| !messages.is_empty());
        let details = Details {
            title: post.title.map(|title| title.parse().unwrap()),
            reply_to: answered.map(|index| messages[index.index(messages.len())].id),
            ..Details::default()
        };
        let details = details.if_any();
        let to: BTreeSet<usize> = post.to.iter().map(|to| to % users.len()).collect();
        let mut id = last + i64::from(post.gap);
        for to in to {
            id += 1;
            // Beyond the limit, an import keeps consecutive ids only.
            if id > KEPT && id != last + 1 {
                break;
            }
            if post.purged & 1 << to != 0 && id < KEPT {
                continue;
            }
            messages.push(Message {
                id: MessageId(id),
                at: Timestamp(1_700_000_000_000 + number as i64 * 37),
                from: from.clone(),
                to: users[to].name.clone(),
                body: post.body.clone(),
                details: details.clone(),
                key: key.clone(),
                dead: Vec::new(),
            });
            last = id;
        }
    }
    messages
}

/// A deleted user has none.
fn cursors(users: &[User], places: &BTreeSet<Place>, newest: i64) -> Vec<Cursor> {
    let mut taken = BTreeSet::new();
    let cursors = places.iter().filter_map(|place| {
        let number = place.user % users.len();
        let is_new = taken.insert((number, place.cursor));
        (is_new && users[number].deleted_at.is_none()).then(|| {
            let upto = i128::from(newest) * i128::from(place.percent) / 100;
            let upto = MessageId(i64::try_from(upto).unwrap());
            let (user, moved_at) = (users[number].name.clone(), Timestamp(upto.0 % 999));
            let cursor = CURSORS[place.cursor].parse().unwrap();
            (number, Cursor { user, cursor, upto, moved_at })
        })
    });
    let mut cursors: Vec<(usize, Cursor)> = cursors.collect();
    cursors.sort_by_key(|(number, cursor)| (*number, cursor.cursor.as_str().to_owned()));
    cursors.into_iter().map(|(_, cursor)| cursor).collect()
}

/// Only a cursor that exists has dead letters.
fn add_dead_letter(message: &mut Message, name: &str, cursors: &[Cursor]) {
    let name: CursorName = name.parse().unwrap();
    let is_there = |cursor: &Cursor| cursor.user == message.to && cursor.cursor == name;
    if cursors.iter().any(is_there) && !message.dead.contains(&name) {
        message.dead.push(name);
        message.dead.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    }
}
