//! The service: decides what is done for a request, and hands the work to where it may block: the
//! store's writer and readers, and the password hashers. It never blocks itself and touches no
//! socket; every request's answer goes through its [`Responder`].

mod about;
mod access;
mod account;
mod administration;
mod clock;
mod hashers;
mod hub;
mod messages;
mod metrics;
mod responder;
mod seed;
mod sessions;
mod throttle;
mod watch;

use std::sync::{Arc, mpsc};
use std::time::Duration;

pub use administration::AdminResponder;
pub use metrics::Metrics;
pub use responder::{Deliver, Outcome, Responder, Ticket};
pub use seed::{SeedError, seed, users_with_published_password};
pub use sessions::LiveSession;
pub use throttle::{LoginLimits, Network};
pub use watch::{StreamPage, Watcher};

pub use crate::store::{Expect, Flush};

use crate::adjustable::Adjustable;
use crate::model::TokenHash;
use crate::protocol::command::{Action, Request};
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::Reply;
use crate::store::{
    EndSessions, FindSession, Live, SessionFilter, SettleSessions, Store, StoreError, SweepSessions,
};
use clock::SessionClock;
use hashers::Hashers;
use hub::Hub;
use sessions::{EndReason, Lookup, Sessions};
use throttle::Throttle;

/// The most sessions of one user. With one more, the one that was not used for the longest time
/// ends; one with an open stream never does.
pub const SESSIONS_PER_USER_MAX: usize = 64;

/// How the service behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// A session that was not used for so long has ended.
    pub session_idle: Adjustable<Duration>,
    /// A session ends so long after its login, whatever its holder does: as it was at the login.
    pub session_lifetime: Adjustable<Duration>,
    /// The most sessions of one user.
    pub sessions_per_user: usize,
    /// How many passwords are hashed at a time; each takes 19 MiB while it lasts.
    pub hashers: usize,
    /// How many failed logins there may be.
    pub login_limits: LoginLimits,
    /// `users` is refused.
    pub users_hidden: Adjustable<bool>,
    /// Users of the seed may be added later: nobody but this machine can log in, or it was said
    /// that others may.
    pub published_passwords_allowed: bool,
}

/// When the next request of the same connection may be executed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// At once, if it may overlap too: this one has its place in the log's order.
    Overlapping,
    /// When this one has been answered.
    Alone,
}

/// How a request is being executed.
#[derive(Debug)]
pub struct Executing {
    /// When the next one may be.
    pub pace: Pace,
    /// Whose request it is; not known yet where the session has to be read from the store.
    pub session: Option<Arc<LiveSession>>,
}

/// Where a session has been looked for so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Searched {
    Memory,
    Store,
}

/// See the module.
pub struct Service {
    store: Store,
    sessions: Sessions,
    clock: SessionClock,
    throttle: Arc<Throttle>,
    hashers: Hashers,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    options: Options,
}

impl Service {
    /// A service on an open store; starts the hashers' threads.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(store: Store, options: Options) -> std::io::Result<Arc<Self>> {
        let metrics = Arc::<Metrics>::default();
        let throttle = Arc::new(Throttle::new(options.login_limits.clone()));
        let hashers = Hashers::start(options.hashers, &throttle, &metrics)?;
        let sessions = Sessions::new(options.session_idle.clone());
        let (clock, hub) = (SessionClock::start(), Arc::default());
        Ok(Arc::new(Self { store, sessions, clock, throttle, hashers, hub, metrics, options }))
    }

    /// Has `request` done, and its answer given to `responder`: at once, or later from another
    /// thread.
    pub fn execute(self: &Arc<Self>, request: Request, responder: Responder) -> Executing {
        match request {
            Request::Auth { user, password } => self.authenticate(user, password, responder),
            Request::Hello => responder.answer(about::hello()),
            Request::Help => responder.answer(about::help()),
            Request::InSession { token, action } => {
                return self.enter(token.hash(), action, responder, Searched::Memory);
            }
        }
        Executing { pace: Pace::Alone, session: None }
    }

    /// Finds the session first: in memory, where all that were used lately are, else in the
    /// store, once.
    fn enter(
        self: &Arc<Self>,
        token: TokenHash,
        action: Result<Action, Refusal>,
        responder: Responder,
        searched: Searched,
    ) -> Executing {
        match (self.sessions.find(&token, self.clock.now()), searched) {
            (Lookup::Live(session), searched) => {
                if searched == Searched::Store {
                    responder.attach_session(&session);
                }
                let pace = self.act(&session, action, responder);
                return Executing { pace, session: Some(session) };
            }
            (Lookup::Expired(id), _) => {
                // Out of the store as well: a clock that is set back does not revive it.
                self.store.write(EndSessions(SessionFilter::Session(id)), drop);
                responder.answer(Code::NoSession);
            }
            (Lookup::Unknown, Searched::Memory) => {
                let service = Arc::clone(self);
                self.store.read(FindSession(token), move |found| match found {
                    Ok(Some(stored)) => {
                        service.sessions.insert(token, stored);
                        service.enter(token, action, responder, Searched::Store);
                    }
                    Ok(None) => responder.answer(Code::NoSession),
                    Err(error) => responder.answer(failure(error)),
                });
            }
            (Lookup::Ended(why), _) => responder.answer(self.ended(why)),
            (Lookup::Unknown, _) => responder.answer(Code::NoSession),
        }
        Executing { pace: Pace::Alone, session: None }
    }

    /// What the holder of a session that has ended is told.
    fn ended(&self, why: EndReason) -> Refusal {
        match why {
            EndReason::Any => Code::NoSession.into(),
            EndReason::Displaced => {
                let (code, max) = (Code::NoSession, self.options.sessions_per_user);
                let message = format!(
                    "{}: a user may have {max}, and a new login ended this one, which was not used \
                     for the longest time",
                    code.message()
                );
                Refusal::new(code, message)
            }
        }
    }

    /// Every command that needs a session, each arm one call.
    fn act(
        self: &Arc<Self>,
        session: &Arc<LiveSession>,
        action: Result<Action, Refusal>,
        responder: Responder,
    ) -> Pace {
        match action {
            Err(refusal) => responder.answer(refusal),
            Ok(Action::Send { to, body }) => {
                self.send(session, to, body, responder);
                return Pace::Overlapping;
            }
            Ok(Action::Post(post)) => {
                self.post(session, post, responder);
                return Pace::Overlapping;
            }
            Ok(Action::Inbox) => self.inbox(session, responder),
            Ok(Action::List) => self.list(session, responder),
            Ok(Action::Users(users)) => self.list_recipients(session, users, responder),
            Ok(Action::Logout) => self.log_out(session, responder),
            Ok(Action::Fetch(fetch)) => self.fetch(session, fetch, responder),
            Ok(Action::Ack(ack)) => self.ack(session, ack, responder),
            Ok(Action::Unread) => self.count_unread(session, responder),
            Ok(Action::Watch(watch)) => self.watch(session, watch, responder),
            Ok(Action::Whoami) => self.identify(session, responder),
            Ok(Action::Sessions) => self.list_sessions(session, responder),
            Ok(Action::Revoke(revoke)) => self.revoke(session, revoke, responder),
            Ok(Action::Passwd(passwd)) => self.change_password(session, passwd, responder),
        }
        Pace::Alone
    }

    /// The writes of the requests that `collect` executes form one batch: see
    /// [`Store::collect_batch`].
    pub fn collect_batch(&self, collect: impl FnOnce() -> Expect) -> Flush {
        self.store.collect_batch(collect)
    }

    /// Whether anything waits to be written.
    pub fn has_collected(&self) -> bool {
        self.store.has_collected()
    }

    /// Ends what has expired, also while nobody served, and takes from sessions that come from the
    /// future what the clock must not give them: see [`SettleSessions`]. To be called once,
    /// before anything is asked for. Blocks until it is durable.
    ///
    /// # Errors
    /// It could not be written.
    pub fn settle(&self) -> Result<(), StoreError> {
        let (sender, receiver) = mpsc::channel();
        self.store.write(SettleSessions(self.live()), move |settled| {
            let _ = sender.send(settled);
        });
        receiver.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Ends what has expired and stores when sessions were last used. To be called once a minute;
    /// does not wait for it to be done.
    pub fn sweep(self: &Arc<Self>) {
        let live = self.live();
        let sweep = SweepSessions { seen: self.sessions.take_seen(live.now), live };
        let service = Arc::clone(self);
        self.store.write(sweep, move |ended| match ended {
            Ok(ended) => service.sessions.end_all(ended),
            Err(error) => tracing::warn!(%error, "sessions were not swept; it will be tried again"),
        });
    }

    /// Does and answers what has been asked for, notes when sessions were last used, and closes
    /// the store. Blocks until that is done.
    pub fn close(self: &Arc<Self>) {
        self.hashers.close();
        self.sweep();
        self.store.close();
    }

    /// Which sessions live now.
    fn live(&self) -> Live {
        let now = self.clock.now();
        Live { now, seen_after: now.minus(self.options.session_idle.get()) }
    }
}

/// What is said of a request that the store could not do.
fn failure(error: StoreError) -> Reply {
    match error {
        StoreError::Busy => Code::Busy.into(),
        StoreError::Full => Code::StorageFull.into(),
        StoreError::Closed => Code::ShuttingDown.into(),
        StoreError::Statement(_) | StoreError::Fatal(_) => {
            tracing::error!(%error, "a request failed in the store");
            Code::Internal.into()
        }
    }
}
