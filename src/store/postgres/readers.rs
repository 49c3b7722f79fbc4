//! The reader threads, with a connection each. Users take turns.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::metrics::Stages;
use crate::queue::PushError;
use crate::store::error::StoreError;
use crate::store::operation::Party;
use crate::store::postgres::error::Result as StatementResult;
use crate::store::postgres::link::Link;
use crate::store::postgres::operation::Query;
use crate::store::postgres::session::Session;
use crate::store::postgres::shared::Shared;
use crate::store::scheduler::fair_queue::FairQueue;

/// The maximum number of waiting reads. Further reads are refused as busy.
pub(in crate::store) const READ_QUEUE_JOBS_MAX: usize = 16_384;

type Job = Box<dyn FnOnce(Result<&mut Link, StoreError>) + Send>;

/// The reader threads and their queue.
pub(in crate::store) struct Readers {
    queue: Arc<FairQueue<Party, Job>>,
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Readers {
    /// Starts a thread for each connection.
    pub(in crate::store) fn start(links: Vec<Link>, shared: Arc<Shared>) -> std::io::Result<Self> {
        let queue = Arc::new(FairQueue::new(READ_QUEUE_JOBS_MAX));
        let mut threads = Vec::with_capacity(links.len());
        for (index, link) in links.into_iter().enumerate() {
            let queue = Arc::clone(&queue);
            let thread = thread::Builder::new()
                .name(format!("reader-{index}"))
                .spawn(move || run(&queue, link))?;
            threads.push(thread);
        }
        Ok(Self { queue, shared, threads: Mutex::new(threads) })
    }

    /// Executes `read` when its party has its turn, and calls `done` once with the result. Never
    /// blocks: if the queue is full, `done` is called at once, on this thread.
    pub(in crate::store) fn submit<R: Query>(
        &self,
        read: R,
        done: impl FnOnce(Result<R::Answer, StoreError>) + Send + 'static,
    ) {
        let (submitted, before, party) = (Instant::now(), Stages::current(), read.party());
        let shared = Arc::clone(&self.shared);
        let job: Job =
            Box::new(move |link| {
                let link = match link {
                    Ok(link) => link,
                    Err(error) => return before.scope(|| done(Err(error))),
                };
                let taken = Instant::now();
                let found = execute(link, |session| read.query(session));
                // A node without a lease may have read what it must no longer tell.
                let found = found.and_then(|answer| {
                    if shared.has_lease() { Ok(answer) } else { Err(StoreError::Busy) }
                });
                let (queued, executed) = (taken - submitted, taken.elapsed());
                shared.metrics.read_queue.observe_time(queued);
                shared.metrics.read.observe_time(executed);
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

    /// How many reads wait.
    pub(in crate::store) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Finishes the waiting reads and accepts no more. Blocks until then.
    pub(in crate::store) fn close(&self) {
        self.queue.close();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = thread.join();
        }
    }
}

/// Executes a read, and once more on a new connection if the old one broke.
fn execute<T>(
    link: &mut Link,
    mut read: impl FnMut(&mut Session) -> StatementResult<T>,
) -> Result<T, StoreError> {
    let mut found = link.session().and_then(&mut read);
    if let Err(error) = &found
        && error.is_lost()
    {
        link.drop_session(error);
        found = link.session().and_then(&mut read);
    }
    found.map_err(|error| StoreError::from(&error))
}

fn run(queue: &FairQueue<Party, Job>, mut link: Link) {
    while let Some(job) = queue.pop() {
        // A panic drops the job's callback, and dropping it answers the request.
        if catch_unwind(AssertUnwindSafe(|| job(Ok(&mut link)))).is_err() {
            tracing::error!("a read panicked");
        }
    }
}
