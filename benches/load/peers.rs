//! The servers that are measured: each is started anew for every run, on an empty database of its
//! own, and asked at the end what it has stored.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, bail, ensure};
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};

use crate::generator::Speech;

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// A body begins with the number of its message, in so many digits.
pub const BODY_NUMBER_BYTES: usize = 16;

/// What the messages are like.
#[derive(Debug, Clone, Copy)]
pub struct Messages {
    pub recipients: usize,
    pub body_bytes: usize,
}

/// A process that is killed when this is dropped.
struct Process(Child);

impl Process {
    fn id(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to stop, waits for its end, which has to be a good one.
    fn stop(mut self) -> Result<()> {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::TERM)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A `chat-server` program, and a database with its users to begin every run with.
pub struct Chat {
    pub name: String,
    program: PathBuf,
    template: PathBuf,
}

/// A running `chat-server`.
pub struct RunningChat {
    process: Process,
    pub address: SocketAddr,
    pub token: String,
    database: PathBuf,
}

impl Chat {
    /// Has `program` make a database, and puts the recipients into it. Their password is that of
    /// a user of the seed: hashing a thousand would take a minute.
    pub fn prepare(name: &str, program: &Path, folder: &Path, recipients: usize) -> Result<Self> {
        let folder = folder.join(format!("template-{name}"));
        fs::create_dir_all(&folder)?;
        let template = folder.join("chat.sqlite");
        let (process, _) = start(program, &template)?;
        process.stop()?;
        let mut database = Connection::open(&template)?;
        let transaction = database.transaction()?;
        for index in 0..recipients {
            transaction.execute(
                "INSERT INTO users (name, display_name, password_hash, created_at)
                 SELECT ?1, ?1, password_hash, created_at FROM users WHERE name = 'paff'",
                [recipient(index)],
            )?;
        }
        transaction.commit()?;
        Ok(Self { name: name.to_owned(), program: program.to_owned(), template })
    }

    /// Starts it in an empty folder.
    pub fn start(&self, folder: &Path) -> Result<RunningChat> {
        let database = folder.join("chat.sqlite");
        fs::copy(&self.template, &database)?;
        let (process, address) = start(&self.program, &database)?;
        let token = log_in(address)?;
        Ok(RunningChat { process, address, token, database })
    }
}

impl RunningChat {
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn speech(&self, messages: Messages) -> ChatSpeech {
        ChatSpeech { prefix: format!("send {} ", self.token), choice: Choice::new(messages) }
    }

    /// Stops it, and checks that its database has the first `acknowledged` messages, each once.
    pub fn stop(self, acknowledged: u64) -> Result<()> {
        self.process.stop()?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(&self.database, flags)?;
        let (rows, sum, last): (i64, i64, i64) = database.query_row(
            "SELECT count(*), coalesce(sum(number), 0), coalesce(max(number), -1)
               FROM (SELECT CAST(substr(body, 1, ?1) AS INTEGER) AS number FROM messages)",
            [BODY_NUMBER_BYTES as i64],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        ensure!(
            rows == i64::try_from(acknowledged)?,
            "{acknowledged} sends were acknowledged, {rows} are stored"
        );
        ensure!(
            sum == rows * (rows - 1) / 2 && last == rows - 1,
            "the messages that are stored are not those that were acknowledged"
        );
        Ok(())
    }
}

/// Starts a `chat-server` and waits until it accepts connections.
fn start(program: &Path, database: &Path) -> Result<(Process, SocketAddr)> {
    let mut command = Command::new(program);
    command.env_clear().arg("--db").arg(database);
    command.args(["--listen", "127.0.0.1:0", "--log", "warn"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let mut child = child.with_context(|| format!("{} does not start", program.display()))?;
    let stdout = child.stdout.take().context("its standard output")?;
    let process = Process(child);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let address = line.trim_end().rsplit(' ').next().and_then(|address| address.parse().ok());
    Ok((process, address.with_context(|| format!("no address in {line:?}"))?))
}

fn log_in(address: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"auth paff cytus\r\n")?;
    let mut reply = String::new();
    BufReader::new(stream).read_line(&mut reply)?;
    let fields: serde_json::Value = serde_json::from_str(&reply)?;
    let token = fields["tokenid"].as_str().with_context(|| format!("not logged in: {reply}"))?;
    Ok(token.to_owned())
}

/// Who gets the next message, and what it says: the same in every run.
struct Choice {
    messages: Messages,
    number: u64,
    random: u64,
}

impl Choice {
    fn new(messages: Messages) -> Self {
        Self { messages, number: 0, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Any recipient (xorshift).
    fn recipient(&mut self) -> String {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        recipient((self.random % self.messages.recipients as u64) as usize)
    }

    fn write_body(&mut self, out: &mut Vec<u8>) {
        write!(out, "{:0BODY_NUMBER_BYTES$}", self.number).expect("memory takes bytes");
        out.resize(out.len() + self.messages.body_bytes - BODY_NUMBER_BYTES, b'x');
        self.number += 1;
    }
}

/// The name of a recipient.
pub fn recipient(index: usize) -> String {
    format!("bench{index}")
}

/// `send`.
pub struct ChatSpeech {
    prefix: String,
    choice: Choice,
}

impl Speech for ChatSpeech {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(self.choice.recipient().as_bytes());
        out.push(b' ');
        self.choice.write_body(out);
        out.extend_from_slice(b"\r\n");
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        const EXPECTED: &[u8] = b"{\"status\": \"OK\", \"message\": \"Message Sent\"}\r\n\r\n";
        let length = received.len().min(EXPECTED.len());
        if received[..length] != EXPECTED[..length] {
            bail!("not an acknowledgement: {}", String::from_utf8_lossy(received));
        }
        Ok((length == EXPECTED.len()).then_some(length))
    }
}

/// A running `redis-server` that fsyncs before it answers.
pub struct Redis {
    process: Process,
    pub address: SocketAddr,
}

impl Redis {
    /// Whether there is one on this machine: what it says of itself.
    pub fn version() -> Option<String> {
        let output = Command::new("redis-server").arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Starts it in an empty folder.
    pub fn start(folder: &Path) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string(), "--dir"]);
        command.arg(folder).args(["--save", "", "--appendonly", "yes"]);
        command.args(["--appendfsync", "always", "--loglevel", "warning"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let process = Process(child);
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            ensure!(begin.elapsed() < PATIENCE, "redis-server does not start");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Self { process, address })
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    pub fn speech(&self, messages: Messages) -> RedisSpeech {
        RedisSpeech { choice: Choice::new(messages) }
    }

    /// Checks that its lists have `acknowledged` messages, and stops it.
    pub fn stop(self, recipients: usize, acknowledged: u64) -> Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        let mut asking = Vec::new();
        for index in 0..recipients {
            write!(asking, "LLEN {}\r\n", recipient(index))?;
        }
        asking.extend_from_slice(b"QUIT\r\n");
        stream.write_all(&asking)?;
        let mut lengths = String::new();
        stream.read_to_string(&mut lengths)?;
        let lengths = lengths.lines().filter_map(|line| line.strip_prefix(':'));
        let stored: u64 = lengths.map(str::parse::<u64>).sum::<Result<_, _>>()?;
        ensure!(
            stored == acknowledged,
            "{acknowledged} sends were acknowledged, redis has {stored}"
        );
        self.process.stop()
    }
}

/// `RPUSH recipient body`.
pub struct RedisSpeech {
    choice: Choice,
}

impl Speech for RedisSpeech {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        let (recipient, bytes) = (self.choice.recipient(), self.choice.messages.body_bytes);
        let length = recipient.len();
        write!(out, "*3\r\n$5\r\nRPUSH\r\n${length}\r\n{recipient}\r\n${bytes}\r\n")
            .expect("memory takes bytes");
        self.choice.write_body(out);
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
