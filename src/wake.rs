//! Waking other threads once for many things at a time.
//!
//! Who is woken for the first of some fifty answers takes that one and sleeps again, and is woken for
//! the second: each time costs more than the answer.

use std::cell::RefCell;

type Wake = Box<dyn FnOnce()>;

thread_local! {
    /// Who is to be woken when this thread has done what it does [`together`].
    static HELD: RefCell<Option<Vec<Wake>>> = const { RefCell::new(None) };
}

/// Does `work`; who is woken [`soon`] by it on this thread is woken when it is done, also when it
/// panics. For what is short, and waits for nothing.
pub fn together(work: impl FnOnce()) {
    let held = Held(HELD.replace(Some(Vec::new())));
    work();
    drop(held);
}

/// Wakes somebody now, or at the end of what is done [`together`].
pub fn soon(wake: impl FnOnce() + 'static) {
    let now = HELD.with_borrow_mut(|held| match held {
        Some(held) => {
            held.push(Box::new(wake));
            None
        }
        None => Some(wake),
    });
    if let Some(wake) = now {
        wake();
    }
}

/// Puts back what was held before, and wakes those who are held since then.
struct Held(Option<Vec<Wake>>);

impl Drop for Held {
    fn drop(&mut self) {
        for wake in HELD.replace(self.0.take()).into_iter().flatten() {
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
                soon(move || count.set(count.get() + 1));
            }
        };
        (count, wake)
    }

    #[test]
    fn who_is_woken_soon_is_woken_at_once_or_at_the_end_of_what_is_done_together() {
        let (count, wake) = counter();
        wake();
        assert_eq!(count.get(), 1);
        together(|| {
            wake();
            assert_eq!(count.get(), 1);
        });
        assert_eq!(count.get(), 2);
        wake();
        assert_eq!(count.get(), 3);
    }

    #[test]
    fn panic_in_what_is_done_together_leaves_nobody_asleep() {
        let (count, wake) = counter();
        let work = || {
            together(|| {
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
