//! The body of a response that is written bit by bit: the pages of a poll, and the events of a
//! stream. A client that reads slowly delays only its own next page. What waits for it is the text of
//! some messages, and never a page of the store.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http_body::Frame;
use tokio::sync::{SemaphorePermit, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Gateway;
use super::call::{Begun, News};
use super::message::Event;
use super::refused::Refused;
use super::sign_in::Caller;
use crate::model::{Change, Message, MessageId, Priority, UserName};
use crate::protocol::arguments::{FETCH_MESSAGES_MAX, Fetch, FetchFrom};
use crate::protocol::event::{Event as OwnEvent, encode_message};
use crate::protocol::framing::REPLY_END;
use crate::protocol::refusal::Code;
use crate::protocol::reply::Page;
use crate::service::StreamPage;

/// How long to wait before the next read if the store was busy.
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// How long a browser waits before it connects again, in milliseconds.
const RETRY_WAIT_MS: u32 = 2_000;
/// The text of a response that is ready before its client reads it, without the last message.
const TEXT_BYTES_MAX: usize = 64 * 1024;
/// The most bytes of a part of a response: what a client must read within the write limit.
const PART_BYTES_MAX: usize = 16 * 1024;
/// The messages of the first page of a poll. Later ones follow the size of the messages.
const FIRST_PAGE_MESSAGES: usize = 16;

/// The form of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Sse,
    Raw,
    /// Server-sent events that are the events of the line protocol.
    Events,
}

/// What is wanted beyond the filter of the service.
pub(super) struct Wanted {
    pub(super) form: Form,
    /// Any of these priorities; none stands for all.
    pub(super) priorities: Vec<Priority>,
}

impl Form {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/x-ndjson; charset=utf-8",
            Self::Sse | Self::Events => "text/event-stream; charset=utf-8",
            Self::Raw => "text/plain; charset=utf-8",
        }
    }

    fn push(self, event: &Event<'_>, text: Option<&str>, out: &mut String) {
        match self {
            // It has no other event that says nothing but a place.
            Self::Events => {
                out.push_str(&format!("id: {}\n", event.id()));
                out.push_str(&data(|line| OwnEvent::Heartbeat.encode(line)));
            }
            Self::Json => out.push_str(&event.line()),
            Self::Sse => {
                if event.kind() != "message" {
                    out.push_str(&format!("event: {}\n", event.kind()));
                }
                out.push_str(&format!("id: {}\ndata: {}\n", event.id(), event.line()));
            }
            Self::Raw => out.push_str(&text.unwrap_or_default().replace(['\r', '\n'], " ")),
        }
        out.push('\n');
    }
}

/// The field `data` of an event that the line protocol writes, which is one line of ASCII.
fn data(encode: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut line = Vec::new();
    encode(&mut line);
    line.truncate(line.len() - REPLY_END.len());
    format!("data: {}\n", String::from_utf8_lossy(&line))
}

impl Wanted {
    /// Whether the response has this message.
    pub(super) fn takes(&self, message: &Message) -> bool {
        let priority = message.details.as_ref().map_or(Priority::Default, |found| found.priority);
        self.priorities.is_empty() || self.priorities.contains(&priority)
    }

    /// A response of one message.
    pub(super) fn body(&self, message: &Message) -> Body {
        let mut out = String::new();
        self.push(message, &mut out);
        out.into()
    }

    fn push(&self, message: &Message, out: &mut String) {
        if !self.takes(message) {
        } else if self.form == Form::Events {
            out.push_str(&format!("id: {}\n", message.id.0));
            out.push_str(&data(|line| encode_message(message, line)));
            out.push('\n');
        } else {
            self.form.push(&Event::read(message), Some(message.body.as_str()), out);
        }
    }
}

impl Gateway {
    /// The body of a poll. Its first page is read before the response begins, so that a refusal has
    /// its status.
    pub(super) async fn poll(
        self: &Arc<Self>,
        caller: Caller,
        mut fetch: Fetch,
        wanted: Wanted,
    ) -> Result<Body, Refused> {
        fetch.limit = fetch.limit.min(FIRST_PAGE_MESSAGES);
        let mut text = self.text(caller, &mut fetch, &wanted).await?;
        let (mut sender, body) = channel();
        let gateway = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                let Text { out, more } = text;
                if sender.send(out).await.is_err() {
                    return;
                }
                if !more {
                    break;
                }
                text = match gateway.text(caller, &mut fetch, &wanted).await {
                    Ok(text) => text,
                    // Without the end mark, the client sees that the response is incomplete.
                    Err(_) => return,
                };
            }
            sender.end().await;
        });
        Ok(body)
    }

    /// The text of the next messages of a poll. The page is gone before the text is sent, and few
    /// pages are there at a time, however many clients read. `fetch` becomes the next one.
    async fn text(
        &self,
        caller: Caller,
        fetch: &mut Fetch,
        wanted: &Wanted,
    ) -> Result<Text, Refused> {
        let _turn = self.turn().await?;
        // A page after a cursor has incoming messages only, and so have those after it.
        let is_incoming = matches!(fetch.from, FetchFrom::Cursor(_) | FetchFrom::Incoming(_));
        let Page { messages, more, upto, more_before: _, changes: _ } =
            self.page(caller, fetch.clone()).await?;
        let mut out = String::new();
        let mut taken = 0;
        for message in &messages {
            if out.len() >= TEXT_BYTES_MAX {
                break;
            }
            wanted.push(message, &mut out);
            taken += 1;
        }
        let is_whole = taken == messages.len();
        let last = messages[..taken].last().map(|last| last.id);
        let last = upto.filter(|_| is_whole).or(last);
        // A page of as much text as one takes.
        fetch.limit = match is_whole {
            false => taken,
            true if out.len() < TEXT_BYTES_MAX / 2 => (fetch.limit * 2).min(FETCH_MESSAGES_MAX),
            true => fetch.limit,
        };
        let last = last.filter(|_| more || !is_whole);
        match last {
            Some(last) if is_incoming => fetch.from = FetchFrom::Incoming(last),
            Some(last) => fetch.from = FetchFrom::After(last),
            None => {}
        }
        Ok(Text { out, more: last.is_some() })
    }

    /// Waits until there may be another page of the store in memory.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, Refused> {
        self.pages.acquire().await.map_err(|_| Code::ShuttingDown.into())
    }

    /// The body of a stream.
    pub(super) fn stream(&self, begun: Begun, wanted: Wanted) -> Body {
        let (sender, body) = channel();
        let heartbeat = self.options.heartbeat.get();
        let stopping = self.stopping.subscribe();
        let Begun { watching, watcher, news } = begun;
        let pump = Pump {
            reader: watching.watching,
            after: watching.after,
            watcher,
            news,
            wanted,
            sender,
            hinted: true,
            heartbeat,
            heartbeat_at: Instant::now() + heartbeat,
        };
        tokio::spawn(pump.run(stopping));
        body
    }
}

/// The text of some messages of a poll.
struct Text {
    out: String,
    more: bool,
}

/// Writes the events of one stream.
struct Pump {
    reader: UserName,
    /// All messages up to and including this id were written.
    after: MessageId,
    watcher: crate::service::Watcher,
    news: mpsc::UnboundedReceiver<News>,
    wanted: Wanted,
    sender: Sender,
    /// There may be newer messages.
    hinted: bool,
    heartbeat: Duration,
    heartbeat_at: Instant,
}

/// The stream has ended.
struct Over;

impl Pump {
    async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let stop = async move { drop(stopping.wait_for(|stopping| *stopping).await) };
        tokio::select! {
            _ = self.write_all() => {}
            () = stop => {}
        }
        // A stream that ends is complete: the client continues after its last event.
        self.sender.try_end();
    }

    async fn write_all(&mut self) -> Result<(), Over> {
        let mut out = match self.wanted.form {
            Form::Sse | Form::Events => format!("retry: {RETRY_WAIT_MS}\n"),
            Form::Json | Form::Raw => String::new(),
        };
        let open = Event::other("open", self.after, &self.reader);
        self.wanted.form.push(&open, None, &mut out);
        self.send(out).await?;
        loop {
            if std::mem::take(&mut self.hinted) {
                let page = match self.watcher.read(self.after) {
                    Some(page) => page,
                    None => self.next_page().await?,
                };
                self.take(page).await?;
            } else {
                self.wait().await?;
            }
        }
    }

    /// Waits for a hint, or writes a sign of life. That also reads, which checks the session.
    async fn wait(&mut self) -> Result<(), Over> {
        tokio::select! {
            news = self.news.recv() => match news {
                Some(News::Hint) => self.hinted = true,
                Some(News::Page(page)) => self.take(page).await?,
                None => return Err(Over),
            },
            () = sleep_until(self.heartbeat_at) => {
                let mut out = String::new();
                let alive = Event::other("keepalive", self.after, &self.reader);
                self.wanted.form.push(&alive, None, &mut out);
                self.send(out).await?;
                self.hinted = true;
            }
            () = self.sender.0.closed() => return Err(Over),
        }
        Ok(())
    }

    async fn next_page(&mut self) -> Result<StreamPage, Over> {
        loop {
            match self.news.recv().await {
                Some(News::Hint) => self.hinted = true,
                Some(News::Page(page)) => return Ok(page),
                None => return Err(Over),
            }
        }
    }

    async fn take(&mut self, page: StreamPage) -> Result<(), Over> {
        match page {
            StreamPage::Messages { messages, changes, more, upto } => {
                let mut out = String::new();
                let mut changes = changes.into_iter().peekable();
                // Each is dropped with its text written.
                for message in messages {
                    while let Some(change) = changes.next_if(|it| it.change < message.id) {
                        self.push_change(change, &mut out);
                    }
                    // Ids only rise. A message that was read twice is written once.
                    if message.id > self.after {
                        self.after = message.id;
                        self.wanted.push(&message, &mut out);
                    }
                }
                changes.for_each(|change| self.push_change(change, &mut out));
                self.after = self.after.max(upto.unwrap_or(self.after));
                self.hinted |= more;
                if !out.is_empty() {
                    self.send(out).await?;
                }
                Ok(())
            }
            StreamPage::Sent { id, to } => self.tell(&OwnEvent::Sent { id, to }).await,
            StreamPage::Read(upto) => self.tell(&OwnEvent::Read(upto)).await,
            StreamPage::Changed { id, to } => self.tell(&OwnEvent::Changed { id, to }).await,
            StreamPage::Receipt(id) => self.tell(&OwnEvent::Receipt { id }).await,
            StreamPage::Later => {
                tokio::time::sleep(BUSY_WAIT).await;
                self.hinted = true;
                Ok(())
            }
            StreamPage::Over(_) => Err(Over),
        }
    }

    /// Only the form that has such events asks for changes.
    fn push_change(&mut self, change: Change, out: &mut String) {
        if change.change > self.after {
            self.after = change.change;
            let data = data(|line| OwnEvent::from(change).encode(line));
            out.push_str(&format!("id: {}\n{data}\n", self.after.0));
        }
    }

    /// Sends an event that is no message. Only the form that has such events asks for them.
    async fn tell(&mut self, event: &OwnEvent) -> Result<(), Over> {
        let data = data(|line| event.encode(line));
        self.send(format!("id: {}\n{data}\n", self.after.0)).await
    }

    async fn send(&mut self, out: String) -> Result<(), Over> {
        self.sender.send(out).await?;
        self.heartbeat_at = Instant::now() + self.heartbeat;
        Ok(())
    }
}

/// Where the parts of a body come from. `None` is the end.
struct Sender(mpsc::Sender<Option<Bytes>>);

/// A body, and where its parts come from. One part waits at most.
fn channel() -> (Sender, Body) {
    let (sender, receiver) = mpsc::channel(1);
    (Sender(sender), Body::new(Parts(receiver)))
}

impl Sender {
    /// Sends a text in parts, each when the one before was taken. An error means that the client
    /// has gone.
    async fn send(&mut self, text: String) -> Result<(), Over> {
        if self.0.is_closed() {
            return Err(Over);
        }
        for part in text.as_bytes().chunks(PART_BYTES_MAX) {
            // A copy: a part that waits in the connection must not keep the whole text.
            self.0.send(Some(Bytes::copy_from_slice(part))).await.map_err(|_| Over)?;
        }
        Ok(())
    }

    /// Ends the body.
    async fn end(self) {
        let _ = self.0.send(None).await;
    }

    /// Ends the body, unless a part still waits.
    fn try_end(&self) {
        let _ = self.0.try_send(None);
    }
}

struct Parts(mpsc::Receiver<Option<Bytes>>);

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        self.0.poll_recv(context).map(|part| match part {
            Some(Some(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(None) => None,
            // The writer has gone without an end.
            None => Some(Err(std::io::ErrorKind::UnexpectedEof.into())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_for_a_client_that_has_gone_ends_its_writer_even_if_it_is_empty() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (mut sender, body) = channel();
        drop(body);
        // A poll whose filter leaves all out writes no text for a long time.
        assert!(runtime.block_on(sender.send(String::new())).is_err());
        assert!(runtime.block_on(sender.send("hai".to_owned())).is_err());
    }
}
