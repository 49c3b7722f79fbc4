//! A number that can be changed while it is in use.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A limit or a time that somebody uses and somebody else may change. Its clones are the same one.
/// Reading it is a load from memory; who reads it twice may find it changed.
pub struct Adjustable<T> {
    word: Arc<AtomicU64>,
    kind: PhantomData<T>,
}

/// What fits into a word.
pub trait Word: Copy {
    /// As a word; the greatest where it is too great for one.
    fn to_word(self) -> u64;
    /// The other way round.
    fn of_word(word: u64) -> Self;
}

impl<T: Word> Adjustable<T> {
    /// What it is now.
    pub fn get(&self) -> T {
        T::of_word(self.word.load(Ordering::Relaxed))
    }

    /// From now on it is this.
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

/// In nanoseconds: up to 584 years.
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
    fn clones_are_changed_together() {
        let limit = Adjustable::from(7_usize);
        let used = limit.clone();
        limit.set(9);
        assert_eq!(used.get(), 9);
    }

    #[test]
    fn times_come_back_as_they_were_but_for_more_than_a_word_holds() {
        let time = Adjustable::from(Duration::from_millis(1_500));
        assert_eq!(time.get(), Duration::from_millis(1_500));
        time.set(Duration::MAX);
        assert_eq!(time.get(), Duration::from_nanos(u64::MAX));
    }
}
