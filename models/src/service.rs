//! Models of the hub, the newest messages in memory and the responder. Also the shutdown of the
//! threads behind a queue: the writer, the readers and the hashers.

#[path = "../../src/service/hub.rs"]
mod hub;
#[path = "../../src/store/cache/live_messages.rs"]
mod live_messages;
#[path = "../../src/service/responder.rs"]
mod responder;

use std::time::Duration;

use loom::thread;

use crate::model::{MailboxId, Message, MessageId, Timestamp, UserId};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;
use crate::queue::{PushError, Queue};
use crate::store::types::rooms::{LiveRoom, LiveRooms};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{Arc, Condvar, Mutex};
use hub::{Hint, Hub};
use live_messages::{LiveMessage, LiveMessages};
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
const SENDER: UserId = UserId(2);
const ROOM: MailboxId = MailboxId(-1);

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
                let text = is_watched.then(|| hai(id));
                message_log.fetch_add(1, Ordering::AcqRel);
                live.extend(&[(READER.into(), id)], text.into_iter().collect());
                hub.publish(READER);
            }
        })
    };
    let subscription = hub.subscribe(READER, hints.clone());
    let watched = Arc::clone(&live).watch(READER);
    let mut read_upto = 0;
    loop {
        subscription.rearm();
        match watched.after(MessageId(read_upto), (usize::MAX, usize::MAX), Duration::ZERO) {
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

fn hai(id: MessageId) -> LiveMessage {
    let [from, to, body] = ["paff", "neko", "hai"].map(str::to_owned);
    let message = Message { id, at: Timestamp(0), from, to, body, details: None };
    LiveMessage { sender: SENDER, message: Arc::new(message), until: None }
}

/// What a snapshot of the database has: whether the reader is a member of the room, since and until
/// which message, and the messages of the room.
#[derive(Clone, Default)]
struct Database {
    joined_after: Option<i64>,
    left_upto: Option<i64>,
    newest: i64,
}

impl Database {
    fn rooms(&self) -> LiveRooms {
        match (self.joined_after, self.left_upto) {
            (None, _) => LiveRooms::default(),
            (Some(_), Some(left)) => LiveRooms { left_upto: MessageId(left), ..Default::default() },
            (Some(after), None) => {
                let (after, only_mentions) = (MessageId(after), false);
                let room = LiveRoom { mailbox: ROOM, after, only_mentions };
                LiveRooms { rooms: vec![room], ..Default::default() }
            }
        }
    }

    /// The messages of the room that the reader gets after an id.
    fn read(&self, after: i64) -> Vec<i64> {
        let Some(joined) = self.joined_after else { return Vec::new() };
        (after.max(joined) + 1..=self.left_upto.unwrap_or(self.newest)).collect()
    }
}

/// A user joins a room in which two messages are sent, and leaves it before the second one. The
/// stream follows the room, and gets exactly the first message, in every order. A change of
/// memberships is committed, then noted in memory, then told to the user's streams.
pub fn stream_gets_what_was_sent_between_joining_and_leaving() {
    let (hub, hints) = (Arc::new(Hub::default()), Arc::new(Hints::default()));
    let live = Arc::new(LiveMessages::default());
    let database = Arc::new(Mutex::new(Database::default()));
    let writer = {
        let (hub, live, database) = (Arc::clone(&hub), Arc::clone(&live), Arc::clone(&database));
        thread::spawn(move || {
            let change = |change: &dyn Fn(&mut Database)| {
                change(&mut database.lock().unwrap());
                live.change_memberships(Some(&[READER]));
                hub.publish(READER);
            };
            let send = |id: i64| {
                let text = live.is_watched(ROOM).then(|| hai(MessageId(id)));
                database.lock().unwrap().newest = id;
                live.extend(&[(ROOM, MessageId(id))], text.into_iter().collect());
                hub.publish(ROOM);
            };
            change(&|database| database.joined_after = Some(database.newest));
            send(1);
            change(&|database| database.left_upto = Some(database.newest));
            send(2);
        })
    };
    let subscription = hub.subscribe(READER, hints.clone());
    let watched = Arc::clone(&live).watch(READER);
    let (mut got, mut read_upto) = (Vec::new(), 0);
    loop {
        subscription.rearm();
        let mut is_again = false;
        let mut has_left = false;
        match watched.after(MessageId(read_upto), (usize::MAX, usize::MAX), Duration::ZERO) {
            Some(messages) => got.extend(messages.iter().map(|message| message.id.0)),
            None => {
                let as_of = watched.memberships();
                let snapshot = database.lock().unwrap().clone();
                got.extend(snapshot.read(read_upto));
                has_left = snapshot.left_upto.is_some();
                if watched.follow(&snapshot.rooms(), as_of) {
                    subscription.follow(snapshot.rooms().mailboxes());
                    is_again = true;
                }
            }
        }
        read_upto = got.last().copied().unwrap_or(read_upto);
        if has_left {
            break;
        }
        if !is_again {
            hints.wait();
        }
    }
    writer.join().unwrap();
    assert_eq!(got, [1], "a message was missed, repeated, or sent after the leaving");
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
