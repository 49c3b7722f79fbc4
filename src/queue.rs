//! A bounded queue between threads. Pushing never waits; popping waits for an item.

use std::collections::VecDeque;

use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Why an item was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushError {
    /// The queue holds `capacity` items.
    Full,
    /// The queue was closed.
    Closed,
}

/// A first-in-first-out queue of at most `capacity` items. Any number of threads may push and pop.
#[derive(Debug)]
pub struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    capacity: usize,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    /// The number of items that were ever taken out.
    taken: u64,
    closed: bool,
    /// The number of threads that wait in [`Queue::pop`]. At 0, `push` skips the notification.
    waiting: usize,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(capacity: usize) -> Self {
        let state = State { items: VecDeque::new(), taken: 0, closed: false, waiting: 0 };
        Self { state: Mutex::new(state), changed: Condvar::new(), capacity }
    }

    /// Appends an item, or returns it to the caller. It holds the lock only briefly and never waits
    /// for room.
    pub fn push(&self, item: T) -> Result<(), (T, PushError)> {
        let mut state = self.lock();
        if state.closed {
            return Err((item, PushError::Closed));
        }
        if state.items.len() >= self.capacity {
            return Err((item, PushError::Full));
        }
        state.items.push_back(item);
        let wake = state.waiting > 0;
        drop(state);
        if wake {
            self.changed.notify_one();
        }
        Ok(())
    }

    /// Waits for the next item and removes it. `None` once the queue is closed and empty.
    pub fn pop(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if let Some(item) = state.items.pop_front() {
                state.taken += 1;
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    /// Moves items from the front to the end of `into`, without waiting, until the queue is empty
    /// or `fits` refuses one. `fits` gets the item and its sequence number: the number of items
    /// pushed before it.
    pub fn take_while(&self, into: &mut Vec<T>, mut fits: impl FnMut(u64, &T) -> bool) {
        let mut state = self.lock();
        let State { items, taken, .. } = &mut *state;
        while let Some(item) = items.pop_front_if(|item| fits(*taken, item)) {
            *taken += 1;
            into.push(item);
        }
    }

    /// Whether the queue has a first item and `is` accepts it. `is` gets the same arguments as
    /// `fits` in [`Self::take_while`].
    pub fn front_is_some_and(&self, is: impl FnOnce(u64, &T) -> bool) -> bool {
        let state = self.lock();
        state.items.front().is_some_and(|item| is(state.taken, item))
    }

    /// The number of items that were ever pushed.
    pub fn total_pushed(&self) -> u64 {
        let state = self.lock();
        state.taken + state.items.len() as u64
    }

    /// Whether the queue was closed. Items pushed before may still be in it.
    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The number of items in the queue.
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    /// Whether the queue has no items.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most items that the queue holds.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Refuses further items and wakes all waiting threads. Items in the queue can still be popped.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// No panic can leave the state inconsistent, so a poisoned lock is safe to use.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn queue_is_first_in_first_out_and_bounded() {
        let queue = Queue::new(2);
        assert_eq!((queue.push(1), queue.push(2)), (Ok(()), Ok(())));
        assert_eq!(queue.push(3), Err((3, PushError::Full)));
        assert_eq!((queue.pop(), queue.push(3)), (Some(1), Ok(())));
        let mut taken = Vec::new();
        queue.take_while(&mut taken, |_, &item| item < 3);
        assert!(taken == [2] && queue.front_is_some_and(|before, &item| (before, item) == (2, 3)));
        queue.take_while(&mut taken, |before, _| before < 3);
        assert!(taken == [2, 3] && queue.is_empty() && !queue.front_is_some_and(|_, _| true));
        assert_eq!(queue.total_pushed(), 3);
    }

    #[test]
    fn closed_queue_returns_its_items_and_refuses_more() {
        let queue = Queue::new(2);
        queue.push(1).unwrap();
        queue.close();
        assert_eq!(queue.push(2), Err((2, PushError::Closed)));
        assert!(queue.is_closed());
        assert_eq!((queue.pop(), queue.pop()), (Some(1), None));
    }

    #[test]
    fn concurrent_pops_return_every_item_once() {
        let queue = Arc::new(Queue::new(10_000));
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>())
            })
            .collect();
        for item in 0..10_000 {
            queue.push(item).unwrap();
        }
        queue.close();
        let mut taken: Vec<i32> =
            takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect();
        taken.sort_unstable();
        assert!(taken.into_iter().eq(0..10_000));
    }
}
