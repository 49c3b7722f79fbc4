//! The mailbox of a worker, and a worker that sleeps as `server::worker` does.

#[path = "../../src/server/mailbox.rs"]
mod mailbox;

use loom::thread;

use crate::protocol::reply::Reply;
use crate::service::{Answer, Deliver, LiveSession, TICKET, Ticket};
use crate::sync::{Arc, Condvar, Mutex};
use mailbox::{Letters, Mailbox};

pub mod admission {
    pub struct Permit;
}

pub mod encryption {
    pub struct Encryption;
}

pub mod listener {
    pub struct Origin;
}

pub mod socket {
    pub struct Socket;
}

/// For mio's: a poll that has been woken returns at once, however often it was woken before.
#[derive(Clone)]
pub struct Waker(Arc<Poll>);

struct Poll {
    woken: Mutex<Woken>,
    changed: Condvar,
}

#[derive(Default)]
struct Woken {
    is_due: bool,
    count: usize,
}

impl Waker {
    fn new() -> Self {
        Self(Arc::new(Poll { woken: Mutex::default(), changed: Condvar::new() }))
    }

    pub fn wake(&self) -> std::io::Result<()> {
        let mut woken = self.0.woken.lock().unwrap();
        woken.is_due = true;
        woken.count += 1;
        self.0.changed.notify_one();
        Ok(())
    }

    /// What the worker waits on: for ever, or not at all.
    fn poll(&self, may_wait: bool) {
        let mut woken = self.0.woken.lock().unwrap();
        while may_wait && !woken.is_due {
            woken = self.0.changed.wait(woken).unwrap();
        }
        woken.is_due = false;
    }
}

/// A worker gets everything that others leave it, though nobody wakes it twice for one sleep; and is
/// told whose a request is before it is told the answer.
pub fn worker_gets_what_is_left_for_it_and_sleeps_otherwise() {
    let waker = Waker::new();
    let mailbox = Arc::new(Mailbox::new(waker.clone()));
    let answering = {
        let mailbox = Arc::clone(&mailbox);
        thread::spawn(move || {
            mailbox.introduce(TICKET, Arc::new(LiveSession));
            mailbox.deliver(TICKET, Answer::Reply(Reply::Sent));
        })
    };
    let hinting = {
        let mailbox = Arc::clone(&mailbox);
        thread::spawn(move || mailbox.hint(Ticket { connection: 1, ..TICKET }))
    };
    let mut letters = Letters::default();
    let (mut introduced, mut answered, mut hinted, mut turns) = (0, 0, 0, 0);
    while answered == 0 || hinted == 0 {
        turns += 1;
        waker.poll(mailbox.may_sleep());
        mailbox.collect(&mut letters);
        introduced += letters.introductions.drain(..).count();
        answered += letters.answers.drain(..).count();
        hinted += letters.hints.drain(..).count();
        assert!(introduced >= answered, "an answer comes before whose it is");
    }
    answering.join().unwrap();
    hinting.join().unwrap();
    assert_eq!((introduced, answered, hinted), (1, 1, 1));
    assert!(waker.0.woken.lock().unwrap().count <= turns, "woken twice for one sleep");
}
