//! Turns the server's replies into output for people and scripts. Text from other users reaches a
//! terminal through [`crate::terminal::text`] only.

pub mod color;
pub mod details;
pub mod inbox;
pub mod json_map;
pub mod messages;
pub mod object;
pub mod wrap;

use serde_json::Value;

use crate::protocol::json;

/// How to show results, as far as the user said.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    /// One JSON object per line; see [`object`].
    pub is_json: bool,
    /// The clock for times; `None` for the command's default.
    pub clock: Option<inbox::Clock>,
}

impl View {
    /// The clock for times in lines: of this machine on a terminal, else UTC.
    pub fn clock(&self) -> inbox::Clock {
        let is_shown = crate::terminal::is_shown();
        self.clock.unwrap_or(if is_shown { inbox::Clock::Local } else { inbox::Clock::Utc })
    }
}

/// A value as the seed's client prints it: one line of ASCII JSON, which cannot act on a terminal.
pub fn json_line(value: &Value) -> String {
    json::to_string(value)
}
