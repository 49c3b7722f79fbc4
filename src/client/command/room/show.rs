//! Shows rooms and their members: on a terminal in columns, elsewhere separated by tabs.

use super::Rooms;
use crate::catalogue::room;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::render::inbox::Clock;
use crate::client::render::messages::moment;
use crate::client::render::object;
use crate::client::verbs;
use crate::model::{Role, RoomName};
use crate::protocol::rooms::{MemberInfo, OfRoom, RoomAction, RoomInfo};
use crate::terminal;
use crate::terminal::text;

/// Stands for an empty field between tabs.
const NONE: &str = "-";

/// What a room is to the user, beside the words of roles. Programs read them too, so they are the
/// same in every language.
const INVITED: &str = "invited";
const PRIVATE: &str = "private";
const ARCHIVED: &str = "archived";

/// Prints the rooms that the user can see, or the user's own. Without rooms the result is
/// [`Exit::Nothing`].
pub(super) fn list(rooms: &mut Rooms<'_>, mine: bool) -> Result<Exit, Failure> {
    let is_shown = terminal::is_shown() && !rooms.view.is_json;
    let (is_json, out) = (rooms.view.is_json, &mut *rooms.out);
    let mut is_empty = true;
    verbs::all_rooms(rooms.link, rooms.token, mine, |page| {
        is_empty &= page.is_empty();
        if is_json {
            page.iter().try_for_each(|info| writeln!(out, "{}", object::line(info)))?;
        } else {
            let rows: Vec<Row> = page.iter().map(row).collect();
            lines(&rows, is_shown).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        }
        Ok(())
    })?;
    if is_empty && is_shown {
        writeln!(out, "{}", room::no_rooms())?;
    }
    Ok(if is_empty { Exit::Nothing } else { Exit::Done })
}

/// Prints the members of a room: their names, roles and display names.
pub(super) fn members(rooms: &mut Rooms<'_>, room: &RoomName) -> Result<Exit, Failure> {
    let is_shown = terminal::is_shown() && !rooms.view.is_json;
    let (is_json, out) = (rooms.view.is_json, &mut *rooms.out);
    verbs::all_members(rooms.link, rooms.token, room, |page| {
        if is_json {
            page.iter().try_for_each(|info| writeln!(out, "{}", object::line(info)))?;
            return Ok(());
        }
        let row = |info: &MemberInfo| {
            let role = info.role.as_str().to_owned();
            [info.user.to_string(), role, text::visible(&info.display_name)]
        };
        let rows: Vec<_> = page.iter().map(row).collect();
        lines(&rows, is_shown).iter().try_for_each(|line| writeln!(out, "{line}"))?;
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// Prints the settings of a room, and what the user is there.
pub(super) fn one(rooms: &mut Rooms<'_>, room: RoomName) -> Result<Exit, Failure> {
    let show = RoomAction::Show(OfRoom { room });
    let info: RoomInfo = verbs::room(rooms.link, rooms.token, show)?;
    if rooms.view.is_json {
        writeln!(rooms.out, "{}", object::line(&info))?;
        return Ok(Exit::Done);
    }
    writeln!(rooms.out, "{}", info.room)?;
    let rows = settings(&info, rooms.view.clock());
    lines(&rows, true).iter().try_for_each(|line| writeln!(rooms.out, "{line}"))?;
    Ok(Exit::Done)
}

/// Each setting with its value. A value that can be set is the word that sets it.
fn settings(info: &RoomInfo, clock: Clock) -> Vec<[String; 2]> {
    let who_sees = match info {
        RoomInfo { everybody: true, .. } => room::everybody(),
        RoomInfo { private: true, .. } => room::private(),
        _ => room::public(),
    };
    let mut rows = vec![
        (room::topic_label(), text::visible(info.topic.as_str())),
        (room::members_label(), info.members.to_string()),
        (room::access_label(), who_sees.to_owned()),
        (room::posting_label(), info.posting.to_string()),
        (room::history_label(), info.history.to_string()),
        (room::created_label(), moment(info.created, clock)),
    ];
    rows.extend(info.archived.map(|at| (room::archived_label(), moment(at, clock))));
    rows.extend(info.role.map(|role| (room::role_label(), role.to_string())));
    rows.extend(info.notify.map(|notify| (room::notify_label(), notify.to_string())));
    rows.extend(info.invited.then(|| (room::role_label(), INVITED.to_owned())));
    rows.into_iter().map(|(label, value)| [label.to_owned(), value]).collect()
}

type Row = [String; 4];

/// A room in the list: its name, members, the user's part in it, and its topic.
fn row(info: &RoomInfo) -> Row {
    let mut states: Vec<&str> = info.role.map(Role::as_str).into_iter().collect();
    states.extend(info.invited.then_some(INVITED));
    states.extend(info.private.then_some(PRIVATE));
    states.extend(info.archived.map(|_| ARCHIVED));
    let state = if states.is_empty() { NONE.to_owned() } else { states.join(",") };
    let topic = text::visible(info.topic.as_str());
    [info.room.to_string(), info.members.to_string(), state, topic]
}

/// A line for each row: in columns, or separated by tabs.
fn lines<const COLUMNS: usize>(rows: &[[String; COLUMNS]], is_shown: bool) -> Vec<String> {
    if !is_shown {
        return rows.iter().map(|row| row.join("\t")).collect();
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..COLUMNS).map(width).collect();
    let line = |row: &[String; COLUMNS]| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{Language, speaking};

    fn info(fields: &str) -> RoomInfo {
        let begin = r##"{"room": "#build", "topic": "all \u202e builds", "private": true,
            "posting": "members", "history": "joined", "created": "2026-11-30T00:00:00.000Z",
            "members": 12"##;
        serde_json::from_str(&format!("{begin}{fields}}}")).unwrap()
    }

    #[test]
    fn rooms_are_listed_with_what_the_user_is_there() {
        let mut ops = row(&info(r#", "invited": true"#));
        ops[0] = "#on-call".to_owned();
        let rows = [row(&info(r#", "role": "owner", "notify": "all""#)), ops];
        assert_eq!(
            lines(&rows, true),
            [
                "#build    12  owner,private    all \\u{202e} builds",
                "#on-call  12  invited,private  all \\u{202e} builds",
            ]
        );
        assert_eq!(lines(&rows, false)[0], "#build\t12\towner,private\tall \\u{202e} builds");
    }

    #[test]
    fn settings_of_a_room_are_shown_with_their_names() {
        let archived =
            r#", "role": "member", "notify": "mentions", "archived": "2026-11-30T01:00:00.000Z""#;
        let shown = |language| {
            speaking(language, || lines(&settings(&info(archived), Clock::Utc), true).join("\n"))
        };
        let english = shown(Language::English);
        for line in ["topic     all \\u{202e} builds", "members   12", "notify    mentions"] {
            assert!(english.lines().any(|it| it == line), "{line:?} is not in {english}");
        }
        assert_eq!(english.lines().count(), 9);
        assert_ne!(english, shown(Language::Indonesian));
    }
}
