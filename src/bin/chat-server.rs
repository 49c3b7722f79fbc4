//! The server. Everything is in [`chat::operate`]; this is where its exit code goes.

use std::process::ExitCode;

fn main() -> ExitCode {
    chat::operate::run(std::env::args_os()).into()
}
