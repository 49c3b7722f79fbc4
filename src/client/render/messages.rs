//! Messages as they are written to standard output: for a person, for a program, or as they are.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::inbox::{Clock, Layout};
use super::{View, object};
use crate::model::{Message, Timestamp};
use crate::terminal::{self, relative, text};

/// A way to write messages.
#[derive(Debug)]
pub enum Messages {
    /// One object a line.
    Json,
    /// Only the texts, exactly, each with a line feed after it. Not for a terminal.
    Raw,
    /// In columns, for a person.
    LaidOut(Layout),
    /// One line each: time, sender and text with a tab between; a line end in the text is `\n`.
    Plain(Clock),
}

impl Messages {
    /// The way that fits standard output, unless the person asked for another.
    pub fn of(view: View, is_raw: bool) -> Self {
        match () {
            () if view.is_json => Self::Json,
            () if is_raw => Self::Raw,
            () if terminal::is_shown() => {
                Self::LaidOut(Layout::for_terminal(view.clock.unwrap_or_default()))
            }
            // A program can sort these, and knows what they mean on another machine.
            () => Self::Plain(view.clock.unwrap_or(Clock::Utc)),
        }
    }

    /// Writes the next messages.
    pub fn write(&mut self, messages: &[Message], out: &mut dyn Write) -> io::Result<()> {
        if let Self::LaidOut(layout) = self {
            // It may have changed since: `watch` goes on for long.
            layout.set_columns(terminal::columns());
            return out.write_all(layout.page(messages).as_bytes());
        }
        for message in messages {
            match self {
                Self::Json => writeln!(out, "{}", object::message(message))?,
                Self::Plain(clock) => {
                    let (from, body) = (&message.from, text::visible(message.body.as_str()));
                    writeln!(out, "{}\t{from}\t{body}", moment(message.at, *clock))?;
                }
                Self::Raw | Self::LaidOut(_) => writeln!(out, "{}", message.body.as_str())?,
            }
        }
        Ok(())
    }
}

/// A moment on one line, by this clock.
pub fn moment(at: Timestamp, clock: Clock) -> String {
    match clock {
        Clock::Utc => at.to_rfc3339(),
        Clock::Local => {
            let local = at.to_calendar().to_zoned(TimeZone::system());
            local.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
        Clock::Relative => relative::ago(at, Timestamp::now()),
    }
}
