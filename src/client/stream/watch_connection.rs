//! One connection of a stream. It may be watching, and counts as dead when it is silent for too
//! long.

use std::time::{Duration, Instant};

use super::Timeouts;
use crate::client::connection::{Connection, ExchangeError, decode};
use crate::client::dial::Dialer;
use crate::client::failure::Failure;
use crate::client::frames::{FrameDecoder, FrameTooLong};
use crate::protocol::reply::DecodedReply;

/// The least time for a read, so that it returns what has already arrived.
const LOOK_MIN: Duration = Duration::from_millis(1);

/// A connection that may be watching.
#[derive(Debug)]
pub(super) struct WatchConnection {
    connection: Connection,
    pub(super) frames: FrameDecoder,
    /// When something last arrived.
    last_heard: Instant,
    pub(super) watch: WatchState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchState {
    /// No `watch` was sent: the connection is for acknowledgements only.
    Off,
    /// `watch` was sent, after this many acknowledgements without an answer.
    Asked {
        behind: usize,
    },
    On,
}

impl WatchConnection {
    pub(super) fn open(dialer: &Dialer, timeouts: &Timeouts) -> Result<Self, Failure> {
        let connection = dialer.dial(Instant::now() + timeouts.answer)?;
        let frames = FrameDecoder::default();
        Ok(Self { connection, frames, last_heard: Instant::now(), watch: WatchState::Off })
    }

    pub(super) fn ask(&mut self, line: &str, timeouts: &Timeouts) -> Result<(), ExchangeError> {
        if self.watch != WatchState::On {
            // The silence before a request does not count.
            self.last_heard = Instant::now();
        }
        self.connection.write(line.as_bytes(), Instant::now() + timeouts.answer)
    }

    /// The next frame; `None` if there is none at the deadline.
    pub(super) fn receive(
        &mut self,
        timeouts: &Timeouts,
        deadline: Option<Instant>,
    ) -> Result<Option<DecodedReply>, ExchangeError> {
        loop {
            let frame = self.frames.next_frame();
            let frame = frame
                .map_err(|FrameTooLong| ExchangeError::NotUnderstood(FrameTooLong.to_string()))?;
            if let Some(frame) = frame {
                return decode(frame).map(Some);
            }
            let silent_at = self.last_heard + self.limit(timeouts);
            let until = deadline.map_or(silent_at, |deadline| deadline.min(silent_at));
            // A caller who was away for long gets what has arrived meanwhile before the silence
            // counts.
            let until = until.max(Instant::now() + LOOK_MIN);
            match self.connection.read(self.frames.buffer(), until) {
                Ok(()) => self.last_heard = Instant::now(),
                Err(ExchangeError::TimedOut) if Instant::now() < silent_at => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// How long the connection may be silent.
    pub(super) fn limit(&self, timeouts: &Timeouts) -> Duration {
        match self.watch {
            WatchState::On => timeouts.silence,
            WatchState::Off | WatchState::Asked { .. } => timeouts.answer,
        }
    }
}
