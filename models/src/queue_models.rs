//! Models of the queue between threads.

use loom::thread;

use crate::queue::{PushError, Queue};
use crate::sync::Arc;

/// Two threads push while a third closes the queue. Every accepted item comes out once, and each
/// thread's items in order. A refused item is returned to its thread.
pub fn every_item_comes_out_once_and_in_order() {
    let queue = Arc::new(Queue::new(8));
    let pushing = [[1, 2], [11, 12]].map(|items| {
        let queue = Arc::clone(&queue);
        thread::spawn(move || {
            let mut pushed = Vec::new();
            for item in items {
                match queue.push(item) {
                    Ok(()) => pushed.push(item),
                    Err((back, error)) => assert_eq!((back, error), (item, PushError::Closed)),
                }
            }
            pushed
        })
    });
    let closing = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || queue.close())
    };
    let taken: Vec<i32> = std::iter::from_fn(|| queue.pop()).collect();
    closing.join().unwrap();
    let pushed = pushing.map(|thread| thread.join().unwrap());
    assert!(queue.is_empty(), "an item was left behind");
    for pushed in &pushed {
        let of_thread: Vec<i32> =
            taken.iter().copied().filter(|item| pushed.contains(item)).collect();
        assert_eq!(of_thread, *pushed);
    }
    assert_eq!(taken.len(), pushed.iter().map(Vec::len).sum::<usize>());
}

/// Two threads wait and two items arrive: each thread gets one.
pub fn no_thread_waits_while_an_item_is_queued() {
    let queue = Arc::new(Queue::new(8));
    let popping = [(); 2].map(|()| {
        let queue = Arc::clone(&queue);
        thread::spawn(move || queue.pop())
    });
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    let mut popped = popping.map(|thread| thread.join().unwrap());
    popped.sort();
    assert_eq!(popped, [Some(1), Some(2)]);
}

/// Two threads wait, and closing the queue wakes both.
pub fn closing_wakes_every_waiting_thread() {
    let queue = Arc::new(Queue::new(8));
    let popping = [(); 2].map(|()| {
        let queue = Arc::clone(&queue);
        thread::spawn(move || std::iter::from_fn(|| queue.pop()).sum::<i32>())
    });
    queue.push(1).unwrap();
    queue.push(2).unwrap();
    queue.close();
    assert_eq!(popping.map(|thread| thread.join().unwrap()).iter().sum::<i32>(), 3);
}

/// In a queue with room for one item, further items are returned to their threads.
pub fn queue_never_exceeds_its_capacity() {
    let queue = Arc::new(Queue::new(1));
    let pushing = [(); 2].map(|()| {
        let queue = Arc::clone(&queue);
        thread::spawn(move || match queue.push(()) {
            Ok(()) => 1,
            Err(((), error)) => {
                assert_eq!(error, PushError::Full);
                0
            }
        })
    });
    let mut taken = Vec::new();
    assert!(queue.len() <= queue.capacity());
    queue.take_while(&mut taken, |_, _| true);
    let pushed: usize = pushing.map(|thread| thread.join().unwrap()).iter().sum();
    assert!(pushed >= 1);
    assert_eq!(taken.len() + queue.len(), pushed);
}
