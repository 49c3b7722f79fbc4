//! A run of keys in memory: the keys of consecutive messages of the message log.

use std::collections::HashMap;
use std::iter;

use foldhash::fast::RandomState;

use crate::model::{MessageId, UserId};

/// A run of keys. Ids only rise.
#[derive(Debug, Default)]
pub(in crate::store) struct KeyRun {
    /// The entries, in the order of the message log.
    entries: Vec<Entry>,
    /// The keys, one after another.
    text: String,
    /// The newest entry for each hash of a sender and a key.
    newest: HashMap<u64, u32, RandomState>,
    /// An upper bound of the keys.
    highest: String,
}

/// The key of one message.
#[derive(Debug)]
pub(in crate::store) struct Entry {
    pub(in crate::store) sender: UserId,
    pub(in crate::store) message: MessageId,
    /// Where the key begins in `text`.
    start: u32,
    length: u8,
    /// Whether the message was deleted.
    pub(in crate::store) is_deleted: bool,
    /// The previous entry with the same hash.
    previous: Option<u32>,
    hash: u64,
}

/// The end of a run at some moment, for [`KeyRun::truncate`].
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct RunEnd {
    entries: usize,
    text: usize,
}

impl KeyRun {
    /// Adds messages with this key, newer than all others. `hash` is the hash of the sender and the
    /// key.
    pub(in crate::store) fn push(
        &mut self,
        hash: u64,
        sender: UserId,
        key: &str,
        messages: impl IntoIterator<Item = MessageId>,
    ) {
        let (start, length) = (self.text.len() as u32, key.len() as u8);
        self.text.push_str(key);
        raise_to(&mut self.highest, key);
        for message in messages {
            let place = self.entries.len() as u32;
            let previous = self.newest.insert(hash, place);
            let is_deleted = false;
            self.entries.push(Entry { sender, message, start, length, is_deleted, previous, hash });
        }
    }

    /// The number of messages.
    pub(in crate::store) fn len(&self) -> usize {
        self.entries.len()
    }

    /// An upper bound of the keys.
    pub(in crate::store) fn highest(&self) -> &str {
        &self.highest
    }

    /// The key of an entry of this run.
    pub(in crate::store) fn key(&self, entry: &Entry) -> &str {
        &self.text[entry.start as usize..][..usize::from(entry.length)]
    }

    /// The messages with a sender's key, newest first.
    pub(in crate::store) fn messages<'a>(
        &'a self,
        hash: u64,
        sender: UserId,
        key: &'a str,
    ) -> impl Iterator<Item = MessageId> + 'a {
        let entry = |place: u32| &self.entries[place as usize];
        let newest = self.newest.get(&hash).map(|&place| entry(place));
        iter::successors(newest, move |collecting| collecting.previous.map(entry))
            .filter(move |entry| {
                !entry.is_deleted && entry.sender == sender && self.key(entry) == key
            })
            .map(|entry| entry.message)
    }

    /// The entry of a message.
    pub(in crate::store) fn entry_mut(&mut self, message: MessageId) -> Option<&mut Entry> {
        let place = self.entries.binary_search_by_key(&message, |entry| entry.message).ok()?;
        self.entries.get_mut(place)
    }

    /// The current end of the run.
    pub(in crate::store) fn end(&self) -> RunEnd {
        RunEnd { entries: self.entries.len(), text: self.text.len() }
    }

    /// Removes everything after `end`.
    pub(in crate::store) fn truncate(&mut self, end: RunEnd) {
        for entry in self.entries.drain(end.entries..).rev() {
            match entry.previous {
                Some(previous) => self.newest.insert(entry.hash, previous),
                None => self.newest.remove(&entry.hash),
            };
        }
        self.text.truncate(end.text);
    }

    /// Removes everything and keeps the memory.
    pub(in crate::store) fn clear(&mut self) {
        self.entries.clear();
        self.text.clear();
        self.newest.clear();
        self.highest.clear();
    }

    /// Sorts the entries by twelve bytes of their keys, after the prefix that all keys share.
    /// Entries with equal bytes keep the order of arrival, which only makes their insertion slower.
    pub(in crate::store) fn sort_into(&self, order: &mut Order) {
        order.0.clear();
        let Some(first) = self.entries.first() else { return };
        let common = self.entries.iter().fold(self.key(first), |common, entry| {
            let key = self.key(entry);
            if key.starts_with(common) { common } else { &common[..common_length(common, key)] }
        });
        let keyed = (0..).zip(&self.entries);
        let keyed = keyed.map(|(place, entry)| {
            sort_prefix(&self.key(entry)[common.len()..]) << PLACE_BITS | place
        });
        order.0.extend(keyed);
        order.0.sort_unstable();
    }

    /// The entries in the order of [`Self::sort_into`], without the first `after`.
    pub(in crate::store) fn in_order<'a>(
        &'a self,
        order: &'a Order,
        after: usize,
    ) -> impl ExactSizeIterator<Item = &'a Entry> {
        order.0[after..].iter().map(|&place| &self.entries[place as u32 as usize])
    }
}

/// The places of a run's entries, sorted. The lowest [`PLACE_BITS`] of each number are the place;
/// the bits above are the beginning of the key.
#[derive(Debug, Default)]
pub(in crate::store) struct Order(Vec<u128>);

const PLACE_BITS: u32 = u32::BITS;

/// The number of bytes that two keys have in common at their beginning.
fn common_length(key: &str, other: &str) -> usize {
    key.bytes().zip(other.bytes()).take_while(|(byte, other)| byte == other).count()
}

/// The first twelve bytes as a number that sorts in the same order.
fn sort_prefix(text: &str) -> u128 {
    let mut first = [0; 16];
    let length = text.len().min(12);
    first[4..][..length].copy_from_slice(&text.as_bytes()[..length]);
    u128::from_be_bytes(first)
}

/// Raises `highest` to this key, if the key is higher.
pub(in crate::store) fn raise_to(highest: &mut String, key: &str) {
    if key > highest.as_str() {
        highest.clear();
        highest.push_str(key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn run_is_sorted_by_key(
            keys in prop::collection::btree_set("(018f-|z)?[!-~]{1,10}", 1..60),
        ) {
            let mut run = KeyRun::default();
            for (hash, key) in (0..).zip(keys.iter().rev()) {
                run.push(hash, UserId(1), key, [MessageId(hash as i64)]);
            }
            let mut order = Order::default();
            run.sort_into(&mut order);
            let ordered = run.in_order(&order, 0).map(|entry| run.key(entry));
            prop_assert!(ordered.eq(keys.iter().map(String::as_str)));
        }
    }
}
