//! `watch --notify`: tells the user of messages while he looks elsewhere. On the desktop by
//! notify-send if both are there; else through the terminal, by an escape sequence or its bell.
//!
//! Nothing here delays the stream: notify-send runs beside it, within a time limit.

mod answer;
mod desktop;
mod notification;
mod notify_send;
mod signal;

use std::io::{self, Write};

use crate::catalogue::{notify as texts, shared};
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::model::{Message, Token};
use crate::terminal;
use desktop::Desktop;
use notification::Batch;
use signal::Signal;

/// Notifies of messages. Those that existed at the beginning are told together.
#[derive(Debug)]
pub struct Notifier {
    desktop: Option<Desktop>,
    signal: Option<Signal>,
    /// The messages that were not told yet.
    untold: Batch,
    /// Whether the messages that existed when the stream began or resumed have arrived.
    is_current: bool,
}

impl Notifier {
    /// A notifier for the user of `token`. Reports on standard error if there is no way to notify.
    pub fn new(link: &Link, token: Token) -> Self {
        let signal = Signal::find();
        let desktop = Desktop::find(link, token, signal);
        if desktop.is_none() && signal.is_none() {
            note(texts::no_way_to_notify());
        }
        Self { desktop, signal, untold: Batch::default(), is_current: false }
    }

    /// A message has been shown. [`tell`](Self::tell) notifies of it.
    pub fn add(&mut self, message: &Message) {
        self.untold.add(message);
    }

    /// The stream was interrupted: many messages may follow at once.
    pub fn disconnected(&mut self) {
        self.is_current = false;
    }

    /// The messages that existed when the stream began or resumed have been shown.
    pub fn caught_up(&mut self) {
        self.is_current = true;
    }

    /// Notifies of the messages that were added, unless more of them are about to come. Does not
    /// wait for the desktop.
    ///
    /// # Errors
    /// The terminal cannot be written to.
    pub fn tell(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        if self.is_current { self.tell_now(out) } else { Ok(()) }
    }

    /// Notifies of all messages that were added, and ends: waits for the desktop and for answers on
    /// their way, within their time limits.
    ///
    /// # Errors
    /// As [`tell`](Self::tell).
    pub fn finish(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let told = self.tell_now(out);
        if let Some(desktop) = &mut self.desktop {
            desktop.finish();
        }
        told
    }

    fn tell_now(&mut self, out: &mut dyn Write) -> Result<(), Failure> {
        let batch = std::mem::take(&mut self.untold);
        if batch.is_empty() {
            return Ok(());
        }
        if let Some(desktop) = &self.desktop {
            desktop.tell(batch);
            return Ok(());
        }
        let Some(signal) = self.signal else { return Ok(()) };
        let sequence: String =
            batch.notifications().iter().map(|told| signal.sequence(told)).collect();
        if terminal::is_shown() {
            out.write_all(sequence.as_bytes())?;
            out.flush()?;
        } else {
            // A closed standard error is no reason to end.
            let _ = io::stderr().write_all(sequence.as_bytes());
        }
        Ok(())
    }
}

fn note(words: impl std::fmt::Display) {
    // A closed standard error is no reason to end.
    let _ = writeln!(io::stderr(), "{}", shared::note(words));
}
