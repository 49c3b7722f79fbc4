//! Decides when the WAL is checkpointed, and on which thread. Plain data: it touches no file.

use crate::store::sqlite::writer::checkpoint::RESERVED_PAGES;

/// Above this many pages the WAL is checkpointed after large batches, while other threads commit.
/// It is 16 MiB, so a batch still fits below the size limit of the WAL. The disk is busy for some
/// ten milliseconds, and commits wait longer. More pages make that longer; fewer make it more
/// frequent.
pub(super) const CHECKPOINT_PAGES: i32 = 4_096;
/// The same after small batches: the pages that are reserved in the WAL. Such a commit waits for
/// little but its fsync, which is much faster if the file does not become longer. A checkpoint of
/// so few pages takes less than a millisecond.
const SMALL_CHECKPOINT_PAGES: i32 = RESERVED_PAGES;
/// The same on a nearly full disk. The rest of the reserved pages is left for one more transaction.
const SCARCE_CHECKPOINT_PAGES: i32 = RESERVED_PAGES / 4;
/// Above this many WAL pages the checkpointer thread takes over; checkpointing inline would delay
/// senders. Small batches reach it if a reader of the file blocks checkpoints for a while. On a
/// nearly full disk the next transaction needs the room at once, so senders do wait.
pub(super) const LONG_PAGES: i32 = 2 * SMALL_CHECKPOINT_PAGES;
/// A batch of at most this many operations is small.
const SMALL_BATCH_OPERATIONS: usize = 16;
/// How many pages the WAL must grow before the next try, after a reader blocked a checkpoint. A try
/// costs more if the WAL is longer.
const RETRY_PAGES: i32 = CHECKPOINT_PAGES / 4 * 3;
/// Above this many WAL pages a reader that blocks checkpoints is logged. Short reads are not.
const WARNING_PAGES: i32 = 4 * CHECKPOINT_PAGES;

/// Whether the WAL is to be checkpointed after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Due {
    /// Not yet.
    No,
    /// On the thread that writes, because it is quick.
    Here,
    /// On the checkpointer thread, because the WAL is long.
    OnCheckpointer,
}

/// What the decision depends on: the lengths of the WAL, and what prevented a checkpoint.
#[derive(Debug, Default)]
pub(in crate::store) struct CheckpointPolicy {
    /// How many pages the WAL had after the last commit, and how many of them are checkpointed.
    wal_pages: i32,
    checkpointed_pages: i32,
    /// The length of the WAL for the next try, after a reader blocked a checkpoint.
    retry_at: i32,
    /// The disk is nearly full: the WAL may not grow, and is checkpointed early.
    is_scarce: bool,
    /// A transaction found the disk full: the WAL is checkpointed at once, so that its space can be
    /// reused.
    is_full: bool,
    /// The checkpointer thread was asked and is not done.
    pub(in crate::store) is_checkpointing: bool,
    /// The WAL has to be emptied; a reader blocked that.
    pub(in crate::store) must_empty_wal: bool,
}

impl CheckpointPolicy {
    pub(in crate::store) fn new(is_scarce: bool) -> Self {
        Self { is_scarce, ..Self::default() }
    }

    /// Whether a checkpoint is due after a batch of so many operations.
    pub(in crate::store) fn due(&self, operations: usize) -> Due {
        let enough = match (self.is_scarce, operations <= SMALL_BATCH_OPERATIONS) {
            (true, _) => SCARCE_CHECKPOINT_PAGES,
            (false, true) => SMALL_CHECKPOINT_PAGES,
            (false, false) => CHECKPOINT_PAGES,
        };
        let pages = self.pages_to_checkpoint();
        let is_long = pages >= enough && self.wal_pages >= self.retry_at;
        let is_owed = self.is_full && pages > 0;
        match !self.is_checkpointing && (is_long || is_owed) {
            false => Due::No,
            true if pages >= LONG_PAGES && !self.is_scarce => Due::OnCheckpointer,
            true => Due::Here,
        }
    }

    /// Whether a compaction may write to the WAL. It waits while the WAL is long or a reader blocks
    /// checkpoints. It also waits for the checkpointer thread, which could not get the lock.
    pub(in crate::store) fn allows_compaction(&self) -> bool {
        let can_be_short =
            || self.pages_to_checkpoint() < LONG_PAGES && self.wal_pages >= self.retry_at;
        (!self.precedes_compaction() || can_be_short()) && !self.is_checkpointing
    }

    /// Whether the WAL must be checkpointed before the next compaction. On a nearly full disk, a
    /// purge that comes after it needs the room.
    pub(in crate::store) fn precedes_compaction(&self) -> bool {
        let enough = if self.is_scarce { SCARCE_CHECKPOINT_PAGES } else { SMALL_CHECKPOINT_PAGES };
        self.pages_to_checkpoint() >= enough
    }

    /// Whether the disk is nearly full. Then words are not indexed, because the room is for messages:
    /// a search finds those that are not indexed, too.
    pub(in crate::store) fn is_scarce(&self) -> bool {
        self.is_scarce
    }

    /// Whether the WAL is so long that a reader that blocks checkpoints is worth a line.
    pub(in crate::store) fn is_worth_a_warning(&self) -> bool {
        self.wal_pages >= WARNING_PAGES
    }

    /// How many pages the WAL had after the last commit.
    pub(in crate::store) fn wal_pages(&self) -> i32 {
        self.wal_pages
    }

    /// How many pages of the WAL are not checkpointed.
    pub(in crate::store) fn pages_to_checkpoint(&self) -> i32 {
        self.wal_pages - self.checkpointed_pages
    }

    /// Notes that a transaction found the disk full.
    pub(in crate::store) fn note_full(&mut self) {
        (self.is_full, self.is_scarce) = (true, true);
    }

    /// Notes how many pages the WAL has after a commit. Returns how many of them are new.
    pub(in crate::store) fn note_commit(&mut self, pages: i32) -> i32 {
        let new = if pages <= self.wal_pages {
            // A new generation began.
            (self.checkpointed_pages, self.retry_at) = (0, 0);
            pages
        } else {
            pages - self.wal_pages
        };
        self.wal_pages = pages;
        new
    }

    /// Notes that a checkpoint begins, and whether the disk is nearly full.
    pub(in crate::store) fn note_checkpoint_begun(&mut self, is_scarce: bool) {
        (self.is_full, self.is_scarce) = (false, is_scarce);
    }

    /// Notes the end of a checkpoint: of all pages, or only of those that no reader blocks.
    pub(in crate::store) fn note_checkpoint_ended(&mut self, is_complete: bool) {
        if is_complete {
            // The next commit begins a new generation, unless a reader uses the end of this one.
            self.checkpointed_pages = self.wal_pages;
            self.retry_at = 0;
        } else {
            self.retry_at = self.wal_pages + RETRY_PAGES;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: usize = SMALL_BATCH_OPERATIONS;
    const LARGE: usize = SMALL_BATCH_OPERATIONS + 1;

    fn with_wal(pages: i32) -> CheckpointPolicy {
        let mut policy = CheckpointPolicy::new(false);
        assert_eq!(policy.note_commit(pages), pages);
        policy
    }

    #[test]
    fn small_batches_checkpoint_early_and_here() {
        assert_eq!(with_wal(SMALL_CHECKPOINT_PAGES - 1).due(SMALL), Due::No);
        assert_eq!(with_wal(SMALL_CHECKPOINT_PAGES).due(SMALL), Due::Here);
        assert_eq!(with_wal(LONG_PAGES - 1).due(SMALL), Due::Here);
    }

    #[test]
    fn long_wal_is_left_to_the_checkpointer_thread() {
        assert_eq!(with_wal(LONG_PAGES).due(SMALL), Due::OnCheckpointer);
        assert_eq!(with_wal(CHECKPOINT_PAGES - 1).due(LARGE), Due::No);
        assert_eq!(with_wal(CHECKPOINT_PAGES).due(LARGE), Due::OnCheckpointer);
    }

    #[test]
    fn no_checkpoint_is_due_while_the_checkpointer_thread_works() {
        let mut policy = with_wal(CHECKPOINT_PAGES);
        policy.is_checkpointing = true;
        assert_eq!(policy.due(SMALL), Due::No);
        policy.is_checkpointing = false;
        assert_eq!(policy.due(SMALL), Due::OnCheckpointer);
    }

    #[test]
    fn blocked_checkpoint_is_tried_again_after_many_pages() {
        let mut policy = with_wal(SMALL_CHECKPOINT_PAGES);
        policy.note_checkpoint_ended(false);
        policy.note_commit(SMALL_CHECKPOINT_PAGES + RETRY_PAGES - 1);
        assert_eq!(policy.due(SMALL), Due::No);
        policy.note_commit(SMALL_CHECKPOINT_PAGES + RETRY_PAGES);
        assert_eq!(policy.due(SMALL), Due::OnCheckpointer);
    }

    #[test]
    fn complete_checkpoint_leaves_nothing_and_the_next_generation_counts_from_its_start() {
        let mut policy = with_wal(SMALL_CHECKPOINT_PAGES);
        policy.note_checkpoint_begun(false);
        policy.note_checkpoint_ended(true);
        assert_eq!((policy.due(SMALL), policy.pages_to_checkpoint()), (Due::No, 0));
        assert_eq!(policy.note_commit(3), 3);
        assert_eq!((policy.due(SMALL), policy.pages_to_checkpoint()), (Due::No, 3));
        assert_eq!(policy.note_commit(5), 2);
    }

    #[test]
    fn full_disk_makes_a_checkpoint_of_any_page_due_once() {
        let mut policy = with_wal(1);
        policy.note_full();
        assert_eq!(policy.due(SMALL), Due::Here);
        policy.note_checkpoint_begun(true);
        policy.note_checkpoint_ended(false);
        assert_eq!(policy.due(SMALL), Due::No);
        let mut empty = CheckpointPolicy::new(false);
        empty.note_full();
        assert_eq!(empty.due(SMALL), Due::No);
    }

    #[test]
    fn nearly_full_disk_makes_checkpoints_earlier() {
        let mut policy = CheckpointPolicy::new(true);
        policy.note_commit(SCARCE_CHECKPOINT_PAGES);
        assert_eq!(policy.due(LARGE), Due::Here);
        policy.note_checkpoint_begun(false);
        policy.note_checkpoint_ended(true);
        policy.note_commit(SMALL_CHECKPOINT_PAGES - 1);
        assert_eq!(policy.due(SMALL), Due::No);
    }

    #[test]
    fn nearly_full_disk_leaves_no_wal_to_another_thread_and_idle_work_checkpoints_early() {
        for pages in [SCARCE_CHECKPOINT_PAGES, SMALL_CHECKPOINT_PAGES - 1, LONG_PAGES] {
            let mut policy = CheckpointPolicy::new(true);
            policy.note_commit(pages);
            assert_eq!((policy.due(SMALL), policy.due(LARGE)), (Due::Here, Due::Here), "{pages}");
            assert!(policy.precedes_compaction() && policy.is_scarce(), "{pages}");
        }
        assert!(!with_wal(SCARCE_CHECKPOINT_PAGES).precedes_compaction());
        let mut full = with_wal(LONG_PAGES);
        full.note_full();
        assert_eq!(full.due(SMALL), Due::Here);
    }

    #[test]
    fn compaction_waits_for_a_long_wal_a_reader_and_the_checkpointer_thread() {
        assert!(with_wal(SMALL_CHECKPOINT_PAGES - 1).allows_compaction());
        let mut policy = with_wal(SMALL_CHECKPOINT_PAGES);
        assert!(policy.allows_compaction() && policy.precedes_compaction());
        policy.note_checkpoint_ended(false);
        assert!(!policy.allows_compaction());
        assert!(!with_wal(LONG_PAGES).allows_compaction());
        let mut working = with_wal(0);
        working.is_checkpointing = true;
        assert!(!working.allows_compaction());
    }
}
