//! A server that runs as a service: with a configuration file and a reader of its log.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::PATIENCE;

/// A running server. It is killed, and its folder removed, when this is dropped.
pub struct Service {
    child: Child,
    address: SocketAddr,
    log: Receiver<String>,
    folder: TempDir,
}

impl Service {
    /// Starts a server with this configuration, on a port that the system chooses.
    pub fn start(configuration: &str) -> Self {
        Self::start_with(configuration, &["--listen", "127.0.0.1:0"])
    }

    /// Starts a server with this configuration and these options.
    pub fn start_with(configuration: &str, options: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let file = folder.path().join("server.toml");
        fs::write(&file, configuration).expect("a configuration file");
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        command.env_clear().env("CHAT_SERVER_CONFIG", &file).args(options);
        command.current_dir(folder.path()).stdin(Stdio::null());
        let (child, log, line) = begin(&mut command);
        let address = line.rsplit(' ').next().and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        Self { child, address, log, folder }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its configuration file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("server.toml")
    }

    /// Replaces the configuration.
    pub fn configure(&self, configuration: &str) {
        fs::write(self.file(), configuration).expect("a configuration file");
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("the server can be signalled");
    }

    /// The next line of its log that contains this.
    pub fn wait_for_line(&self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|error| panic!("{error}: no line has {text:?}"));
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Stops it with SIGTERM and waits for its end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().expect("the server has ended")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a server; returns it with the lines of its log and the line with its address.
pub fn begin(command: &mut Command) -> (Child, Receiver<String>, String) {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the server starts");
    let (sender, log) = mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().expect("its log"));
    thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    let mut line = String::new();
    let stdout = child.stdout.take().expect("its standard output");
    BufReader::new(stdout).read_line(&mut line).expect("a line when it accepts");
    (child, log, line.trim_end().to_owned())
}
