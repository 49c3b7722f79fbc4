//! `user show`

use std::path::Path;

use super::{list, name, unexpected};
use crate::admin::answer::{Answer, UserDetails};
use crate::admin::request::Request;
use crate::operate::arguments::UserName;
use crate::operate::door;
use crate::operate::failure::Failure;
use crate::operate::output::Output;

/// Prints all that is known of a user.
pub(super) fn run(db: &Path, user: &UserName, mut output: Output) -> Result<(), Failure> {
    let details = match door::ask(db, &Request::UserShow { name: name(&user.name)? })? {
        Answer::UserDetails(details) => details,
        answer => return Err(unexpected(&answer)),
    };
    if output.is_json {
        output.object(&details)?;
    } else {
        let rows = rows(&details, &output);
        output.pairs(&rows)?;
    }
    output.finish()
}

fn rows(details: &UserDetails, output: &Output) -> Vec<[String; 2]> {
    let user = &details.user;
    let row = |title: &str, value: String| [title.to_owned(), value];
    let mut rows = vec![
        row("name", user.name.to_string()),
        row("display name", user.display_name.clone()),
        row("state", list::notes(user)),
        row("created", output.moment(Some(user.created_at))),
        row("last seen", output.moment(user.last_seen_at)),
    ];
    if details.disabled_at.is_some() {
        rows.push(row("disabled", output.moment(details.disabled_at)));
    }
    if details.deleted_at.is_some() {
        rows.push(row("deleted", output.moment(details.deleted_at)));
    }
    rows.push(row("unread", user.unread.to_string()));
    rows.push(row("sent", details.sent.to_string()));
    rows.push(row("received", details.received.to_string()));
    rows.extend(details.sessions.iter().map(|session| {
        let (opened, seen) = (Some(session.created_at), Some(session.last_seen_at));
        let (opened, seen) = (output.moment(opened), output.moment(seen));
        row("session", format!("{}, opened {opened}, last used {seen}", session.id.0))
    }));
    rows.extend(details.cursors.iter().map(|cursor| {
        let moved = output.moment(Some(cursor.moved_at));
        row("cursor", format!("{} at {}, moved {moved}", cursor.name.as_str(), cursor.upto.0))
    }));
    rows
}
