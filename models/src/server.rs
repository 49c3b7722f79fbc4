//! A worker's mailbox, with a worker that sleeps like `server::worker`.

#[path = "../../src/server/mailbox.rs"]
mod mailbox;

use loom::thread;

use crate::protocol::reply::Reply;
use crate::service::{Deliver, LiveSession, Outcome, TICKET, Ticket};
use crate::sync::{Arc, Condvar, Mutex};
use mailbox::{Inbound, Mailbox};

pub mod admission {
    pub struct Permit;
}

pub mod encryption {
    pub struct Encryption;
}

pub mod listener {
    pub struct Origin;
}

pub mod proxies {
    pub struct Preamble;
}

pub mod socket {
    pub struct Socket;
}

/// Replaces mio's waker. After any number of wake-ups, the next poll returns at once.
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

    /// The wait of the worker: without a timeout, or not at all.
    fn poll(&self, may_wait: bool) {
        let mut woken = self.0.woken.lock().unwrap();
        while may_wait && !woken.is_due {
            woken = self.0.changed.wait(woken).unwrap();
        }
        woken.is_due = false;
    }
}

/// The worker receives everything that other threads leave in its mailbox. It is woken at most once
/// per sleep. A request's session arrives before its answer.
pub fn worker_receives_everything_and_is_woken_once_per_sleep() {
    let waker = Waker::new();
    let mailbox = Arc::new(Mailbox::new(waker.clone()));
    let answering = {
        let mailbox = Arc::clone(&mailbox);
        thread::spawn(move || {
            mailbox.attach_session(TICKET, Arc::new(LiveSession));
            mailbox.deliver(TICKET, Outcome::Reply(Reply::Sent));
        })
    };
    let hinting = {
        let mailbox = Arc::clone(&mailbox);
        thread::spawn(move || mailbox.hint(Ticket { connection: 1, ..TICKET }))
    };
    let mut inbound = Inbound::default();
    let (mut attached, mut answered, mut hinted, mut turns) = (0, 0, 0, 0);
    while answered == 0 || hinted == 0 {
        turns += 1;
        waker.poll(mailbox.may_sleep());
        mailbox.collect(&mut inbound);
        attached += inbound.attached_sessions.drain(..).count();
        answered += inbound.answers.drain(..).count();
        hinted += inbound.hints.drain(..).count();
        assert!(attached >= answered, "an answer arrives before its session");
    }
    answering.join().unwrap();
    hinting.join().unwrap();
    assert_eq!((attached, answered, hinted), (1, 1, 1));
    assert!(waker.0.woken.lock().unwrap().count <= turns, "woken twice for one sleep");
}
