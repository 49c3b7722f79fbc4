//! Writes messages to standard output: for a person, for a program, or raw.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::inbox::{Clock, Layout};
use super::{View, details, object};
use crate::catalogue::change as texts;
use crate::model::{Change, Message, Timestamp};
use crate::protocol::event::Event;
use crate::terminal::{self, relative, text};

/// The format of messages.
#[derive(Debug)]
pub enum Messages {
    /// One JSON object per line.
    Json,
    /// The texts only, unchanged, each followed by a line feed. Not for a terminal.
    Raw,
    /// In columns, for a person.
    LaidOut(Layout),
    /// One line per message: time, sender and text, separated by tabs. The room of a message stands
    /// before its sender, with a space between. A line ending in the text becomes `\n`.
    Plain(Clock),
}

impl Messages {
    /// The format that the user chose, else the one that suits standard output.
    pub fn of(view: View, is_raw: bool) -> Self {
        match () {
            () if view.is_json => Self::Json,
            () if is_raw => Self::Raw,
            () if terminal::is_shown() => {
                Self::LaidOut(Layout::for_terminal(view.clock.unwrap_or_default()))
            }
            // A program can sort UTC times, and they mean the same on every machine.
            () => Self::Plain(view.clock.unwrap_or(Clock::Utc)),
        }
    }

    /// Writes the next messages.
    pub fn write(&mut self, messages: &[Message], out: &mut dyn Write) -> io::Result<()> {
        if let Self::LaidOut(layout) = self {
            // The width may have changed, because `watch` runs for long.
            layout.set_columns(terminal::columns());
            return out.write_all(layout.page(messages).as_bytes());
        }
        for message in messages {
            match self {
                Self::Json => writeln!(out, "{}", object::message(message))?,
                Self::Plain(clock) => {
                    let room = message.to.room().map(|room| format!("{room} "));
                    let (room, from) = (room.unwrap_or_default(), &message.from);
                    let body = text::visible(&details::text(message));
                    writeln!(out, "{}\t{room}{from}\t{body}", moment(message.at, *clock))?;
                }
                Self::Raw | Self::LaidOut(_) => writeln!(out, "{}", message.body.as_str())?,
            }
        }
        Ok(())
    }
}

impl Messages {
    /// Writes an edit or a deletion. Raw texts have none.
    pub fn write_change(&mut self, change: &Change, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Json => writeln!(out, "{}", object::line(&Event::from(change.clone()))),
            Self::Raw => Ok(()),
            Self::LaidOut(_) => writeln!(out, "{}", self::change(change)),
            Self::Plain(clock) => {
                let room = change.room.as_ref().map(|room| format!("{room} "));
                let (room, by) = (room.unwrap_or_default(), changer(change));
                let at = moment(change.at, *clock);
                writeln!(out, "{at}\t{room}{by}\t{}", self::change(change))
            }
        }
    }
}

/// An edit or a deletion on one line, safe for a terminal.
pub fn change(change: &Change) -> String {
    let (by, id) = (changer(change), change.id.0);
    match &change.body {
        Some(body) => texts::edited(by, id, text::visible(body.as_str())),
        None => texts::deleted(by, id),
    }
}

fn changer(change: &Change) -> &str {
    match &change.by {
        Some(by) => by.as_str(),
        None => texts::an_operator(),
    }
}

/// A point in time on one line, by this clock.
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
