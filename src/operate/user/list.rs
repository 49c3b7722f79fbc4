//! `user list`

use crate::admin::answer::{AdminReply, State, User};
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::operate::admin_client::{AdminClient, Missing, unexpected};
use crate::operate::database::Database;
use crate::operate::failure::Failure;
use crate::operate::output::Output;

/// Prints all users, sorted by name.
pub(super) fn run(db: &Database<'_>, mut output: Output) -> Result<(), Failure> {
    let users = fetch(&mut AdminClient::open(db, Missing::Refuse)?)?;
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
                    output.words(|| notes(user)),
                ]
            })
            .collect();
        output.table(
            [
                server::title_name(),
                server::title_display_name(),
                server::title_created(),
                server::title_last_seen(),
                server::title_unread(),
                server::title_state(),
            ],
            &rows,
        )?;
    }
    output.finish()
}

/// All users, page by page.
pub(super) fn fetch(admin: &mut AdminClient) -> Result<Vec<User>, Failure> {
    let mut all: Vec<User> = Vec::new();
    loop {
        let after = all.last().map(|user| user.name.clone());
        match admin.ask(&Request::UserList { after })? {
            AdminReply::Users { users, more } => {
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

/// The state of the user, and whether the password is published.
pub(super) fn notes(user: &User) -> String {
    let state = match user.state {
        State::Active => server::state_active(),
        State::Disabled => server::state_disabled(),
        State::Deleted => server::state_deleted(),
    };
    match user.password_is_published {
        true => server::published_password(state),
        false => state.to_owned(),
    }
}
