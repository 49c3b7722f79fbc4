//! The deadlines of a connection: how long its client may take to send a head, to begin another
//! request, and to read a response. hyper has no deadline for a slow reader, so the socket has them;
//! [`Activity`] adds that of each response of HTTP/2.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::activity::Activity;

/// How long the head of a request may take. The time counts from its first byte; for the first
/// request, from the start of the connection.
const HEAD_WAIT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept for another request.
const KEEP_ALIVE_WAIT: Duration = Duration::from_secs(75);
/// How long a write may make no progress, and a part of a response may wait for its reader.
pub(super) const WRITE_WAIT: Duration = Duration::from_secs(10);
/// How long the rest of a client's input is read after the last response. Closing a socket with
/// unread input would discard the response.
const DRAIN_WAIT: Duration = Duration::from_secs(1);

/// A socket with deadlines.
pub(super) struct Paced<S> {
    socket: S,
    activity: Arc<Activity>,
    /// When it began to wait for a request, and how many had been answered by then.
    waits_since: Instant,
    completed: usize,
    /// When the first byte of the next request came.
    head_began: Option<Instant>,
    /// When a write was first refused since the last progress.
    stalled: Option<Instant>,
    draining: Option<Instant>,
    has_ended: bool,
    reading: Alarm,
    writing: Alarm,
}

#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Whether the time has come; if not, it wakes the task then.
    fn is_due(&mut self, at: Instant, context: &mut Context<'_>) -> bool {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(context).is_ready()
    }
}

impl<S> Paced<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>) -> Self {
        Self {
            socket,
            activity,
            waits_since: Instant::now(),
            completed: 0,
            head_began: None,
            stalled: None,
            draining: None,
            has_ended: false,
            reading: Alarm::default(),
            writing: Alarm::default(),
        }
    }

    /// When the client has taken too long to send a request. `None` while it waits for an answer.
    fn read_deadline(&mut self) -> Option<Instant> {
        if self.activity.is_busy() {
            return None;
        }
        let completed = self.activity.completed();
        if completed != self.completed {
            (self.completed, self.waits_since, self.head_began) = (completed, Instant::now(), None);
        }
        // The bytes of HTTP/2 need not belong to a request.
        let is_first = completed == 0;
        let head_began = self.head_began.filter(|_| !self.activity.is_multiplexed());
        Some(match head_began {
            _ if is_first => self.waits_since + HEAD_WAIT,
            Some(began) => began + HEAD_WAIT,
            None => self.waits_since + KEEP_ALIVE_WAIT,
        })
    }

    /// Notes the result of a write. `Err` means that the client has read nothing for too long.
    fn paced<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let since = *self.stalled.get_or_insert_with(Instant::now);
        match self.writing.is_due(since + WRITE_WAIT, context) {
            true => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            false => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        match read {
            Poll::Ready(Ok(())) if buffer.filled().len() == before => self.has_ended = true,
            Poll::Ready(Ok(())) if !self.activity.is_busy() => {
                // A new count of answered requests begins a new wait.
                self.read_deadline();
                self.head_began.get_or_insert_with(Instant::now);
            }
            Poll::Ready(_) => {}
            Poll::Pending => {
                if let Some(deadline) = self.read_deadline()
                    && self.reading.is_due(deadline, context)
                {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.paced(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(context);
        self.paced(flushed, context)
    }

    /// Ends the output, and reads the rest of the input.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.draining.is_none() {
            let shut = Pin::new(&mut self.socket).poll_shutdown(context);
            ready!(self.paced(shut, context))?;
        }
        let until = *self.draining.get_or_insert_with(|| Instant::now() + DRAIN_WAIT);
        while !self.has_ended {
            let mut rest = [0; 4096];
            let mut buffer = ReadBuf::new(&mut rest);
            match Pin::new(&mut self.socket).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) => self.has_ended = buffer.filled().is_empty(),
                Poll::Ready(Err(_)) => self.has_ended = true,
                Poll::Pending if self.reading.is_due(until, context) => self.has_ended = true,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.paced(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
