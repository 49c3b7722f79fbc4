//! SIGTERM and SIGINT for long commands, which stop in an orderly way.

use std::ops::ControlFlow;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::failure::{Exit, Failure};
use crate::catalogue::serve;

/// Whether a signal asked the process to stop. A second signal ends it at once.
pub(super) struct Stop {
    asked: Receiver<()>,
}

impl Stop {
    /// Handles the signals from now on.
    pub(super) fn listen() -> Result<Self, Failure> {
        let failed = |error| Failure::new(Exit::Internal, serve::no_signals(error));
        let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(failed)?;
        let (sender, asked) = mpsc::channel();
        let listen = move || {
            let mut times = 0;
            for signal in signals.forever() {
                times += 1;
                if times > 1 {
                    std::process::exit(128 + signal);
                }
                let _ = sender.send(());
            }
        };
        thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(failed)?;
        Ok(Self { asked })
    }

    /// Waits for this time, or for a signal. Returns whether a signal came.
    pub(super) fn wait(&self, time: Duration) -> bool {
        self.asked.recv_timeout(time).is_ok()
    }

    /// Whether to continue.
    pub(super) fn flow(&self) -> ControlFlow<()> {
        if self.wait(Duration::ZERO) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
