//! Unit tests of the memtable.

use super::*;
use proptest::prelude::*;

fn ids(numbers: impl IntoIterator<Item = i64>) -> Vec<MessageId> {
    numbers.into_iter().map(MessageId).collect()
}

/// A memtable with a message for each of these users.
fn memtable(users: &[i64]) -> (Memtable, Vec<Delivery>) {
    let deliveries: Vec<Delivery> =
        (1..).zip(users).map(|(id, &user)| (MailboxId(user), MessageId(id))).collect();
    let memtable = Memtable::default();
    deliveries.chunks(7).for_each(|committed| memtable.extend(committed));
    (memtable, deliveries)
}

#[test]
fn messages_of_a_user_within_bounds_are_found_in_log_order() {
    let users: Vec<i64> = (0..10_000).map(|index| index % 3).collect();
    let (memtable, _) = memtable(&users);
    let found = memtable.messages_for(MailboxId(1), MessageId(5), MessageId(9_000));
    assert_eq!(found, ids((8..=9_000).step_by(3)));
    assert!(memtable.messages_for(MailboxId(7), MessageId::ZERO, MessageId(i64::MAX)).is_empty());
}

#[test]
fn deleted_message_is_not_found() {
    let (memtable, _) = memtable(&[1; 5_000]);
    memtable.delete(&ids([1, 5_000]));
    let found = memtable.messages_for(MailboxId(1), MessageId::ZERO, MessageId(i64::MAX));
    assert_eq!(found, ids(2..5_000));
    let mut run: Vec<Delivery> = memtable.merge_all().unwrap().collect();
    memtable.drop_deleted(&mut run);
    assert_eq!(run.len(), 4_998);
}

#[test]
fn messages_of_a_finished_run_are_discarded() {
    let (memtable, _) = memtable(&[1; 3 * CHUNK_MESSAGES + 5]);
    assert!(memtable.merge_oldest(4 * CHUNK_MESSAGES).is_none());
    let run = memtable.merge_oldest(2 * CHUNK_MESSAGES).unwrap();
    let upto = run.newest();
    assert_eq!((upto.0 as usize, run.count()), (2 * CHUNK_MESSAGES, 2 * CHUNK_MESSAGES));
    memtable.discard(upto);
    assert_eq!(memtable.len(), CHUNK_MESSAGES + 5);
    let left = memtable.messages_for(MailboxId(1), MessageId::ZERO, MessageId(i64::MAX));
    assert_eq!(left.first(), Some(&MessageId(upto.0 + 1)));
    let upto = memtable.merge_all().unwrap().newest();
    memtable.discard(upto);
    assert!(memtable.len() == 0 && memtable.merge_all().is_none());
}

proptest! {
    #[test]
    fn merged_chunks_are_the_sorted_log(users in prop::collection::vec(0..50_i64, 0..500)) {
        let (memtable, mut deliveries) = memtable(&users);
        let run: Vec<Delivery> = memtable.merge_all().into_iter().flatten().collect();
        deliveries.sort_unstable();
        prop_assert_eq!(run, deliveries);
    }
}
