//! The service carries out requests. It passes work that may block to the store's writer, the
//! store's readers and the password hashers. It never blocks and uses no socket. Each request is
//! answered through its [`Responder`].

mod about;
mod access;
mod account;
mod administration;
mod awaited;
mod blocks;
mod changes;
mod expectations;
mod hashers;
mod hub;
mod invitations;
mod judge;
mod marks;
mod messages;
mod metrics;
mod presence;
mod receipts;
mod responder;
mod rooms;
mod scheduled;
mod seed;
mod sessions;
mod stream;
mod system_users;
mod throttle;
mod tokens;
mod watch;

use std::sync::{Arc, mpsc};
use std::time::Duration;

pub use administration::AdminResponder;
pub use metrics::Metrics;
pub use responder::{Deliver, Outcome, ReplyAddress, Responder, Ticket, Watcher};
pub use seed::{SeedError, seed, users_of_the_seed, users_with_published_password};
pub use sessions::{LiveSession, OpenConnection};
pub use stream::{Stream, StreamPage};
pub use system_users::{UnixUser, UnixUsers};
pub use throttle::{LoginLimits, Network};

pub use crate::store::{Expect, Flush};

use crate::adjustable::Adjustable;
use crate::model::{Timestamp, Token, TokenHash};
use crate::protocol::command::{Action, Request};
use crate::protocol::event::ReadUpto;
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::Reply;
use crate::protocol::standing::Database;
use crate::store::{
    EndSessions, Event, FindSession, Live, SessionClock, SessionFilter, SettleSessions, Store,
    StoreError, SweepSessions,
};
use awaited::Awaited;
use hashers::Hashers;
use hub::Hub;
use sessions::{EndReason, Lookup, Sessions};
use throttle::Throttle;

/// The default maximum number of sessions of one user. A further login ends the least recently used
/// session that has no open stream.
pub const SESSIONS_PER_USER_MAX: usize = 64;

/// Settings of the service.
#[derive(Debug, Clone)]
pub struct Options {
    /// A session ends after it was unused for this long.
    pub session_idle: Adjustable<Duration>,
    /// A session ends this long after its login, even if it is in use. A change applies to later
    /// logins.
    pub session_lifetime: Adjustable<Duration>,
    /// The maximum number of sessions of one user.
    pub sessions_per_user: usize,
    /// The number of passwords hashed at a time. Hashing one takes 19 MiB of memory.
    pub hashers: usize,
    /// The limits on failed logins.
    pub login_limits: LoginLimits,
    /// The verb `users` is refused.
    pub users_hidden: Adjustable<bool>,
    /// Who is logged in without a password over a Unix-domain socket.
    pub unix_users: UnixUsers,
    /// Whether users may have a password that is published in the source. It is true if only this
    /// machine can connect, or if the operator has allowed it.
    pub published_passwords_allowed: bool,
}

/// When the connection may execute its next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concurrency {
    /// At once, if that request may overlap too. This request's position in the message log is
    /// fixed.
    Overlapping,
    /// After this request has been answered.
    Exclusive,
}

/// The state of a request that was passed to the service.
#[derive(Debug)]
pub struct InFlight {
    /// When the connection may execute its next request.
    pub concurrency: Concurrency,
    /// The request's session. `None` if the store has to look it up first, or if the request needs
    /// no session.
    pub session: Option<Arc<LiveSession>>,
}

/// Where the service has looked for a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Searched {
    Memory,
    Store,
}

/// Carries out requests: see the module.
pub struct Service {
    store: Store,
    sessions: Sessions,
    clock: SessionClock,
    throttle: Arc<Throttle>,
    hashers: Hashers,
    hub: Arc<Hub<ReplyAddress>>,
    awaited: Arc<Awaited<ReplyAddress>>,
    metrics: Arc<Metrics>,
    wake_expectations: expectations::Wake,
    options: Options,
}

impl Service {
    /// Creates the service on an open store and starts the hasher threads.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn new(store: Store, options: Options) -> std::io::Result<Arc<Self>> {
        let metrics = Arc::<Metrics>::default();
        let is_shared = store.has_other_servers();
        let throttle = Arc::new(Throttle::new(options.login_limits.clone(), is_shared));
        let hashers = Hashers::start(options.hashers, &throttle, &metrics)?;
        let sessions = Sessions::new(options.session_idle.clone());
        let (clock, hub, awaited) = (SessionClock::start(), Arc::default(), Arc::default());
        let (wake_expectations, woken) = expectations::wake();
        let service = Arc::new(Self {
            store,
            sessions,
            clock,
            throttle,
            hashers,
            hub,
            awaited,
            metrics,
            wake_expectations,
            options,
        });
        let told = Arc::downgrade(&service);
        service.store.set_on_event(Box::new(move |event| {
            if let Some(service) = told.upgrade() {
                service.learn(event);
            }
        }));
        expectations::start(&service, woken)?;
        Ok(service)
    }

    /// Learns what another server has done.
    fn learn(self: &Arc<Self>, event: Event) {
        match event {
            Event::Messages(mailbox) => self.hub.publish(mailbox),
            Event::SessionEnded(user, token) => {
                self.sessions.end(token);
                self.hub.publish(user);
            }
            Event::UserChanged(user) => {
                self.sessions.doubt_tokens(user);
                self.hub.publish(user);
            }
            Event::Read(user, Some(name), upto) => {
                self.push_read(user, || ReadUpto::conversation(name, upto));
            }
            Event::Read(user, None, upto) => self.push_read(user, || ReadUpto::inbox(upto)),
            Event::Everything => {
                self.sessions.doubt_all();
                self.hub.publish_all();
                self.note_reading(None);
            }
        }
    }

    /// Executes `request`. `responder` gets the answer before this returns, or later from another
    /// thread.
    pub fn execute(self: &Arc<Self>, request: Request, responder: Responder) -> InFlight {
        match request {
            Request::Auth { user, password } => self.authenticate(user, password, responder),
            Request::AuthPeer => self.authenticate_peer(responder),
            Request::Hello => responder.answer(about::hello(&self.store)),
            Request::Help => responder.answer(about::help()),
            Request::Invitation(secret) => self.show_invitation(secret, responder),
            Request::Accept(accept) => self.accept(*accept, responder),
            Request::InSession { token, action } => {
                return self.enter(token.hash(), action, responder, Searched::Memory);
            }
        }
        InFlight { concurrency: Concurrency::Exclusive, session: None }
    }

    /// Finds the session and executes the action. A session that is not in memory is looked up once
    /// in the store.
    fn enter(
        self: &Arc<Self>,
        token: TokenHash,
        action: Result<Action, Refusal>,
        responder: Responder,
        searched: Searched,
    ) -> InFlight {
        match (self.sessions.find(&token, self.now()), searched) {
            (Lookup::Live(session), searched) => {
                if searched == Searched::Store {
                    responder.attach_session(&session);
                }
                let concurrency = self.act(&session, action, responder);
                return InFlight { concurrency, session: Some(session) };
            }
            (Lookup::Expired(id), _) => {
                // The session is ended in the store too, so that a clock set back does not revive
                // it.
                self.store.write(EndSessions(SessionFilter::Session(id)), drop);
                responder.answer(Code::NoSession);
            }
            (Lookup::Unknown, Searched::Memory) => {
                let (service, question) = (Arc::clone(self), self.sessions.ask());
                self.store.read(FindSession(token), move |found| match found {
                    Ok(Some(stored)) => {
                        if !service.sessions.insert(token, stored, question) {
                            return responder.answer(Code::Busy);
                        }
                        service.enter(token, action, responder, Searched::Store);
                    }
                    Ok(None) => responder.answer(Code::NoSession),
                    Err(error) => responder.answer(failure(error)),
                });
            }
            (Lookup::TokenExpired, _) => responder.answer(Code::NoSession),
            (Lookup::Ended(why), _) => responder.answer(self.ended(why)),
            (Lookup::Unknown, _) => responder.answer(Code::NoSession),
        }
        InFlight { concurrency: Concurrency::Exclusive, session: None }
    }

    /// The refusal for a request in an ended session.
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

    /// Executes a command that needs a session.
    fn act(
        self: &Arc<Self>,
        session: &Arc<LiveSession>,
        action: Result<Action, Refusal>,
        responder: Responder,
    ) -> Concurrency {
        session.note_use_from(responder.network());
        if let Some(refusal) = action.as_ref().ok().and_then(|action| session.refusal(action)) {
            responder.answer(refusal);
            return Concurrency::Exclusive;
        }
        match action {
            Err(refusal) => responder.answer(refusal),
            Ok(Action::Send { to, body }) => {
                self.send(session, to, body, responder);
                return Concurrency::Overlapping;
            }
            Ok(Action::Post(post)) if post.to.is_empty() => {
                self.post_to_target(session, post, responder);
            }
            Ok(Action::Post(post)) if post.when.is_some() => {
                self.schedule(session, post, responder);
            }
            Ok(Action::Post(post)) => {
                self.post(session, post, responder);
                return Concurrency::Overlapping;
            }
            Ok(Action::Inbox) => self.inbox(session, responder),
            Ok(Action::List) => self.list(session, responder),
            Ok(Action::Users(users)) => self.list_recipients(session, users, responder),
            Ok(Action::Logout) => self.log_out(session, responder),
            Ok(Action::Edit(edit)) => self.edit(session, edit, responder),
            Ok(Action::Delete(delete)) => self.delete(session, delete, responder),
            Ok(Action::Fetch(fetch)) => self.fetch(session, fetch, responder),
            Ok(Action::Ack(ack)) => self.ack(session, ack, responder),
            Ok(Action::Mark(mark)) => self.mark(session, mark, responder),
            Ok(Action::Unread) => self.count_unread(session, responder),
            Ok(Action::Receipts(list)) => self.list_receipts(session, list, responder),
            Ok(Action::Settings(change)) => self.change_settings(session, *change, responder),
            Ok(Action::Who(who)) => self.list_connected(session, who, responder),
            Ok(Action::Block(other)) => self.set_block(session, other, true, responder),
            Ok(Action::Unblock(other)) => self.set_block(session, other, false, responder),
            Ok(Action::Blocks) => self.list_blocks(session, responder),
            Ok(Action::Watch(watch)) => self.watch(session, watch, responder),
            Ok(Action::Whoami) => self.identify(session, responder),
            Ok(Action::Sessions) => self.list_sessions(session, responder),
            Ok(Action::Conversations(list)) => self.list_conversations(session, &list, responder),
            Ok(Action::Search(search)) => self.search(session, search, responder),
            Ok(Action::Revoke(revoke)) => self.revoke(session, revoke, responder),
            Ok(Action::Passwd(passwd)) => self.change_password(session, passwd, responder),
            Ok(Action::Room(action)) => self.act_on_room(session, *action, responder),
            Ok(Action::Expect(expect)) => self.expect(session, expect, responder),
            Ok(Action::Expectations) => self.list_expectations(session, responder),
            Ok(Action::Report(report)) => self.report(session, report, responder),
            Ok(Action::Scheduled(list)) => self.list_scheduled(session, list, responder),
            Ok(Action::Cancel(cancel)) => self.cancel_scheduled(session, cancel, responder),
            Ok(Action::TokenCreate(create)) => self.create_token(session, *create, responder),
            Ok(Action::Tokens) => self.list_tokens(session, responder),
            Ok(Action::TokenRevoke(revoke)) => self.revoke_tokens(session, revoke, responder),
        }
        Concurrency::Exclusive
    }

    /// Whether this is the token of a live session, as far as memory knows. It counts as a use.
    pub fn is_live(&self, token: &Token) -> bool {
        matches!(self.sessions.find(&token.hash(), self.now()), Lookup::Live(_))
    }

    /// Rises whenever a user may have been renamed or changed otherwise, on any server.
    pub fn user_changes(&self) -> u64 {
        self.sessions.doubts()
    }

    /// What is known of the database, without asking it.
    pub fn database(&self) -> Database {
        about::database(&self.store)
    }

    /// Collects the writes of the requests that `collect` executes into one batch: see
    /// [`Store::collect_batch`].
    pub fn collect_batch(&self, collect: impl FnOnce() -> Expect) -> Flush {
        self.store.collect_batch(collect)
    }

    /// Whether collected writes are waiting for a flush.
    pub fn has_collected(&self) -> bool {
        self.store.has_collected()
    }

    /// Ends the sessions that have expired, including those that expired while the server was
    /// stopped. It also corrects sessions with times in the future: see [`SettleSessions`]. Call
    /// this once, before the first request. Blocks until the changes are durable.
    ///
    /// # Errors
    /// The store could not write the changes.
    pub fn settle(&self) -> Result<(), StoreError> {
        let (sender, receiver) = mpsc::channel();
        self.store.write(SettleSessions(self.live()), move |settled| {
            let _ = sender.send(settled);
        });
        receiver.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Ends expired sessions and stores when each session was last used. Call this once a minute.
    /// Returns before the store has done it.
    pub fn sweep(self: &Arc<Self>) {
        let live = self.live();
        let used = self.sessions.take_seen(live.now);
        let sweep = SweepSessions { seen: used.sessions, used: used.tokens, live };
        let service = Arc::clone(self);
        self.store.write(sweep, move |ended| match ended {
            Ok(ended) => service.sessions.end_all(ended),
            Err(error) => tracing::warn!(%error, "sessions were not swept; it will be tried again"),
        });
    }

    /// Completes the requests in progress, stores when sessions were last used, and closes the
    /// store. Blocks until then.
    pub fn close(self: &Arc<Self>) {
        self.hashers.close();
        self.sweep();
        self.store.close();
    }

    /// The time by which sessions live: that of the database, if several servers share it.
    fn now(&self) -> Timestamp {
        self.store.shared_time().unwrap_or_else(|| self.clock.now())
    }

    /// What a time by this machine's clock is by the clock that all servers share.
    fn by_shared_clock(&self, at: Timestamp) -> Timestamp {
        let ahead = self.store.shared_time().map_or(0, |now| now.0 - Timestamp::now().0);
        Timestamp(at.0.saturating_add(ahead))
    }

    /// The condition for a session to be live now.
    fn live(&self) -> Live {
        let now = self.now();
        Live { now, seen_after: now.minus(self.options.session_idle.get()) }
    }
}

/// The reply to a request that failed in the store.
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
