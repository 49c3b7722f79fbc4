//! The memtable of deliveries: the messages that no run covers yet, by recipient, in memory.
//!
//! Every acknowledged message is in the memtable or in a run. The memtable sorts messages a chunk
//! at a time. So adding a message costs next to nothing, and finding a user's messages costs one
//! binary search for each chunk.
//!
//! It also remembers which inboxes were found empty. While no message has arrived for such an
//! inbox, reading it again needs no look into the file.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::model::{MailboxId, MessageId, UserId};

/// The number of messages that are sorted together. It is small in tests, so that they have several
/// chunks.
const CHUNK_MESSAGES: usize = if cfg!(test) { 16 } else { 4_096 };

/// The recipient of a message, and its id. Deliveries sort like the rows of a run.
pub(in crate::store) type Delivery = (MailboxId, MessageId);

/// The memtable. Ids only rise: an added message is newer than all others.
#[derive(Default)]
pub struct Memtable {
    state: RwLock<State>,
}

struct State {
    /// The full chunks, oldest first.
    chunks: Vec<Chunk>,
    /// The newest messages, less than a chunk, in the order of the message log.
    open_chunk: Vec<Delivery>,
    /// The messages here that were deleted.
    deleted: HashSet<MessageId>,
    /// The newest message that was discarded because a run covers it. Zero before the first run.
    discarded_upto: MessageId,
    /// For each user whose inbox was found empty: the newest message at that moment.
    empty_upto: HashMap<UserId, MessageId>,
    /// How often inbox cursors were moved backwards.
    rewinds: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            open_chunk: Vec::new(),
            deleted: HashSet::new(),
            discarded_upto: MessageId::ZERO,
            empty_upto: HashMap::new(),
            rewinds: 0,
        }
    }
}

/// The state of the message log before a reader's snapshot, for [`Memtable::note_empty`].
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct ReadPoint {
    newest: MessageId,
    rewinds: u64,
}

#[derive(Clone)]
struct Chunk {
    newest: MessageId,
    deliveries: Arc<[Delivery]>,
}

impl Memtable {
    /// Adds committed messages, in the order of the message log.
    pub(in crate::store) fn extend(&self, deliveries: &[Delivery]) {
        let mut state = self.write();
        for &delivery in deliveries {
            if state.open_chunk.is_empty() {
                // The whole chunk is allocated at once, because growing step by step would copy it
                // each time.
                state.open_chunk.reserve_exact(CHUNK_MESSAGES);
            }
            state.open_chunk.push(delivery);
            if state.open_chunk.len() == CHUNK_MESSAGES {
                let chunk = Chunk::sort(std::mem::take(&mut state.open_chunk));
                state.chunks.push(chunk);
            }
        }
    }

    /// Notes that messages were deleted.
    pub(in crate::store) fn delete(&self, messages: &[MessageId]) {
        if !messages.is_empty() {
            self.write().deleted.extend(messages);
        }
    }

    /// The messages for a user after one id and up to and including another, in the order of the
    /// log.
    pub(in crate::store) fn messages_for(
        &self,
        user: MailboxId,
        after: MessageId,
        upto: MessageId,
    ) -> Vec<MessageId> {
        let state = self.read();
        let mut found = Vec::new();
        let is_newer = |chunk: &&Chunk| chunk.newest > after;
        for chunk in state.chunks.iter().filter(is_newer) {
            let of_user = chunk.after((user, after)).iter().take_while(|&&(to, _)| to == user);
            found.extend(of_user.map(|&(_, id)| id));
        }
        let start = state.open_chunk.partition_point(|&(_, id)| id <= after);
        let of_user = state.open_chunk[start..].iter().filter(|&&(to, _)| to == user);
        found.extend(of_user.map(|&(_, id)| id));
        found.retain(|id| *id <= upto && !state.deleted.contains(id));
        found
    }

    /// The oldest `messages` messages, sorted like a run. `None` if there are fewer. They stay in
    /// the memtable until [`Self::discard`].
    pub(in crate::store) fn merge_oldest(&self, messages: usize) -> Option<MergedChunks> {
        let state = self.read();
        let chunks = messages / CHUNK_MESSAGES;
        if chunks == 0 || state.chunks.len() < chunks {
            return None;
        }
        Some(MergedChunks::merge(state.chunks[..chunks].to_vec()))
    }

    /// All messages, sorted like a run. `None` if there are none.
    pub(in crate::store) fn merge_all(&self) -> Option<MergedChunks> {
        let state = self.read();
        let mut chunks = state.chunks.clone();
        if !state.open_chunk.is_empty() {
            chunks.push(Chunk::sort(state.open_chunk.clone()));
        }
        (!chunks.is_empty()).then(|| MergedChunks::merge(chunks))
    }

    /// The number of messages.
    pub(in crate::store) fn len(&self) -> usize {
        let state = self.read();
        state.chunks.len() * CHUNK_MESSAGES + state.open_chunk.len()
    }

    /// Removes deleted messages from `deliveries`.
    pub(in crate::store) fn drop_deleted(&self, deliveries: &mut Vec<Delivery>) {
        let state = self.read();
        if !state.deleted.is_empty() {
            deliveries.retain(|(_, id)| !state.deleted.contains(id));
        }
    }

    /// Discards the messages that a run covers now. `upto` is the newest message of a
    /// [`MergedChunks`].
    pub(in crate::store) fn discard(&self, upto: MessageId) {
        let mut state = self.write();
        state.chunks.retain(|chunk| chunk.newest > upto);
        state.open_chunk.retain(|&(_, id)| id > upto);
        state.deleted.retain(|&id| id > upto);
        state.discarded_upto = state.discarded_upto.max(upto);
    }

    /// The current state of the message log. A reader must call this before its snapshot begins.
    pub(in crate::store) fn read_point(&self) -> ReadPoint {
        let state = self.read();
        ReadPoint { newest: state.newest(), rewinds: state.rewinds }
    }

    /// Notes that a snapshot after `read_point` found no message in the user's inbox.
    pub(in crate::store) fn note_empty(&self, user: UserId, read_point: ReadPoint) {
        let mut state = self.write();
        if state.rewinds == read_point.rewinds {
            state.empty_upto.insert(user, read_point.newest);
        }
    }

    /// Notes that the inbox cursors of these users were moved backwards, and that this is
    /// committed.
    pub(in crate::store) fn rewind(&self, users: &[UserId]) {
        if !users.is_empty() {
            let mut state = self.write();
            state.rewinds += 1;
            users.iter().for_each(|user| {
                state.empty_upto.remove(user);
            });
        }
    }

    /// Whether the user's inbox is known to be empty. If it is not known, it may still be empty.
    pub(in crate::store) fn is_known_to_be_empty(&self, user: UserId) -> bool {
        let state = self.read();
        let Some(&upto) = state.empty_upto.get(&user) else { return false };
        // The memtable must have every message that has arrived since.
        upto >= state.discarded_upto && !state.has_after(user.into(), upto)
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn newest(&self) -> MessageId {
        let in_chunks = self.chunks.last().map(|chunk| chunk.newest);
        let newest = self.open_chunk.last().map(|&(_, id)| id).or(in_chunks);
        newest.unwrap_or(self.discarded_upto)
    }

    fn has_after(&self, user: MailboxId, after: MessageId) -> bool {
        let start = self.open_chunk.partition_point(|&(_, id)| id <= after);
        let newer = self.chunks.iter().rev().take_while(|chunk| chunk.newest > after);
        self.open_chunk[start..].iter().any(|&(to, _)| to == user)
            || newer
                .map(|chunk| chunk.after((user, after)))
                .any(|rest| rest.first().is_some_and(|&(to, _)| to == user))
    }
}

impl Chunk {
    /// The deliveries that sort after this one.
    fn after(&self, delivery: Delivery) -> &[Delivery] {
        &self.deliveries[self.deliveries.partition_point(|&other| other <= delivery)..]
    }

    /// Sorts deliveries that are in the order of the message log.
    fn sort(mut deliveries: Vec<Delivery>) -> Self {
        let newest = deliveries.last().map_or(MessageId::ZERO, |&(_, id)| id);
        deliveries.sort_unstable();
        Self { newest, deliveries: deliveries.into() }
    }
}

/// Merges chunks a delivery at a time. Sorting all of them at once would delay the waiting senders.
pub(in crate::store) struct MergedChunks {
    chunks: Vec<Chunk>,
    /// The next delivery of each chunk, with the number of the chunk and the place in it.
    next: BinaryHeap<Reverse<(Delivery, usize, usize)>>,
}

impl MergedChunks {
    fn merge(chunks: Vec<Chunk>) -> Self {
        let first = |(index, chunk): (usize, &Chunk)| {
            chunk.deliveries.first().map(|&delivery| Reverse((delivery, index, 0)))
        };
        let next = chunks.iter().enumerate().filter_map(first).collect();
        Self { chunks, next }
    }

    /// The newest message in the chunks.
    pub(in crate::store) fn newest(&self) -> MessageId {
        self.chunks.iter().map(|chunk| chunk.newest).max().unwrap_or(MessageId::ZERO)
    }
}

impl Iterator for MergedChunks {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        let mut top = self.next.peek_mut()?;
        let Reverse((delivery, index, place)) = *top;
        match self.chunks[index].deliveries.get(place + 1) {
            Some(&following) => *top = Reverse((following, index, place + 1)),
            None => {
                std::collections::binary_heap::PeekMut::pop(top);
            }
        }
        Some(delivery)
    }
}

#[cfg(test)]
mod tests;
