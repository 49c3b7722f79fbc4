//! Group commit: which thread commits what waits to be written, and when.
//!
//! Operations wait in one queue. The thread that holds the lock on the committer takes all that is
//! there as one batch: one transaction, one fsync; then it answers. Two kinds of threads do that.
//!
//! The **writer thread** may wait for whatever it has to: other processes' locks, long operations.
//!
//! A **worker** has connections to look after. It collects the operations of all its connections
//! ([`GroupCommit::collect_batch`]) and then says what it expects:
//!
//! - [`Expect::Nothing`]: all its recent clients wait for their answers. The worker commits the
//!   batch itself: waking another thread would cost more than it saves.
//! - [`Expect::MoreRequests`], and one operation or more than [`HANDED_OVER`]: the same. A single
//!   operation has nothing to share a commit with; of many the hand-over saves little.
//! - [`Expect::MoreRequests`], and a few operations: the writer thread commits them, and the
//!   worker collects more while the disk works.
//!
//! A worker never waits for anything but the disk. Where another thread is committing, it leaves
//! its operations to the writer thread; where nothing more is expected it keeps them instead
//! ([`Flush::Deferred`]) and comes back soon, so that they share one commit with what comes until
//! then. `docs/decisions/` has the measurements; they were made on two processors.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use crate::queue::{PushError, Queue};
use crate::store::OnFatal;
use crate::store::error::StoreError;

/// How many operations a worker hands over to the writer thread where it expects more requests.
const HANDED_OVER: RangeInclusive<usize> = 2..=31;
/// How long the writer thread waits for work before it tidies up.
pub(in crate::store) const IDLE: Duration = Duration::from_secs(10);

/// Whether a worker is likely to collect more operations while its batch is being committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Clients go on sending requests.
    MoreRequests,
    /// All recent clients wait for their answers.
    Nothing,
}

/// What became of the operations that a worker has collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// They are committed, or another thread commits them.
    Done,
    /// Another thread is committing. They wait for this worker, which has to come again soon.
    Deferred,
}

/// Which operations of the queue a thread may commit now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Turn {
    /// The writer thread: all that no worker has collected, and of collected operations those that
    /// came before this place in the queue.
    WriterThread {
        /// The place: how many operations were put in before it.
        left_upto: u64,
    },
    /// A worker: collected operations.
    Worker,
}

impl Turn {
    /// Whether an operation at a place of the queue may be committed in this turn.
    pub(in crate::store) fn takes(self, place: u64, is_collected: bool) -> bool {
        match self {
            Self::WriterThread { left_upto } => place < left_upto || !is_collected,
            // Other operations may take longer than a connection can be kept waiting.
            Self::Worker => is_collected,
        }
    }
}

/// What is left for the writer thread to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Left {
    /// Nothing.
    Nothing,
    /// Something.
    More,
}

/// Commits operations, one batch at a time.
pub(in crate::store) trait Commit: Send {
    /// What waits in the queue.
    type Operation: Collected + Send;

    /// Commits one batch of what `turn` may take, if there is any, and answers each operation.
    fn commit(&mut self, queue: &Queue<Self::Operation>, turn: Turn) -> Left;

    /// Whether a commit is likely to be over soon: else a worker leaves it to the writer thread.
    fn is_quick(&self) -> bool;

    /// Does what is due where nothing waits, a step a call.
    fn rest(&mut self) -> Left;

    /// How long nothing is due.
    fn may_rest_for(&self) -> Duration;

    /// Closes the database.
    fn close(self);
}

/// An operation that a worker may have collected.
pub(in crate::store) trait Collected {
    /// Whether one did.
    fn is_collected(&self) -> bool;
    /// Answers an operation that was not taken into the queue.
    fn refuse(self, error: StoreError);
}

thread_local! {
    /// This thread is inside of [`GroupCommit::collect_batch`]: it looks after what it submits.
    static COLLECTS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread collects operations, and will see to their commit.
pub(in crate::store) fn is_collecting() -> bool {
    COLLECTS.get()
}

/// See the module.
pub(in crate::store) struct GroupCommit<C: Commit> {
    queue: Queue<C::Operation>,
    /// `None` once it is closed. Only its holder takes operations out of the queue, so they are
    /// done in the order in which they were submitted.
    committer: Mutex<Option<C>>,
    /// The writer thread commits collected operations before this place in the queue.
    left_upto: AtomicU64,
    on_fatal: OnFatal,
}

/// What became of a worker's try to commit.
enum Tried {
    /// Nothing is left.
    All,
    /// Something is left for the writer thread.
    Part,
    /// Another thread is committing.
    Busy,
}

impl<C: Commit> GroupCommit<C> {
    pub(in crate::store) fn new(capacity: usize, committer: C, on_fatal: OnFatal) -> Self {
        Self {
            queue: Queue::new(capacity),
            committer: Mutex::new(Some(committer)),
            left_upto: AtomicU64::new(0),
            on_fatal,
        }
    }

    /// Takes an operation in, or answers it at once where too much waits or the database is
    /// closed. Never blocks. Tells whether the writer thread has to be woken for it.
    pub(in crate::store) fn submit(&self, operation: C::Operation) -> bool {
        let is_collected = operation.is_collected();
        match self.queue.push(operation) {
            Ok(()) => !is_collected,
            Err((operation, error)) => {
                operation.refuse(match error {
                    PushError::Full => StoreError::Busy,
                    PushError::Closed => StoreError::Closed,
                });
                false
            }
        }
    }

    /// Runs `collect`, whose operations on this thread form one batch, and sees to their commit by
    /// the policy of the module. `wake` wakes the writer thread. Waits for the disk, and for
    /// nothing else.
    pub(in crate::store) fn collect_batch(
        &self,
        collect: impl FnOnce() -> Expect,
        wake: impl FnOnce(),
    ) -> Flush {
        let collecting = Collecting(COLLECTS.replace(true));
        let expect = collect();
        drop(collecting);
        let waiting = self.queue.len();
        if waiting == 0 {
            return Flush::Done;
        }
        if expect == Expect::Nothing || !HANDED_OVER.contains(&waiting) {
            match self.guard(|| self.try_commit()) {
                Tried::All => return Flush::Done,
                Tried::Busy if expect == Expect::Nothing => return Flush::Deferred,
                Tried::Busy | Tried::Part => {}
            }
        }
        self.left_upto.fetch_max(self.queue.put_in(), Ordering::SeqCst);
        wake();
        Flush::Done
    }

    /// How many operations wait.
    pub(in crate::store) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Takes nothing more; [`Self::run`] does what is waiting, and ends.
    pub(in crate::store) fn close(&self) {
        self.queue.close();
    }

    /// The writer thread: commits and tidies up until the queue is closed, then closes the
    /// database.
    pub(in crate::store) fn run(&self) {
        loop {
            // Before the commit: an operation that was put in before is committed below.
            let closed = self.queue.is_closed();
            let mut holder = self.lock();
            let Some(committer) = holder.as_mut() else { return };
            loop {
                let left_upto =
                    if closed { u64::MAX } else { self.left_upto.load(Ordering::SeqCst) };
                let turn = Turn::WriterThread { left_upto };
                if committer.commit(&self.queue, turn) == Left::Nothing {
                    break;
                }
            }
            if closed {
                let closing = holder.take();
                drop(holder);
                if let Some(committer) = closing {
                    committer.close();
                }
                return;
            }
            let left = committer.rest();
            let rest = committer.may_rest_for();
            drop(holder);
            if left == Left::Nothing {
                thread::park_timeout(rest);
            }
        }
    }

    /// Runs `work` with the committer; not where the database is closed.
    pub(in crate::store) fn with_committer(&self, work: impl FnOnce(&mut C)) {
        if let Some(committer) = self.lock().as_mut() {
            work(committer);
        }
    }

    /// Runs `work`. A panic in it leaves nothing that may be acknowledged: it ends the process.
    pub(in crate::store) fn guard<T>(&self, work: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            (self.on_fatal)(StoreError::Fatal("the writer panicked".to_owned()));
            // Should the callback return against its word: nothing more may be written.
            std::process::abort()
        })
    }

    /// One batch on a worker's thread, if no other thread is committing.
    fn try_commit(&self) -> Tried {
        // The holder of the lock looks at the queue again when it has given the lock back, so
        // operations that are left to it now do not stay.
        let mut holder = match self.committer.try_lock() {
            Ok(holder) => holder,
            Err(TryLockError::WouldBlock) => return Tried::Busy,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        let quick = holder.as_mut().filter(|committer| committer.is_quick());
        let Some(committer) = quick else { return Tried::Part };
        let left = committer.commit(&self.queue, Turn::Worker);
        drop(holder);
        if left == Left::Nothing && self.queue.is_empty() { Tried::All } else { Tried::Part }
    }

    fn lock(&self) -> MutexGuard<'_, Option<C>> {
        // A panic of its holder has ended the process.
        self.committer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts back what was there, also when the collecting closure panics.
struct Collecting(bool);

impl Drop for Collecting {
    fn drop(&mut self) {
        COLLECTS.set(self.0);
    }
}

#[cfg(test)]
impl<C: Commit> GroupCommit<C> {
    /// Keeps every other thread from committing until the answer is dropped.
    pub(in crate::store) fn hold(&self) -> MutexGuard<'_, Option<C>> {
        self.lock()
    }

    /// What the writer thread would do now. Tells what is left, and how many operations wait.
    pub(in crate::store) fn commit_as_writer_thread(&self) -> (Left, usize) {
        let left_upto = self.left_upto.load(Ordering::SeqCst);
        let mut holder = self.lock();
        let committer = holder.as_mut().expect("an open committer");
        let left = committer.commit(&self.queue, Turn::WriterThread { left_upto });
        (left, self.queue.len())
    }
}
