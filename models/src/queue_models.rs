//! The queue between threads.

use loom::thread;

use crate::queue::{PushError, Queue};
use crate::sync::Arc;

/// What two threads put in while it is closed is given out once, each thread's in its order; what was
/// not taken in was given back.
pub fn every_item_is_given_once_and_in_order() {
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
    assert!(queue.is_empty(), "something was left behind");
    for pushed in &pushed {
        let of_thread: Vec<i32> =
            taken.iter().copied().filter(|item| pushed.contains(item)).collect();
        assert_eq!(of_thread, *pushed);
    }
    assert_eq!(taken.len(), pushed.iter().map(Vec::len).sum::<usize>());
}

/// Two threads wait, two items come: each gets one.
pub fn nobody_waits_for_what_is_there() {
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

/// Two threads wait, and both are woken by the end.
pub fn nobody_waits_for_what_is_closed() {
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

/// Where there is room for one, one waits, and the others are given back.
pub fn no_more_waits_than_may() {
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
