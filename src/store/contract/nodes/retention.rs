//! One node at a time removes what is too old.

use super::*;
use crate::store::contract::retention::days;

#[test]
fn one_node_at_a_time_removes_what_is_too_old() {
    let Some([first, second]) = nodes() else { return };
    first.set_retention(None, Some(days(1)));
    let id = MessageId(ids(&first.append(message(PAFF, &["neko"], "old", None)))[0]);
    let now = Timestamp::now();
    let (rules, _) = first.begin_removal(now).unwrap();
    assert_eq!(second.begin_removal(now), None);
    assert_eq!(second.remove_expired(&rules, vec![id]), None, "it is not its turn");
    assert!(first.begin_removal(now).is_some(), "a turn is renewed");
    // The first one ends.
    first.store().close();
    let begun = Instant::now();
    let later = now.plus(Duration::from_secs(3600));
    let (rules, trusted) = loop {
        match second.begin_removal(later) {
            Some(turn) => break turn,
            None => assert!(begun.elapsed() < PATIENCE, "no other node takes over"),
        }
    };
    assert!(trusted <= now, "another node does not make time pass twice");
    let found = second.expired(&rules, now.plus(Duration::from_secs(2 * 86_400)));
    assert_eq!(found, [id]);
    assert_eq!(second.remove_expired(&rules, found), Some(1));
    assert_eq!(second.inbox(NEKO), []);
}
