//! Loom models of the code that threads share: the queue, group commit, a worker's mailbox, the hub,
//! the newest messages in memory, the responder, and the shutdown. The files are the server's own, included by
//! path. Only `crate::sync` differs: there it is the standard library's, here loom's. So a model
//! runs every possible interleaving of its threads, and a lost wake-up shows as a deadlock.
//!
//! Run them with `cargo test --manifest-path models/Cargo.toml`. Whatever else the files need is
//! replaced here by the smallest possible stand-in.
//!
//! Not modelled are timeouts and panics. A wait here ends when there is something to do, or at once
//! if its timeout is zero.
#![allow(dead_code, reason = "the files have more than the models use")]
#![forbid(unsafe_code)]

// The mailbox imports mio's `Waker`; this makes it the one below.
extern crate self as mio;

pub mod queue_models;
pub mod server;
pub mod service;
pub mod store;
pub mod sync;

#[path = "../../src/queue.rs"]
pub mod queue;
#[path = "../../src/wake.rs"]
pub mod wake;

pub use server::Waker;

/// Runs a model in every interleaving with at most three preemptions. More preemptions find almost
/// nothing and take hours (loom's manual).
pub fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// Replaces [`crate::metrics`] of the server.
pub mod metrics {
    #[derive(Clone, Copy)]
    pub struct Stages;

    impl Stages {
        pub fn current() -> Self {
            Self
        }
    }
}

pub mod model {
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct UserId(pub i64);

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct MailboxId(pub i64);

    /// Only the tests of an included file name a room.
    #[derive(Debug, Clone, Copy)]
    pub struct RoomId(pub i64);

    impl From<RoomId> for MailboxId {
        fn from(room: RoomId) -> Self {
            Self(-room.0)
        }
    }

    impl From<UserId> for MailboxId {
        fn from(user: UserId) -> Self {
            Self(user.0)
        }
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct MessageId(pub i64);

    impl MessageId {
        pub const ZERO: Self = Self(0);
    }

    #[derive(Debug)]
    pub struct Timestamp(pub i64);

    /// Only mentions of nobody are modelled.
    pub fn mentions(_: &str, _: &UserName) -> bool {
        false
    }

    /// A `String` can do everything that the included files need.
    pub type UserName = String;
    pub type Body = String;

    #[derive(Debug)]
    pub struct Message {
        pub id: MessageId,
        pub at: Timestamp,
        pub from: UserName,
        pub to: UserName,
        pub body: Body,
        pub details: Option<()>,
    }

    impl Message {
        pub fn text_bytes(&self) -> usize {
            self.body.len()
        }
    }
}

pub mod protocol {
    pub mod refusal {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code {
            Internal,
            Busy,
            ShuttingDown,
        }
    }

    pub mod reply {
        use super::refusal::Code;

        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Reply {
            Sent,
            Refused(Code),
        }

        impl From<Code> for Reply {
            fn from(code: Code) -> Self {
                Self::Refused(code)
            }
        }

        pub struct Watching;
    }
}
