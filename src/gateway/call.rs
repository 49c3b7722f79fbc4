//! Calls the service: its callbacks become futures. The service never blocks, so a call is allowed
//! on the threads that serve HTTP.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::Gateway;
use crate::model::Token;
use crate::protocol::command::{Action, Request};
use crate::protocol::refusal::Code;
use crate::protocol::reply::{Reply, Watching};
use crate::service::{
    Deliver, LiveSession, Network, Outcome, Responder, Service, StreamPage, Ticket, Watcher,
};

/// HTTP has no numbered requests: each has a `Deliver` of its own.
const TICKET: Ticket = Ticket { connection: 0, generation: 0, sequence: 0 };

/// Waits for one reply.
struct Once(Mutex<Option<oneshot::Sender<Reply>>>);

/// Passes on all that a stream gets. At most one page and one hint are under way.
struct Many(mpsc::UnboundedSender<News>);

/// What a stream gets.
pub(super) enum News {
    /// There may be newer messages.
    Hint,
    /// The result of a read.
    Page(StreamPage),
}

/// A stream that has begun.
pub(super) struct Begun {
    pub(super) watching: Watching,
    pub(super) watcher: Watcher,
    pub(super) news: mpsc::UnboundedReceiver<News>,
}

/// Executes a request.
pub(super) async fn execute(service: &Arc<Service>, request: Request, network: Network) -> Reply {
    let (sender, receiver) = oneshot::channel();
    let deliver = Arc::new(Once(Mutex::new(Some(sender))));
    service.execute(request, Responder::new(deliver, TICKET, network));
    // A responder always answers.
    receiver.await.unwrap_or_else(|_| Code::Internal.into())
}

/// Executes a request that names its verb, and counts it as a line is counted.
pub(super) async fn execute_counted(
    gateway: &Gateway,
    request: Request,
    network: Network,
) -> Reply {
    let (verb, begun) = (request.verb(), Instant::now());
    let reply = execute(&gateway.service, request, network).await;
    let result = match &reply {
        Reply::Refused(refusal) => Some(refusal.code),
        _ => None,
    };
    gateway.options.metrics.count_request(verb, result, Some(begun.elapsed()));
    reply
}

/// Executes an action of a session without waiting for its reply.
pub(super) fn forget(service: &Arc<Service>, token: Token, action: Action) {
    let request = Request::InSession { token, action: Ok(action) };
    let deliver = Arc::new(Once(Mutex::new(None)));
    service.execute(request, Responder::new(deliver, TICKET, Network::ThisMachine));
}

/// Executes an action of a session.
pub(super) async fn act(
    service: &Arc<Service>,
    token: Token,
    action: Action,
    network: Network,
) -> Reply {
    execute(service, Request::InSession { token, action: Ok(action) }, network).await
}

/// Begins a stream: `action` is a `watch`.
pub(super) async fn watch(
    service: &Arc<Service>,
    token: Token,
    action: Action,
    network: Network,
) -> Result<Begun, Reply> {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let (first, begun) = oneshot::channel();
    let deliver = Arc::new(Begin { first: Mutex::new(Some(first)), many: Many(sender) });
    let request = Request::InSession { token, action: Ok(action) };
    service.execute(request, Responder::new(deliver, TICKET, network));
    match begun.await {
        Ok(Ok((watching, watcher))) => {
            // Nothing is read yet: an earlier hint says no more than the first read does.
            while receiver.try_recv().is_ok() {}
            Ok(Begun { watching, watcher, news: receiver })
        }
        Ok(Err(reply)) => Err(reply),
        Err(_) => Err(Code::Internal.into()),
    }
}

/// Waits for the beginning of a stream, and passes on the rest.
struct Begin {
    first: Mutex<Option<First>>,
    many: Many,
}

type First = oneshot::Sender<Result<(Watching, Watcher), Reply>>;

impl Deliver for Once {
    fn deliver(&self, _: Ticket, outcome: Outcome) {
        let sender = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reply = match outcome {
            Outcome::Reply(reply) => reply,
            // Only `watch` has these.
            Outcome::Stream(..) | Outcome::Page(_) => Code::Internal.into(),
        };
        if let Some(sender) = sender {
            // The client may have gone. What it asked for is done all the same.
            let _ = sender.send(reply);
        }
    }

    fn attach_session(&self, _: Ticket, _: Arc<LiveSession>) {}

    fn hint(&self, _: Ticket) {}
}

impl Deliver for Begin {
    fn deliver(&self, _: Ticket, outcome: Outcome) {
        let begun = match outcome {
            Outcome::Page(page) => {
                let _ = self.many.0.send(News::Page(page));
                return;
            }
            Outcome::Stream(watching, watcher) => Ok((watching, watcher)),
            Outcome::Reply(reply) => Err(reply),
        };
        if let Some(first) = self.first.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = first.send(begun);
        }
    }

    fn attach_session(&self, _: Ticket, _: Arc<LiveSession>) {}

    fn hint(&self, _: Ticket) {
        let _ = self.many.0.send(News::Hint);
    }
}
