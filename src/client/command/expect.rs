//! `chat-cli expect NAME --every D --tell USER`, `expect list`, `expect remove NAME`

use std::io::Write;

use super::parse_user;
use crate::catalogue::expectation as texts;
use crate::client::arguments::{ExpectArguments, ExpectCommand};
use crate::client::exit::Exit;
use crate::client::failure::Failure;
use crate::client::link::Link;
use crate::client::render::inbox::Clock;
use crate::client::render::messages::moment;
use crate::client::render::{View, object};
use crate::client::{local_login, verbs};
use crate::protocol::expectation::{Expect, Expectation};

/// Declares, lists or removes expectations.
pub fn run(
    arguments: ExpectArguments,
    view: View,
    link: &mut Link,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    match arguments {
        ExpectArguments { command: Some(ExpectCommand::List), .. } => list(view, link, out),
        ExpectArguments { command: Some(ExpectCommand::Remove(remove)), .. } => {
            let done = change(Expect::Remove { name: remove.name }, link, view, out);
            done.map(|_| Exit::Done)
        }
        ExpectArguments {
            name: Some(name), every: Some(every), grace, tell: Some(tell), ..
        } => {
            let tell = parse_user(&tell)?;
            change(Expect::Put { name, every, grace, tell }, link, view, out).map(|_| Exit::Done)
        }
        // The definition of the arguments requires them.
        _ => Err(Failure::new(Exit::Usage, texts::give_name_every_and_tell())),
    }
}

fn change(expect: Expect, link: &mut Link, view: View, out: &mut dyn Write) -> Result<(), Failure> {
    let (token, _) = local_login::current(link)?;
    let expected = verbs::expect(link, token, expect)?;
    if view.is_json {
        writeln!(out, "{}", object::line(&expected))?;
        return Ok(());
    }
    match expected.due_at {
        Some(due_at) => {
            let due_at = moment(due_at, view.clock());
            writeln!(out, "{}", texts::expected_until(expected.name.as_str(), due_at))?;
        }
        None => writeln!(out, "{}", texts::not_expected(expected.name.as_str()))?,
    }
    Ok(())
}

/// One line each: name, state, next deadline, last report, and who is told.
fn list(view: View, link: &mut Link, out: &mut dyn Write) -> Result<Exit, Failure> {
    let (token, _) = local_login::current(link)?;
    let found = verbs::expectations(link, token)?.expectations;
    for expectation in &found {
        match view.is_json {
            true => writeln!(out, "{}", object::line(expectation))?,
            false => writeln!(out, "{}", line(expectation, view.clock()))?,
        }
    }
    Ok(if found.is_empty() { Exit::Nothing } else { Exit::Done })
}

fn line(expectation: &Expectation, clock: Clock) -> String {
    let Expectation { name, tell, due_at, last_at, last_code, started_at, late, .. } = expectation;
    let state = match (late, started_at) {
        (true, _) => texts::is_late(),
        (false, Some(_)) => texts::is_running(),
        (false, None) => texts::is_on_time(),
    };
    let last = match (last_at, last_code) {
        (Some(at), Some(0)) => texts::last_report(moment(*at, clock)),
        (Some(at), Some(code)) => texts::last_failure(moment(*at, clock), code),
        _ => texts::no_report_yet().to_owned(),
    };
    let due = texts::due_at(moment(*due_at, clock));
    [name.as_str(), state, &due, &last, &texts::tells(tell)].join("\t")
}
