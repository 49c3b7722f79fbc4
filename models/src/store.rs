//! Models of group commit, with a committer that counts what is durable.

#[path = "../../src/store/scheduler/group_commit.rs"]
mod group_commit;

use std::time::Duration;

use loom::thread::{self, JoinHandle};

use crate::queue::Queue;
use crate::sync::{Arc, Condvar, Mutex};
use error::{Fatal, StoreError};
use group_commit::{Collected, Commit, Expect, Flush, GroupCommit, Remaining, Turn};

/// Replaces `store::types` of the server.
pub mod types {
    pub mod blocks {
        use crate::model::{MailboxId, UserId};

        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct Blocks;

        impl Blocks {
            pub fn hide(&self, _: UserId, _: MailboxId) -> bool {
                false
            }
        }
    }

    pub mod rooms {
        use super::blocks::Blocks;
        use crate::model::{MailboxId, MessageId, UserName};

        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct LiveRooms {
            pub reader: Option<UserName>,
            pub rooms: Vec<LiveRoom>,
            pub left_upto: MessageId,
            pub blocks: Blocks,
        }

        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct LiveRoom {
            pub mailbox: MailboxId,
            pub after: MessageId,
            pub only_mentions: bool,
        }

        impl Default for LiveRooms {
            fn default() -> Self {
                let (rooms, left_upto) = (Vec::new(), MessageId::ZERO);
                Self { reader: None, rooms, left_upto, blocks: Blocks }
            }
        }

        impl LiveRooms {
            pub fn mailboxes(&self) -> impl Iterator<Item = MailboxId> {
                self.rooms.iter().map(|room| room.mailbox)
            }
        }
    }
}

pub mod error {
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum StoreError {
        Busy,
        Closed,
    }

    #[derive(Debug)]
    pub enum Fatal {
        Panicked,
    }
}

pub type OnFatal = Arc<dyn Fn(Fatal) + Send + Sync>;

/// The outcome of each operation, in the order of the callbacks.
struct Answers {
    given: Mutex<Vec<(usize, Result<(), StoreError>)>>,
    changed: Condvar,
}

impl Answers {
    fn give(&self, number: usize, answer: Result<(), StoreError>) {
        self.given.lock().unwrap().push((number, answer));
        self.changed.notify_all();
    }

    /// Waits for so many callbacks. A lost operation shows as a deadlock.
    fn wait(&self, count: usize) {
        let mut given = self.given.lock().unwrap();
        while given.len() < count {
            given = self.changed.wait(given).unwrap();
        }
    }

    /// Checks that each of these operations was called back once, and that the committed ones of one
    /// thread were called back in their order. Numbers of one thread have the same tens.
    fn check(&self, mut numbers: Vec<usize>) {
        let given = self.given.lock().unwrap();
        for tens in 0..3 {
            let of_thread = given
                .iter()
                .filter(|(number, answer)| number / 10 == tens && answer.is_ok())
                .map(|(number, _)| number);
            assert!(of_thread.is_sorted(), "out of order: {given:?}");
        }
        let mut called: Vec<usize> = given.iter().map(|(number, _)| *number).collect();
        called.sort_unstable();
        numbers.sort_unstable();
        assert_eq!(called, numbers, "not each operation once");
    }
}

struct Operation {
    number: usize,
    is_collected: bool,
    answers: Arc<Answers>,
}

impl Collected for Operation {
    fn is_collected(&self) -> bool {
        self.is_collected
    }

    fn refuse(self, error: StoreError) {
        self.answers.give(self.number, Err(error));
    }
}

/// Commits like `store::sqlite::writer::batches`.
struct Committer {
    is_quick: bool,
    is_closed: Arc<Mutex<bool>>,
}

impl Commit for Committer {
    type Operation = Operation;

    fn commit(&mut self, queue: &Queue<Operation>, turn: Turn) -> Remaining {
        let is_ours = |place, operation: &Operation| turn.takes(place, operation.is_collected);
        let mut batch = Vec::new();
        queue.take_while(&mut batch, is_ours);
        assert!(!*self.is_closed.lock().unwrap(), "a commit after the end");
        for operation in batch {
            operation.answers.give(operation.number, Ok(()));
        }
        let has_more = match turn {
            Turn::WriterThread { .. } => queue.front_is_some_and(is_ours),
            Turn::Worker => !queue.is_empty(),
        };
        if has_more { Remaining::Work } else { Remaining::Nothing }
    }

    fn is_quick(&self) -> bool {
        self.is_quick
    }

    fn idle_step(&mut self) -> Remaining {
        Remaining::Nothing
    }

    fn idle_delay(&self) -> Duration {
        Duration::ZERO
    }

    fn close(self) {
        *self.is_closed.lock().unwrap() = true;
    }
}

/// Group commit with its writer thread, which sleeps without a timeout.
#[derive(Clone)]
struct Writer {
    group: Arc<GroupCommit<Committer>>,
    sleep: Arc<(Mutex<bool>, Condvar)>,
    answers: Arc<Answers>,
    is_closed: Arc<Mutex<bool>>,
}

impl Writer {
    fn start(is_quick: bool) -> (Self, JoinHandle<()>) {
        let is_closed = Arc::new(Mutex::new(false));
        let committer = Committer { is_quick, is_closed: Arc::clone(&is_closed) };
        let on_fatal: OnFatal = Arc::new(|error| panic!("{error:?}"));
        let writer = Self {
            group: Arc::new(GroupCommit::new(8, committer, on_fatal)),
            sleep: Arc::new((Mutex::new(false), Condvar::new())),
            answers: Arc::new(Answers { given: Mutex::default(), changed: Condvar::new() }),
            is_closed,
        };
        let (group, sleep) = (Arc::clone(&writer.group), Arc::clone(&writer.sleep));
        let thread = thread::spawn(move || {
            group.run(|_| {
                let mut is_woken = sleep.0.lock().unwrap();
                while !std::mem::take(&mut *is_woken) {
                    is_woken = sleep.1.wait(is_woken).unwrap();
                }
            });
        });
        (writer, thread)
    }

    fn wake(&self) {
        *self.sleep.0.lock().unwrap() = true;
        self.sleep.1.notify_one();
    }

    fn submit(&self, number: usize, is_collected: bool) {
        let answers = Arc::clone(&self.answers);
        if self.group.submit(Operation { number, is_collected, answers }) {
            self.wake();
        }
    }

    /// Collects operations and flushes them like a worker, which comes again until it is done.
    fn collect(&self, numbers: &[usize], expect: Expect) {
        let submit = || {
            numbers.iter().for_each(|&number| self.submit(number, true));
            expect
        };
        let mut flush = self.group.collect_batch(submit, || self.wake());
        while flush == Flush::Deferred {
            thread::yield_now();
            flush = self.group.collect_batch(|| Expect::Nothing, || self.wake());
        }
    }

    fn close(&self) {
        self.group.close();
        self.wake();
    }
}

/// A worker commits its operations itself, and another thread submits one to the writer thread.
pub fn operations_of_workers_and_other_threads_are_answered_once_after_their_commit() {
    let (writer, thread) = Writer::start(true);
    let other = {
        let writer = writer.clone();
        thread::spawn(move || writer.submit(10, false))
    };
    writer.collect(&[0, 1], Expect::Nothing);
    writer.answers.wait(3);
    other.join().unwrap();
    writer.close();
    thread.join().unwrap();
    writer.answers.check(vec![0, 1, 10]);
    assert!(*writer.is_closed.lock().unwrap() && writer.group.waiting() == 0);
}

/// Two workers hand their operations over to the writer thread: one because it expects more
/// requests, the other because commits are slow.
pub fn no_operation_is_left_behind_a_slow_commit() {
    let (writer, thread) = Writer::start(false);
    let other = {
        let writer = writer.clone();
        thread::spawn(move || writer.collect(&[10], Expect::Nothing))
    };
    writer.collect(&[0, 1], Expect::MoreRequests);
    writer.answers.wait(3);
    other.join().unwrap();
    writer.close();
    thread.join().unwrap();
    writer.answers.check(vec![0, 1, 10]);
}

/// The store is closed while a worker and another thread submit. An operation is committed or
/// refused.
pub fn closing_answers_each_operation_once() {
    let (writer, thread) = Writer::start(true);
    let closing = {
        let writer = writer.clone();
        thread::spawn(move || writer.close())
    };
    writer.submit(0, false);
    writer.collect(&[10, 11], Expect::Nothing);
    writer.answers.wait(3);
    closing.join().unwrap();
    thread.join().unwrap();
    writer.answers.check(vec![0, 10, 11]);
    assert_eq!(writer.group.waiting(), 0);
}
