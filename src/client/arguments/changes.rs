//! The arguments of `edit` and `delete`.

use std::ffi::OsString;

use clap::Args;

use super::values::{parse_key, parse_message_id};
use crate::catalogue::client_help;
use crate::model::{Key, MessageId};

// `edit`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::edit_examples())]
pub struct EditArguments {
    /// Edit under this id instead of a new one. With the same id again, the message is edited once.
    #[arg(long, alias = "key", value_name = "ID", value_parser = parse_key)]
    pub id: Option<Key>,
    /// The message to edit: one that you have sent.
    #[arg(value_name = "MESSAGE", value_parser = parse_message_id)]
    pub message: MessageId,
    /// The text; words are joined with one space. `-` is standard input.
    #[arg(required = true, trailing_var_arg = true)]
    pub text: Vec<OsString>,
}

// `delete`
#[derive(Debug, Args)]
pub struct DeleteArguments {
    /// The message to delete: one that you have sent, or one of a room where you are moderator.
    #[arg(value_name = "MESSAGE", value_parser = parse_message_id)]
    pub message: MessageId,
}
