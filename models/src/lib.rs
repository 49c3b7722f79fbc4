//! Models of what threads share: the queue, the mailbox of a worker, the hub, the newest messages in
//! memory, the way back of an answer, and the shutdown. The files are the server's own, included by their paths; only
//! `crate::sync`, which is the standard library's there, is loom's here, so that a model runs in every
//! order in which its threads can run. A lost wake-up shows as a deadlock.
//!
//! Run them with `cargo test --manifest-path models/Cargo.toml`. What the files need beside the
//! standard library stands in here for the real thing, as small as it can be.
//!
//! Not modelled: that a wait ends because its time is over (a wait here ends when there is something,
//! or at once where its time is zero), and panics.
#![allow(dead_code, reason = "the files have more than the models use")]
#![forbid(unsafe_code)]

// What the mailbox takes from there is the `Waker` below.
extern crate self as mio;

pub mod queue_models;
pub mod server;
pub mod service;
pub mod sync;

#[path = "../../src/queue.rs"]
pub mod queue;
#[path = "../../src/wake.rs"]
pub mod wake;

pub use server::Waker;

/// Runs a model in every order in which its threads can run, with at most three switches away from a
/// thread that could go on: more finds next to nothing, and takes hours (loom's manual).
pub fn model(run: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// For [`crate::metrics`]'s.
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
    pub struct MessageId(pub i64);

    impl MessageId {
        pub const ZERO: Self = Self(0);
    }

    #[derive(Debug)]
    pub struct Timestamp(pub i64);

    /// What the files that are included ask of these, a `String` can do.
    pub type UserName = String;
    pub type Body = String;

    #[derive(Debug)]
    pub struct Message {
        pub id: MessageId,
        pub at: Timestamp,
        pub from: UserName,
        pub to: UserName,
        pub body: Body,
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
