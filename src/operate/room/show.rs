//! `room list`, `room show` and `room members`

use crate::admin::answer::AdminReply;
use crate::admin::request::Request;
use crate::catalogue::{room, server};
use crate::model::RoomName;
use crate::operate::admin_client::{self, AdminClient, Missing, unexpected};
use crate::operate::database::Database;
use crate::operate::failure::Failure;
use crate::operate::output::Output;
use crate::protocol::rooms::{MemberInfo, RoomInfo};

/// Prints all rooms, sorted by name.
pub(super) fn list(db: &Database<'_>, mut output: Output) -> Result<(), Failure> {
    let rooms = fetch(&mut AdminClient::open(db, Missing::Refuse)?)?;
    if output.is_json {
        rooms.iter().try_for_each(|info| output.object(info))?;
        return output.finish();
    }
    let row = |info: &RoomInfo| {
        [
            info.room.to_string(),
            info.members.to_string(),
            output.words(|| state(info)),
            output.moment(Some(info.created)),
            info.topic.as_str().to_owned(),
        ]
    };
    let rows: Vec<_> = rooms.iter().map(row).collect();
    let titles = [
        server::title_name(),
        room::members_label(),
        room::access_label(),
        server::title_created(),
        room::topic_label(),
    ];
    output.table(titles, &rows)?;
    output.finish()
}

/// All rooms, page by page.
fn fetch(admin: &mut AdminClient) -> Result<Vec<RoomInfo>, Failure> {
    let mut all: Vec<RoomInfo> = Vec::new();
    loop {
        let after = all.last().map(|info| info.room.clone());
        match admin.ask(&Request::RoomList { after })? {
            AdminReply::Rooms { rooms, more } => {
                let is_last = !more || rooms.is_empty();
                all.extend(rooms);
                if is_last {
                    return Ok(all);
                }
            }
            answer => return Err(unexpected(&answer)),
        }
    }
}

/// Prints the settings of a room.
pub(super) fn one(db: &Database<'_>, room: RoomName, mut output: Output) -> Result<(), Failure> {
    let info = match admin_client::ask(db, &Request::RoomShow { room })? {
        AdminReply::Room(info) => info,
        answer => return Err(unexpected(&answer)),
    };
    if output.is_json {
        output.object(&info)?;
    } else {
        let rows = output.words(|| settings(&info, &output));
        output.pairs(&rows)?;
    }
    output.finish()
}

fn settings(info: &RoomInfo, output: &Output) -> Vec<[String; 2]> {
    let row = |title: &str, value: String| [title.to_owned(), value];
    let mut rows = vec![
        row(server::title_name(), info.room.to_string()),
        row(room::topic_label(), info.topic.as_str().to_owned()),
        row(room::members_label(), info.members.to_string()),
        row(room::access_label(), access(info).to_owned()),
        row(room::posting_label(), info.posting.to_string()),
        row(room::history_label(), info.history.to_string()),
        row(server::title_created(), output.moment(Some(info.created))),
    ];
    if info.archived.is_some() {
        rows.push(row(room::archived_label(), output.moment(info.archived)));
    }
    rows
}

/// Prints the members of a room, sorted by name.
pub(super) fn members(
    db: &Database<'_>,
    room: &RoomName,
    mut output: Output,
) -> Result<(), Failure> {
    let mut admin = AdminClient::open(db, Missing::Refuse)?;
    let mut all: Vec<MemberInfo> = Vec::new();
    loop {
        let after = all.last().map(|member| member.user.clone());
        match admin.ask(&Request::RoomMembers { room: room.clone(), after })? {
            AdminReply::RoomMembers { members, more } => {
                let is_last = !more || members.is_empty();
                all.extend(members);
                if is_last {
                    break;
                }
            }
            answer => return Err(unexpected(&answer)),
        }
    }
    if output.is_json {
        all.iter().try_for_each(|member| output.object(member))?;
        return output.finish();
    }
    let row = |member: &MemberInfo| {
        let role = member.role.as_str().to_owned();
        [member.user.to_string(), role, member.display_name.clone()]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    let titles = [server::title_name(), room::role_title(), server::title_display_name()];
    output.table(titles, &rows)?;
    output.finish()
}

/// Who sees the room, and whether it is archived.
fn state(info: &RoomInfo) -> String {
    match info.archived {
        Some(_) => format!("{}, {}", access(info), room::archived_label()),
        None => access(info).to_owned(),
    }
}

fn access(info: &RoomInfo) -> &'static str {
    match info {
        RoomInfo { everybody: true, .. } => room::everybody(),
        RoomInfo { private: true, .. } => room::private(),
        _ => room::public(),
    }
}
