//! The arguments of `room`, in a shell and at the prompt.

// A `///` comment above the arguments of a command would become its help.
#![allow(missing_docs)]

use clap::{ArgGroup, Args, Subcommand, ValueHint};

use super::values::parse_user;
use crate::catalogue::room;
use crate::model::{History, Notify, Posting, RoomName, Topic, UserName};
use crate::terminal::reason::{parse_room, parse_topic, words};

// `room`
#[derive(Debug, Args)]
#[command(after_long_help = room::examples())]
pub struct RoomArguments {
    /// What to do.
    #[command(subcommand)]
    pub command: RoomCommand,
}

// What `room` does.
#[derive(Debug, Subcommand)]
pub enum RoomCommand {
    /// Create a room, whose owner you are
    Create(RoomCreateArguments),
    /// Show the rooms that you can see
    List(RoomListArguments),
    /// Show a room's settings
    Show(OneRoomArguments),
    /// Become a member of a room
    Join(OneRoomArguments),
    /// Leave a room
    Leave(RoomLeaveArguments),
    /// Invite users to a room
    Invite(RoomInviteArguments),
    /// Remove a member from a room, or an invitation
    Kick(RoomKickArguments),
    /// Show the members of a room
    Members(OneRoomArguments),
    /// Change a room's settings, the role of a member, or which messages you are told of
    Set(RoomSetArguments),
    /// Archive a room: its members read it, and nobody posts there any more
    Archive(RoomArchiveArguments),
}

// `room show`, `room join`, `room members`
#[derive(Debug, Args)]
pub struct OneRoomArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
}

// `room create`
#[derive(Debug, Args)]
pub struct RoomCreateArguments {
    /// The name: 1 to 32 of a-z 0-9 _ -, with or without a # before it.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// What it is about: one line of at most 256 bytes.
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    pub topic: Option<Topic>,
    /// Only invited users can join it, and nobody else sees it.
    #[arg(long)]
    pub private: bool,
    /// Who may post: all members, or only moderators and owners.
    #[arg(long, value_name = "WHO", default_value = "members", value_parser = words(Posting::ALL, Posting::as_str))]
    pub posting: Posting,
    /// What a new member can read: all messages, or those from joining on.
    #[arg(long, value_name = "WHAT", default_value = "all", value_parser = words(History::ALL, History::as_str))]
    pub history: History,
}

// `room list`
#[derive(Debug, Args)]
pub struct RoomListArguments {
    /// Only rooms that you are in or invited to.
    #[arg(long)]
    pub mine: bool,
}

// `room leave`
#[derive(Debug, Args)]
pub struct RoomLeaveArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// Make this member an owner before: the last owner must name another.
    #[arg(long, value_name = "USER", value_parser = parse_user, value_hint = ValueHint::Username)]
    pub owner: Option<UserName>,
}

// `room invite`
#[derive(Debug, Args)]
pub struct RoomInviteArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// The users to invite, separated by commas or spaces.
    #[arg(value_name = "USER", required = true, value_delimiter = ',')]
    #[arg(value_parser = parse_user, value_hint = ValueHint::Username)]
    pub users: Vec<UserName>,
}

// `room kick`
#[derive(Debug, Args)]
pub struct RoomKickArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// The member to remove.
    #[arg(id = "member", value_name = "USER", value_parser = parse_user)]
    #[arg(value_hint = ValueHint::Username)]
    pub user: UserName,
}

// `room set`
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").multiple(true).required(true).args([
    "topic", "private", "public", "posting", "history", "owner", "moderator", "member", "notify",
]))]
#[command(group = ArgGroup::new("role").args(["owner", "moderator", "member"]))]
pub struct RoomSetArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// What it is about; '' for nothing. For moderators and owners.
    #[arg(long, value_name = "TOPIC", value_parser = parse_topic)]
    pub topic: Option<Topic>,
    /// Only invited users can join it, and nobody else sees it. For owners.
    #[arg(long, conflicts_with = "public")]
    pub private: bool,
    /// Anybody can see and join it. For owners.
    #[arg(long)]
    pub public: bool,
    /// Who may post: all members, or only moderators and owners. For owners.
    #[arg(long, value_name = "WHO", value_parser = words(Posting::ALL, Posting::as_str))]
    pub posting: Option<Posting>,
    /// What a new member can read: all messages, or those from joining on. For owners.
    #[arg(long, value_name = "WHAT", value_parser = words(History::ALL, History::as_str))]
    pub history: Option<History>,
    /// Make this member an owner. For owners.
    #[arg(long, value_name = "USER", value_parser = parse_user, value_hint = ValueHint::Username)]
    pub owner: Option<UserName>,
    /// Make this member a moderator. For owners.
    #[arg(long, value_name = "USER", value_parser = parse_user, value_hint = ValueHint::Username)]
    pub moderator: Option<UserName>,
    /// Make this member one without a special role. For owners.
    #[arg(long, value_name = "USER", value_parser = parse_user, value_hint = ValueHint::Username)]
    pub member: Option<UserName>,
    /// Which messages count as unread for you and are shown as they arrive: all, those that mention
    /// you (@neko), or none.
    #[arg(long, value_name = "WHICH", value_parser = words(Notify::ALL, Notify::as_str))]
    pub notify: Option<Notify>,
}

// `room archive`
#[derive(Debug, Args)]
pub struct RoomArchiveArguments {
    /// The room; its # may be left out.
    #[arg(value_name = "ROOM", value_parser = parse_room)]
    pub room: RoomName,
    /// Open it again.
    #[arg(long)]
    pub undo: bool,
}
