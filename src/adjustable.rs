//! A value that can change while other threads use it.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A limit or duration that one thread reads and another may change. All clones share one value. A
/// read is one relaxed atomic load, so two reads may give different values.
pub struct Adjustable<T> {
    word: Arc<AtomicU64>,
    kind: PhantomData<T>,
}

/// A type that fits into 64 bits.
pub trait Word: Copy {
    /// Converts to a word. A value that is too large becomes the largest word.
    fn to_word(self) -> u64;
    /// Converts back from a word.
    fn of_word(word: u64) -> Self;
}

impl<T: Word> Adjustable<T> {
    /// The current value.
    pub fn get(&self) -> T {
        T::of_word(self.word.load(Ordering::Relaxed))
    }

    /// Replaces the value for all clones.
    pub fn set(&self, value: T) {
        self.word.store(value.to_word(), Ordering::Relaxed);
    }
}

impl<T: Word> From<T> for Adjustable<T> {
    fn from(value: T) -> Self {
        Self { word: Arc::new(AtomicU64::new(value.to_word())), kind: PhantomData }
    }
}

impl<T> Clone for Adjustable<T> {
    fn clone(&self) -> Self {
        Self { word: Arc::clone(&self.word), kind: PhantomData }
    }
}

impl<T: Word + fmt::Debug> fmt::Debug for Adjustable<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(formatter)
    }
}

impl Word for usize {
    fn to_word(self) -> u64 {
        self as u64
    }

    fn of_word(word: u64) -> Self {
        word as Self
    }
}

impl Word for bool {
    fn to_word(self) -> u64 {
        self.into()
    }

    fn of_word(word: u64) -> Self {
        word != 0
    }
}

/// In nanoseconds, for up to 584 years.
impl Word for Duration {
    fn to_word(self) -> u64 {
        u64::try_from(self.as_nanos()).unwrap_or(u64::MAX)
    }

    fn of_word(word: u64) -> Self {
        Self::from_nanos(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_value_changes_every_clone() {
        let limit = Adjustable::from(7_usize);
        let used = limit.clone();
        limit.set(9);
        assert_eq!(used.get(), 9);
    }

    #[test]
    fn duration_round_trips_up_to_the_largest_word() {
        let time = Adjustable::from(Duration::from_millis(1_500));
        assert_eq!(time.get(), Duration::from_millis(1_500));
        time.set(Duration::MAX);
        assert_eq!(time.get(), Duration::from_nanos(u64::MAX));
    }
}
