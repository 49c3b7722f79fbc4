//! Runs the commands of `chat-server` as operators do: a process on a database, with an empty
//! environment.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::cli::{Outcome, outcome, outcome_with_input};

/// `chat-server --db DATABASE` with these arguments and empty standard input.
pub fn command(database: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    command.env_clear().env("TZ", "UTC").stdin(Stdio::null());
    // The configuration of this machine must not influence a test.
    command.env("CHAT_SERVER_CONFIG", "/dev/null");
    command.arg("--db").arg(database).args(arguments);
    super::use_database(&mut command, database);
    command
}

/// Runs it to its end.
pub fn run(database: &Path, arguments: &[&str]) -> Outcome {
    outcome(command(database, arguments))
}

/// [`run`], with this on standard input.
pub fn run_with_input(database: &Path, arguments: &[&str], input: &str) -> Outcome {
    outcome_with_input(command(database, arguments), input.as_bytes())
}

/// [`run`], which must succeed.
pub fn done(database: &Path, arguments: &[&str]) -> String {
    let outcome = run(database, arguments);
    assert_eq!(outcome.code, 0, "{arguments:?}: {outcome:?}");
    outcome.stdout
}

/// [`run`] with `--json`, which must succeed: the objects that it prints.
pub fn objects(database: &Path, arguments: &[&str]) -> Vec<Value> {
    let output = done(database, &[arguments, &["--json"]].concat());
    output.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

/// Adds a user with this password.
pub fn add_user(database: &Path, name: &str, password: &str) {
    let outcome = run_with_input(database, &["user", "add", name], &format!("{password}\n"));
    assert_eq!(outcome.code, 0, "{name} is added: {outcome:?}");
}

/// Copies `chat-server`. Another program copies it: a process that another test starts meanwhile
/// would inherit our open file, and a file that is open for writing cannot be executed.
pub fn copy_program(to: &Path) {
    let mut copy = Command::new("cp");
    let copied = copy.arg(env!("CARGO_BIN_EXE_chat-server")).arg(to).status().expect("cp");
    assert!(copied.success(), "{copied}");
}
