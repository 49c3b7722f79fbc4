//! Keys of messages that follow each other in the log, in memory.

use std::collections::HashMap;
use std::iter;

use foldhash::fast::RandomState;

use crate::model::{MessageId, UserId};

/// See the module. Ids only rise.
#[derive(Debug, Default)]
pub(in crate::store) struct KeyRun {
    /// In the order of the log.
    entries: Vec<Entry>,
    /// The keys, one behind the other.
    text: String,
    /// The newest entry of each hash of a sender and a key.
    newest: HashMap<u64, u32, RandomState>,
    /// None of its keys is beyond this one.
    highest: String,
}

/// The key of a message.
#[derive(Debug)]
pub(in crate::store) struct Entry {
    pub(in crate::store) sender: UserId,
    pub(in crate::store) message: MessageId,
    /// Where in the text the key is.
    start: u32,
    length: u8,
    /// The message is no more.
    pub(in crate::store) is_deleted: bool,
    /// The entry before it that has the same hash.
    previous: Option<u32>,
    hash: u64,
}

/// Where a portion ends.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::store) struct End {
    entries: usize,
    text: usize,
}

impl KeyRun {
    /// Takes in messages with this key, newer than all others. The hash is that of sender and key.
    pub(in crate::store) fn push(
        &mut self,
        hash: u64,
        sender: UserId,
        key: &str,
        messages: impl IntoIterator<Item = MessageId>,
    ) {
        let (start, length) = (self.text.len() as u32, key.len() as u8);
        self.text.push_str(key);
        raise(&mut self.highest, key);
        for message in messages {
            let place = self.entries.len() as u32;
            let previous = self.newest.insert(hash, place);
            let is_deleted = false;
            self.entries.push(Entry { sender, message, start, length, is_deleted, previous, hash });
        }
    }

    /// How many messages there are.
    pub(in crate::store) fn len(&self) -> usize {
        self.entries.len()
    }

    /// None of its keys is beyond this one.
    pub(in crate::store) fn highest(&self) -> &str {
        &self.highest
    }

    /// The key of an entry of this portion.
    pub(in crate::store) fn key(&self, entry: &Entry) -> &str {
        &self.text[entry.start as usize..][..usize::from(entry.length)]
    }

    /// The messages with a sender's key, the newest first.
    pub(in crate::store) fn messages<'a>(
        &'a self,
        hash: u64,
        sender: UserId,
        key: &'a str,
    ) -> impl Iterator<Item = MessageId> + 'a {
        let entry = |place: u32| &self.entries[place as usize];
        let newest = self.newest.get(&hash).map(|&place| entry(place));
        iter::successors(newest, move |newer| newer.previous.map(entry))
            .filter(move |entry| {
                !entry.is_deleted && entry.sender == sender && self.key(entry) == key
            })
            .map(|entry| entry.message)
    }

    /// What is known of a message.
    pub(in crate::store) fn entry_mut(&mut self, message: MessageId) -> Option<&mut Entry> {
        let place = self.entries.binary_search_by_key(&message, |entry| entry.message).ok()?;
        self.entries.get_mut(place)
    }

    /// Where it ends.
    pub(in crate::store) fn end(&self) -> End {
        End { entries: self.entries.len(), text: self.text.len() }
    }

    /// What comes after that is forgotten.
    pub(in crate::store) fn truncate(&mut self, end: End) {
        for entry in self.entries.drain(end.entries..).rev() {
            match entry.previous {
                Some(previous) => self.newest.insert(entry.hash, previous),
                None => self.newest.remove(&entry.hash),
            };
        }
        self.text.truncate(end.text);
    }

    /// Keeps the room that it has.
    pub(in crate::store) fn clear(&mut self) {
        self.entries.clear();
        self.text.clear();
        self.newest.clear();
        self.highest.clear();
    }

    /// Puts what is in the portion into the order of the keys, those of keys that have much in common as they came: it
    /// makes no difference but of time.
    pub(in crate::store) fn put_in_order(&self, order: &mut Order) {
        order.0.clear();
        let Some(first) = self.entries.first() else { return };
        let common = self.entries.iter().fold(self.key(first), |common, entry| {
            let key = self.key(entry);
            if key.starts_with(common) { common } else { &common[..common_length(common, key)] }
        });
        let keyed = (0..).zip(&self.entries);
        let keyed = keyed
            .map(|(place, entry)| number(&self.key(entry)[common.len()..]) << PLACE_BITS | place);
        order.0.extend(keyed);
        order.0.sort_unstable();
    }

    /// The entries in an order of [`Self::put_in_order`], after so many of them.
    pub(in crate::store) fn in_order<'a>(
        &'a self,
        order: &'a Order,
        after: usize,
    ) -> impl ExactSizeIterator<Item = &'a Entry> {
        order.0[after..].iter().map(|&place| &self.entries[place as u32 as usize])
    }
}

/// The places of the entries of a portion: the last [`PLACE_BITS`] of each, and before them what they are sorted by.
#[derive(Debug, Default)]
pub(in crate::store) struct Order(Vec<u128>);

const PLACE_BITS: u32 = u32::BITS;

/// How many bytes two keys begin with that are the same.
fn common_length(key: &str, other: &str) -> usize {
    key.bytes().zip(other.bytes()).take_while(|(byte, other)| byte == other).count()
}

/// The first twelve bytes, as a number that comes in the same order.
fn number(text: &str) -> u128 {
    let mut first = [0; 16];
    let length = text.len().min(12);
    first[4..][..length].copy_from_slice(&text.as_bytes()[..length]);
    u128::from_be_bytes(first)
}

/// Raises what is to be the highest key to this one, if that is beyond it.
pub(in crate::store) fn raise(highest: &mut String, key: &str) {
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
        fn portion_is_put_into_the_order_of_its_keys(
            keys in prop::collection::btree_set("(018f-|z)?[!-~]{1,10}", 1..60),
        ) {
            let mut run = KeyRun::default();
            for (hash, key) in (0..).zip(keys.iter().rev()) {
                run.push(hash, UserId(1), key, [MessageId(hash as i64)]);
            }
            let mut order = Order::default();
            run.put_in_order(&mut order);
            let ordered = run.in_order(&order, 0).map(|entry| run.key(entry));
            prop_assert!(ordered.eq(keys.iter().map(String::as_str)));
        }
    }
}
