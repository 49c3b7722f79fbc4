//! `healthcheck`: whether the server works, for a supervisor that restarts it.

use std::time::Instant;

use serde_json::json;

use super::admin_client;
use super::arguments::HealthcheckArguments;
use super::database::Database;
use super::failure::{Exit, Failure};
use super::output::Output;
use crate::admin::request::Request;
use crate::catalogue::server;

/// Lets the server of `db` write a value durably, and read it back.
///
/// # Errors
/// The server failed, did not answer in time, or does not run.
pub(super) fn run(
    db: &Database<'_>,
    arguments: &HealthcheckArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let begun = Instant::now();
    // One line only, because supervisors show it in a list.
    let answer = admin_client::ask_server(db, &Request::Probe, arguments.timeout)
        .map_err(Failure::without_hint)?;
    if answer.is_none() {
        let problem = server::not_served(db);
        return Err(Failure::new(Exit::Unavailable, problem));
    }
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    if output.is_json {
        output.object(&json!({"healthy": true, "milliseconds": milliseconds}))?;
    } else {
        output.line(&server::healthy(milliseconds))?;
    }
    output.finish()
}
