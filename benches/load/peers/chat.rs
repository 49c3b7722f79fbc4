//! Our own server: `send`, or `post` with a key of its own for each message.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rusqlite::{Connection, OpenFlags};
use uuid::Uuid;

use super::{BODY_NUMBER_BYTES, Choice, Messages, Peer, Process, Running, first_line, recipient};
use crate::generator::Speech;
use crate::oneshot;

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `send`.
    Send,
    /// `post`, with a UUID of version 7 as its key.
    Post,
}

/// A `chat-server` program, and a database with its users to begin every run with.
#[derive(Clone)]
pub struct Chat {
    name: String,
    program: PathBuf,
    template: PathBuf,
    verb: Verb,
    /// `chat-cli`.
    client: Option<PathBuf>,
}

struct RunningChat {
    process: Process,
    address: SocketAddr,
    token: String,
    database: PathBuf,
    verb: Verb,
    client: Option<PathBuf>,
}

impl Chat {
    /// Has `program` make a database, and puts the recipients into it. Their password is that of
    /// a user of the seed: hashing a thousand would take a minute.
    pub fn prepare(
        name: &str,
        program: &Path,
        client: Option<PathBuf>,
        folder: &Path,
        recipients: usize,
    ) -> Result<Self> {
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
        let (name, program) = (name.to_owned(), program.to_owned());
        Ok(Self { name, program, template, verb: Verb::Send, client })
    }

    /// The same server, spoken to with another verb.
    pub fn with(&self, verb: Verb) -> Self {
        // One that would cost the same is enough.
        Self { name: format!("{} post", self.name), verb, client: None, ..self.clone() }
    }
}

impl Peer for Chat {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> String {
        first_line(&self.program, "--version").unwrap_or_default()
    }

    fn start(&self, folder: &Path) -> Result<Box<dyn Running>> {
        let database = folder.join("chat.sqlite");
        fs::copy(&self.template, &database)?;
        let (process, address) = start(&self.program, &database)?;
        let token = log_in(address)?;
        let (verb, client) = (self.verb, self.client.clone());
        Ok(Box::new(RunningChat { process, address, token, database, verb, client }))
    }
}

impl Running for RunningChat {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn process(&self) -> u32 {
        self.process.id()
    }

    fn one_shot(&self, body: &str) -> Option<Command> {
        let mut command = self.client_command()?;
        command.args(["send", &recipient(0), body]);
        Some(command)
    }

    fn steps_of_one_shot(&self) -> Vec<(&'static str, Command)> {
        let step = |name, words: &[&str]| {
            let mut command = self.client_command()?;
            command.args(words);
            Some((name, command))
        };
        // Loaded, and its arguments understood; then a session found, and a server that answers.
        [step("config path", &["config", "path"]), step("whoami", &["whoami"])]
            .into_iter()
            .flatten()
            .collect()
    }

    fn speech(&self, messages: Messages) -> Box<dyn Speech> {
        let choice = Choice::new(messages);
        match self.verb {
            Verb::Send => Box::new(Sends { prefix: format!("send {} ", self.token), choice }),
            Verb::Post => Box::new(Posts { prefix: format!("post {} ", self.token), choice }),
        }
    }

    fn log_in(&self, home: &Path) -> Result<()> {
        let mut command = self.client_command().context("there is no chat-cli")?;
        command.args(["auth", "paff", "cytus"]);
        oneshot::run(&mut command, home).map(drop)
    }

    /// Its database has to have the first `acknowledged` messages, each once.
    fn stop(self: Box<Self>, _: Messages, acknowledged: u64) -> Result<()> {
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
            "{acknowledged} were acknowledged, {rows} are stored"
        );
        ensure!(
            sum == rows * (rows - 1) / 2 && last == rows - 1,
            "the messages that are stored are not those that were acknowledged"
        );
        Ok(())
    }
}

impl RunningChat {
    /// `chat-cli`, for this server.
    fn client_command(&self) -> Option<Command> {
        let mut command = Command::new(self.client.as_ref()?);
        command.env("CHAT_SERVER", self.address.to_string());
        Some(command)
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

/// `send`.
struct Sends {
    prefix: String,
    choice: Choice,
}

impl Speech for Sends {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(recipient(self.choice.recipient()).as_bytes());
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

/// `post` with a key.
struct Posts {
    prefix: String,
    choice: Choice,
}

impl Speech for Posts {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        let (to, key) = (recipient(self.choice.recipient()), Uuid::now_v7());
        write!(out, "{}{{\"to\": [\"{to}\"], \"key\": \"{key}\", \"body\": \"", self.prefix)
            .expect("memory takes bytes");
        self.choice.write_body(out);
        out.extend_from_slice(b"\"}\r\n");
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        const EXPECTED: &[u8] = b"{\"status\": \"OK\", \"id\"";
        let length = received.len().min(EXPECTED.len());
        if received[..length] != EXPECTED[..length] {
            bail!("not an acknowledgement: {}", String::from_utf8_lossy(received));
        }
        Ok(received.windows(4).position(|end| end == b"\r\n\r\n").map(|place| place + 4))
    }
}
