//! Random exports, as a server would write them: names, gaps, ids near the end, and texts that
//! PostgreSQL's `text`, JSON or a terminal would change.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::KEPT;
use crate::model::{
    Body, CursorName, Details, History, Key, MailboxName, MessageId, Notify, Posting, Role,
    Timestamp,
};
use crate::transfer::{
    Block, Cursor, CursorOf, FORMAT, Header, Invitation, Mark, Membership, Message, PasswordHash,
    Record, Room, User, VERSION, VERSION_WITHOUT_ROOMS,
};

const CURSORS: [&str; 3] = ["bot.1", "inbox", "worker"];
const ODD: &[&str] =
    &["\0", "\u{1b}[31m", "\r\n", "\u{2028}", "\u{202e}", "e\u{301}", "\\x00", "\"", "'"];

#[derive(Debug, Clone)]
struct Person {
    display_name: String,
    ended_at: Option<i64>,
    is_deleted: bool,
    is_published: bool,
    receipts_off: bool,
    status: &'static str,
    is_invisible: bool,
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

/// A user's membership of a room, in percent of the newest id.
#[derive(Debug, Clone)]
struct Stay {
    user: usize,
    joined: u8,
    /// How long it lasted; `None` for a member.
    length: Option<u8>,
    sees_all: bool,
    role: Role,
    notify: Notify,
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
        prop::collection::vec(prop::collection::vec(stay(), 0..5), 0..3),
        prop::collection::btree_map((0..3_usize, 0..6_usize), prop::option::of(0..6_usize), 0..4),
        prop::collection::btree_set((0..6_usize, 0..9_usize, 0..=100_u8), 0..6),
        prop::collection::btree_map((0..6_usize, 0..6_usize), 0..=100_u8, 0..5),
    );
    content.prop_map(
        |(people, posts, places, dead, (first, floor), stays, invited, marks, blocks)| {
            let users: Vec<User> = people.iter().enumerate().map(user).collect();
            let rooms: Vec<Room> = (0..stays.len()).map(room).collect();
            let mut messages = messages(&users, &rooms, &posts, first);
            let last = messages.last().map_or(first, |message| message.id.0);
            let newest = if last > KEPT { last } else { (last + floor).min(KEPT) };
            let cursors = cursors(&users, &places, newest);
            let marks = self::marks((&users, &rooms), &cursors, &marks, newest);
            let memberships: Vec<Membership> = rooms
                .iter()
                .zip(&stays)
                .flat_map(|(room, stays)| memberships(room, &users, stays, newest))
                .collect();
            let invitations = invitations(&rooms, &users, &memberships, &invited);
            for (index, name) in dead {
                let count = messages.len();
                if count > 0 {
                    let message = &mut messages[index.index(count)];
                    match &message.to {
                        MailboxName::User(_) => add_dead_letter(message, CURSORS[name], &cursors),
                        MailboxName::Room(_) => {
                            add_dead_letter_in_room(message, CURSORS[name], &cursors, &memberships);
                        }
                    }
                }
            }
            let (format, newest) = (FORMAT.to_owned(), MessageId(newest));
            let blocks = self::blocks(&users, &blocks, newest.0);
            let is_old = rooms.is_empty()
                && marks.is_empty()
                && blocks.is_empty()
                && !users.iter().any(User::has_settings);
            let version = if is_old { VERSION_WITHOUT_ROOMS } else { VERSION };
            let header = Record::Header(Header { format, version, newest });
            let users = users.into_iter().map(Record::User);
            let marks = marks.into_iter().map(Record::Mark);
            let cursors = cursors.into_iter().map(Record::Cursor).chain(marks);
            let cursors = cursors.chain(blocks.into_iter().map(Record::Block));
            let messages = messages.into_iter().map(Record::Message);
            let rooms = rooms.into_iter().map(Record::Room);
            let rooms = rooms.chain(memberships.into_iter().map(Record::Membership));
            let rooms = rooms.chain(invitations.into_iter().map(Record::Invitation));
            std::iter::once(header)
                .chain(users)
                .chain(rooms)
                .chain(cursors)
                .chain(messages)
                .collect()
        },
    )
}

fn person() -> impl Strategy<Value = Person> {
    let name = "[a-zA-Z \u{202e}\u{2066}\u{e9}\u{1f980}\u{feff}]{1,8}";
    let flags = (any::<bool>(), any::<bool>());
    let settings = (
        prop::bool::weighted(0.2),
        select(vec!["", "", "", "\u{202e}at 'lunch' \u{1f980}"]),
        prop::bool::weighted(0.2),
    );
    (name, prop::option::of(0..1_i64 << 41), flags, settings).prop_map(
        |(
            display_name,
            ended_at,
            (is_deleted, is_published),
            (receipts_off, status, is_invisible),
        )| Person {
            display_name,
            ended_at,
            is_deleted,
            is_published,
            receipts_off,
            status,
            is_invisible,
        },
    )
}

fn stay() -> impl Strategy<Value = Stay> {
    let length = prop::option::of(0..60_u8);
    let words = (select(Role::ALL.to_vec()), select(Notify::ALL.to_vec()));
    (0..6_usize, 0..100_u8, length, any::<bool>(), words).prop_map(
        |(user, joined, length, sees_all, (role, notify))| Stay {
            user,
            joined,
            length,
            sees_all,
            role,
            notify,
        },
    )
}

fn room(number: usize) -> Room {
    Room {
        room: ["#build", "#ops", "#all"][number].parse().unwrap(),
        topic: ["", "\u{202e}builds \u{1f980}", "'"][number].parse().unwrap(),
        private: number == 1,
        posting: Posting::ALL[number % 2],
        history: History::ALL[number % 2],
        created_at: Timestamp(number as i64 * 7),
        archived_at: (number == 1).then_some(Timestamp(9)),
        everybody: number == 2,
    }
}

/// A user's stays do not overlap.
fn memberships(room: &Room, users: &[User], stays: &[Stay], newest: i64) -> Vec<Membership> {
    let part = |percent: u8| {
        let id = i128::from(newest) * i128::from(percent.min(100)) / 100;
        MessageId(i64::try_from(id).unwrap())
    };
    let mut sorted: Vec<&Stay> = stays.iter().collect();
    sorted.sort_by_key(|stay| (stay.user % users.len(), stay.joined));
    let mut found: Vec<Membership> = Vec::new();
    for stay in sorted {
        let user = &users[stay.user % users.len()].name;
        let joined_after = part(stay.joined);
        let is_over = |other: &Membership| {
            other.user == *user
                && (other.left_upto.is_none_or(|left| left > joined_after)
                    || other.joined_after == joined_after)
        };
        if found.iter().any(is_over) {
            continue;
        }
        found.push(Membership {
            room: room.room.clone(),
            user: user.clone(),
            role: stay.role,
            notify: stay.notify,
            joined_after,
            sees_after: if stay.sees_all { MessageId::ZERO } else { joined_after },
            left_upto: stay.length.map(|length| part(stay.joined + length)),
        });
    }
    found
}

/// Neither members nor deleted users are invited.
fn invitations(
    rooms: &[Room],
    users: &[User],
    memberships: &[Membership],
    invited: &BTreeMap<(usize, usize), Option<usize>>,
) -> Vec<Invitation> {
    let invitation = |(&(room, user), by): (&(usize, usize), &Option<usize>)| {
        let (room, user) = (rooms.get(room)?, users.get(user)?);
        let is_member = memberships
            .iter()
            .any(|of| of.room == room.room && of.user == user.name && of.left_upto.is_none());
        (!is_member && user.deleted_at.is_none()).then(|| Invitation {
            room: room.room.clone(),
            user: user.name.clone(),
            by: by.map(|by| users[by % users.len()].name.clone()),
            at: Timestamp(by.map_or(3, |by| by as i64 * 11)),
        })
    };
    invited.iter().filter_map(invitation).collect()
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
        receipts_off: person.receipts_off,
        status: person.status.parse().unwrap(),
        invisible: person.is_invisible,
        password: Some(PasswordHash { hash, is_published: person.is_published }),
    }
}

fn messages(users: &[User], rooms: &[Room], posts: &[Post], first: i64) -> Vec<Message> {
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
            edited: (number % 3 == 0).then_some(Timestamp(1_764_000_000_123)),
            expires: (number % 5 == 0).then_some(Timestamp(1_764_000_000_000 + 7 * number as i64)),
            expires_in: (number % 5 == 1).then_some(1 + number as u64),
            ..Details::default()
        };
        let details = details.if_any();
        let to: BTreeSet<usize> = post.to.iter().map(|to| to % users.len()).collect();
        let mut id = last + i64::from(post.gap);
        // The first copy goes to a room, if there is one.
        let mut room = rooms.get(number % 3).map(|room| room.room.clone());
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
                to: room.take().map_or_else(|| users[to].name.clone().into(), MailboxName::Room),
                body: post.body.clone(),
                details: details.clone(),
                key: key.clone(),
                dead: Vec::new(),
                dead_for: Vec::new(),
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

/// The marks after the cursor `inbox`, in the order of users and of mailboxes: those of rooms have
/// negative numbers.
fn marks(
    (users, rooms): (&[User], &[Room]),
    cursors: &[Cursor],
    choices: &BTreeSet<(usize, usize, u8)>,
    newest: i64,
) -> Vec<Mark> {
    let mut marks = BTreeMap::new();
    for &(user, with, percent) in choices {
        let (number, user) = (user % users.len(), &users[user % users.len()]);
        let upto = i128::from(newest) * i128::from(percent) / 100;
        let upto = MessageId(i64::try_from(upto).unwrap());
        let is_inbox = |of: &&Cursor| of.user == user.name && of.cursor == CursorName::inbox();
        let floor = cursors.iter().find(is_inbox).map_or(MessageId::ZERO, |of| of.upto);
        if user.deleted_at.is_some() || upto <= floor {
            continue;
        }
        let place = with % (users.len() + rooms.len());
        let (mailbox, with) = match place.checked_sub(users.len()) {
            Some(room) => (-(room as i64) - 1, rooms[room].room.clone().into()),
            None => (place as i64 + 1, MailboxName::User(users[place].name.clone())),
        };
        let (user, moved_at) = (user.name.clone(), Timestamp(upto.0 % 997));
        marks.insert((number, mailbox), Mark { user, with, upto, moved_at });
    }
    marks.into_values().collect()
}

/// In the order of the numbers of both users. A deleted user blocks nobody.
fn blocks(users: &[User], choices: &BTreeMap<(usize, usize), u8>, newest: i64) -> Vec<Block> {
    let block = |(&(user, other), &percent): (&(usize, usize), &u8)| {
        let (user, blocked) = (users.get(user)?, users.get(other)?);
        let after = i128::from(newest) * i128::from(percent) / 100;
        let after = MessageId(i64::try_from(after).unwrap());
        (user.name != blocked.name && user.deleted_at.is_none()).then(|| Block {
            user: user.name.clone(),
            blocked: blocked.name.clone(),
            after,
            at: Timestamp(after.0 % 991),
        })
    };
    choices.iter().filter_map(block).collect()
}

/// Only a cursor that exists has dead letters.
fn add_dead_letter(message: &mut Message, name: &str, cursors: &[Cursor]) {
    let name: CursorName = name.parse().unwrap();
    let is_there = |cursor: &Cursor| message.to == cursor.user && cursor.cursor == name;
    if cursors.iter().any(is_there) && !message.dead.contains(&name) {
        message.dead.push(name);
        message.dead.sort_by(|one, other| one.as_str().cmp(other.as_str()));
    }
}

/// Only a user who may read the message has it as a dead letter.
fn add_dead_letter_in_room(
    message: &mut Message,
    name: &str,
    cursors: &[Cursor],
    memberships: &[Membership],
) {
    let may_read = |cursor: &&Cursor| {
        cursor.cursor.as_str() == name
            && memberships.iter().any(|of| {
                message.to.room() == Some(&of.room)
                    && of.user == cursor.user
                    && of.sees_after < message.id
                    && of.left_upto.is_none_or(|upto| message.id <= upto)
            })
    };
    // The cursors are in the order of the users.
    if let Some(cursor) = cursors.iter().find(may_read) {
        let (user, cursor) = (cursor.user.clone(), cursor.cursor.clone());
        let letter = CursorOf { user, cursor };
        if !message.dead_for.contains(&letter) {
            message.dead_for.push(letter);
            let place = |of: &CursorOf| {
                let is_it = |other: &Cursor| other.user == of.user && other.cursor == of.cursor;
                cursors.iter().position(is_it)
            };
            message.dead_for.sort_by_key(place);
        }
    }
}
