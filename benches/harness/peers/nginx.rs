//! nginx, which reads each request and answers 204. It stores nothing: what HTTP alone costs.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::http::Requests;
use super::{Messages, Peer, Process, Running, find_program, first_line, free_address};
use crate::harness::generator::Protocol;

/// `nginx`.
pub struct Nginx {
    program: PathBuf,
}

impl Nginx {
    /// Finds it on this machine.
    pub fn find() -> Option<Self> {
        find_program("nginx").map(|program| Self { program })
    }
}

impl Peer for Nginx {
    fn name(&self) -> &str {
        "nginx"
    }

    fn description(&self) -> String {
        let version = first_line(&self.program, "-v").unwrap_or_default();
        format!("{version}; POST, 204 with keep-alive, nothing is stored")
    }

    fn start(&self, folder: &Path) -> Result<Box<dyn Running>> {
        let address = free_address()?;
        let folder = folder.display();
        // It closes a connection after a thousand requests, unless told otherwise. A body that fits
        // into its buffer is in no file.
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
            .concat();
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {folder}/pid;\nerror_log {folder}/errors;\n\
             worker_rlimit_nofile 20000;\nevents {{ worker_connections 10000; }}\n\
             http {{\n{paths}access_log off;\nkeepalive_requests 1000000000;\n\
             server {{ listen {address} backlog=4096; return 204; }}\n}}\n"
        );
        let file = format!("{folder}/nginx.conf");
        fs::write(&file, configuration)?;
        let mut command = Command::new(&self.program);
        command.args(["-e", "stderr", "-c", &file]);
        Ok(Box::new(RunningNginx { process: Process::start(&mut command, address)?, address }))
    }
}

struct RunningNginx {
    process: Process,
    address: SocketAddr,
}

impl Running for RunningNginx {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.process.id()
    }

    fn protocol(&self, messages: Messages) -> Box<dyn Protocol> {
        Box::new(Requests::without_a_message(messages))
    }

    /// It has stored nothing.
    fn stop(self: Box<Self>, _: Messages, _: u64) -> Result<()> {
        self.process.stop()
    }
}
