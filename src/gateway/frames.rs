//! The frames of a WebSocket: texts in both directions, pings, and the close.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::{SinkExt, StreamExt};
use http_body_util::BodyExt;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Utf8Bytes};

use super::boundaries::Boundaries;
use crate::http::Wire;
use crate::server::connection::LINE_WAIT;

/// The input that is read at a time. Ten thousand idle clients hold it.
const READ_BYTES: usize = 4 * 1024;
/// The output that is gathered before it is written.
const WRITE_BYTES: usize = 16 * 1024;
/// How long a client may be silent after a ping.
const PONG_WAIT: Duration = Duration::from_secs(30);
/// How long the client may take to answer the last frame.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// A write that takes as long kept the client's frames waiting.
const WRITE_LONG: Duration = Duration::from_secs(1);

/// The end of all WebSockets when the server stops.
pub(super) const STOPPING: End = End::Close(CloseCode::Away, "the server is stopping");

/// The frames of one WebSocket.
pub(super) struct Frames {
    stream: WebSocketStream<Watched>,
    /// When the client last sent a frame, or could have.
    heard_at: Instant,
    ping_at: Instant,
    /// Rings when an incomplete message has taken too long.
    alarm: Option<Pin<Box<Sleep>>>,
}

/// The bytes of a client, and since when a message of it is incomplete.
struct Watched {
    wire: Wire,
    boundaries: Boundaries,
    incomplete_since: Option<Instant>,
}

/// Why a WebSocket ends.
pub(super) enum End {
    /// It is closed with this code and text.
    Close(CloseCode, &'static str),
    /// The client has closed it, or the connection is broken.
    Gone,
}

impl Frames {
    /// The frames of a connection. A text of the client may have this many bytes.
    pub(super) async fn new(wire: Wire, text_bytes_max: usize, heartbeat: Duration) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BYTES)
            .write_buffer_size(WRITE_BYTES)
            .max_message_size(Some(text_bytes_max))
            .max_frame_size(Some(text_bytes_max));
        let wire = Watched { wire, boundaries: Boundaries::default(), incomplete_since: None };
        let stream = WebSocketStream::from_raw_socket(wire, Role::Server, Some(config)).await;
        let now = Instant::now();
        Self { stream, heard_at: now, ping_at: now + heartbeat, alarm: None }
    }

    /// The next text. It can be dropped at any time without losing one.
    pub(super) async fn receive(&mut self) -> Result<Utf8Bytes, End> {
        loop {
            let frame = poll_fn(|context| self.poll_frame(context)).await?;
            self.heard_at = Instant::now();
            return match frame {
                Some(Ok(Message::Text(text))) => Ok(text),
                Some(Ok(Message::Binary(_))) => {
                    Err(End::Close(CloseCode::Unsupported, "send text frames"))
                }
                // tungstenite answers a ping and a close.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
                Some(Err(Error::Capacity(_))) => {
                    Err(End::Close(CloseCode::Size, "the text is too long"))
                }
                Some(Err(Error::Utf8(_))) => {
                    Err(End::Close(CloseCode::Invalid, "the text is not UTF-8"))
                }
                Some(Err(Error::Protocol(_) | Error::AttackAttempt)) => {
                    Err(End::Close(CloseCode::Protocol, "these are no frames of a WebSocket"))
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => Err(End::Gone),
            };
        }
    }

    /// The next frame, unless the rest of it takes too long.
    fn poll_frame(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<Result<Message, Error>>, End>> {
        if let Poll::Ready(frame) = self.stream.poll_next_unpin(context) {
            return Poll::Ready(Ok(frame));
        }
        let Some(since) = self.stream.get_ref().incomplete_since else {
            self.alarm = None;
            return Poll::Pending;
        };
        let by = since + LINE_WAIT;
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(by)));
        if alarm.deadline() != by {
            alarm.as_mut().reset(by);
        }
        let rest = "the rest of a message did not come";
        alarm.as_mut().poll(context).map(|()| Err(End::Close(CloseCode::Policy, rest)))
    }

    /// Sends a text, once there is a flush. The socket ends a client that reads nothing.
    pub(super) async fn feed(&mut self, text: String) -> Result<(), End> {
        let begun = Instant::now();
        let fed = self.stream.feed(Message::text(text)).await;
        self.note_write(begun);
        fed.map_err(|_| End::Gone)
    }

    /// Sends all texts.
    pub(super) async fn flush(&mut self) -> Result<(), End> {
        let begun = Instant::now();
        let flushed = self.stream.flush().await;
        self.note_write(begun);
        flushed.map_err(|_| End::Gone)
    }

    fn note_write(&mut self, begun: Instant) {
        if begun.elapsed() >= WRITE_LONG {
            self.hold();
        }
    }

    /// No frame is read for now, so the client is neither silent nor slow.
    pub(super) fn hold(&mut self) {
        self.heard_at = Instant::now();
        let incomplete_since = &mut self.stream.get_mut().incomplete_since;
        *incomplete_since = incomplete_since.map(|_| self.heard_at);
    }

    /// When to call [`Self::ping`].
    pub(super) fn ping_at(&self) -> Instant {
        self.ping_at
    }

    /// Asks a client that was silent for a heartbeat whether it is there.
    pub(super) async fn ping(&mut self, heartbeat: Duration) -> Result<(), End> {
        let now = Instant::now();
        if now < self.ping_at {
            return Ok(());
        }
        self.ping_at = now + heartbeat;
        let silent = now.duration_since(self.heard_at);
        if silent >= heartbeat + PONG_WAIT {
            return Err(End::Close(CloseCode::Policy, "no answer to a ping"));
        }
        if silent >= heartbeat {
            let sent = self.stream.send(Message::Ping(Default::default())).await;
            sent.map_err(|_| End::Gone)?;
        }
        Ok(())
    }

    /// Sends each line of a body as a text, then ends as `over` says, or with the server. Texts of the
    /// client are ignored.
    pub(super) async fn send_lines(
        mut self,
        mut body: Body,
        over: End,
        stopping: &watch::Receiver<bool>,
        heartbeat: Duration,
    ) {
        let end = match self.relay(&mut body, heartbeat).await {
            Err(end) => end,
            Ok(()) if *stopping.borrow() => STOPPING,
            Ok(()) => over,
        };
        self.close(end).await;
    }

    async fn relay(&mut self, body: &mut Body, heartbeat: Duration) -> Result<(), End> {
        let mut line = Vec::new();
        loop {
            let ping_at = self.ping_at;
            tokio::select! {
                part = body.frame() => match part {
                    Some(Ok(part)) => self.send_part(part.into_data(), &mut line).await?,
                    Some(Err(_)) => return Err(End::Close(CloseCode::Error, "it is incomplete")),
                    None => return Ok(()),
                },
                text = self.receive() => drop(text?),
                () = sleep_until(ping_at) => {}
            }
            self.ping(heartbeat).await?;
        }
    }

    async fn send_part<T>(
        &mut self,
        part: Result<Bytes, T>,
        line: &mut Vec<u8>,
    ) -> Result<(), End> {
        let Ok(part) = part else { return Ok(()) };
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece);
            if line.pop_if(|last| *last == b'\n').is_some() {
                let text = String::from_utf8(std::mem::take(line)).map_err(|_| End::Gone)?;
                self.feed(text).await?;
            }
        }
        self.flush().await
    }

    /// Ends the WebSocket.
    pub(super) async fn close(mut self, end: End) {
        let last = async {
            if let End::Close(code, reason) = end {
                tracing::debug!(reason, "a WebSocket is closed");
                self.stream.close(Some(CloseFrame { code, reason: reason.into() })).await?;
                // The client answers it, and sends no more.
                while self.stream.next().await.is_some_and(|frame| frame.is_ok()) {}
            }
            self.stream.flush().await
        };
        let _ = timeout(CLOSE_WAIT, last).await;
        let _ = self.stream.get_mut().shutdown().await;
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.wire).poll_read(context, buffer);
        let ended = self.boundaries.ended();
        self.boundaries.feed(&buffer.filled()[before..]);
        let since = self.incomplete_since.filter(|_| self.boundaries.ended() == ended);
        let is_inside = self.boundaries.is_inside();
        self.incomplete_since = is_inside.then(|| since.unwrap_or_else(Instant::now));
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}
