//! Tests that cannot run on this machine. Each says so where it is seen: `cargo test` hides what a
//! test prints with `println!` and passes.

use std::io::Write;
use std::panic::Location;
use std::process::Command;

/// With this variable a test that would be skipped fails: CI has everything.
const ALL: &str = "CHAT_TEST_ALL";

/// The programs that only some tests need, and the Debian package of each. `.ci/run` installs them.
pub const PACKAGES: &[(&str, &str)] = &[
    ("bash", "bash"),
    ("cc", "gcc"),
    ("chromium", "chromium"),
    ("fish", "fish"),
    ("git", "git"),
    ("groff", "groff-base"),
    ("ip", "iproute2"),
    ("jq", "jq"),
    ("mandoc", "mandoc"),
    ("mkfs.ext4", "e2fsprogs"),
    ("nc", "netcat-openbsd"),
    ("openssl", "openssl"),
    ("promtool", "prometheus"),
    ("python3", "python3"),
    ("setpriv", "util-linux"),
    ("setsid", "util-linux"),
    ("sqlite3", "sqlite3"),
    ("ss", "iproute2"),
    ("strace", "strace"),
    ("systemd-analyze", "systemd"),
    ("unshare", "util-linux"),
    ("zsh", "zsh"),
];

/// Says that the test that calls this is skipped, because it `needs` something, and how to get that:
/// `skipped NAME: needs jq (install jq)`. The test has then to return.
///
/// # Panics
/// Where no test may be skipped.
#[track_caller]
pub fn skip(needs: &str, remedy: &str) {
    let line = message(&name(Location::caller()), needs, remedy);
    assert!(std::env::var_os(ALL).is_none(), "{line}; {ALL} is set");
    // Not `eprintln!`: the test harness keeps that of a test that passes to itself.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Whether a program is on this machine. Where it is not, the test is skipped, and that is said.
///
/// # Panics
/// Where it is not and no test may be skipped; where nobody knows its package.
#[track_caller]
pub fn is_here(program: &str) -> bool {
    let package = PACKAGES.iter().find(|(known, _)| *known == program);
    let (_, package) = package.unwrap_or_else(|| panic!("{program} has no package in PACKAGES"));
    let found = Command::new("sh").args(["-c", "command -v \"$0\"", program]).output();
    let is_here = found.is_ok_and(|output| output.status.success());
    if !is_here {
        skip(program, &format!("install {package}"));
    }
    is_here
}

fn message(name: &str, needs: &str, remedy: &str) -> String {
    format!("skipped {name}: needs {needs} ({remedy})")
}

/// The name of the test: of its thread, which the harness names after it, unless there is only one.
fn name(caller: &Location<'_>) -> String {
    match std::thread::current().name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => format!("{}:{}", caller.file(), caller.line()),
    }
}
