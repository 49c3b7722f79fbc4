//! `user list`

use std::path::Path;

use super::unexpected;
use crate::admin::answer::{Answer, State, User};
use crate::admin::request::Request;
use crate::operate::door::{Door, Missing};
use crate::operate::failure::Failure;
use crate::operate::output::Output;

/// Prints every user, in the order of their names.
pub(super) fn run(db: &Path, mut output: Output) -> Result<(), Failure> {
    let users = fetch(&mut Door::open(db, Missing::Refuse)?)?;
    if output.is_json {
        for user in &users {
            output.object(user)?;
        }
    } else {
        let rows: Vec<_> = users
            .iter()
            .map(|user| {
                [
                    user.name.to_string(),
                    user.display_name.clone(),
                    output.moment(Some(user.created_at)),
                    output.moment(user.last_seen_at),
                    user.unread.to_string(),
                    notes(user),
                ]
            })
            .collect();
        output.table(["name", "display name", "created", "last seen", "unread", ""], &rows)?;
    }
    output.finish()
}

/// All users, however many answers they take.
pub(super) fn fetch(door: &mut Door) -> Result<Vec<User>, Failure> {
    let mut all: Vec<User> = Vec::new();
    loop {
        let after = all.last().map(|user| user.name.clone());
        match door.ask(&Request::UserList { after })? {
            Answer::Users { users, more } => {
                let is_last = !more || users.is_empty();
                all.extend(users);
                if is_last {
                    return Ok(all);
                }
            }
            answer => return Err(unexpected(&answer)),
        }
    }
}

/// What an operator should know of a user.
fn notes(user: &User) -> String {
    let state = match user.state {
        State::Active => None,
        State::Disabled => Some("disabled"),
        State::Deleted => Some("deleted"),
    };
    let is_open = user.password_is_published && user.state == State::Active;
    let published = is_open.then_some("published password");
    state.into_iter().chain(published).collect::<Vec<_>>().join(", ")
}
