//! Redis. It appends to its file and fsyncs it before it replies; each recipient has a list.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail, ensure};

use super::{
    MessageSource, Messages, Peer, Process, Running, find_program, first_line, free_address,
    recipient,
};
use crate::harness::generator::Protocol;

/// `redis-server`.
pub struct Redis {
    program: PathBuf,
}

impl Redis {
    /// Finds it on this machine.
    pub fn find() -> Option<Self> {
        find_program("redis-server").map(|program| Self { program })
    }
}

impl Peer for Redis {
    fn name(&self) -> &str {
        "Redis"
    }

    fn description(&self) -> String {
        let version = first_line(&self.program, "--version").unwrap_or_default();
        format!("{version}; RPUSH, appendfsync always")
    }

    fn start(&self, folder: &Path) -> Result<Box<dyn Running>> {
        let address = free_address()?;
        let mut command = Command::new(&self.program);
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--dir"]);
        command.arg(folder).args(["--save", "", "--appendonly", "yes"]);
        command.args(["--appendfsync", "always", "--loglevel", "warning"]);
        Ok(Box::new(RunningRedis { process: Process::start(&mut command, address)?, address }))
    }
}

struct RunningRedis {
    process: Process,
    address: SocketAddr,
}

impl Running for RunningRedis {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.process.id()
    }

    fn one_shot(&self, body: &str) -> Option<Command> {
        let mut command = Command::new(find_program("redis-cli")?);
        command.args(["-p", &self.address.port().to_string(), "RPUSH", &recipient(0), body]);
        Some(command)
    }

    fn protocol(&self, messages: Messages) -> Box<dyn Protocol> {
        Box::new(Pushes { source: MessageSource::new(messages) })
    }

    /// Adds up the lengths of all lists.
    fn stop(self: Box<Self>, messages: Messages, acknowledged: u64) -> Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        let mut asking = Vec::new();
        for index in 0..messages.recipients {
            write!(asking, "LLEN {}\r\n", recipient(index))?;
        }
        asking.extend_from_slice(b"QUIT\r\n");
        stream.write_all(&asking)?;
        let mut lengths = String::new();
        stream.read_to_string(&mut lengths)?;
        let lengths = lengths.lines().filter_map(|line| line.strip_prefix(':'));
        let stored: u64 = lengths.map(str::parse::<u64>).sum::<Result<_, _>>()?;
        ensure!(stored == acknowledged, "{acknowledged} were acknowledged, {stored} are stored");
        self.process.stop()
    }
}

/// `RPUSH recipient body`.
struct Pushes {
    source: MessageSource,
}

impl Protocol for Pushes {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        let (recipient, bytes) =
            (recipient(self.source.recipient()), self.source.messages.body_bytes);
        let length = recipient.len();
        write!(out, "*3\r\n$5\r\nRPUSH\r\n${length}\r\n{recipient}\r\n${bytes}\r\n")
            .expect("a vector accepts bytes");
        self.source.write_body(out);
        out.extend_from_slice(b"\r\n");
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        match received.first() {
            None => Ok(None),
            Some(b':') => Ok(received.iter().position(|&byte| byte == b'\n').map(|end| end + 1)),
            Some(_) => bail!("not an acknowledgement: {}", String::from_utf8_lossy(received)),
        }
    }
}
