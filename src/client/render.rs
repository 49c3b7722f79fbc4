//! From what the server says to what a person or a script reads. Everything that came from other
//! people goes to a terminal through [`text`] alone.

pub mod inbox;
pub mod json_map;
pub mod text;
pub mod wrap;

use serde_json::Value;

use crate::protocol::json;

/// A value as the seed's client prints it: one line of ASCII JSON, so nothing in it can move a
/// cursor.
pub fn json_line(value: &Value) -> String {
    json::to_string(value)
}
