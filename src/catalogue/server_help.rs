//! The `--help` of `chat-server`. Its options say it in English where they are
//! (`operate::arguments`); here is the same in Indonesian, and the longer texts in both.

use super::command_line::Help;

/// What `chat-server --help` says of commands and options. An English text stands here as `clap`
/// has it: a single paragraph without the full stop at its end.
pub const HELP: &Help = &[
    // For every command
    ("The database file; created where there is none", "File database; dibuat jika belum ada"),
];
