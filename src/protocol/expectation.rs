//! The arguments and replies of `expect`, `expectations` and `report`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::arguments::{True, bad_argument};
use super::refusal::Refusal;
use crate::model::{BODY_BYTES_MAX, Body, ExpectationName, Timestamp, UserName};

/// The longest time between two reports, and the longest grace.
pub const EXPECTATION_SECONDS_MAX: u64 = 366 * 24 * 60 * 60;

/// Declares or removes an expectation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Declares it, or changes it.
    Put {
        /// Its name.
        name: ExpectationName,
        /// How often a report comes: whole seconds, at least one.
        every: Duration,
        /// How much later it may come.
        grace: Duration,
        /// Who is told if it does not.
        tell: UserName,
    },
    /// Removes it.
    Remove {
        /// Its name.
        name: ExpectationName,
    },
}

/// The JSON fields of [`Expect`].
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectFields {
    name: ExpectationName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schemars(range(min = 1, max = EXPECTATION_SECONDS_MAX)))]
    every: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schemars(range(max = EXPECTATION_SECONDS_MAX)))]
    grace: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tell: Option<UserName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remove: Option<True>,
}

impl ExpectFields {
    pub(super) fn check(self) -> Result<Expect, Refusal> {
        let Self { name, every, grace, tell, remove } = self;
        match (every, tell, remove) {
            (None, None, Some(True)) if grace.is_none() => Ok(Expect::Remove { name }),
            (Some(every), Some(tell), None) => {
                let max = EXPECTATION_SECONDS_MAX;
                if !(1..=max).contains(&every) {
                    return Err(bad_argument(format!("every: give 1 to {max} seconds")));
                }
                let grace = grace.unwrap_or(0);
                if grace > max {
                    return Err(bad_argument(format!("grace: give 0 to {max} seconds")));
                }
                let (every, grace) = (Duration::from_secs(every), Duration::from_secs(grace));
                Ok(Expect::Put { name, every, grace, tell })
            }
            _ => Err(bad_argument("give every and tell, or remove alone")),
        }
    }

    pub(super) fn of(expect: &Expect) -> Self {
        match expect.clone() {
            Expect::Put { name, every, grace, tell } => Self {
                name,
                every: Some(every.as_secs()),
                grace: Some(grace.as_secs()),
                tell: Some(tell),
                remove: None,
            },
            Expect::Remove { name } => {
                Self { name, every: None, grace: None, tell: None, remove: Some(True) }
            }
        }
    }
}

/// Reports that something was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The expectation.
    pub name: ExpectationName,
    /// What is reported.
    pub report: Reported,
    /// What is said about it: told if it is a failure.
    pub text: Option<Body>,
}

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reported {
    /// It has started.
    Started,
    /// It has ended with this exit code.
    Ended(u8),
}

/// The output of a job, or its end, without the line breaks there, as the text of a report.
pub fn text_of_output(output: &str) -> Option<Body> {
    let output = output.trim_end_matches(['\r', '\n']);
    let begin = output.ceil_char_boundary(output.len().saturating_sub(BODY_BYTES_MAX));
    output[begin..].parse().ok()
}

/// The JSON fields of [`Report`].
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ReportFields {
    name: ExpectationName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<True>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<Body>,
}

impl ReportFields {
    pub(super) fn check(self) -> Result<Report, Refusal> {
        let report = match (self.start, self.code, &self.text) {
            (Some(True), None, None) => Reported::Started,
            (None, code, _) => Reported::Ended(code.unwrap_or(0)),
            (Some(True), Some(_), _) => return Err(bad_argument("give one of start and code")),
            (Some(True), None, Some(_)) => return Err(bad_argument("text: a start has none")),
        };
        Ok(Report { name: self.name, report, text: self.text })
    }

    pub(super) fn of(report: &Report) -> Self {
        let (start, code) = match report.report {
            Reported::Started => (Some(True), None),
            Reported::Ended(0) => (None, None),
            Reported::Ended(code) => (None, Some(code)),
        };
        Self { name: report.name.clone(), start, code, text: report.text.clone() }
    }
}

/// The reply to `expect` and `report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Expected {
    /// The expectation.
    pub name: ExpectationName,
    /// When the next report is due, with the grace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// It was removed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
}

/// The user's expectations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Expectations {
    /// Them, by name.
    pub expectations: Vec<Expectation>,
}

/// An expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(schemars::JsonSchema))]
pub struct Expectation {
    /// Its name.
    pub name: ExpectationName,
    /// Who is told.
    pub tell: UserName,
    /// How often a report comes, in seconds.
    pub every: u64,
    /// How much later it may come, in seconds.
    pub grace: u64,
    /// When the next report is due, with the grace.
    pub due_at: Timestamp,
    /// When the last report came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// The exit code of the last report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_code: Option<u8>,
    /// When a run started that has not ended yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Whether a report is missing, or the last one was of a failure.
    pub late: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_end_of_the_output() {
        let text = text_of_output;
        assert_eq!(text("one\ntwo\r\n\n").unwrap().as_str(), "one\ntwo");
        assert!(text("").is_none() && text("\n").is_none());
        let long = format!("é{}", "x".repeat(BODY_BYTES_MAX - 1));
        assert_eq!(text(&long).unwrap().as_str(), &long[2..]);
    }
}
