//! A real browser without a window: what a page becomes in it, what it complains of, and what it asks
//! for.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::skip::is_here;

/// What became of a page.
pub struct Visit {
    /// The document when the time was over.
    pub document: String,
    /// What stood on the console: warnings and errors of scripts, policies and the network.
    pub console: Vec<String>,
    /// What the page itself asked for, itself included.
    pub requests: Vec<String>,
}

/// Whether there is a browser; says so where there is none.
#[track_caller]
pub fn is_there() -> bool {
    is_here("chromium")
}

/// Opens `url` and lets `seconds` go by in the page, which does not take so long: the page's clock
/// runs ahead while nothing is under way.
pub fn visit(url: &str, seconds: u32, width: u32, options: &[&str]) -> Visit {
    let folder = TempDir::new().expect("a temporary folder");
    let inside = |name: &str| folder.path().join(name);
    let file = |name: &str| File::create(inside(name)).expect("a file");
    // Ended after a minute, whatever it does.
    let mut command = Command::new("timeout");
    command.args(["60", "chromium", "--headless", "--no-sandbox", "--disable-gpu"]).args([
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--enable-logging=stderr",
        "--v=0",
        "--dump-dom",
    ]);
    command.arg(format!("--user-data-dir={}", inside("profile").display()));
    command.arg(format!("--log-net-log={}", inside("network").display()));
    command.arg(format!("--window-size={width},1000"));
    command.arg(format!("--virtual-time-budget={}", seconds * 1000));
    command.args(options).arg(url).stdin(Stdio::null());
    let status = command.stdout(file("document")).stderr(file("console")).status();
    let complaints = read(&inside("console"));
    assert!(status.expect("the browser starts").success(), "{complaints}");
    let console = complaints.lines().filter(|line| line.contains(":CONSOLE")).map(str::to_owned);
    Visit {
        document: read(&inside("document")),
        console: console.collect(),
        requests: requests(&read(&inside("network")), url),
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("what the browser wrote")).into_owned()
}

/// The addresses that were asked for on behalf of `page`: the browser asks for some of its own.
fn requests(log: &str, page: &str) -> Vec<String> {
    // A log that was cut off at the end lacks what closes it.
    let log: Value = serde_json::from_str(log)
        .or_else(|_| serde_json::from_str(&format!("{}]}}", log.trim_end().trim_end_matches(','))))
        .expect("the browser's log of the network");
    let origin = page.split('/').take(3).collect::<Vec<_>>().join("/");
    let events = log["events"].as_array().expect("events").iter();
    let started = events.filter_map(|event| {
        let parameters = &event["params"];
        let url = parameters["url"].as_str()?;
        let by_the_page = parameters["initiator"].as_str() == Some(&origin);
        (by_the_page || url == page).then(|| url.to_owned())
    });
    started.collect()
}
