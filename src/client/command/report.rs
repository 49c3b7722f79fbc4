//! `chat-cli report NAME [--start|--fail|--exit-code N]`

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStringExt;
use std::time::Instant;

use super::send;
use crate::catalogue::expectation as texts;
use crate::client::arguments::ReportArguments;
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::messages::moment;
use crate::client::render::{View, object};
use crate::client::{local_login, retry, verbs};
use crate::model::Token;
use crate::protocol::expectation::{self, Expected, Report, Reported};

/// Stands for standard input.
const STDIN: &str = "-";

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
    let text = match arguments.text.as_slice() {
        [word] if word == STDIN => send::read_end(io::stdin().lock())?,
        words => words.join(OsStr::new(" ")).into_vec(),
    };
    // An odd log is no reason to leave a failure untold.
    let text = expectation::text_of_output(&String::from_utf8_lossy(&text));
    let report = Report { name: arguments.name.clone(), report: reported, text };
    let expected = send(link, token, &report)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&expected))?;
    } else if let Some(due_at) = expected.due_at {
        let due_at = moment(due_at, view.clock());
        writeln!(out, "{}", texts::reported(expected.name.as_str(), due_at))?;
    }
    Ok(Exit::Done)
}

/// A report may be repeated, so it is, while the server is busy or the connection breaks.
fn send(link: &mut Link, token: Token, report: &Report) -> Result<Expected, Failure> {
    let deadline = Instant::now() + link.timeout();
    let attempt = || verbs::report(link, token, report.clone(), deadline);
    retry::until(deadline, attempt)
}
