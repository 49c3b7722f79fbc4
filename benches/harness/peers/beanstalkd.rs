//! beanstalkd, a work queue. It fsyncs its log before it replies.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;

use super::{
    MessageSource, Messages, Peer, Process, Running, find_program, first_line, free_address,
};
use crate::harness::generator::Protocol;

/// `beanstalkd`.
pub struct Beanstalkd {
    program: PathBuf,
}

impl Beanstalkd {
    /// Finds it on this machine.
    pub fn find() -> Option<Self> {
        find_program("beanstalkd").map(|program| Self { program })
    }
}

impl Peer for Beanstalkd {
    fn name(&self) -> &str {
        "beanstalkd"
    }

    fn description(&self) -> String {
        let version = first_line(&self.program, "-v").unwrap_or_default();
        format!("{version}; put into one tube, fsync each (-f 0)")
    }

    fn start(&self, folder: &Path) -> Result<Box<dyn Running>> {
        let address = free_address()?;
        let mut command = Command::new(&self.program);
        command.args(["-l", "127.0.0.1", "-p", &address.port().to_string(), "-f", "0", "-b"]);
        let process = Process::start(command.arg(folder), address)?;
        Ok(Box::new(RunningBeanstalkd { process, address }))
    }
}

struct RunningBeanstalkd {
    process: Process,
    address: SocketAddr,
}

impl Running for RunningBeanstalkd {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.process.id()
    }

    fn protocol(&self, messages: Messages) -> Box<dyn Protocol> {
        Box::new(Puts { source: MessageSource::new(messages) })
    }

    fn stop(self: Box<Self>, _: Messages, acknowledged: u64) -> Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(b"stats\r\n")?;
        let counted = BufReader::new(stream)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("current-jobs-ready: ").map(str::parse::<u64>));
        let stored = counted.context("it does not say how many jobs it has")??;
        ensure!(stored == acknowledged, "{acknowledged} were acknowledged, {stored} are stored");
        // It has no way to stop that gives a successful exit status.
        let _ = self.process.stop_by(Signal::TERM);
        Ok(())
    }
}

/// `put`.
struct Puts {
    source: MessageSource,
}

impl Protocol for Puts {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        let bytes = self.source.messages.body_bytes;
        write!(out, "put 0 0 60 {bytes}\r\n").expect("a vector accepts bytes");
        self.source.write_body(out);
        out.extend_from_slice(b"\r\n");
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        const EXPECTED: &[u8] = b"INSERTED ";
        let length = received.len().min(EXPECTED.len());
        if received[..length] != EXPECTED[..length] {
            bail!("not an acknowledgement: {}", String::from_utf8_lossy(received));
        }
        Ok(received.iter().position(|&byte| byte == b'\n').map(|end| end + 1))
    }
}
