//! The arguments of `room`.

use clap::{ArgGroup, Args, Subcommand, ValueHint};

use crate::catalogue::server_help;
use crate::model::{History, Posting, Role, RoomName, Topic};
use crate::terminal::reason::{parse_room, parse_topic, words};

/// `room`
#[derive(Debug, Args)]
#[command(after_help = server_help::room_examples())]
pub struct RoomArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: RoomCommand,
}

/// What `chat-server room` does.
#[derive(Debug, Subcommand)]
pub enum RoomCommand {
    /// Show every room, private ones too.
    List,
    /// Show a room's settings.
    Show(Room),
    /// Create a room without members.
    Create(RoomCreateArguments),
    /// Make #all, the room of everybody: new users are in it, too, and `send @all` posts there.
    Everybody,
    /// Show the members of a room.
    Members(Room),
    /// Make a user a member of a room, or give a member another role.
    Add(RoomAddArguments),
    /// Remove a member from a room, or an invitation.
    Remove(RoomRemoveArguments),
    /// Change a room's settings.
    Set(RoomSetArguments),
    /// Archive a room: its members read it, and nobody posts there any more.
    Archive(RoomArchiveArguments),
}

/// A room that there is.
#[derive(Debug, Args)]
pub struct Room {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
}

/// `room create`
#[derive(Debug, Clone, Args)]
pub struct RoomCreateArguments {
    /// The name: 1 to 32 of a-z, 0-9, _ and -, with or without a # before it.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// What it is about: one line of at most 256 bytes.
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    pub topic: Option<Topic>,
    /// Only its members and invited users see it.
    #[arg(long)]
    pub private: bool,
    /// Who may post: all members, or only moderators and owners.
    #[arg(long, value_name = "WHO", default_value = "members")]
    #[arg(value_parser = words(Posting::ALL, Posting::as_str))]
    pub posting: Posting,
    /// What a new member can read: all messages, or those from joining on.
    #[arg(long, value_name = "WHAT", default_value = "all")]
    #[arg(value_parser = words(History::ALL, History::as_str))]
    pub history: History,
}

/// `room add`
#[derive(Debug, Args)]
pub struct RoomAddArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// The name of the user.
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub user: String,
    /// The role of the member.
    #[arg(long, value_name = "ROLE", default_value = "member")]
    #[arg(value_parser = words(Role::ALL, Role::as_str))]
    pub role: Role,
}

/// `room remove`
#[derive(Debug, Args)]
pub struct RoomRemoveArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// The name of the user.
    #[arg(value_name = "USER", value_hint = ValueHint::Username)]
    pub user: String,
}

/// `room set`
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args([
    "topic", "private", "public", "posting", "history",
]))]
pub struct RoomSetArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// What it is about; '' for nothing.
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    pub topic: Option<Topic>,
    /// Only its members and invited users see it.
    #[arg(long, conflicts_with = "public")]
    pub private: bool,
    /// Anybody can see and join it.
    #[arg(long)]
    pub public: bool,
    /// Who may post: all members, or only moderators and owners.
    #[arg(long, value_name = "WHO", value_parser = words(Posting::ALL, Posting::as_str))]
    pub posting: Option<Posting>,
    /// What a new member can read: all messages, or those from joining on.
    #[arg(long, value_name = "WHAT", value_parser = words(History::ALL, History::as_str))]
    pub history: Option<History>,
}

/// `room archive`
#[derive(Debug, Args)]
pub struct RoomArchiveArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// Open it again.
    #[arg(long)]
    pub undo: bool,
}
