//! The reader threads, each with a connection of its own. Users take turns: a user with many or
//! slow reads delays only themselves.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::metrics::Stages;
use crate::queue::PushError;
use crate::store::error::StoreError;
use crate::store::metrics::Metrics;
use crate::store::operation::Party;
use crate::store::scheduler::fair_queue::FairQueue;

/// The maximum number of waiting reads. Further reads are refused as busy.
const READ_QUEUE_JOBS_MAX: usize = 16_384;

/// A read that waits for a thread, or why it is not executed.
type Job<C> = Box<dyn FnOnce(Result<&mut C, StoreError>) + Send>;

/// The reader threads and their queue.
pub(in crate::store) struct ReaderPool<C> {
    queue: Arc<FairQueue<Party, Job<C>>>,
    metrics: Arc<Metrics>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl<C: Send + 'static> ReaderPool<C> {
    /// Starts a thread for each connection.
    pub(in crate::store) fn start(connections: Vec<C>, metrics: Arc<Metrics>) -> io::Result<Self> {
        let queue = Arc::new(FairQueue::new(READ_QUEUE_JOBS_MAX));
        let mut threads = Vec::with_capacity(connections.len());
        for (index, connection) in connections.into_iter().enumerate() {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new()
                .name(format!("reader-{index}"))
                .spawn(move || run(&queue, connection))?;
            threads.push(thread);
        }
        Ok(Self { queue, metrics, threads: Mutex::new(threads) })
    }

    /// Executes `read` when its party has its turn, and calls `done` once with the result. Never
    /// blocks: if the queue is full, `done` is called at once, on this thread.
    pub(in crate::store) fn submit<T>(
        &self,
        party: Party,
        read: impl FnOnce(&mut C) -> Result<T, StoreError> + Send + 'static,
        done: impl FnOnce(Result<T, StoreError>) + Send + 'static,
    ) {
        let (submitted, before) = (Instant::now(), Stages::current());
        let metrics = Arc::clone(&self.metrics);
        let job: Job<C> = Box::new(move |connection| {
            let connection = match connection {
                Ok(connection) => connection,
                Err(error) => return before.scope(|| done(Err(error))),
            };
            let taken = Instant::now();
            let found = read(connection);
            let (queued, executed) = (taken - submitted, taken.elapsed());
            metrics.read_queue.observe_time(queued);
            metrics.read.observe_time(executed);
            let stages = before.and(Stages { queued, executed, ..Stages::default() });
            stages.scope(|| done(found));
        });
        if let Err((job, error)) = self.queue.push(party, job) {
            job(Err(match error {
                PushError::Full => StoreError::Busy,
                PushError::Closed => StoreError::Closed,
            }));
        }
    }

    /// How many reads wait, and how many may wait.
    pub(in crate::store) fn queue(&self) -> (usize, usize) {
        (self.queue.len(), READ_QUEUE_JOBS_MAX)
    }

    /// Finishes the waiting reads and accepts no more. Blocks until then.
    pub(in crate::store) fn close(&self) {
        self.queue.close();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = thread.join();
        }
    }
}

fn run<C>(queue: &FairQueue<Party, Job<C>>, mut connection: C) {
    while let Some(job) = queue.pop() {
        // A panic drops the job's callback, and dropping it answers the request.
        if catch_unwind(AssertUnwindSafe(|| job(Ok(&mut connection)))).is_err() {
            tracing::error!("a read panicked");
        }
    }
}
