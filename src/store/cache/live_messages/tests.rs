//! Unit tests of `live_messages`.

use super::*;
use crate::model::{RoomId, Timestamp};

const NEKO: MailboxId = MailboxId(1);
const IVY: MailboxId = MailboxId(2);
const PAFF: UserId = UserId(3);
const NOW: Duration = Duration::from_secs(60);

fn live() -> Arc<LiveMessages> {
    let live = Arc::<LiveMessages>::default();
    live.set_newest(MessageId(100));
    live
}

fn message(id: i64, body: &str) -> LiveMessage {
    let (from, to) = ("paff".parse().unwrap(), "neko".parse().unwrap());
    let (id, at, body) = (MessageId(id), Timestamp(0), body.parse().unwrap());
    let message = Arc::new(Message { id, at, from, to, body, details: None });
    LiveMessage { sender: PAFF, message, until: None }
}

/// Commits a message for each of these ids.
fn commit(live: &LiveMessages, user: MailboxId, ids: impl IntoIterator<Item = i64>, body: &str) {
    for id in ids {
        let text = live.is_watched(user).then(|| message(id, body));
        live.extend(&[(user, MessageId(id))], text.into_iter().collect());
    }
}

fn after(watched: &LiveInbox, after: i64) -> Option<Vec<i64>> {
    let found = watched.after(MessageId(after), (usize::MAX, usize::MAX), NOW)?;
    Some(found.iter().map(|message| message.id.0).collect())
}

#[test]
fn watch_finds_messages_since_it_began_and_knows_of_none_before() {
    let live = live();
    commit(&live, NEKO, [101], "hai");
    let watched = Arc::clone(&live).watch(UserId(1));
    assert_eq!((after(&watched, 100), after(&watched, 101)), (None, Some(vec![])));
    commit(&live, IVY, [102], "hai");
    commit(&live, NEKO, [103, 104], "hai");
    assert_eq!(after(&watched, 101), Some(vec![103, 104]));
    // This holds however long ago the last message was.
    assert_eq!(after(&watched, 103), Some(vec![104]));
    assert_eq!(after(&watched, i64::MAX), Some(vec![]));
}

#[test]
fn missing_text_makes_everything_before_it_unknown() {
    let live = live();
    let watched = Arc::clone(&live).watch(UserId(1));
    commit(&live, NEKO, [101], "hai");
    let committed = [102, 103, 104].map(|id| (NEKO, MessageId(id)));
    live.extend(&committed, vec![message(102, "hai"), message(104, "hai")]);
    let known = [100, 101, 102, 103].map(|id| after(&watched, id));
    assert_eq!(known, [None, None, None, Some(vec![104])]);
}

#[test]
fn oldest_messages_are_evicted_beyond_the_limits() {
    let long = "x".repeat(LIVE_BYTES_MAX / 4);
    for (kept, body) in [(LIVE_MESSAGES_MAX as i64, "hai"), (4, &long)] {
        let live = live();
        let (neko, ivy) = (Arc::clone(&live).watch(UserId(1)), Arc::clone(&live).watch(UserId(2)));
        commit(&live, IVY, [101], body);
        commit(&live, NEKO, 102..=101 + kept, body);
        assert_eq!(after(&ivy, 101), Some(vec![]));
        assert_eq!(
            (after(&ivy, 100), after(&neko, 102)),
            (None, Some((103..102 + kept).collect()))
        );
        commit(&live, NEKO, [102 + kept], body);
        assert_eq!((after(&neko, 101), after(&ivy, 101)), (None, Some(vec![])));
        assert_eq!(after(&neko, 102), Some((103..103 + kept).collect()));
        let state = live.lock();
        assert!(state.eviction_order.len() <= LIVE_MESSAGES_MAX && state.bytes <= LIVE_BYTES_MAX);
        assert_eq!(state.messages.len(), kept as usize);
    }
}

#[test]
fn deleted_message_is_not_found_and_others_are() {
    let live = live();
    let watched = Arc::clone(&live).watch(UserId(1));
    commit(&live, NEKO, 101..=103, "hai");
    live.remove(&[(NEKO, MessageId(102)), (IVY, MessageId(101))]);
    assert_eq!(after(&watched, 100), Some(vec![101, 103]));
    assert_eq!(live.lock().bytes, 6);
}

#[test]
fn messages_are_removed_when_the_last_watch_ends() {
    let live = live();
    let (first, second) = (Arc::clone(&live).watch(UserId(1)), Arc::clone(&live).watch(UserId(1)));
    let other = Arc::clone(&live).watch(UserId(2));
    commit(&live, NEKO, [101, 102], "hai");
    commit(&live, IVY, [103], "hai");
    drop(first);
    assert_eq!(after(&second, 100), Some(vec![101, 102]));
    drop(second);
    assert!(!live.is_watched(NEKO) && live.is_watched(IVY));
    let state = live.lock();
    assert_eq!((state.messages.len(), state.eviction_order.len(), state.bytes), (1, 1, 3));
    drop(state);
    drop(other);
    assert_eq!(live.watched_inboxes.load(Ordering::Relaxed), 0);
    commit(&live, NEKO, [104], "hai");
    assert_eq!(after(&Arc::clone(&live).watch(UserId(1)), 103), None);
}

#[test]
fn cleared_cache_knows_later_messages_only() {
    let live = live();
    let watched = Arc::clone(&live).watch(UserId(1));
    commit(&live, NEKO, [101], "hai");
    commit(&live, IVY, [102], "hai");
    live.clear();
    assert_eq!((after(&watched, 101), after(&watched, 102)), (None, Some(vec![])));
    commit(&live, NEKO, [103], "hai");
    assert_eq!(after(&watched, 102), Some(vec![103]));
    assert_eq!(live.lock().bytes, 3);
}

fn build() -> MailboxId {
    RoomId(1).into()
}

/// What neko follows: one room.
fn in_room(after: i64, only_mentions: bool) -> LiveRooms {
    let room = LiveRoom { mailbox: build(), after: MessageId(after), only_mentions };
    let reader = Some("neko".parse().unwrap());
    LiveRooms { reader, rooms: vec![room], ..LiveRooms::default() }
}

#[test]
fn followed_room_is_merged_without_the_readers_own_messages() {
    let live = live();
    let watched = Arc::clone(&live).watch(UserId(1));
    let as_of = watched.memberships();
    assert!(watched.follow(&in_room(100, false), as_of));
    assert!(!watched.follow(&in_room(100, false), as_of));
    for id in 101..110 {
        let mailbox = if id % 3 == 0 { NEKO } else { build() };
        let sender = if id % 3 == 1 { UserId(1) } else { PAFF };
        let text = LiveMessage { sender, ..message(id, "hai") };
        live.extend(&[(mailbox, MessageId(id))], vec![text]);
    }
    assert_eq!(after(&watched, 100), Some(vec![101, 102, 104, 105, 107, 108]));
    let two = watched.after(MessageId(101), (2, usize::MAX), NOW).unwrap();
    assert!(two.iter().map(|message| message.id.0).eq([102, 104]));
    watched.follow(&in_room(104, true), as_of);
    live.extend(&[(build(), MessageId(110))], vec![message(110, "hai @neko")]);
    live.extend(&[(build(), MessageId(111))], vec![message(111, "hai @nekomata")]);
    assert_eq!(after(&watched, 109), Some(vec![110]));
}

#[test]
fn changed_membership_makes_a_watch_unknown_until_it_follows_anew() {
    let live = live();
    let watched = Arc::clone(&live).watch(UserId(1));
    let as_of = watched.memberships();
    watched.follow(&in_room(100, false), as_of);
    live.change_memberships(Some(&[PAFF]));
    commit(&live, build(), [101], "hai");
    assert_eq!(after(&watched, 100), Some(vec![101]));
    live.change_memberships(Some(&[UserId(1)]));
    commit(&live, build(), [102], "hai");
    assert_eq!(after(&watched, 101), None);
    // The state was read before the change, so the rooms may be those of before.
    watched.follow(&in_room(100, false), as_of);
    assert_eq!(after(&watched, 101), None);
    let left = LiveRooms { left_upto: MessageId(101), ..LiveRooms::default() };
    watched.follow(&left, watched.memberships());
    assert_eq!(after(&watched, 100), None, "the room has messages up to the leaving");
    assert_eq!(after(&watched, 101), Some(vec![]));
    assert!(!live.is_watched(build()));
    live.change_memberships(None);
    assert_eq!(after(&watched, 101), None);
}

#[test]
fn message_is_not_there_any_more_once_it_expires() {
    let live = live();
    let watched = Arc::clone(&live).watch(UserId(1));
    let until = |id, until| LiveMessage { until: Some(until), ..message(id, "hai") };
    // One expires later, and one now.
    let later = until(102, NOW + Duration::from_millis(10));
    let texts = vec![message(101, "hai"), later, until(103, NOW)];
    let committed = [101, 102, 103].map(|id| (NEKO, MessageId(id)));
    live.extend(&committed, texts);
    let there = |after: u64| {
        let now = NOW + Duration::from_millis(after);
        let found = watched.after(MessageId(100), (2, usize::MAX), now).unwrap();
        found.iter().map(|message| message.id.0).collect::<Vec<_>>()
    };
    assert_eq!((there(0), there(9), there(10)), (vec![101, 102], vec![101, 102], vec![101]));
    // One that has expired takes no place of another one.
    live.extend(&[(NEKO, MessageId(104))], vec![message(104, "hai")]);
    assert_eq!(there(10), [101, 104]);
}
