//! The server. This file only returns the exit code of [`chat::operate`].

use std::process::ExitCode;

fn main() -> ExitCode {
    chat::operate::run(std::env::args_os()).into()
}
