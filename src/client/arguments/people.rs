//! The arguments of `block` and `unblock`.

use clap::{Args, ValueHint};

use super::values::parse_user;
use crate::catalogue::client_help;
use crate::model::UserName;

// `block`
#[derive(Debug, Args)]
#[command(after_long_help = client_help::block_examples())]
pub struct BlockArguments {
    /// The user to block. Without a user, those whom you block are shown.
    #[arg(id = "other", value_name = "USER", value_parser = parse_user)]
    #[arg(value_hint = ValueHint::Username)]
    pub user: Option<UserName>,
}

// `unblock`
#[derive(Debug, Args)]
pub struct UnblockArguments {
    /// The user whom you no longer block.
    #[arg(id = "other", value_name = "USER", value_parser = parse_user)]
    #[arg(value_hint = ValueHint::Username)]
    pub user: UserName,
}
