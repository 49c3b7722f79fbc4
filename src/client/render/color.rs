//! Colours, if a person can see them.

use std::env;
use std::fmt::{self, Display};

use crate::model::UserName;
use crate::terminal;

/// The terminal colours that are readable on both black and white.
const COLORS: [u8; 6] = [31, 32, 33, 34, 35, 36];

/// Whether to colour standard output: it is a terminal that is not dumb, and `NO_COLOR` is not set
/// (<https://no-color.org>).
pub fn is_wanted() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    terminal::is_shown()
        && !is_set("NO_COLOR")
        && env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// The user's name in its colour.
pub fn name(name: &UserName) -> impl Display {
    of(name.as_str(), name.as_str())
}

/// A text in the colour of the name of a user or a room.
pub fn of(name: &str, text: &str) -> impl Display {
    let color = COLORS[fnv1a(name.as_bytes()) as usize % COLORS.len()];
    fmt::from_fn(move |out| write!(out, "\x1b[{color}m{text}\x1b[0m"))
}

/// A found text.
pub fn found(text: &str) -> impl Display {
    fmt::from_fn(move |out| write!(out, "\x1b[1;4m{text}\x1b[0m"))
}

/// The standard library's hash may change, and a name is to keep its colour.
fn fnv1a(bytes: &[u8]) -> u32 {
    let hash = |hash: u32, &byte: &u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    bytes.iter().fold(0x811c_9dc5, hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_colour_of_their_own() {
        let shown = |text: &str| name(&text.parse().unwrap()).to_string();
        assert_eq!(shown("paff"), shown("paff"));
        let colors = ["paff", "neko", "robo", "ivy", "vanessa"];
        let colors: std::collections::HashSet<_> =
            colors.iter().map(|text| shown(text)[..5].to_owned()).collect();
        assert!(colors.len() >= 3, "{colors:?}");
    }
}
