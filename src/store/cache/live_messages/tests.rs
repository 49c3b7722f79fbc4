//! Unit tests of `live_messages`.

use super::*;
use crate::model::Timestamp;

const NEKO: MailboxId = MailboxId(1);
const IVY: MailboxId = MailboxId(2);

fn live() -> Arc<LiveMessages> {
    let live = Arc::<LiveMessages>::default();
    live.set_newest(MessageId(100));
    live
}

fn message(id: i64, body: &str) -> Arc<Message> {
    let (from, to) = ("paff".parse().unwrap(), "neko".parse().unwrap());
    let (id, at, body) = (MessageId(id), Timestamp(0), body.parse().unwrap());
    Arc::new(Message { id, at, from, to, body, details: None })
}

/// Commits a message for each of these ids.
fn commit(live: &LiveMessages, user: MailboxId, ids: impl IntoIterator<Item = i64>, body: &str) {
    for id in ids {
        let text = live.is_watched(user).then(|| message(id, body));
        live.extend(&[(user, MessageId(id))], text.into_iter().collect());
    }
}

fn after(watched: &LiveInbox, after: i64) -> Option<Vec<i64>> {
    let found = watched.after(MessageId(after), usize::MAX, usize::MAX)?;
    Some(found.iter().map(|message| message.id.0).collect())
}

#[test]
fn watch_finds_messages_since_it_began_and_knows_of_none_before() {
    let live = live();
    commit(&live, NEKO, [101], "hai");
    let watched = Arc::clone(&live).watch(NEKO);
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
    let watched = Arc::clone(&live).watch(NEKO);
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
        let (neko, ivy) = (Arc::clone(&live).watch(NEKO), Arc::clone(&live).watch(IVY));
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
    let watched = Arc::clone(&live).watch(NEKO);
    commit(&live, NEKO, 101..=103, "hai");
    live.remove(&[(NEKO, MessageId(102)), (IVY, MessageId(101))]);
    assert_eq!(after(&watched, 100), Some(vec![101, 103]));
    assert_eq!(live.lock().bytes, 6);
}

#[test]
fn messages_are_removed_when_the_last_watch_ends() {
    let live = live();
    let (first, second) = (Arc::clone(&live).watch(NEKO), Arc::clone(&live).watch(NEKO));
    let other = Arc::clone(&live).watch(IVY);
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
    assert_eq!(after(&Arc::clone(&live).watch(NEKO), 103), None);
}

#[test]
fn cleared_cache_knows_later_messages_only() {
    let live = live();
    let watched = Arc::clone(&live).watch(NEKO);
    commit(&live, NEKO, [101], "hai");
    commit(&live, IVY, [102], "hai");
    live.clear();
    assert_eq!((after(&watched, 101), after(&watched, 102)), (None, Some(vec![])));
    commit(&live, NEKO, [103], "hai");
    assert_eq!(after(&watched, 102), Some(vec![103]));
    assert_eq!(live.lock().bytes, 3);
}
