//! Models of the hub, the newest messages in memory and the responder. Also the shutdown of the
//! threads behind a queue: the writer, the readers and the hashers.

#[path = "../../src/service/hub.rs"]
mod hub;
#[path = "../../src/store/cache/live_messages.rs"]
mod live_messages;
#[path = "../../src/service/responder.rs"]
mod responder;

use loom::thread;

use crate::model::{Message, MessageId, Timestamp, UserId};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;
use crate::queue::{PushError, Queue};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Condvar, Mutex};
use hub::{Hint, Hub};
use live_messages::LiveMessages;
pub use responder::{Deliver, Outcome, Responder, Ticket};

pub mod sessions {
    #[derive(Debug)]
    pub struct LiveSession;
}

pub mod stream {
    pub struct StreamPage;
    pub struct Stream<A>(std::marker::PhantomData<A>);
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

/// A receiver of hints; a thread can wait for the next one.
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

impl Hint for Arc<Hints> {
    fn hint(&self) {
        let mut given = self.given.lock().unwrap();
        assert!(!given.over, "a hint comes after the end");
        given.count += 1;
        given.waiting = true;
        self.changed.0.notify_one();
    }
}

/// A watcher that reads after each hint finally reads everything. It gets no more hints than it
/// reads.
pub fn watcher_reads_every_committed_message() {
    const COMMITS: usize = 3;
    let (hub, hints) = (Arc::new(Hub::default()), Arc::new(Hints::default()));
    let message_log = Arc::new(AtomicUsize::new(0));
    let writer = {
        let (hub, message_log) = (Arc::clone(&hub), Arc::clone(&message_log));
        thread::spawn(move || {
            for _ in 0..COMMITS {
                message_log.fetch_add(1, Ordering::AcqRel);
                hub.publish(READER);
            }
        })
    };
    let subscription = hub.subscribe(READER, hints.clone());
    let mut reads = 0;
    loop {
        reads += 1;
        subscription.rearm();
        if message_log.load(Ordering::Acquire) == COMMITS {
            break;
        }
        hints.wait();
    }
    writer.join().unwrap();
    // One hint for each time it was armed: at its subscription and before each read.
    assert!(hints.given.lock().unwrap().count <= 1 + reads, "two hints for one read");
}

/// A watcher starts while messages are committed. It reads from memory if possible, otherwise from
/// the message log. It finally has every message once. A message is in the message log before it is
/// in memory, and in memory before its hint. Its text is in memory only if the inbox was watched
/// when the message was written.
pub fn watcher_gets_every_message_once_from_memory_or_message_log() {
    const COMMITS: usize = 2;
    let (hub, hints) = (Arc::new(Hub::default()), Arc::new(Hints::default()));
    let (live, message_log) = (Arc::new(LiveMessages::default()), Arc::new(AtomicUsize::new(0)));
    let writer = {
        let (hub, live, message_log) =
            (Arc::clone(&hub), Arc::clone(&live), Arc::clone(&message_log));
        thread::spawn(move || {
            for id in 1..=COMMITS {
                let id = MessageId(id as i64);
                let is_watched = live.is_watched(READER.into());
                let text = is_watched.then(|| Arc::new(hai(id)));
                message_log.fetch_add(1, Ordering::AcqRel);
                live.extend(&[(READER.into(), id)], text.into_iter().collect());
                hub.publish(READER);
            }
        })
    };
    let subscription = hub.subscribe(READER, hints.clone());
    let watched = Arc::clone(&live).watch(READER.into());
    let mut read_upto = 0;
    loop {
        subscription.rearm();
        match watched.after(MessageId(read_upto), usize::MAX, usize::MAX) {
            Some(messages) => {
                for message in messages {
                    assert_eq!(message.id.0, read_upto + 1, "a message was skipped or repeated");
                    read_upto = message.id.0;
                }
            }
            None => read_upto = message_log.load(Ordering::Acquire) as i64,
        }
        if read_upto == COMMITS as i64 {
            break;
        }
        hints.wait();
    }
    writer.join().unwrap();
}

fn hai(id: MessageId) -> Message {
    let [from, to, body] = ["paff", "neko", "hai"].map(str::to_owned);
    Message { id, at: Timestamp(0), from, to, body, details: None }
}

/// A dropped subscription gets no more hints, and the hub forgets it.
pub fn dropped_subscription_gets_no_hints() {
    let (hub, hints) = (Arc::new(Hub::default()), Arc::new(Hints::default()));
    let subscription = hub.subscribe(READER, hints.clone());
    let writer = {
        let hub = Arc::clone(&hub);
        thread::spawn(move || hub.publish(READER))
    };
    let other = {
        let hub = Arc::clone(&hub);
        thread::spawn(move || drop(hub.subscribe(READER, Arc::new(Hints::default()))))
    };
    drop(subscription);
    hints.given.lock().unwrap().over = true;
    writer.join().unwrap();
    other.join().unwrap();
    assert_eq!(hub.watchers(), 0);
}

/// Collects answers.
#[derive(Default)]
struct Answers(Mutex<Vec<Reply>>);

impl Deliver for Answers {
    fn deliver(&self, _: Ticket, answer: Outcome) {
        let Outcome::Reply(reply) = answer else { panic!("nobody streams here") };
        self.0.lock().unwrap().push(reply);
    }

    fn attach_session(&self, _: Ticket, _: Arc<LiveSession>) {}

    fn hint(&self, _: Ticket) {}
}

impl Answers {
    fn only(&self) -> Reply {
        let answers = self.0.lock().unwrap();
        assert_eq!(answers.len(), 1, "not exactly one answer: {answers:?}");
        answers[0]
    }
}

/// A request that one thread hands to another is answered exactly once. It may be carried out,
/// dropped, refused because the queue is full or closed, or still be queued when the queue closes.
pub fn request_is_answered_exactly_once_during_a_shutdown() {
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
                // A panic drops it too.
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
    assert!(queue.is_empty(), "a job was left behind");
}
