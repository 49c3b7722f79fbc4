//! `chat-cli report NAME [--start|--fail|--exit-code N]`

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::catalogue::expectation as texts;
use crate::client::arguments::ReportArguments;
use crate::client::exit::Exit;
use crate::client::failure::{Failure, NoAnswer};
use crate::client::link::Link;
use crate::client::render::messages::moment;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::model::Token;
use crate::protocol::expectation::{Expected, Report, Reported};

/// The pause before the second attempt. Each further pause is twice as long, up to the limit.
const PAUSE_FIRST: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Reports, and prints when the next report is due.
pub fn run(
    arguments: &ReportArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let reported = match (arguments.start, arguments.fail, arguments.exit_code) {
        (true, _, _) => Reported::Started,
        (_, true, _) => Reported::Ended(1),
        (_, _, code) => Reported::Ended(code.unwrap_or(0)),
    };
    let report = Report { name: arguments.name.clone(), report: reported };
    let expected = send(link, token, &report)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&expected))?;
    } else if let Some(due_at) = expected.due_at {
        let due_at = moment(due_at, view.clock.unwrap_or_default());
        writeln!(out, "{}", texts::reported(expected.name.as_str(), due_at))?;
    }
    Ok(Exit::Done)
}

/// A report may be repeated, so it is, while the server restarts or is busy.
fn send(link: &mut Link, token: Token, report: &Report) -> Result<Expected, Failure> {
    let deadline = Instant::now() + link.timeout();
    let mut pause = PAUSE_FIRST;
    loop {
        let failure = match verbs::report(link, token, report.clone()) {
            Ok(expected) => return Ok(expected),
            Err(failure) => failure,
        };
        let is_temporary = match &failure {
            Failure::Refused(refused) => refused.is_temporary(),
            Failure::NoAnswer(NoAnswer::Broken { .. }) => true,
            _ => false,
        };
        if !is_temporary || Instant::now() + pause >= deadline {
            return Err(failure);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
