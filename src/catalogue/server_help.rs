//! The `--help` of `chat-server`. Its options say it in English where they are
//! (`operate::arguments`); here is the same in Indonesian, and the longer texts in both.

use super::command_line::Help;

/// What `chat-server --help` says of commands and options. An English text stands here as `clap`
/// has it: a single paragraph without the full stop at its end.
pub const HELP: &Help = &[(
    "The language of what is said to people; also CHAT_LANG, else the locale",
    "Bahasa yang dipakai untuk berbicara dengan orang; juga CHAT_LANG, jika tidak, locale",
)];
