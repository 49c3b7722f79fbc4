//! Batches: the queued operations are executed in groups, each in one commit, and answered when it
//! is durable.
//!
//! Messages go first, then moves of cursors, then the next operation that is executed alone; the
//! operations behind it follow. So an operation keeps its place among those of its kind, and none
//! passes one that is executed alone.
//!
//! Only the writer thread commits. If the connection breaks, it connects again and finds out what
//! became of the group.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::adjustable::Adjustable;
use crate::metrics::Stages;
use crate::model::Message;
use crate::queue::Queue;
use crate::store::cache::live_messages::LiveMessage;
use crate::store::error::StoreError;
use crate::store::metrics::Rollback;
use crate::store::postgres::append::BatchId;
use crate::store::postgres::error::Error;
use crate::store::postgres::link::Link;
use crate::store::postgres::names::{Names, Touched};
use crate::store::postgres::operation::Grouped;
use crate::store::postgres::shared::Shared;
use crate::store::postgres::writer::group::{Effects, Group, Kind};
use crate::store::postgres::writer::operation::BoxedOperation;
use crate::store::scheduler::group_commit::{Commit, IDLE_DELAY, Remaining, Turn};
use crate::store::types::messages::Appended;
use crate::system::since_boot;
use crate::wake;

/// The most operations of one batch. Bounds how long an answer waits for its neighbours.
const BATCH_OPERATIONS_MAX: usize = 4_096;
/// The most text of one batch, in bytes; one operation is always done.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The connection that writes, and the operations that were taken out of the queue.
pub(in crate::store) struct Batches {
    link: Link,
    names: Names,
    shared: Arc<Shared>,
    inbox_unread_max: Adjustable<usize>,
    /// The limit for which the rooms in `names` are right.
    counted_for: usize,
    /// The number of the newest group of this node.
    newest_batch: i64,
    /// Operations that are in no group yet, and the groups before them.
    taken: VecDeque<BoxedOperation>,
    unfinished: VecDeque<Group>,
    /// Since when the database does not answer.
    silent_since: Option<Instant>,
    /// How long a failover may take. After it, operations fail with an unknown outcome.
    failover_wait: Duration,
    last_commit: Duration,
}

impl Commit for Batches {
    type Operation = BoxedOperation;

    fn commit(&mut self, queue: &Queue<BoxedOperation>, turn: Turn) -> Remaining {
        self.take(queue, turn);
        while !self.taken.is_empty() {
            self.begin_groups();
            self.execute_groups();
        }
        let is_ours =
            |place: u64, operation: &BoxedOperation| turn.takes(place, operation.is_collected());
        if queue.front_is_some_and(is_ours) { Remaining::Work } else { Remaining::Nothing }
    }

    /// A commit waits for a standby, as long as none is connected, and for other nodes. A worker that
    /// committed would keep all its connections waiting.
    fn is_quick(&self) -> bool {
        false
    }

    fn idle_step(&mut self) -> Remaining {
        Remaining::Nothing
    }

    fn idle_delay(&self) -> Duration {
        IDLE_DELAY
    }

    fn close(mut self) {
        let waits = self.link.session().and_then(|session| {
            // Wakes the tailer, which then ends.
            session.query_one("SELECT pg_notify('chat', 'closing')", &[]).map(drop)
        });
        drop(waits);
    }
}

impl Batches {
    pub(in crate::store) fn new(
        link: Link,
        shared: Arc<Shared>,
        inbox_unread_max: Adjustable<usize>,
        failover_wait: Duration,
    ) -> Self {
        let counted_for = inbox_unread_max.get();
        Self {
            link,
            names: Names::default(),
            shared,
            inbox_unread_max,
            counted_for,
            newest_batch: 0,
            taken: VecDeque::new(),
            unfinished: VecDeque::new(),
            silent_since: None,
            failover_wait,
            last_commit: Duration::ZERO,
        }
    }

    /// Takes a batch out of the queue.
    fn take(&mut self, queue: &Queue<BoxedOperation>, turn: Turn) {
        let (mut operations, mut bytes) = (0, 0);
        let mut batch = Vec::new();
        queue.take_while(&mut batch, |place, operation| {
            bytes += operation.bytes();
            operations += 1;
            let fits = operations <= BATCH_OPERATIONS_MAX && bytes <= BATCH_BYTES_MAX;
            turn.takes(place, operation.is_collected()) && (fits || operations == 1)
        });
        if !batch.is_empty() {
            self.shared.metrics.batch.observe(batch.len() as u64);
        }
        self.taken.extend(batch);
    }

    /// Makes groups of the operations up to the first that is executed alone, and of that one.
    fn begin_groups(&mut self) {
        let (mut messages, mut cursors, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(operation) = self.taken.pop_front() {
            match operation.grouped() {
                Grouped::Append(_) => messages.push(operation),
                Grouped::Cursor(_) => cursors.push(operation),
                Grouped::No => {
                    alone.push(operation);
                    break;
                }
            }
        }
        let kinds = [(Kind::Messages, messages), (Kind::Cursors, cursors), (Kind::Alone, alone)];
        for (kind, operations) in kinds {
            if !operations.is_empty() {
                self.newest_batch += 1;
                let id = BatchId { node: self.shared.node, batch: self.newest_batch };
                self.unfinished.push_back(Group::new(kind, operations, id));
            }
        }
    }

    /// Executes and answers the groups in order. Tries one again if the connection breaks.
    fn execute_groups(&mut self) {
        let max = self.inbox_unread_max.get();
        if max != self.counted_for {
            self.counted_for = max;
            self.names.must_count_all();
        }
        while let Some(group) = self.unfinished.front_mut() {
            let begun = Instant::now();
            let names = &mut self.names;
            let outcome =
                self.link.session().and_then(|session| group.execute(session, names, max));
            self.last_commit = begun.elapsed();
            let outcome = match outcome {
                // Nothing was done, and the new connection is not used.
                Err(Error::NotPromised(_)) if !group.in_doubt => Err(StoreError::Busy),
                Err(error) if error.is_lost() => {
                    self.link.drop_session(&error);
                    // Not since the call began: it may have waited for a standby for long.
                    let silent_since = *self.silent_since.get_or_insert_with(Instant::now);
                    let is_final = group.kind == Kind::Alone
                        && matches!(StoreError::from(&error), StoreError::Statement(_));
                    if !is_final && silent_since.elapsed() < self.failover_wait {
                        group.in_doubt = true;
                        continue;
                    }
                    let problem = format!("the database does not answer: {error}");
                    Err(StoreError::Statement(problem))
                }
                // The call before the connection broke was executed only now.
                Err(error) if error.is_repeated() && group.may_be_repeated() => {
                    group.in_doubt = true;
                    continue;
                }
                Err(error) => Err(StoreError::from(&error)),
                Ok(effects) => Ok(effects),
            };
            if outcome.is_ok() {
                self.silent_since = None;
            }
            if let Some(group) = self.unfinished.pop_front() {
                self.conclude(group, outcome, begun);
            }
        }
    }

    /// Answers the operations of a group.
    fn conclude(&mut self, mut group: Group, outcome: Result<Effects, StoreError>, begun: Instant) {
        self.count(&outcome);
        let mut change = None;
        match outcome {
            Ok(effects) => {
                self.change_memberships(&effects);
                self.remember_stored(&group, &effects);
                change = effects.change;
            }
            Err(error) => {
                tracing::error!(%error, "operations were not executed");
                group.fail(&error);
            }
        }
        if change.is_some_and(|change| change.is_of_users) {
            self.shared.live.clear();
        }
        let committed = self.last_commit;
        let metrics = Arc::clone(&self.shared.metrics);
        let finish = move || {
            wake::coalesce(|| {
                for operation in group.operations {
                    let queued = begun.saturating_duration_since(operation.submitted());
                    metrics.write_queue.observe_time(queued);
                    operation.finish(Stages { queued, committed, ..Stages::default() });
                }
            });
        };
        match change {
            // A change is answered once no node works with what it made untrue.
            Some(change) if change.has_others => {
                self.shared.answer_later(change.number, Box::new(finish));
            }
            _ => finish(),
        }
    }

    fn count(&self, outcome: &Result<Effects, StoreError>) {
        let metrics = &self.shared.metrics;
        let reason = match outcome {
            Ok(_) => {
                metrics.note_commit(Instant::now());
                return metrics.commit.observe_time(self.last_commit);
            }
            Err(StoreError::Busy) => Rollback::Busy,
            Err(StoreError::Full) => Rollback::Full,
            Err(_) => Rollback::Failed,
        };
        metrics.rollbacks[reason as usize].increment();
    }

    /// What streams follow is out of date once memberships have changed. New messages come after
    /// this: some may be of a room that a user has left at another node.
    fn change_memberships(&mut self, effects: &Effects) {
        let live = &self.shared.live;
        match self.names.take_touched() {
            Touched::Nobody => {}
            Touched::Users(users) => live.change_memberships(Some(&users)),
            Touched::Anybody => live.change_memberships(None),
        }
        live.change_memberships(Some(&effects.touched));
    }

    /// Passes new messages to those who watch, before anybody is told of them.
    fn remember_stored(&self, group: &Group, effects: &Effects) {
        let Some(stored) = &effects.stored else { return };
        let Some((first, at)) = stored.first else { return };
        let (mut committed, mut texts) = (Vec::new(), Vec::new());
        for (operation, answer) in group.operations.iter().zip(&stored.answers) {
            let (Grouped::Append(message), Some(Appended::Stored { copies, duplicate: false, .. })) =
                (operation.grouped(), answer)
            else {
                continue;
            };
            for (&(recipient, id), to) in copies.iter().zip(message.recipients(copies)) {
                committed.push((recipient, id));
                if self.shared.live.is_watched(recipient)
                    && let Some(from) = self.names.name(message.sender)
                {
                    let (from, body) = (from.clone(), message.body.clone());
                    let details = message.details.clone().map(|details| details.of_sent(at));
                    let text = Message { id, at, from, to, body, details };
                    texts.push(LiveMessage::new(message.sender, text, at, since_boot()));
                }
            }
        }
        self.shared.extend_if_next(first, &committed, texts);
    }
}
