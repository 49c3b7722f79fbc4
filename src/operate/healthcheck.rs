//! `healthcheck`: whether a server does its work, for what starts it again when it does not.

use std::path::Path;
use std::time::Instant;

use serde_json::json;

use super::admin_client;
use super::arguments::HealthcheckArguments;
use super::failure::{Exit, Failure};
use super::output::Output;
use crate::admin::request::Request;
use crate::catalogue::server;

/// Has the server that serves `db` write a little, durably, and read it back.
///
/// # Errors
/// It does not, or not in time, or there is none.
pub(super) fn run(
    db: &Path,
    arguments: &HealthcheckArguments,
    mut output: Output,
) -> Result<(), Failure> {
    let begun = Instant::now();
    // One line of reason: whoever reads it does so in a list of such lines.
    let answer = admin_client::ask_server(db, &Request::Probe, arguments.timeout)
        .map_err(Failure::without_hint)?;
    if answer.is_none() {
        let problem = server::nobody_serves(db.display());
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
