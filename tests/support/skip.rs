//! Tests that cannot run on this machine. Each reports it visibly: `cargo test` hides what a
//! passing test prints with `println!`.

use std::io::Write;
use std::panic::Location;
use std::process::Command;

/// With this variable a skipped test fails: CI has all programs.
const ALL: &str = "CHAT_TEST_ALL";

/// The programs that only some tests need, and the Debian package of each. `.ci/run` installs them.
pub const PACKAGES: &[(&str, &str)] = &[
    ("apprise", "apprise"),
    ("bash", "bash"),
    ("cc", "gcc"),
    ("chromium", "chromium"),
    ("fish", "fish"),
    ("curl", "curl"),
    ("etcd", "etcd-server"),
    ("git", "git"),
    ("groff", "groff-base"),
    ("ip", "iproute2"),
    ("jq", "jq"),
    ("mandoc", "mandoc"),
    ("mkfs.ext4", "e2fsprogs"),
    ("nc", "netcat-openbsd"),
    ("openssl", "openssl"),
    ("patroni", "patroni"),
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

/// The packages from npm that `.ci/run` installs in `target/node`: a test needs the first, and CI the
/// second.
pub const NPM_PACKAGES: &[&str] = &["axe-core@4.11.0", "typescript@5.9.3"];

/// Reports that the calling test is skipped, because it `needs` something, and the remedy:
/// `skipped NAME: needs jq (install jq)`. The test must then return.
///
/// # Panics
/// If no test may be skipped.
#[track_caller]
pub fn skip(needs: &str, remedy: &str) {
    let line = message(&name(Location::caller()), needs, remedy);
    assert!(std::env::var_os(ALL).is_none(), "{line}; {ALL} is set");
    // Not `eprintln!`: the test harness captures that of a passing test.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Reports that the calling test is skipped, because what it tests does not exist `here`. Unlike
/// [`skip`], this is no fault of the machine.
#[track_caller]
pub fn does_not_apply(here: &str) {
    let line = format!("skipped {}: does not apply to {here}", name(Location::caller()));
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Whether a program is installed. If not, the test is skipped and says so.
///
/// # Panics
/// If it is missing and no test may be skipped, or its package is unknown.
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

/// The name of the test: that of its thread, which the harness sets, unless there is only one.
fn name(caller: &Location<'_>) -> String {
    match std::thread::current().name() {
        Some(name) if name != "main" => name.to_owned(),
        _ => format!("{}:{}", caller.file(), caller.line()),
    }
}
