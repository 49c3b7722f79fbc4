//! mosquitto, an MQTT broker. It acknowledges before anything is on the disk, so its figures only
//! give an idea of scale and are no comparison.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Result, ensure};
use rustix::process::Signal;

use super::{
    MessageSource, Messages, Peer, Process, Running, find_program, first_line, free_address,
    recipient,
};
use crate::harness::generator::Protocol;

/// `mosquitto`.
pub struct Mosquitto {
    program: PathBuf,
}

impl Mosquitto {
    /// Finds it on this machine.
    pub fn find() -> Option<Self> {
        find_program("mosquitto").map(|program| Self { program })
    }
}

impl Peer for Mosquitto {
    fn name(&self) -> &str {
        "mosquitto"
    }

    fn description(&self) -> String {
        let version = first_line(&self.program, "-h").unwrap_or_default();
        format!("{version}; PUBLISH with QoS 1 to nobody: NOT durable, for scale only")
    }

    fn start(&self, folder: &Path) -> Result<Box<dyn Running>> {
        let address = free_address()?;
        let configuration = folder.join("mosquitto.conf");
        std::fs::write(
            &configuration,
            format!(
                "listener {} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n",
                address.port()
            ),
        )?;
        let mut command = Command::new(&self.program);
        let process = Process::start(command.arg("-c").arg(configuration), address)?;
        Ok(Box::new(RunningMosquitto { process, address }))
    }
}

struct RunningMosquitto {
    process: Process,
    address: SocketAddr,
}

impl Running for RunningMosquitto {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.process.id()
    }

    fn one_shot(&self, body: &str) -> Option<Command> {
        let mut command = Command::new(find_program("mosquitto_pub")?);
        command.args(["-h", "127.0.0.1", "-p", &self.address.port().to_string()]);
        command.args(["-q", "1", "-t", &recipient(0), "-m", body]);
        Some(command)
    }

    fn protocol(&self, messages: Messages) -> Box<dyn Protocol> {
        Box::new(Publishes { source: MessageSource::new(messages), clients: AtomicU32::new(0) })
    }

    /// It stores nothing that could be counted.
    fn stop(self: Box<Self>, _: Messages, _: u64) -> Result<()> {
        self.process.stop_by(Signal::TERM)
    }
}

/// `PUBLISH` with QoS 1, in MQTT 3.1.1.
struct Publishes {
    source: MessageSource,
    clients: AtomicU32,
}

impl Protocol for Publishes {
    /// CONNECT with a unique client name, then CONNACK (sections 3.1 and 3.2).
    fn prepare_connection(&self, stream: &mut TcpStream) -> Result<()> {
        let client = format!("load{}", self.clients.fetch_add(1, Ordering::Relaxed));
        let mut connect = vec![0x10, u8::try_from(12 + client.len())?];
        connect.extend_from_slice(b"\x00\x04MQTT\x04\x02\x00\x00");
        connect.extend_from_slice(&u16::try_from(client.len())?.to_be_bytes());
        connect.extend_from_slice(client.as_bytes());
        stream.write_all(&connect)?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer)?;
        ensure!(answer == [0x20, 2, 0, 0], "not connected: {answer:?}");
        Ok(())
    }

    /// Section 3.3. The packet identifier is unique among all requests in flight.
    fn write_request(&mut self, out: &mut Vec<u8>) {
        let number = (self.source.number % u64::from(u16::MAX)) as u16 + 1;
        let topic = recipient(self.source.recipient());
        let mut remaining = 2 + topic.len() + 2 + self.source.messages.body_bytes;
        out.push(0x32);
        // Section 2.2.3: seven bits per byte, the least significant first.
        while remaining > 0x7f {
            out.push((remaining & 0x7f) as u8 | 0x80);
            remaining >>= 7;
        }
        out.push(remaining as u8);
        out.extend_from_slice(&(topic.len() as u16).to_be_bytes());
        out.extend_from_slice(topic.as_bytes());
        out.extend_from_slice(&number.to_be_bytes());
        self.source.write_body(out);
    }

    /// PUBACK: section 3.4.
    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        if received.len() < 4 {
            return Ok(None);
        }
        ensure!(received[..2] == [0x40, 2], "not an acknowledgement: {received:?}");
        Ok(Some(4))
    }
}
