//! The servers to compare. Every run starts a new server on an empty database, and finally checks
//! what it stored.

mod beanstalkd;
pub mod chat;
pub mod client;
pub mod cluster;
mod http;
mod mosquitto;
mod nginx;
mod postfix;
pub mod postgres;
mod redis;

use std::fs::Permissions;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

pub use beanstalkd::Beanstalkd;
pub use chat::{Chat, Key, Verb};
pub use mosquitto::Mosquitto;
pub use nginx::Nginx;
pub use postfix::Postfix;
pub use postgres::Postgres;
pub use redis::Redis;

use super::generator::Protocol;

/// How long a server may take to start or to stop.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// A body begins with the number of its message, in this many digits.
pub const BODY_NUMBER_BYTES: usize = 16;

/// The kind of messages that are sent.
#[derive(Debug, Clone, Copy)]
pub struct Messages {
    pub recipients: usize,
    pub body_bytes: usize,
}

/// A server that can be measured.
pub trait Peer {
    /// Its name in the table.
    fn name(&self) -> &str;

    /// Its version, and how durable its acknowledgements are.
    fn description(&self) -> String;

    /// Starts it in an empty folder, and waits until it accepts connections.
    fn start(&self, folder: &Path) -> Result<Box<dyn Running>>;
}

/// A started server. Dropping it kills it.
pub trait Running {
    /// The address that it listens on.
    fn address(&self) -> SocketAddr;

    /// Its first process. The descendants of that process are measured too.
    fn process(&self) -> u32;

    /// The protocol for sending it messages.
    fn protocol(&self, messages: Messages) -> Box<dyn Protocol>;

    /// Its own command for sending one message; `None` if it has none here.
    fn one_shot(&self, _body: &str) -> Option<Command> {
        None
    }

    /// Commands that do only a part of what that command does, the shortest first.
    fn steps_of_one_shot(&self) -> Vec<(&'static str, Command)> {
        Vec::new()
    }

    /// Prepares that command, with `home` as its home folder.
    fn log_in(&self, _home: &Path) -> Result<()> {
        Ok(())
    }

    /// Checks, as far as possible, that it has stored `acknowledged` messages, and stops it.
    fn stop(self: Box<Self>, messages: Messages, acknowledged: u64) -> Result<()>;
}

/// The other servers that are installed on this machine.
pub fn installed() -> Vec<Box<dyn Peer>> {
    let found: [Option<Box<dyn Peer>>; 6] = [
        Redis::find().map(|peer| Box::new(peer) as _),
        Postgres::find().map(|peer| Box::new(peer) as _),
        Beanstalkd::find().map(|peer| Box::new(peer) as _),
        Postfix::find().map(|peer| Box::new(peer) as _),
        Mosquitto::find().map(|peer| Box::new(peer) as _),
        Nginx::find().map(|peer| Box::new(peer) as _),
    ];
    found.into_iter().flatten().collect()
}

/// A process. Dropping it kills it.
struct Process(Child);

impl Process {
    fn id(&self) -> u32 {
        self.0.id()
    }

    /// Starts a server without input or output, and waits until it listens on `address`.
    fn start(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("{name} does not start"))?;
        let mut process = Self(child);
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = process.0.try_wait()?;
            ensure!(ended.is_none() && begin.elapsed() < TIMEOUT, "{name} does not start");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(process)
    }

    /// Sends `signal`, and waits for a successful exit.
    fn stop_by(mut self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.0), signal)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    fn stop(self) -> Result<()> {
        self.stop_by(Signal::TERM)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A free address of this machine. Another program could take it before the server does; a server
/// that needs to know its port in advance leaves no better way.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The id of a system user.
fn user_id(name: &str) -> Result<u32> {
    let users = fs::read_to_string("/etc/passwd")?;
    let is_it = |line: &&str| line.split(':').next() == Some(name);
    let id = users.lines().find(is_it).and_then(|line| line.split(':').nth(2));
    Ok(id.with_context(|| format!("there is no user {name}"))?.parse()?)
}

/// Lets servers that run as another user reach `folder`.
fn let_in(folder: &Path) -> Result<()> {
    for folder in folder.ancestors() {
        let file = fs::metadata(folder)?;
        // Change only this program's own folders.
        if file.uid() == 0 && file.mode() & 0o777 == 0o700 {
            fs::set_permissions(folder, Permissions::from_mode(0o711))?;
        }
    }
    Ok(())
}

/// The first line that `program argument` prints; `None` if the program does not exist.
fn first_line(program: &Path, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let said = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Some(String::from_utf8_lossy(&said).lines().next().unwrap_or_default().trim().to_owned())
}

/// Finds a program, also where Debian puts servers for root only.
pub fn find_program(name: &str) -> Option<std::path::PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&folders).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|path| fs::metadata(path).is_ok())
}

/// Chooses the recipients and texts of messages. Every run gets the same sequence.
pub struct MessageSource {
    pub messages: Messages,
    /// The number of the next message.
    pub number: u64,
    random: u64,
}

impl MessageSource {
    pub fn new(messages: Messages) -> Self {
        Self { messages, number: 0, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// A random recipient's index.
    pub fn recipient(&mut self) -> usize {
        (self.random() % self.messages.recipients as u64) as usize
    }

    /// The next pseudo-random number (xorshift).
    fn random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    pub fn write_body(&mut self, out: &mut Vec<u8>) {
        write!(out, "{:0BODY_NUMBER_BYTES$}", self.number).expect("a vector accepts bytes");
        out.resize(out.len() + self.messages.body_bytes - BODY_NUMBER_BYTES, b'x');
        self.number += 1;
    }
}

/// The name of a recipient.
pub fn recipient(index: usize) -> String {
    format!("bench{index}")
}

/// Like [`recipient`], but without an allocation.
pub fn write_recipient(out: &mut Vec<u8>, index: usize) {
    write!(out, "bench{index}").expect("a vector accepts bytes");
}

/// Runs a command, which must succeed.
pub fn run(command: &mut Command) -> Result<()> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().with_context(|| format!("{command:?}"))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}
