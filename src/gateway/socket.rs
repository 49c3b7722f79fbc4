//! The line protocol over WebSocket: a text is a line, and so is a reply or an event. The lines go
//! through the [`Connection`] that those over TCP go through; this carries them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use memchr::memmem;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::call::act;
use super::fields::Fields;
use super::frames::{End, Frames, STOPPING};
use super::handshake::Handshake;
use super::refused::Refused;
use super::sign_in::Caller;
use super::{Gateway, cookie};
use crate::http::{Peer, Wire};
use crate::protocol::command::Action;
use crate::protocol::framing::{LINE_BYTES_MAX, REPLY_END};
use crate::protocol::refusal::Code;
use crate::protocol::reply::Reply;
use crate::protocol::verb::Verb;
use crate::server::connection::{Connection, TakenLine};
use crate::server::{CloseReason, Metrics};
use crate::service::{Deliver, LiveSession, Network, Outcome, Responder, Ticket};

/// The longest text. A line that is a little longer than [`LINE_BYTES_MAX`] is refused as such.
const TEXT_BYTES_MAX: usize = LINE_BYTES_MAX + 1024;

/// What a request for a WebSocket has.
pub(super) type Parts =
    (State<Arc<Gateway>>, Extension<Peer>, Uri, HeaderMap, Result<Handshake, Refused>);

/// Who is at the other end.
struct Client {
    network: Network,
    /// The session that its handshake names. `-` stands for it in a line.
    caller: Option<Caller>,
}

/// What the service and the store tell a connection.
enum News {
    Outcome(Outcome),
    Session(Arc<LiveSession>),
    Hint,
}

/// Passes news on to the connection, each with the number of its request. A connection has few
/// requests in progress, and one page and one hint at a time.
struct Lines(mpsc::UnboundedSender<(u32, News)>);

/// A WebSocket and its connection.
struct Socket {
    gateway: Arc<Gateway>,
    client: Client,
    frames: Frames,
    connection: Connection,
    deliver: Arc<dyn Deliver>,
    news: mpsc::UnboundedReceiver<(u32, News)>,
}

/// There is no such value: a conversation only ends with an [`End`].
enum Never {}

/// `GET /api/v1/socket`.
pub(super) async fn open(
    (State(gateway), Extension(peer), uri, headers, handshake): Parts,
) -> Result<Response, Refused> {
    let handshake = handshake?;
    Fields::none(&uri)?;
    let network = gateway.network(&headers, peer);
    // The lines can log in, so the handshake need not.
    let cookie = cookie::token(&headers, gateway.is_encrypted(&headers, peer));
    let caller = match headers.contains_key(AUTHORIZATION) || cookie.is_some() {
        true => Some(gateway.caller(&headers, peer).await?),
        false => None,
    };
    if let Some(caller) = caller {
        gateway.check_session(caller).await?;
    }
    let (response, upgrade) = handshake.accept();
    let client = Client { network, caller };
    upgrade.accept(move |wire| serve(gateway, client, wire));
    Ok(response)
}

async fn serve(gateway: Arc<Gateway>, client: Client, wire: Wire) {
    let frames = Frames::new(wire, TEXT_BYTES_MAX, gateway.options.heartbeat.get()).await;
    let (sender, news) = mpsc::unbounded_channel();
    let stopping = gateway.stopping.subscribe();
    let mut connection = Connection::new(Instant::now());
    if let Some(caller) = client.caller {
        connection.set_own_token(caller.token);
    }
    let deliver = Arc::new(Lines(sender));
    let mut socket = Socket { gateway, client, frames, connection, deliver, news };
    let Err(end) = socket.converse(stopping).await;
    socket.frames.close(end).await;
}

impl Gateway {
    /// Refuses a caller without a session. Whoever may not ask who it is has one.
    async fn check_session(&self, caller: Caller) -> Result<(), Refused> {
        match act(&self.service, caller.token, Action::Whoami, caller.network).await {
            Reply::Refused(refusal) if refusal.code != Code::TokenRights => Err(refusal.into()),
            _ => Ok(()),
        }
    }
}

impl Socket {
    async fn converse(&mut self, mut stopping: watch::Receiver<bool>) -> Result<Never, End> {
        let mut is_stopping = false;
        loop {
            self.advance().await?;
            if let Some(reason) = self.connection.close_reason(Instant::now()) {
                return Err(closing(reason));
            }
            let wants_input = self.connection.wants_input();
            if !wants_input {
                self.frames.hold();
            }
            let ping_at = self.frames.ping_at();
            let deadline = self.connection.deadline().map(tokio::time::Instant::from_std);
            let wake_at = deadline.map_or(ping_at, |deadline| deadline.min(ping_at));
            tokio::select! {
                news = self.news.recv() => {
                    if let Some((sequence, news)) = news {
                        self.take(sequence, news);
                    }
                }
                text = self.frames.receive(), if wants_input => {
                    self.connection.receive_line(&text?);
                }
                () = tokio::time::sleep_until(wake_at) => {}
                () = async { drop(stopping.wait_for(|stopping| *stopping).await) },
                    if !is_stopping =>
                {
                    is_stopping = true;
                    self.connection.stop();
                }
            }
            self.frames.ping(self.heartbeat()).await?;
        }
    }

    /// Executes requests, reads the stream, and writes, until the connection has to wait.
    async fn advance(&mut self) -> Result<(), End> {
        loop {
            let now = Instant::now();
            while let Some(taken) = self.connection.next_request(now) {
                let (sequence, request) = match taken {
                    TakenLine::Request(sequence, request) => (sequence, request),
                    TakenLine::Refused(code) => {
                        self.metrics().count_request(Verb::Invalid, Some(code), None);
                        continue;
                    }
                };
                let ticket = Ticket { connection: 0, generation: 0, sequence };
                let deliver = Arc::clone(&self.deliver);
                let responder = Responder::new(deliver, ticket, self.client.network);
                let in_flight = self.gateway.service.execute(request, responder);
                self.connection.note_in_flight(in_flight);
            }
            let more = self.connection.read_stream(now);
            let was_congested = self.connection.is_congested();
            self.write().await?;
            if !more && !was_congested {
                return Ok(());
            }
        }
    }

    /// Writes all replies and events.
    async fn write(&mut self) -> Result<(), End> {
        if self.connection.unsent().is_empty() {
            return Ok(());
        }
        while let Some(end) = memmem::find(self.connection.unsent(), REPLY_END) {
            // A reply is ASCII.
            let text = String::from_utf8_lossy(&self.connection.unsent()[..end]).into_owned();
            self.connection.sent(end + REPLY_END.len(), Instant::now());
            self.frames.feed(text).await?;
        }
        self.frames.flush().await
    }

    fn take(&mut self, sequence: u32, news: News) {
        let (heartbeat, now) = (self.heartbeat(), Instant::now());
        match news {
            News::Hint => self.connection.hint(sequence),
            News::Session(session) => self.connection.attach_session(sequence, session),
            News::Outcome(outcome) => {
                let answered = self.connection.take_outcome(sequence, outcome, heartbeat, now);
                let Some((request, result)) = answered else { return };
                let time = now.saturating_duration_since(request.since);
                self.metrics().count_request(request.verb, result, Some(time));
                if let Some(caller) = self.client.caller
                    && (request.verb, result) == (Verb::Passwd, None)
                {
                    self.gateway.forget_sign_in(caller.token);
                }
            }
        }
    }

    fn metrics(&self) -> &Metrics {
        &self.gateway.options.metrics
    }

    fn heartbeat(&self) -> Duration {
        self.gateway.options.heartbeat.get()
    }
}

/// What the client learns of the end of its connection.
fn closing(reason: CloseReason) -> End {
    match reason {
        CloseReason::Stopping => STOPPING,
        CloseReason::NoRequest => End::Close(CloseCode::Policy, "no request has succeeded"),
        CloseReason::WrongProtocol => End::Close(CloseCode::Policy, "send the line protocol"),
        _ => End::Gone,
    }
}

impl Deliver for Lines {
    fn deliver(&self, ticket: Ticket, outcome: Outcome) {
        // The connection may be over. What it asked for is done all the same.
        let _ = self.0.send((ticket.sequence, News::Outcome(outcome)));
    }

    fn attach_session(&self, ticket: Ticket, session: Arc<LiveSession>) {
        let _ = self.0.send((ticket.sequence, News::Session(session)));
    }

    fn hint(&self, ticket: Ticket) {
        let _ = self.0.send((ticket.sequence, News::Hint));
    }
}
