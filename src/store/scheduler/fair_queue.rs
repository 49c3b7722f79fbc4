//! A bounded queue in which parties take turns: a party with many requests delays only itself.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::queue::PushError;

/// Holds at most `capacity` items. Any number of threads may push and pop. The items of one party
/// leave in the order of their arrival. Parties take turns, one item each.
pub(in crate::store) struct FairQueue<P, T> {
    state: Mutex<State<P, T>>,
    changed: Condvar,
    capacity: usize,
}

struct State<P, T> {
    /// The waiting items of each party. A party without items has no entry.
    waiting: HashMap<P, VecDeque<T>>,
    /// The parties with waiting items, each once, in the order of their turns.
    order: VecDeque<P>,
    len: usize,
    closed: bool,
    /// The number of threads that wait in [`FairQueue::pop`]. If there is none, nobody is woken.
    sleepers: usize,
}

impl<P: Clone + Eq + Hash, T> FairQueue<P, T> {
    /// Creates an empty queue.
    pub(in crate::store) fn new(capacity: usize) -> Self {
        let state = State {
            waiting: HashMap::new(),
            order: VecDeque::new(),
            len: 0,
            closed: false,
            sleepers: 0,
        };
        Self { state: Mutex::new(state), changed: Condvar::new(), capacity }
    }

    /// Adds an item, or returns it if the queue is full or closed. Never blocks, except for the
    /// moment in which another thread pushes or pops.
    pub(in crate::store) fn push(&self, party: P, item: T) -> Result<(), (T, PushError)> {
        let mut state = self.lock();
        if state.closed {
            return Err((item, PushError::Closed));
        }
        if state.len >= self.capacity {
            return Err((item, PushError::Full));
        }
        let State { waiting, order, .. } = &mut *state;
        match waiting.entry(party.clone()) {
            Entry::Occupied(mut items) => items.get_mut().push_back(item),
            Entry::Vacant(place) => {
                place.insert(VecDeque::from([item]));
                order.push_back(party);
            }
        }
        state.len += 1;
        let wake = state.sleepers > 0;
        drop(state);
        if wake {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for the next item. `None` once the queue is closed and empty.
    pub(in crate::store) fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.take() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.sleepers += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
    }

    /// The number of waiting items.
    pub(in crate::store) fn len(&self) -> usize {
        self.lock().len
    }

    /// Closes the queue: it accepts no more items, and the waiting ones can still be popped.
    pub(in crate::store) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// No statement leaves the state half changed when it panics, so a poisoned lock is safe to
    /// use.
    fn lock(&self) -> MutexGuard<'_, State<P, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Clone + Eq + Hash, T> State<P, T> {
    fn take(&mut self) -> Option<T> {
        let party = self.order.pop_front()?;
        let Entry::Occupied(mut items) = self.waiting.entry(party.clone()) else { return None };
        let item = items.get_mut().pop_front();
        if items.get().is_empty() {
            items.remove();
        } else {
            self.order.push_back(party);
        }
        self.len -= 1;
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::UserId;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn parties_take_turns_and_items_of_each_are_in_order() {
        let queue = FairQueue::new(100);
        let (one, two) = (Some(UserId(1)), Some(UserId(2)));
        for item in 0..4 {
            queue.push(one, (one, item)).unwrap();
        }
        queue.push(two, (two, 0)).unwrap();
        queue.push(None, (None, 0)).unwrap();
        queue.push(two, (two, 1)).unwrap();
        let taken: Vec<_> = (0..7).map(|_| queue.pop().unwrap()).collect();
        let expected = [(one, 0), (two, 0), (None, 0), (one, 1), (two, 1), (one, 2), (one, 3)];
        assert_eq!(taken, expected);
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn full_or_closed_queue_refuses_an_item() {
        let queue = FairQueue::new(2);
        assert_eq!((queue.push(None, 1), queue.push(Some(UserId(1)), 2)), (Ok(()), Ok(())));
        assert_eq!(queue.push(None, 3), Err((3, PushError::Full)));
        queue.close();
        assert_eq!(queue.push(None, 3), Err((3, PushError::Closed)));
        assert_eq!((queue.pop(), queue.pop(), queue.pop()), (Some(1), Some(2), None));
    }

    #[test]
    fn waiting_thread_is_woken_by_an_item_and_by_closing() {
        let queue = Arc::new(FairQueue::<Option<UserId>, i32>::new(10));
        let taker = thread::spawn({
            let queue = Arc::clone(&queue);
            move || std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>()
        });
        queue.push(None, 1).unwrap();
        queue.push(None, 2).unwrap();
        queue.close();
        assert_eq!(taker.join().unwrap(), [1, 2]);
    }
}
