//! The command line client. Everything is in [`chat::client`]; this is where its exit code goes.

use std::process::ExitCode;

fn main() -> ExitCode {
    chat::client::run(std::env::args_os()).into()
}
