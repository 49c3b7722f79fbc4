//! Reading: the messages of the caller's own inbox, at once (`poll=1`) or as a stream.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::Gateway;
use super::call::{act, watch};
use super::fields::Fields;
use super::publish::{priority, tags};
use super::refused::Refused;
use super::sign_in::Caller;
use super::since::Since;
use super::stream::{Form, Wanted};
use crate::http::Peer;
use crate::model::{CursorName, Filter, MessageId, Priority, Timestamp};
use crate::protocol::arguments::{Ack, FETCH_MESSAGES_MAX, Fetch, FetchFrom, Watch, WatchFrom};
use crate::protocol::command::Action;
use crate::protocol::refusal::Code;
use crate::protocol::reply::{Page, Reply};

/// The caller's own inbox, whatever the caller's name is.
const INBOX: &str = "inbox";

/// Asks a proxy not to hold a stream back.
const UNBUFFERED: (HeaderName, &str) = (HeaderName::from_static("x-accel-buffering"), "no");

/// What all three forms take.
type Parts = (State<Arc<Gateway>>, Extension<Peer>, Path<String>, Uri, HeaderMap);

/// `GET /inbox/json`: an object a line.
pub(super) async fn json(
    gateway: State<Arc<Gateway>>,
    peer: Extension<Peer>,
    name: Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    read(Form::Json, (gateway, peer, name, uri, headers)).await
}

/// `GET /inbox/sse`: server-sent events.
pub(super) async fn sse(
    gateway: State<Arc<Gateway>>,
    peer: Extension<Peer>,
    name: Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    read(Form::Sse, (gateway, peer, name, uri, headers)).await
}

/// `GET /inbox/raw`: a text a line.
pub(super) async fn raw(
    gateway: State<Arc<Gateway>>,
    peer: Extension<Peer>,
    name: Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    read(Form::Raw, (gateway, peer, name, uri, headers)).await
}

async fn read(form: Form, parts: Parts) -> Result<Response, Refused> {
    let (State(gateway), Extension(peer), Path(name), uri, headers) = parts;
    let caller = gateway.caller(&headers, peer).await?;
    let fields = Fields::of_read(&headers, &uri)?;
    gateway.check_own(caller, &name).await?;
    let cursor: Option<CursorName> = fields.parse("cursor")?;
    let since: Option<Since> = fields.parse("since")?;
    let resumed = last_event_id(&headers)?;
    let priorities = fields.get("priority").map(priorities).transpose()?.unwrap_or_default();
    let filter = Filter {
        min_priority: priorities.iter().min().copied(),
        tags: tags(fields.get("tags"))?,
        ..Filter::default()
    };
    let wanted = Wanted { form, priorities };
    let polls = match fields.get("poll").map(str::to_ascii_lowercase).as_deref() {
        None | Some("0" | "no" | "false") => false,
        Some("1" | "yes" | "true") => true,
        Some(_) => return Err(Refused::bad("poll: give 1")),
    };
    let body = if polls {
        if cursor.is_some() && since.is_some() {
            return Err(Refused::bad("since: the cursor says it already"));
        }
        let since = resumed.map(Since::After).or(since);
        let first = first_page(cursor, since, filter);
        gateway.poll(caller, first, wanted).await?
    } else {
        let from = gateway.beginning(caller, resumed, since, cursor.is_some()).await?;
        // The place that a client names itself is newer than the cursor's.
        let cursor = cursor.filter(|_| resumed.is_none());
        let action = Watch { cursor, from, filter: Box::new(filter), ..Watch::default() };
        let begun = watch(&gateway.service, caller.token, Action::Watch(action), caller.network);
        gateway.stream(begun.await.map_err(refused)?, wanted)
    };
    Ok(([(CONTENT_TYPE, form.content_type())], [UNBUFFERED], body).into_response())
}

/// Moves a cursor: `POST /inbox/ack?upto=ID`.
pub(super) async fn ack(
    State(gateway): State<Arc<Gateway>>,
    Extension(peer): Extension<Peer>,
    Path(name): Path<String>,
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
    /// Whether a name is the caller's own. All others get the same refusal, so it says nothing about
    /// them.
    async fn check_own(&self, caller: Caller, name: &str) -> Result<(), Refused> {
        if name == INBOX {
            return Ok(());
        }
        match act(&self.service, caller.token, Action::Whoami, caller.network).await {
            Reply::Identity(identity) if identity.user.as_str() == name => Ok(()),
            Reply::Identity(_) => {
                let why = "you may read your own messages only: /inbox";
                Err(Refused::new(StatusCode::FORBIDDEN, Code::BadArgument, why))
            }
            reply => Err(refused(reply)),
        }
    }

    /// Where a stream begins.
    async fn beginning(
        &self,
        caller: Caller,
        resumed: Option<MessageId>,
        since: Option<Since>,
        has_cursor: bool,
    ) -> Result<WatchFrom, Refused> {
        let time = match (resumed, since) {
            // An id beyond the newest message is of another database, or of a message that was
            // purged. A later message must not be skipped for it.
            (Some(id), _) | (None, Some(Since::After(id))) => {
                return Ok(WatchFrom::After(id.min(self.newest(caller).await?)));
            }
            (None, None) if has_cursor => return Ok(WatchFrom::Unread),
            (None, None | Some(Since::New)) => return Ok(WatchFrom::New),
            (None, Some(Since::All)) => return Ok(WatchFrom::All),
            (None, Some(Since::Unread)) => return Ok(WatchFrom::Unread),
            (None, Some(Since::Latest)) => {
                return Ok(WatchFrom::After(before(self.newest(caller).await?)));
            }
            (None, Some(Since::Time(time))) => time,
        };
        // What comes between the two questions is newer than the newest message.
        let newest = self.newest(caller).await?;
        let from = FetchFrom::After(MessageId::ZERO);
        let first = self.page(caller, fetch(from, Some(time), Filter::default(), 1)).await?;
        let first = first.messages.first().map(|first| before(first.id));
        Ok(WatchFrom::After(first.unwrap_or(newest)))
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

/// The first page of a poll. `None` if nothing is wanted.
fn first_page(cursor: Option<CursorName>, since: Option<Since>, filter: Filter) -> Option<Fetch> {
    let all = FetchFrom::After(MessageId::ZERO);
    let (from, time, limit) = match (cursor, since) {
        (Some(cursor), _) => (FetchFrom::Cursor(cursor), None, FETCH_MESSAGES_MAX),
        (None, None | Some(Since::All)) => (all, None, FETCH_MESSAGES_MAX),
        (None, Some(Since::New)) => return None,
        (None, Some(Since::Latest)) => (FetchFrom::Before(MessageId(i64::MAX)), None, 1),
        (None, Some(Since::Unread)) => {
            (FetchFrom::Cursor(CursorName::inbox()), None, FETCH_MESSAGES_MAX)
        }
        (None, Some(Since::After(id))) => (FetchFrom::After(id), None, FETCH_MESSAGES_MAX),
        (None, Some(Since::Time(time))) => (all, Some(time), FETCH_MESSAGES_MAX),
    };
    Some(fetch(from, time, filter, limit))
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

pub(super) fn refused(reply: Reply) -> Refused {
    match reply {
        Reply::Refused(refusal) => refusal.into(),
        _ => Code::Internal.into(),
    }
}
