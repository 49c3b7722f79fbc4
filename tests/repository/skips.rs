//! A test that cannot run here is visibly skipped and names the missing package; CI skips none.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::python;
use crate::support::skip::{NPM_PACKAGES, PACKAGES, is_here};

/// The test below is skipped only if this is set.
const PROBE: &str = "CHAT_TEST_PROBE";

#[test]
fn a_program_that_is_missing() {
    if std::env::var_os(PROBE).is_some() {
        assert!(!is_here("jq"));
    }
}

/// Runs the test above as `cargo test` does, which hides the output of passing tests.
fn probe(variables: &[(&str, &str)]) -> (Output, String) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "skips::a_program_that_is_missing", "--test-threads", "2"]);
    // Without a path no program is found.
    command.env_clear().env("PATH", "").env(PROBE, "1").envs(variables.iter().copied());
    let output = command.output().expect("it starts again");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[test]
fn skipped_test_is_seen_with_what_to_install_and_fails_where_none_may_be_skipped() {
    let line = "skipped skips::a_program_that_is_missing: needs jq (install jq)";
    let (output, said) = probe(&[]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(said.trim_end(), line);
    let (output, _) = probe(&[("CHAT_TEST_ALL", "1")]);
    assert!(!output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains(line), "{output:?}");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn ci_installs_every_program_that_a_test_may_miss_and_lets_none_be_skipped() {
    let script = fs::read_to_string(root().join(".ci/run")).expect("the script");
    for (program, package) in PACKAGES {
        let line = format!("need {program} {package}");
        assert!(script.lines().any(|known| known == line), "{line}");
    }
    for (package, install) in python::PACKAGES {
        let imports = script.lines().find(|line| line.contains("python -c 'import "));
        assert!(imports.is_some_and(|line| line.contains(package)), "{package}");
        assert!(install.split(' ').all(|install| script.contains(install)), "{install}");
    }
    let npm = script.lines().find(|line| line.contains("npm install ")).expect("npm");
    assert!(NPM_PACKAGES.iter().all(|package| npm.split(' ').any(|it| it == *package)), "{npm}");
    assert!(script.contains("export CHAT_TEST_ALL=1"));
}

#[test]
fn tests_say_that_they_are_skipped_in_one_place() {
    let own = ["tests/support/skip.rs", "tests/repository/skips.rs"].map(|file| root().join(file));
    let mut folders = vec![root().join("tests")];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path: PathBuf = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !own.contains(&path) {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let lines = text.lines().filter(|line| line.to_lowercase().contains("\"skipped"));
                found.extend(lines.map(|line| format!("{}: {line}", path.display())));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
