//! A real headless browser: the document that a page becomes, its errors, and its requests.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::skip::is_here;

/// The result of a visit.
pub struct Visit {
    /// The document at the end.
    pub document: String,
    /// The console: warnings and errors of scripts, policies and the network.
    pub console: Vec<String>,
    /// The requests of the page, including the one for the page itself.
    pub requests: Vec<String>,
}

/// Whether there is a browser; if not, the test is skipped and says so.
#[track_caller]
pub fn is_there() -> bool {
    is_here("chromium")
}

/// Opens `url` and lets `seconds` pass in the page. That takes less real time: the page's clock
/// runs ahead while nothing is pending.
pub fn visit(url: &str, seconds: u32, width: u32, options: &[&str]) -> Visit {
    let folder = TempDir::new().expect("a temporary folder");
    let inside = |name: &str| folder.path().join(name);
    let file = |name: &str| File::create(inside(name)).expect("a file");
    // Killed after a minute.
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
    String::from_utf8_lossy(&fs::read(path).expect("the browser's output")).into_owned()
}

/// The addresses requested by `page`: the browser requests some of its own.
fn requests(log: &str, page: &str) -> Vec<String> {
    // A truncated log lacks its closing brackets.
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
