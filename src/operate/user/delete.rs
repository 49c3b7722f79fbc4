//! `user delete`

use serde_json::json;

use super::{change_over, ended};
use crate::admin::answer::{AdminReply, State};
use crate::admin::purge::{Purge, PurgePart, PurgeUser};
use crate::admin::request::Request;
use crate::catalogue::server;
use crate::model::UserName;
use crate::operate::admin_client::{AdminClient, Missing, unexpected};
use crate::operate::arguments::UserDeleteArguments;
use crate::operate::confirm::confirm;
use crate::operate::count;
use crate::operate::database::Database;
use crate::operate::failure::Failure;
use crate::operate::message::{self, Purged};
use crate::operate::output::Output;
use crate::operate::user_name;
use crate::terminal::progress::{Measure, Progress};

/// Deletes a user. The name and the messages stay, unless they are purged.
pub(super) fn run(
    db: &Database<'_>,
    arguments: &UserDeleteArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let name = user_name::parse(&arguments.name)?;
    let question = match arguments.purge {
        true => server::delete_user_and_messages(&name),
        false => server::delete_user(&name),
    };
    confirm(&question, arguments.yes)?;
    let mut admin = AdminClient::open(db, Missing::Refuse)?;
    let is_begun = arguments.purge && is_deleted(&mut admin, &name)?;
    let sessions = if is_begun {
        0
    } else {
        change_over(&mut admin, &Request::UserDelete { name: name.clone() })?
    };
    // No client can send to the user any more, so this purge is complete.
    let purged = arguments.purge.then(|| purge(&mut admin, &name)).transpose()?;
    if output.is_json {
        let messages = purged.map(|purged| purged.messages);
        output.object(&json!({"name": name, "ended": sessions, "purged": messages}))?;
    }
    output.did(&server::user_deleted(name, ended(sessions)))?;
    if let Some(purged) = purged.filter(|_| !output.is_json) {
        output.line(&server::messages_purged(count::messages(purged.messages)))?;
        message::tell_of_remains(&purged, &mut output)?;
    }
    output.finish()
}

fn is_deleted(admin: &mut AdminClient, name: &UserName) -> Result<bool, Failure> {
    match admin.ask(&Request::UserShow { name: name.clone() })? {
        AdminReply::UserDetails(details) => Ok(details.user.state == State::Deleted),
        answer => Err(unexpected(&answer)),
    }
}

/// Removes the messages of a deleted user, and then the user.
fn purge(admin: &mut AdminClient, name: &UserName) -> Result<Purged, Failure> {
    let user = PurgeUser { name: name.clone(), part: PurgePart::Both };
    let purge = Purge { user: Some(user), unread_too: true, ..Purge::default() };
    let progress = Progress::start(server::purging(), Measure::Count);
    let mut on_progress = |messages: usize| progress.at(messages as u64);
    let mut purged = message::step_through(admin, &purge, false, &mut on_progress)?;
    change_over(admin, &Request::UserRemove { name: name.clone() })?;
    message::purge_remains(admin, false, &mut purged)?;
    Ok(purged)
}
