//! Reading: the messages of the caller's own inbox, or of one room, at once (`poll=1`) or as a
//! stream.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::Gateway;
use super::call::{act, watch};
use super::fields::Fields;
use super::frames::{End, Frames};
use super::handshake::Handshake;
use super::names::{Name, Seen};
use super::publish::{priority, tags};
use super::refused::{Refused, refused};
use super::sign_in::Caller;
use super::since::Since;
use super::stream::{Form, Wanted};
use crate::http::Peer;
use crate::model::{CursorName, Filter, Message, MessageId, Priority, RoomName, Timestamp};
use crate::protocol::arguments::{Ack, FETCH_MESSAGES_MAX, Fetch, FetchFrom, Watch, WatchFrom};
use crate::protocol::command::Action;
use crate::protocol::refusal::{Code, Refusal};
use crate::protocol::reply::{Page, Reply};

/// The caller's own inbox, whatever the caller's name is.
const INBOX: &str = "inbox";

/// The longest text of a client that only reads. It is ignored.
const IGNORED_BYTES_MAX: usize = 4 * 1024;

/// Asks a proxy not to hold a stream back.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// What all forms take.
pub(super) type Parts = (State<Arc<Gateway>>, Extension<Peer>, Name, Uri, HeaderMap);

/// `GET /inbox/json`, `/inbox/sse` and `/inbox/raw`; the same for a room.
pub(super) async fn read(form: Form, parts: Parts) -> Result<Response, Refused> {
    let (State(gateway), Extension(peer), Name(name), uri, headers) = parts;
    let caller = gateway.caller(&headers, peer).await?;
    let fields = Fields::of_read(&headers, &uri)?;
    let room = gateway.check_readable(caller, &name).await?;
    let body = gateway.body(caller, form, room, (&fields, &headers)).await?;
    Ok(respond(form, body))
}

/// `GET /inbox/ws`: as `/inbox/json`, a line a frame.
pub(super) async fn socket(
    (parts, handshake): (Parts, Result<Handshake, Refused>),
) -> Result<Response, Refused> {
    let (State(gateway), Extension(peer), Name(name), uri, headers) = parts;
    let handshake = handshake?;
    let caller = gateway.caller(&headers, peer).await?;
    let fields = Fields::of_read(&headers, &uri)?;
    let room = gateway.check_readable(caller, &name).await?;
    let body = gateway.body(caller, Form::Json, room, (&fields, &headers)).await?;
    let over = match polls(&fields)? {
        true => End::Close(CloseCode::Normal, "these are all"),
        false => End::Close(CloseCode::Policy, "the session has ended"),
    };
    let (response, upgrade) = handshake.accept();
    upgrade.accept(async move |wire| {
        let heartbeat = gateway.options.heartbeat.get();
        let stopping = gateway.stopping.subscribe();
        let frames = Frames::new(wire, IGNORED_BYTES_MAX, heartbeat).await;
        frames.send_lines(body, over, &stopping, heartbeat).await;
    });
    Ok(response)
}

/// What the stream of events takes.
pub(super) type EventParts = (State<Arc<Gateway>>, Extension<Peer>, Uri, HeaderMap);

/// `GET /api/v1/events`: the events of `watch`, as server-sent events.
pub(super) async fn events(parts: EventParts) -> Result<Response, Refused> {
    let (State(gateway), Extension(peer), uri, headers) = parts;
    let caller = gateway.caller(&headers, peer).await?;
    let fields = Fields::of_read(&headers, &uri)?;
    let form = Form::Events;
    let body = gateway.body(caller, form, None, (&fields, &headers)).await?;
    Ok(respond(form, body))
}

fn respond(form: Form, body: Body) -> Response {
    ([(CONTENT_TYPE, form.content_type())], [UNBUFFERED], body).into_response()
}

fn polls(fields: &Fields) -> Result<bool, Refused> {
    match fields.get("poll").map(str::to_ascii_lowercase).as_deref() {
        None | Some("0" | "no" | "false") => Ok(false),
        Some("1" | "yes" | "true") => Ok(true),
        Some(_) => Err(Refused::bad("poll: give 1")),
    }
}

/// Where reading begins.
enum Place {
    /// The request does not say it.
    Default,
    Since(Since),
    Cursor(CursorName),
}

/// What the request says of the place. An id of the client's last event is newer than all else.
fn place(fields: &Fields, headers: &HeaderMap) -> Result<Place, Refused> {
    let cursor: Option<CursorName> = fields.parse("cursor")?;
    let since: Option<Since> = fields.parse("since")?;
    match (last_event_id(headers)?, cursor, since) {
        (_, Some(_), Some(_)) => Err(Refused::bad("since: the cursor says it already")),
        (Some(id), _, _) => Ok(Place::Since(Since::After(id))),
        (None, Some(cursor), None) => Ok(Place::Cursor(cursor)),
        (None, None, Some(since)) => Ok(Place::Since(since)),
        (None, None, None) => Ok(Place::Default),
    }
}

/// Moves a cursor: `POST /inbox/ack?upto=ID`.
pub(super) async fn ack(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    Name(name): Name,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    #[derive(Serialize)]
    struct Moved {
        cursor: CursorName,
        upto: String,
    }
    let caller = gateway.caller(&headers, peer).await?;
    let fields = Fields::of_ack(&uri)?;
    gateway.check_own(caller, &name).await?;
    let cursor = fields.parse("cursor")?.unwrap_or_else(CursorName::inbox);
    let upto = fields.get("upto").ok_or_else(|| Refused::bad("upto: give a message's id"))?;
    let upto = id(upto).ok_or_else(|| Refused::bad("upto: this is no message's id"))?;
    let ack = Ack { cursor, upto, rewind: false, dead: None };
    match act(&gateway.service, caller.token, Action::Ack(ack), caller.network).await {
        Reply::Acked(acked) => {
            let (cursor, upto) = (acked.cursor, acked.upto.0.to_string());
            Ok(axum::Json(Moved { cursor, upto }).into_response())
        }
        reply => Err(refused(reply)),
    }
}

impl Gateway {
    /// Whose messages a name stands for, if the caller may read them: those of the inbox, or of a
    /// room. A name that is neither gets the same refusal whatever it is, so it says nothing about
    /// it.
    async fn check_readable(
        &self,
        caller: Caller,
        name: &str,
    ) -> Result<Option<RoomName>, Refused> {
        if name == INBOX || self.is_own(caller, name).await? {
            return Ok(None);
        }
        let is_exact = name.starts_with('#');
        let parsed = if is_exact { name.parse() } else { format!("#{name}").parse() };
        let room: Option<RoomName> = parsed.ok();
        let seen = match &room {
            Some(room) => self.see(caller, room).await?,
            None => Seen::Nothing,
        };
        match (seen, room) {
            (Seen::Room(seen), Some(room)) if seen.role.is_some() => Ok(Some(room)),
            (Seen::Room(_), Some(room)) => {
                let why = format!("you are no member of {room}");
                Err(Refused::new(StatusCode::FORBIDDEN, Code::NotAllowed, why))
            }
            (Seen::Unknown, _) => Err(Code::TokenRights.into()),
            _ if is_exact => Err(Refusal::from(Code::UnknownRoom).about([name.to_owned()]).into()),
            _ => {
                let why = "you may read your own messages (/inbox) and those of your rooms only";
                Err(Refused::new(StatusCode::FORBIDDEN, Code::BadArgument, why))
            }
        }
    }

    /// Whether a name is the caller's own.
    async fn is_own(&self, caller: Caller, name: &str) -> Result<bool, Refused> {
        match act(&self.service, caller.token, Action::Whoami, caller.network).await {
            Reply::Identity(identity) => Ok(identity.user.as_str() == name),
            reply => Err(refused(reply)),
        }
    }

    /// Refuses a name that is not the caller's own. The refusal says nothing about the name.
    async fn check_own(&self, caller: Caller, name: &str) -> Result<(), Refused> {
        if name == INBOX || self.is_own(caller, name).await? {
            return Ok(());
        }
        let why = "you have cursors in your own messages only: /inbox";
        Err(Refused::new(StatusCode::FORBIDDEN, Code::BadArgument, why))
    }

    /// The messages that the parameters ask for: of the inbox, or of one room.
    async fn body(
        self: &Arc<Self>,
        caller: Caller,
        form: Form,
        room: Option<RoomName>,
        (fields, headers): (&Fields, &HeaderMap),
    ) -> Result<Body, Refused> {
        let place = place(fields, headers)?;
        let priorities = fields.get("priority").map(priorities).transpose()?.unwrap_or_default();
        // A room that was asked for is not muted. The events tell of all that another client of this
        // user should show, too.
        let all = form == Form::Events;
        let (sent, read, changes, muted) = (all, all, all, all || room.is_some());
        let filter = Filter {
            min_priority: priorities.iter().min().copied(),
            tags: tags(fields.get("tags"))?,
            room,
            ..Filter::default()
        };
        let wanted = Wanted { form, priorities };
        if polls(fields)? {
            return self.poll_from(caller, place, filter, wanted).await;
        }
        let from = self.beginning(caller, &place, &filter, &wanted).await?;
        let cursor = match place {
            Place::Cursor(cursor) => Some(cursor),
            Place::Default | Place::Since(_) => None,
        };
        let (filter, receipts) = (Box::new(filter), Vec::new());
        let action = Watch { cursor, from, sent, read, receipts, muted, changes, filter };
        let begun = watch(&self.service, caller.token, Action::Watch(action), caller.network);
        Ok(self.stream(begun.await.map_err(refused)?, wanted))
    }

    /// The body of a poll that begins there.
    async fn poll_from(
        self: &Arc<Self>,
        caller: Caller,
        place: Place,
        filter: Filter,
        wanted: Wanted,
    ) -> Result<Body, Refused> {
        let all = FetchFrom::After(MessageId::ZERO);
        let (from, time) = match place {
            Place::Cursor(cursor) => (FetchFrom::Cursor(cursor), None),
            Place::Default | Place::Since(Since::All) => (all, None),
            Place::Since(Since::New) => return Ok(Body::empty()),
            Place::Since(Since::Latest) => {
                let newest = self.newest_wanted(caller, &filter, &wanted).await?;
                return Ok(newest.map_or_else(Body::empty, |newest| wanted.body(&newest)));
            }
            Place::Since(Since::Unread) => (FetchFrom::Cursor(CursorName::inbox()), None),
            Place::Since(Since::After(id)) => {
                self.check_place(caller, id).await?;
                (FetchFrom::After(id), None)
            }
            Place::Since(Since::Time(time)) => (all, Some(time)),
        };
        self.poll(caller, fetch(from, time, filter, FETCH_MESSAGES_MAX), wanted).await
    }

    /// Refuses an id that this server has not given yet. The answer to a poll names no place. So its
    /// client would ask with the same id again and again, and miss all messages up to it.
    async fn check_place(&self, caller: Caller, id: MessageId) -> Result<(), Refused> {
        if id <= self.newest(caller).await? {
            return Ok(());
        }
        // The newest message of all may be another user's, or be deleted.
        let from = Watch { from: WatchFrom::New, ..Watch::default() };
        let begun = watch(&self.service, caller.token, Action::Watch(from), caller.network);
        if id <= begun.await.map_err(refused)?.watching.after {
            return Ok(());
        }
        let why = "since: no message had this id yet; it is from another server";
        Err(Refused::new(StatusCode::NOT_FOUND, Code::UnknownMessage, why))
    }

    /// Where a stream begins.
    async fn beginning(
        &self,
        caller: Caller,
        place: &Place,
        filter: &Filter,
        wanted: &Wanted,
    ) -> Result<WatchFrom, Refused> {
        let time = match place {
            // An id beyond the newest message is of another database, or of a message that was
            // purged. A later message must not be skipped for it.
            Place::Since(Since::After(id)) => {
                return Ok(WatchFrom::After((*id).min(self.newest(caller).await?)));
            }
            Place::Cursor(_) | Place::Since(Since::Unread) => return Ok(WatchFrom::Unread),
            Place::Default | Place::Since(Since::New) => return Ok(WatchFrom::New),
            Place::Since(Since::All) => return Ok(WatchFrom::All),
            Place::Since(Since::Latest) => {
                // What comes between the two questions is newer than the newest message.
                let newest = self.newest(caller).await?;
                let wanted = self.newest_wanted(caller, filter, wanted).await?;
                return Ok(WatchFrom::After(wanted.map_or(newest, |wanted| before(wanted.id))));
            }
            Place::Since(Since::Time(time)) => *time,
        };
        // As above.
        let newest = self.newest(caller).await?;
        let from = FetchFrom::After(MessageId::ZERO);
        let first = self.page(caller, fetch(from, Some(time), Filter::default(), 1)).await?;
        let first = first.messages.first().map(|first| before(first.id));
        Ok(WatchFrom::After(first.unwrap_or(newest)))
    }

    /// The newest message that the request wants.
    async fn newest_wanted(
        &self,
        caller: Caller,
        filter: &Filter,
        wanted: &Wanted,
    ) -> Result<Option<Message>, Refused> {
        let (mut before, mut limit) = (MessageId(i64::MAX), 1);
        loop {
            let from = FetchFrom::Before(before);
            let _turn = self.turn().await?;
            let page = self.page(caller, fetch(from, None, filter.clone(), limit)).await?;
            let oldest = page.upto.or(page.messages.first().map(|oldest| oldest.id));
            let mut newest_first = page.messages.into_iter().rev();
            match (newest_first.find(|message| wanted.takes(message)), oldest) {
                (None, Some(oldest)) if page.more => before = oldest,
                (found, _) => return Ok(found),
            }
            limit = (limit * 4).min(FETCH_MESSAGES_MAX);
        }
    }

    /// The id of the caller's newest message.
    async fn newest(&self, caller: Caller) -> Result<MessageId, Refused> {
        let from = FetchFrom::Before(MessageId(i64::MAX));
        let page = self.page(caller, fetch(from, None, Filter::default(), 1)).await?;
        Ok(page.messages.last().map_or(MessageId::ZERO, |newest| newest.id))
    }

    /// One page of messages.
    pub(super) async fn page(&self, caller: Caller, fetch: Fetch) -> Result<Page, Refused> {
        match act(&self.service, caller.token, Action::Fetch(fetch), caller.network).await {
            Reply::Page(page) => Ok(page),
            reply => Err(refused(reply)),
        }
    }
}

fn fetch(from: FetchFrom, since: Option<Timestamp>, filter: Filter, limit: usize) -> Fetch {
    Fetch { from, with: None, thread: None, since, filter: Box::new(filter), limit }
}

/// The id that `Last-Event-ID` names: an `EventSource` that reconnects sends it.
fn last_event_id(headers: &HeaderMap) -> Result<Option<MessageId>, Refused> {
    let Some(field) = headers.get("last-event-id").filter(|field| !field.is_empty()) else {
        return Ok(None);
    };
    let found = field.to_str().ok().and_then(id);
    found.map(Some).ok_or_else(|| Refused::bad("Last-Event-ID: this server gave no such id"))
}

fn id(text: &str) -> Option<MessageId> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).map(MessageId)
}

fn before(id: MessageId) -> MessageId {
    MessageId((id.0 - 1).max(0))
}

/// Priorities, with commas between them: any of them is wanted.
fn priorities(text: &str) -> Result<Vec<Priority>, Refused> {
    let priorities = text.split(',').map(str::trim).filter(|text| !text.is_empty());
    priorities.filter_map(|text| priority(Some(text)).transpose()).collect()
}
