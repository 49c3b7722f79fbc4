//! The arguments of `retention`.

use clap::{Args, Subcommand};

use crate::catalogue::server_help;
use crate::model::{Retention, RoomName};
use crate::terminal::reason::{parse_retention, parse_room};

/// What stands for all conversations that have no time of their own.
pub const RETENTION_DEFAULT: &str = "DEFAULT";

/// `retention`
#[derive(Debug, Args)]
#[command(after_help = server_help::retention_examples())]
pub struct RetentionArguments {
    /// What to do; `list` by default.
    #[command(subcommand)]
    pub command: Option<RetentionCommand>,
}

/// What `chat-server retention` does.
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// Show how long messages are kept, and how many were removed.
    List,
    /// Set how long messages are kept.
    Set(RetentionSetArguments),
}

/// `retention set`
#[derive(Debug, Args)]
pub struct RetentionSetArguments {
    /// DEFAULT for all messages, or a room, whose # may be left out.
    #[arg(value_name = "DEFAULT|ROOM", value_parser = parse_place)]
    pub place: RetentionPlace,
    /// 90d, 36h, forever; for a room `default`, too.
    #[arg(value_name = "TIME", value_parser = parse_kept)]
    pub kept: Kept,
}

/// Where a time applies. `None`: by default.
#[derive(Debug, Clone)]
pub struct RetentionPlace(pub Option<RoomName>);

/// The time. `None`: that of the default.
#[derive(Debug, Clone, Copy)]
pub struct Kept(pub Option<Retention>);

fn parse_place(text: &str) -> Result<RetentionPlace, String> {
    let room = if text == RETENTION_DEFAULT { None } else { Some(parse_room(text)?) };
    Ok(RetentionPlace(room))
}

fn parse_kept(text: &str) -> Result<Kept, String> {
    let kept = if text == "default" { None } else { Some(parse_retention(text)?) };
    Ok(Kept(kept))
}
