//! From what the server says to what a person or a script reads. Everything that came from other
//! people goes to a terminal through [`crate::terminal::text`] alone.

pub mod color;
pub mod inbox;
pub mod json_map;
pub mod messages;
pub mod object;
pub mod wrap;

use serde_json::Value;

use crate::protocol::json;

/// How results are to be shown, as far as the person said.
#[derive(Debug, Clone, Copy, Default)]
pub struct View {
    /// One JSON object a line: see [`object`].
    pub is_json: bool,
    /// Whose clock times are shown by; `None` for what fits the command.
    pub clock: Option<inbox::Clock>,
}

/// A value as the seed's client prints it: one line of ASCII JSON, so nothing in it can move a
/// cursor.
pub fn json_line(value: &Value) -> String {
    json::to_string(value)
}
