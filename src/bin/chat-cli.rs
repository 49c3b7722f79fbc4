//! The command line client. This file only returns the exit code of [`chat::client`].

use std::process::ExitCode;

fn main() -> ExitCode {
    chat::client::run(std::env::args_os()).into()
}
