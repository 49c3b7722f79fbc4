//! One connection of a stream: it may be watching, and is dead when it is silent for too long.

use std::time::{Duration, Instant};

use super::Timeouts;
use crate::client::connection::{Connection, ExchangeError, decode};
use crate::client::dial::Dialer;
use crate::client::failure::Failure;
use crate::client::frames::{FrameDecoder, FrameTooLong};
use crate::protocol::reply::DecodedReply;

/// At least this long is looked for what is there already.
const LOOK_MIN: Duration = Duration::from_millis(1);

/// A connection that may be watching.
#[derive(Debug)]
pub(super) struct WatchConnection {
    connection: Connection,
    pub(super) frames: FrameDecoder,
    /// When anything last arrived.
    last_heard: Instant,
    pub(super) watch: WatchState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WatchState {
    /// Not asked for: only acknowledgements go over this connection.
    Off,
    /// Asked for, after so many acknowledgements that have no answer yet.
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
            // Nothing was to come before it was asked for.
            self.last_heard = Instant::now();
        }
        self.connection.write(line.as_bytes(), Instant::now() + timeouts.answer)
    }

    /// The next frame; `None` when there is none at the deadline.
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
            // Whoever was away for long first looks at what came meanwhile.
            let until = until.max(Instant::now() + LOOK_MIN);
            match self.connection.read(self.frames.buffer(), until) {
                Ok(()) => self.last_heard = Instant::now(),
                Err(ExchangeError::TimedOut) if Instant::now() < silent_at => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// How long nothing may arrive.
    pub(super) fn limit(&self, timeouts: &Timeouts) -> Duration {
        match self.watch {
            WatchState::On => timeouts.silence,
            WatchState::Off | WatchState::Asked { .. } => timeouts.answer,
        }
    }
}
