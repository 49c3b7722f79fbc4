//! The hub, the newest messages in memory, and the way back of an answer; and the shutdown of what does queued work, as the writer,
//! the readers and the hashers do it.

#[path = "../../src/service/hub.rs"]
mod hub;
#[path = "../../src/store/cache/live_messages.rs"]
mod recent;
#[path = "../../src/service/responder.rs"]
mod responder;

use loom::thread;

use crate::model::{Message, MessageId, Timestamp, UserId};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;
use crate::queue::{PushError, Queue};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Condvar, Mutex};
use hub::Hub;
use recent::Recent;
pub use responder::{Answer, Deliver, Responder, Ticket};

pub mod sessions {
    #[derive(Debug)]
    pub struct LiveSession;
}

pub mod watch {
    pub struct StreamPage;
    pub struct Watcher;
}

pub mod throttle {
    #[derive(Clone, Copy)]
    pub enum Network {
        ThisMachine,
    }
}

pub use sessions::LiveSession;
use throttle::Network;

pub const TICKET: Ticket = Ticket { connection: 0, generation: 0, sequence: 0 };
const READER: UserId = UserId(1);

/// Where hints go: to somebody who waits for one.
#[derive(Default)]
struct Hints {
    given: Mutex<Given>,
    changed: Waiting,
}

#[derive(Default)]
struct Given {
    waiting: bool,
    count: usize,
    over: bool,
}

struct Waiting(Condvar);

impl Default for Waiting {
    fn default() -> Self {
        Self(Condvar::new())
    }
}

impl Hints {
    fn wait(&self) {
        let mut given = self.given.lock().unwrap();
        while !std::mem::take(&mut given.waiting) {
            given = self.changed.0.wait(given).unwrap();
        }
    }
}

impl Deliver for Hints {
    fn deliver(&self, _: Ticket, _: Answer) {}

    fn introduce(&self, _: Ticket, _: Arc<LiveSession>) {}

    fn hint(&self, _: Ticket) {
        let mut given = self.given.lock().unwrap();
        assert!(!given.over, "a hint comes after the end");
        given.count += 1;
        given.waiting = true;
        self.changed.0.notify_one();
    }
}

/// A watcher that reads when it is hinted at has read everything in the end, and is hinted at no more
/// often than it reads.
pub fn watcher_reads_everything_that_is_committed() {
    const COMMITS: usize = 3;
    let (hub, hints) = (Arc::new(Hub::default()), Arc::new(Hints::default()));
    let log = Arc::new(AtomicUsize::new(0));
    let writer = {
        let (hub, log) = (Arc::clone(&hub), Arc::clone(&log));
        thread::spawn(move || {
            for _ in 0..COMMITS {
                log.fetch_add(1, Ordering::AcqRel);
                hub.publish(READER);
            }
        })
    };
    let subscription = hub.subscribe(READER, hints.clone(), TICKET);
    let mut reads = 0;
    loop {
        reads += 1;
        subscription.rearm();
        if log.load(Ordering::Acquire) == COMMITS {
            break;
        }
        hints.wait();
    }
    writer.join().unwrap();
    // One for each time that it was armed: from its beginning on, and before each read.
    assert!(hints.given.lock().unwrap().count <= 1 + reads, "hinted at twice for one read");
}

/// A watcher that begins while messages are committed, and reads from memory what it can and else from
/// the log, has been told all of them in the end, each once. A message is in the log before it is in
/// memory, and there before it is hinted at; its text is known where the inbox was watched when it was
/// written.
pub fn watcher_is_told_everything_from_memory_or_the_log() {
    const COMMITS: usize = 2;
    let (hub, hints) = (Arc::new(Hub::default()), Arc::new(Hints::default()));
    let (recent, log) = (Arc::new(Recent::default()), Arc::new(AtomicUsize::new(0)));
    let writer = {
        let (hub, recent, log) = (Arc::clone(&hub), Arc::clone(&recent), Arc::clone(&log));
        thread::spawn(move || {
            for id in 1..=COMMITS {
                let id = MessageId(id as i64);
                let is_watched = recent.is_watched(READER);
                let text = is_watched.then(|| Arc::new(hai(id)));
                log.fetch_add(1, Ordering::AcqRel);
                recent.extend(&[(READER, id)], text.into_iter().collect());
                hub.publish(READER);
            }
        })
    };
    let subscription = hub.subscribe(READER, hints.clone(), TICKET);
    let watched = Arc::clone(&recent).watch(READER);
    let mut told = 0;
    loop {
        subscription.rearm();
        match watched.after(MessageId(told), usize::MAX, usize::MAX) {
            Some(messages) => {
                for message in messages {
                    assert_eq!(message.id.0, told + 1, "skipped, or told twice");
                    told = message.id.0;
                }
            }
            None => told = log.load(Ordering::Acquire) as i64,
        }
        if told == COMMITS as i64 {
            break;
        }
        hints.wait();
    }
    writer.join().unwrap();
}

fn hai(id: MessageId) -> Message {
    let [from, to, body] = ["paff", "neko", "hai"].map(str::to_owned);
    Message { id, at: Timestamp(0), from, to, body }
}

/// Nobody is hinted at whose subscription is gone, and nothing of it is left.
pub fn subscription_that_is_dropped_is_gone() {
    let (hub, hints) = (Arc::new(Hub::default()), Arc::new(Hints::default()));
    let subscription = hub.subscribe(READER, hints.clone(), TICKET);
    let writer = {
        let hub = Arc::clone(&hub);
        thread::spawn(move || hub.publish(READER))
    };
    let other = {
        let hub = Arc::clone(&hub);
        thread::spawn(move || drop(hub.subscribe(READER, Arc::new(Hints::default()), TICKET)))
    };
    drop(subscription);
    hints.given.lock().unwrap().over = true;
    writer.join().unwrap();
    other.join().unwrap();
    assert_eq!(hub.watchers(), 0);
}

/// Counts answers.
#[derive(Default)]
struct Answers(Mutex<Vec<Reply>>);

impl Deliver for Answers {
    fn deliver(&self, _: Ticket, answer: Answer) {
        let Answer::Reply(reply) = answer else { panic!("nobody streams here") };
        self.0.lock().unwrap().push(reply);
    }

    fn introduce(&self, _: Ticket, _: Arc<LiveSession>) {}

    fn hint(&self, _: Ticket) {}
}

impl Answers {
    fn only(&self) -> Reply {
        let answers = self.0.lock().unwrap();
        assert_eq!(answers.len(), 1, "answered exactly once: {answers:?}");
        answers[0]
    }
}

/// Whatever becomes of a request that one thread hands to another: taken and done, taken and
/// dropped, refused because the queue is full or closed, or still waiting when the queue is closed, it
/// is answered exactly once, when both are done.
pub fn what_is_asked_for_is_answered_exactly_once_through_a_shutdown() {
    type Job = Box<dyn FnOnce() + Send>;
    let queue = Arc::new(Queue::<Job>::new(1));
    let worker = {
        let queue = Arc::clone(&queue);
        thread::spawn(move || {
            while let Some(job) = queue.pop() {
                job();
            }
        })
    };
    let asking = |drops: bool| {
        let (queue, answers) = (Arc::clone(&queue), Arc::new(Answers::default()));
        let back = Arc::clone(&answers);
        let thread = thread::spawn(move || {
            let responder =
                Arc::new(Mutex::new(Some(Responder::new(back, TICKET, Network::ThisMachine))));
            let taken = Arc::clone(&responder);
            let job: Job = Box::new(move || {
                let responder = taken.lock().unwrap().take().unwrap();
                // As a panic does.
                if drops { drop(responder) } else { responder.answer(Reply::Sent) }
            });
            if let Err((_, error)) = queue.push(job) {
                let responder = responder.lock().unwrap().take().unwrap();
                responder.answer(match error {
                    PushError::Full => Code::Busy,
                    PushError::Closed => Code::ShuttingDown,
                });
            }
        });
        (thread, answers)
    };
    let (first, second) = (asking(false), asking(true));
    queue.close();
    worker.join().unwrap();
    let ((first, answered), (second, dropped)) = (first, second);
    first.join().unwrap();
    second.join().unwrap();
    let refusals = [Code::Busy, Code::ShuttingDown].map(Reply::from);
    assert!(answered.only() == Reply::Sent || refusals.contains(&answered.only()));
    assert!(dropped.only() == Code::Internal.into() || refusals.contains(&dropped.only()));
    assert!(queue.is_empty(), "something was left behind");
}
