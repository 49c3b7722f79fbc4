//! `retention`: how long messages are kept.

use super::admin_client::{self, AdminClient, Missing, unexpected};
use super::arguments::{RETENTION_DEFAULT, RetentionCommand, RetentionSetArguments};
use super::database::Database;
use super::failure::{Exit, Failure};
use super::output::Output;
use crate::admin::answer::{AdminReply, Retained};
use crate::admin::request::Request;
use crate::catalogue::retention as texts;
use crate::catalogue::room;
use crate::model::Retention;

/// Executes a `retention` command.
pub(super) fn run(
    db: &Database<'_>,
    command: Option<&RetentionCommand>,
    output: Output,
) -> Result<(), Failure> {
    match command {
        None | Some(RetentionCommand::List) => list(db, output),
        Some(RetentionCommand::Set(arguments)) => set(db, arguments, output),
    }
}

/// Prints the default, and the rooms for which something is set.
fn list(db: &Database<'_>, mut output: Output) -> Result<(), Failure> {
    let all = fetch(&mut AdminClient::open(db, Missing::Refuse)?)?;
    if output.is_json {
        output.object(&all)?;
        return output.finish();
    }
    let told = |kept: Option<Retention>| kept.map_or("-".to_owned(), |kept| kept.to_string());
    let default = all.default.to_string();
    let mut rows = vec![[RETENTION_DEFAULT.to_owned(), default.clone(), default, "-".to_owned()]];
    rows.extend(
        all.rooms.iter().map(|of| {
            [of.room.to_string(), of.kept.to_string(), told(of.operator), told(of.owner)]
        }),
    );
    let titles =
        [texts::title_where(), texts::title_kept(), texts::title_operator(), texts::title_owner()];
    output.table(titles, &rows)?;
    if output.is_shown {
        output.line("")?;
        output.line(&texts::removed_so_far(all.removed, output.moment(all.looked_at)))?;
        if let (Some(trusted), Some(looked)) = (all.trusted_at, all.looked_at)
            && trusted.plus(BEHIND) < looked
        {
            output.line(&texts::clock_is_not_trusted(trusted.to_rfc3339()))?;
        }
    }
    output.finish()
}

/// The time by which ages are judged is told if it is so far behind.
const BEHIND: std::time::Duration = std::time::Duration::from_secs(3600);

/// Everything that is set, page by page.
fn fetch(admin: &mut AdminClient) -> Result<Retained, Failure> {
    let mut all: Option<Retained> = None;
    loop {
        let last = all.as_ref().and_then(|all| all.rooms.last());
        let after = last.map(|of| of.room.clone());
        let page = match admin.ask(&Request::RetentionList { after })? {
            AdminReply::Retention(page) => *page,
            answer => return Err(unexpected(&answer)),
        };
        let is_last = !page.more || page.rooms.is_empty();
        let rooms = match all.take() {
            None => page.rooms,
            Some(before) => before.rooms.into_iter().chain(page.rooms).collect(),
        };
        let page = Retained { rooms, more: false, ..page };
        if is_last {
            return Ok(page);
        }
        all = Some(page);
    }
}

fn set(
    db: &Database<'_>,
    arguments: &RetentionSetArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let RetentionSetArguments { place, kept } = arguments;
    if place.0.is_none() && kept.0.is_none() {
        return Err(Failure::new(Exit::Usage, texts::give_default_a_time()));
    }
    let set = Request::RetentionSet { room: place.0.clone(), kept: kept.0 };
    match admin_client::ask(db, &set)? {
        AdminReply::Done => {}
        answer => return Err(unexpected(&answer)),
    }
    let name = place.0.as_ref().map_or(RETENTION_DEFAULT, |room| room.as_str());
    if output.is_json {
        output.object(&serde_json::json!({"room": place.0, "kept": kept.0}))?;
    }
    output.did(&match kept.0 {
        None => room::changed(name),
        Some(Retention::FOREVER) => texts::kept_forever(name),
        Some(kept) => texts::kept_for(name, kept),
    })?;
    output.finish()
}
