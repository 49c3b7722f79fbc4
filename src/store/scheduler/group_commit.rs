//! Group commit: which thread commits the waiting operations, and when.
//!
//! Operations wait in one queue. The thread that holds the committer's lock takes all of them as
//! one batch. It commits them with one transaction and one fsync, and then answers. Two kinds of
//! threads commit.
//!
//! The **writer thread** may wait for anything: locks of other processes, long operations.
//!
//! A **worker** serves connections. It collects the operations of all its connections
//! ([`GroupCommit::collect_batch`]), and then says what it expects:
//!
//! - [`Expect::Nothing`]: all its recent clients wait for answers. The worker commits the batch
//!   itself, because waking another thread would cost more than it saves.
//! - [`Expect::MoreRequests`], with one operation or with more than [`HANDED_OVER`]: the worker
//!   commits, too. A single operation shares its commit with nothing, and with many operations the
//!   hand-over saves little.
//! - [`Expect::MoreRequests`], with a few operations: the writer thread commits them. The worker
//!   collects more while the disk works.
//!
//! A worker waits for the disk and for nothing else. If another thread is committing, the worker
//! leaves its operations to the writer thread. If it expects no more requests, it keeps them
//! ([`Flush::Deferred`]) and comes back soon. So they share one commit with the operations that
//! arrive until then. `docs/decisions/` has the measurements; they were made on two processors.

use std::cell::Cell;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::queue::{PushError, Queue};
use crate::store::OnFatal;
use crate::store::error::{Fatal, StoreError};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

/// How many operations a worker hands over to the writer thread if it expects more requests.
const HANDED_OVER: RangeInclusive<usize> = 2..=31;
/// How long the writer thread waits for work before it starts idle work.
pub(in crate::store) const IDLE_DELAY: Duration = Duration::from_secs(10);

/// How long the writer thread leaves the lock to a worker between two steps of idle work: longer than
/// a worker waits before it comes again.
const WORKER_TURN: Duration = Duration::from_millis(3);

/// Whether a worker is likely to collect more operations during the commit of its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Clients keep sending requests.
    MoreRequests,
    /// All recent clients wait for their answers.
    Nothing,
}

/// What happened to the operations that a worker collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// They are committed, or another thread will commit them.
    Done,
    /// Another thread is committing. The operations wait for this worker, which must come again
    /// soon.
    Deferred,
}

/// The operations that a thread may commit now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Turn {
    /// The writer thread: operations that no worker collected, and collected operations before a
    /// place in the queue.
    WriterThread {
        /// The place: how many operations were pushed before it.
        handed_over_upto: u64,
    },
    /// A worker: collected operations only.
    Worker,
}

impl Turn {
    /// Whether a thread may commit the operation at this place of the queue.
    pub(in crate::store) fn takes(self, place: u64, is_collected: bool) -> bool {
        match self {
            Self::WriterThread { handed_over_upto } => place < handed_over_upto || !is_collected,
            // Other operations may take longer than a worker may keep its connections waiting.
            Self::Worker => is_collected,
        }
    }
}

/// Whether work remains for the writer thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Remaining {
    /// No work.
    Nothing,
    /// Some work.
    Work,
}

/// Commits operations, one batch at a time.
pub(in crate::store) trait Commit: Send {
    /// An operation in the queue.
    type Operation: Collected + Send;

    /// Commits one batch of the operations that `turn` allows, if there are any, and answers each.
    fn commit(&mut self, queue: &Queue<Self::Operation>, turn: Turn) -> Remaining;

    /// Whether a commit is likely to be quick. If not, a worker leaves it to the writer thread.
    fn is_quick(&self) -> bool;

    /// Does one step of idle work, if any is due. Called when no operation waits.
    fn idle_step(&mut self) -> Remaining;

    /// How long the writer thread may sleep before idle work is due.
    fn idle_delay(&self) -> Duration;

    /// Finishes idle work that would delay the next start, and closes the database.
    fn close(self);
}

/// An operation that a worker may have collected.
pub(in crate::store) trait Collected {
    /// Whether a worker collected it.
    fn is_collected(&self) -> bool;
    /// Answers an operation that the queue did not accept.
    fn refuse(self, error: StoreError);
}

thread_local! {
    /// Whether this thread is inside [`GroupCommit::collect_batch`] and will flush what it submits.
    static IS_COLLECTING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread collects operations and will flush them.
pub(in crate::store) fn is_collecting() -> bool {
    IS_COLLECTING.get()
}

/// The queue and its committer. See the module.
pub(in crate::store) struct GroupCommit<C: Commit> {
    queue: Queue<C::Operation>,
    /// `None` once it is closed. Only the lock's holder takes operations out of the queue, so they
    /// are executed in the order of their submission.
    committer: Mutex<Option<C>>,
    /// The writer thread also commits collected operations before this place in the queue.
    handed_over_upto: AtomicU64,
    on_fatal: OnFatal,
}

/// The result of a worker's attempt to commit.
enum Attempt {
    /// No operation is left.
    All,
    /// Operations are left for the writer thread.
    Part,
    /// Another thread is committing.
    Busy,
}

impl<C: Commit> GroupCommit<C> {
    pub(in crate::store) fn new(capacity: usize, committer: C, on_fatal: OnFatal) -> Self {
        Self {
            queue: Queue::new(capacity),
            committer: Mutex::new(Some(committer)),
            handed_over_upto: AtomicU64::new(0),
            on_fatal,
        }
    }

    /// Queues an operation, or answers it at once if the queue is full or closed. Never blocks.
    /// Returns whether the writer thread must be woken.
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

    /// Runs `collect`, whose operations on this thread form one batch, and flushes them as the
    /// module describes. `wake` wakes the writer thread. Waits for the disk, and for nothing else.
    pub(in crate::store) fn collect_batch(
        &self,
        collect: impl FnOnce() -> Expect,
        wake: impl FnOnce(),
    ) -> Flush {
        let collecting = Collecting(IS_COLLECTING.replace(true));
        let expect = collect();
        drop(collecting);
        let waiting = self.queue.len();
        if waiting == 0 {
            return Flush::Done;
        }
        if expect == Expect::Nothing || !HANDED_OVER.contains(&waiting) {
            match self.guard(|| self.try_commit()) {
                Attempt::All => return Flush::Done,
                Attempt::Busy if expect == Expect::Nothing => return Flush::Deferred,
                Attempt::Busy | Attempt::Part => {}
            }
        }
        self.handed_over_upto.fetch_max(self.queue.total_pushed(), Ordering::SeqCst);
        wake();
        Flush::Done
    }

    /// The number of waiting operations.
    pub(in crate::store) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Accepts no more operations. [`Self::run`] then commits the waiting ones and ends.
    pub(in crate::store) fn close(&self) {
        self.queue.close();
    }

    /// The loop of the writer thread: commits and does idle work until the queue is closed. Then it
    /// closes the database. `sleep` waits until the thread is woken, at most for the given time.
    /// A wake-up before it ends the next sleep at once.
    pub(in crate::store) fn run(&self, sleep: impl Fn(Duration)) {
        loop {
            // This is read before the commit, so operations that were pushed before are committed
            // below.
            let closed = self.queue.is_closed();
            let mut holder = self.lock();
            let Some(committer) = holder.as_mut() else { return };
            loop {
                let handed_over_upto =
                    if closed { u64::MAX } else { self.handed_over_upto.load(Ordering::SeqCst) };
                let turn = Turn::WriterThread { handed_over_upto };
                if committer.commit(&self.queue, turn) == Remaining::Nothing {
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
            let left = committer.idle_step();
            let rest = committer.idle_delay();
            drop(holder);
            if left == Remaining::Nothing {
                sleep(rest);
            } else if !self.queue.is_empty() {
                // A worker has come for the lock during the step, and comes again.
                sleep(WORKER_TURN);
            }
        }
    }

    /// Runs `work` with the committer, unless the database is closed.
    pub(in crate::store) fn with_committer(&self, work: impl FnOnce(&mut C)) {
        if let Some(committer) = self.lock().as_mut() {
            work(committer);
        }
    }

    /// Runs `work`. If it panics, nothing more may be acknowledged, so the process ends.
    pub(in crate::store) fn guard<T>(&self, work: impl FnOnce() -> T) -> T {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            (self.on_fatal)(Fatal::Panicked);
            // If the callback returns despite its contract, nothing more may be written.
            std::process::abort()
        })
    }

    /// Commits one batch on a worker's thread, unless another thread is committing.
    fn try_commit(&self) -> Attempt {
        // The lock's holder looks at the queue again after it releases the lock. So operations that
        // are left to it now are not forgotten.
        let mut holder = match self.committer.try_lock() {
            Ok(holder) => holder,
            Err(TryLockError::WouldBlock) => return Attempt::Busy,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        };
        let quick = holder.as_mut().filter(|committer| committer.is_quick());
        let Some(committer) = quick else { return Attempt::Part };
        let left = committer.commit(&self.queue, Turn::Worker);
        drop(holder);
        if left == Remaining::Nothing && self.queue.is_empty() {
            Attempt::All
        } else {
            Attempt::Part
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<C>> {
        // A panic of the lock's holder has ended the process.
        self.committer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Restores the previous value, even if `collect` panics.
struct Collecting(bool);

impl Drop for Collecting {
    fn drop(&mut self) {
        IS_COLLECTING.set(self.0);
    }
}

#[cfg(test)]
impl<C: Commit> GroupCommit<C> {
    /// Keeps every other thread from committing until the guard is dropped.
    pub(in crate::store) fn hold(&self) -> MutexGuard<'_, Option<C>> {
        self.lock()
    }

    /// Commits like the writer thread. Returns what remains, and how many operations wait.
    pub(in crate::store) fn commit_as_writer_thread(&self) -> (Remaining, usize) {
        let handed_over_upto = self.handed_over_upto.load(Ordering::SeqCst);
        let mut holder = self.lock();
        let committer = holder.as_mut().expect("an open committer");
        let left = committer.commit(&self.queue, Turn::WriterThread { handed_over_upto });
        (left, self.queue.len())
    }
}
