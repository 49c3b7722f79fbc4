//! Which keys have been used, as far as that is known without a look into the file.
//!
//! Keys that rise with time, as UUID version 7 does, are mostly beyond all that there are. They come
//! somewhat out of order, so it is not enough to know the highest: those that were used since some moment
//! are remembered, and how far keys went until then.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::mem;

use foldhash::fast::RandomState;
use rusqlite::Connection;

use crate::model::UserId;

/// How many keys are remembered at least, once there were so many, and twice as many at most. Those under way
/// at one moment are fewer, and a processor has so many at hand.
const KEYS_MIN: usize = if cfg!(test) { 4 } else { 8_192 };

/// See the module.
#[derive(Debug)]
pub(super) struct Keys {
    /// No key that is not in `older` or `newer` is beyond this one.
    floor: String,
    /// Hashes of a sender and a key, 300 KiB at most. Where two are the same, the file is looked into for
    /// nothing.
    older: HashSet<u64, RandomState>,
    /// The same, of those that came after them.
    newer: HashSet<u64, RandomState>,
    /// The highest key before any in `newer`.
    middle: String,
    /// The highest key of all.
    highest: String,
    hasher: RandomState,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The sender has not used it.
    New,
    /// The file tells; but it was not used by any message that was noted.
    Unknown,
    /// It was, most likely, used by a message that was noted.
    Noted,
}

impl Keys {
    /// As they stand in the file.
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let highest: Option<String> = connection
            .prepare_cached("SELECT max(key) FROM messages WHERE key IS NOT NULL")?
            .query_row([], |row| row.get(0))?;
        let highest = highest.unwrap_or_default();
        Ok(Self {
            floor: highest.clone(),
            older: HashSet::default(),
            newer: HashSet::default(),
            middle: highest.clone(),
            highest,
            hasher: RandomState::default(),
        })
    }

    /// What is known of a sender's key.
    pub(super) fn look_up(&self, sender: UserId, key: &str) -> Known {
        let hash = self.hash(sender, key);
        if self.newer.contains(&hash) || self.older.contains(&hash) {
            Known::Noted
        } else if key > self.floor.as_str() {
            Known::New
        } else {
            Known::Unknown
        }
    }

    /// A message with this key is taken in.
    pub(super) fn note(&mut self, sender: UserId, key: &str) {
        self.newer.insert(self.hash(sender, key));
        if key > self.highest.as_str() {
            self.highest.clear();
            self.highest.push_str(key);
        }
    }

    /// Whether so many are remembered that it is time for [`Self::forget_older`].
    pub(super) fn is_full(&self) -> bool {
        self.newer.len() >= KEYS_MIN
    }

    /// All that was noted is in the file: half of it need not be remembered any more.
    pub(super) fn forget_older(&mut self) {
        mem::swap(&mut self.older, &mut self.newer);
        self.newer.clear();
        mem::swap(&mut self.floor, &mut self.middle);
        self.middle.clone_from(&self.highest);
    }

    fn hash(&self, sender: UserId, key: &str) -> u64 {
        self.hasher.hash_one((sender, key))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::store::migrations;

    #[test]
    fn what_the_file_has_is_not_beyond_what_was_read() {
        let connection = migrations::empty(migrations::newest()).unwrap().unwrap();
        let none = Keys::read(&connection).unwrap();
        assert_eq!(none.look_up(UserId(1), "a"), Known::New);
        let insert = "INSERT INTO messages (id, sent_at, sender_id, recipient_id, key, body)
                      VALUES (1, 0, 1, 1, 'm', 'x'), (2, 0, 1, 1, NULL, 'x'), (3, 0, 2, 1, 'f', 'x')";
        connection.execute_batch(insert).unwrap();
        let keys = Keys::read(&connection).unwrap();
        let known = ["a", "f", "m", "n"].map(|key| keys.look_up(UserId(2), key));
        assert_eq!(known, [Known::Unknown, Known::Unknown, Known::Unknown, Known::New]);
    }

    proptest! {
        #[test]
        fn no_key_that_was_used_is_said_to_be_new(
            used in prop::collection::vec((1..3_i64, "[a-c]{1,3}"), 0..60)
        ) {
            let connection = migrations::empty(migrations::newest()).unwrap().unwrap();
            let mut keys = Keys::read(&connection).unwrap();
            let (mut all, mut noted) = (HashSet::new(), [HashSet::new(), HashSet::new()]);
            for (sender, key) in used {
                let known = keys.look_up(UserId(sender), &key);
                let entry = (sender, key);
                let is_noted = noted.iter().any(|noted| noted.contains(&entry));
                prop_assert!(known != Known::New || !all.contains(&entry), "{entry:?}");
                prop_assert!(known == Known::Noted || !is_noted, "{entry:?}");
                if keys.is_full() {
                    keys.forget_older();
                    noted.swap(0, 1);
                    noted[1].clear();
                }
                keys.note(UserId(sender), &entry.1);
                all.insert(entry.clone());
                noted[1].insert(entry);
                prop_assert!(keys.older.len() + keys.newer.len() <= 2 * KEYS_MIN);
            }
        }

        #[test]
        fn keys_that_rise_are_new_though_they_come_out_of_order(
            rising in prop::collection::btree_set("[a-z]{4}", 1..60),
            swaps in prop::collection::vec(0..60_usize, 60),
        ) {
            let connection = migrations::empty(migrations::newest()).unwrap().unwrap();
            let mut keys = Keys::read(&connection).unwrap();
            let mut coming: Vec<String> = rising.into_iter().collect();
            for at in swaps {
                // Neighbours change places, and no others.
                if at % 2 == 0 && at + 1 < coming.len() {
                    coming.swap(at, at + 1);
                }
            }
            for key in coming {
                prop_assert_eq!(keys.look_up(UserId(1), &key), Known::New, "{}", key);
                if keys.is_full() {
                    keys.forget_older();
                }
                keys.note(UserId(1), &key);
            }
        }
    }
}
