//! `user show`

use super::list;
use crate::admin::answer::{AdminReply, UserDetails};
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::operate::admin_client::{self, unexpected};
use crate::operate::arguments::UserName;
use crate::operate::database::Database;
use crate::operate::failure::Failure;
use crate::operate::output::Output;
use crate::operate::user_name;

/// Prints the details of a user.
pub(super) fn run(db: &Database<'_>, user: &UserName, mut output: Output) -> Result<(), Failure> {
    let details =
        match admin_client::ask(db, &Request::UserShow { name: user_name::parse(&user.name)? })? {
            AdminReply::UserDetails(details) => details,
            answer => return Err(unexpected(&answer)),
        };
    if output.is_json {
        output.object(&details)?;
    } else {
        let rows = output.words(|| rows(&details, &output));
        output.pairs(&rows)?;
    }
    output.finish()
}

fn rows(details: &UserDetails, output: &Output) -> Vec<[String; 2]> {
    let user = &details.user;
    let row = |title: &str, value: String| [title.to_owned(), value];
    let mut rows = vec![
        row(server::title_name(), user.name.to_string()),
        row(server::title_display_name(), user.display_name.clone()),
        row(server::title_state(), list::notes(user)),
        row(server::title_created(), output.moment(Some(user.created_at))),
        row(server::title_last_seen(), output.moment(user.last_seen_at)),
    ];
    if details.disabled_at.is_some() {
        rows.push(row(server::state_disabled(), output.moment(details.disabled_at)));
    }
    if details.deleted_at.is_some() {
        rows.push(row(server::state_deleted(), output.moment(details.deleted_at)));
    }
    rows.push(row(server::title_unread(), user.unread.to_string()));
    rows.push(row(server::title_sent(), details.sent.to_string()));
    rows.push(row(server::title_received(), details.received.to_string()));
    rows.extend(details.sessions.iter().map(|session| {
        let (opened, seen) = (Some(session.created_at), Some(session.last_seen_at));
        let (opened, seen) = (output.moment(opened), output.moment(seen));
        row(server::title_session(), server::session_line(session.id.0, opened, seen))
    }));
    rows.extend(details.cursors.iter().map(|cursor| {
        let moved = output.moment(Some(cursor.moved_at));
        row(server::title_cursor(), server::cursor_line(cursor.name.as_str(), cursor.upto.0, moved))
    }));
    rows
}
