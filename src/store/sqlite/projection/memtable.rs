//! The end of the log by recipient: what the newest run of deliveries does not cover, in memory.
//!
//! Every message that is acknowledged is in here, or in a run. It is sorted a chunk at a time, so
//! that taking a message in costs next to nothing, and finding those of a user a few steps a chunk.
//!
//! It also remembers which inboxes were found to be empty: as long as nothing has come for one since
//! then, asking for it again needs no look into the file.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::model::{MessageId, UserId};

/// How many messages are sorted together; few in tests, which then see every kind of moment.
const CHUNK_MESSAGES: usize = if cfg!(test) { 16 } else { 4_096 };

/// Whom a message is for. Its order is that of a run.
pub(in crate::store) type Delivery = (UserId, MessageId);

/// See the module. Ids only rise: what is taken in is newer than all that is there.
#[derive(Default)]
pub struct Memtable {
    state: RwLock<State>,
}

struct State {
    /// Sorted; each newer than the one before it.
    chunks: Vec<Chunk>,
    /// Less than a chunk, in the order of the log.
    open: Vec<Delivery>,
    /// Messages that are no more.
    gone: HashSet<MessageId>,
    /// The newest message that is in a run and no more in here; zero since the start.
    forgotten: MessageId,
    /// Who has read all that there was, up to which message.
    emptied: HashMap<UserId, MessageId>,
    /// How often cursors were moved back.
    rewinds: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            open: Vec::new(),
            gone: HashSet::new(),
            forgotten: MessageId::ZERO,
            emptied: HashMap::new(),
            rewinds: 0,
        }
    }
}

/// How far the log was before something was read from it.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Moment {
    newest: MessageId,
    rewinds: u64,
}

#[derive(Clone)]
struct Chunk {
    newest: MessageId,
    deliveries: Arc<[Delivery]>,
}

impl Memtable {
    /// Takes in what has been committed, in the order of the log.
    pub(in crate::store) fn extend(&self, deliveries: &[Delivery]) {
        let mut state = self.write();
        for &delivery in deliveries {
            if state.open.is_empty() {
                // All that a chunk takes, at once: room that grows step by step is copied with each.
                state.open.reserve_exact(CHUNK_MESSAGES);
            }
            state.open.push(delivery);
            if state.open.len() == CHUNK_MESSAGES {
                let chunk = Chunk::sort(std::mem::take(&mut state.open));
                state.chunks.push(chunk);
            }
        }
    }

    /// Takes note that messages have been deleted.
    pub(in crate::store) fn remove(&self, messages: &[MessageId]) {
        if !messages.is_empty() {
            self.write().gone.extend(messages);
        }
    }

    /// The messages for a user after one id and up to and with another, in the order of the log.
    pub(in crate::store) fn messages_for(
        &self,
        user: UserId,
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
        let start = state.open.partition_point(|&(_, id)| id <= after);
        let of_user = state.open[start..].iter().filter(|&&(to, _)| to == user);
        found.extend(of_user.map(|&(_, id)| id));
        found.retain(|id| *id <= upto && !state.gone.contains(id));
        found
    }

    /// The oldest so many messages, sorted as a run; `None` where there are not so many. They stay
    /// until [`Self::forget`].
    pub(in crate::store) fn sorted(&self, messages: usize) -> Option<Sorted> {
        let state = self.read();
        let chunks = messages / CHUNK_MESSAGES;
        if chunks == 0 || state.chunks.len() < chunks {
            return None;
        }
        Some(Sorted::merge(state.chunks[..chunks].to_vec()))
    }

    /// All messages, sorted as a run; `None` where there is none.
    pub(in crate::store) fn merge_all(&self) -> Option<Sorted> {
        let state = self.read();
        let mut chunks = state.chunks.clone();
        if !state.open.is_empty() {
            chunks.push(Chunk::sort(state.open.clone()));
        }
        (!chunks.is_empty()).then(|| Sorted::merge(chunks))
    }

    /// How many messages there are.
    pub(in crate::store) fn len(&self) -> usize {
        let state = self.read();
        state.chunks.len() * CHUNK_MESSAGES + state.open.len()
    }

    /// Leaves out what has been deleted.
    pub(in crate::store) fn drop_deleted(&self, deliveries: &mut Vec<Delivery>) {
        let state = self.read();
        if !state.gone.is_empty() {
            deliveries.retain(|(_, id)| !state.gone.contains(id));
        }
    }

    /// Lets go of what a run has now: all that [`Sorted`] went through, up to `upto`.
    pub(in crate::store) fn forget(&self, upto: MessageId) {
        let mut state = self.write();
        state.chunks.retain(|chunk| chunk.newest > upto);
        state.open.retain(|&(_, id)| id > upto);
        state.gone.retain(|&id| id > upto);
        state.forgotten = state.forgotten.max(upto);
    }

    /// For [`Self::note_empty`]: to be asked for before anything is read.
    pub(in crate::store) fn moment(&self) -> Moment {
        let state = self.read();
        Moment { newest: state.newest(), rewinds: state.rewinds }
    }

    /// The user's inbox was read after that moment, and nothing was found in it.
    pub(in crate::store) fn note_empty(&self, user: UserId, moment: Moment) {
        let mut state = self.write();
        if state.rewinds == moment.rewinds {
            state.emptied.insert(user, moment.newest);
        }
    }

    /// The inbox cursors of these users have been moved back, and that is committed.
    pub(in crate::store) fn rewind(&self, users: &[UserId]) {
        if !users.is_empty() {
            let mut state = self.write();
            state.rewinds += 1;
            users.iter().for_each(|user| {
                state.emptied.remove(user);
            });
        }
    }

    /// Whether it is known that a user's inbox is empty. Where it is not, it may be all the same.
    pub(in crate::store) fn is_known_to_be_empty(&self, user: UserId) -> bool {
        let state = self.read();
        let Some(&upto) = state.emptied.get(&user) else { return false };
        // What came since then has to be in here, all of it.
        upto >= state.forgotten && !state.has_after(user, upto)
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
        let newest = self.open.last().map(|&(_, id)| id).or(in_chunks);
        newest.unwrap_or(self.forgotten)
    }

    fn has_after(&self, user: UserId, after: MessageId) -> bool {
        let start = self.open.partition_point(|&(_, id)| id <= after);
        let newer = self.chunks.iter().rev().take_while(|chunk| chunk.newest > after);
        self.open[start..].iter().any(|&(to, _)| to == user)
            || newer
                .map(|chunk| chunk.after((user, after)))
                .any(|rest| rest.first().is_some_and(|&(to, _)| to == user))
    }
}

impl Chunk {
    /// What is sorted behind a delivery.
    fn after(&self, delivery: Delivery) -> &[Delivery] {
        &self.deliveries[self.deliveries.partition_point(|&other| other <= delivery)..]
    }

    /// Of what is there, in the order of the log.
    fn sort(mut deliveries: Vec<Delivery>) -> Self {
        let newest = deliveries.last().map_or(MessageId::ZERO, |&(_, id)| id);
        deliveries.sort_unstable();
        Self { newest, deliveries: deliveries.into() }
    }
}

/// Some chunks, merged a step at a time: sorting all at once would hold up whoever waits.
pub(in crate::store) struct Sorted {
    chunks: Vec<Chunk>,
    /// The next of each chunk that has one, and where in its chunk that is.
    next: BinaryHeap<Reverse<(Delivery, usize, usize)>>,
}

impl Sorted {
    fn merge(chunks: Vec<Chunk>) -> Self {
        let first = |(index, chunk): (usize, &Chunk)| {
            chunk.deliveries.first().map(|&delivery| Reverse((delivery, index, 0)))
        };
        let next = chunks.iter().enumerate().filter_map(first).collect();
        Self { chunks, next }
    }

    /// The newest message in it.
    pub(in crate::store) fn newest(&self) -> MessageId {
        self.chunks.iter().map(|chunk| chunk.newest).max().unwrap_or(MessageId::ZERO)
    }
}

impl Iterator for Sorted {
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
