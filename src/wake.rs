//! Batches the wake-ups of other threads.
//!
//! Without batching, a thread that receives fifty replies could wake for the first, handle it, and
//! sleep again before the second. Each such wake-up costs more than handling a reply.

use std::cell::RefCell;

type Wake = Box<dyn FnOnce()>;

thread_local! {
    /// The wake-ups that [`coalesce`] postpones on this thread. `None` outside of it.
    static DEFERRED: RefCell<Option<Vec<Wake>>> = const { RefCell::new(None) };
}

/// Runs `work` and postpones the wake-ups that it requests with [`defer`] on this thread. They run
/// when `work` returns or panics. `work` must be short and must not block, because other threads
/// wait for it.
pub fn coalesce(work: impl FnOnce()) {
    let deferred = RunOnDrop(DEFERRED.replace(Some(Vec::new())));
    work();
    drop(deferred);
}

/// Runs `wake` now, or at the end of the enclosing [`coalesce`] on this thread.
pub fn defer(wake: impl FnOnce() + 'static) {
    let now = DEFERRED.with_borrow_mut(|deferred| match deferred {
        Some(deferred) => {
            deferred.push(Box::new(wake));
            None
        }
        None => Some(wake),
    });
    if let Some(wake) = now {
        wake();
    }
}

/// Restores the outer list on drop, then runs the wake-ups of the inner one.
struct RunOnDrop(Option<Vec<Wake>>);

impl Drop for RunOnDrop {
    fn drop(&mut self) {
        for wake in DEFERRED.replace(self.0.take()).into_iter().flatten() {
            wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use super::*;

    fn counter() -> (Rc<Cell<u32>>, impl Fn()) {
        let count = Rc::new(Cell::new(0));
        let wake = {
            let count = Rc::clone(&count);
            move || {
                let count = Rc::clone(&count);
                defer(move || count.set(count.get() + 1));
            }
        };
        (count, wake)
    }

    #[test]
    fn defer_wakes_at_once_or_at_the_end_of_coalesce() {
        let (count, wake) = counter();
        wake();
        assert_eq!(count.get(), 1);
        coalesce(|| {
            wake();
            assert_eq!(count.get(), 1);
        });
        assert_eq!(count.get(), 2);
        wake();
        assert_eq!(count.get(), 3);
    }

    #[test]
    fn panic_inside_coalesce_still_runs_the_wakes() {
        let (count, wake) = counter();
        let work = || {
            coalesce(|| {
                wake();
                panic!("in the middle");
            });
        };
        assert!(catch_unwind(AssertUnwindSafe(work)).is_err());
        assert_eq!(count.get(), 1);
        wake();
        assert_eq!(count.get(), 2);
    }
}
