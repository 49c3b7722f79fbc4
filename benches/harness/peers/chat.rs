//! Our own server, with `send`, with `post` or over HTTP. In the last two each message has its own
//! key.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use rusqlite::{Connection, OpenFlags};
use rustix::process::Signal;
use uuid::Builder;

use super::http::Requests;
use super::{
    BODY_NUMBER_BYTES, MessageSource, Messages, Peer, Process, Running, find_program, first_line,
    recipient, run, write_recipient,
};
use crate::harness::generator::Protocol;
use crate::harness::peers::client::Client;

/// The password of all users that are created here.
const PASSWORD: &str = "load";
/// The user who sends all messages.
pub const SENDER: &str = "sender";
/// The start of the reply to every successful request.
pub const OK: &[u8] = b"{\"status\": \"OK\"";
/// The length of the end of every reply.
const REPLY_END_BYTES: usize = 4;

/// The options of a server that serves HTTP.
pub const HTTP: &[&str] = &["--http", "127.0.0.1:0"];

/// How a message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `send`.
    Send,
    /// `post` with a key.
    Post(Key),
    /// A POST over HTTP, with a time-ordered key.
    Http,
}

/// The kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A UUID of version 4, which is random.
    Random,
    /// A UUID of version 7, which begins with the time.
    TimeOrdered,
}

/// A `chat-server` program, and a database with its users that every run starts from.
#[derive(Clone)]
pub struct Chat {
    name: String,
    program: PathBuf,
    template: PathBuf,
    verb: Verb,
    /// The `chat-cli` program.
    client: Option<PathBuf>,
}

impl Chat {
    /// Creates a database with its recipients, using `program`.
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
        let names: Vec<String> = (0..recipients).map(recipient).collect();
        create(program, &template, names.iter().map(String::as_str))?;
        let (name, program) = (name.to_owned(), program.to_owned());
        Ok(Self { name, program, template, verb: Verb::Send, client })
    }

    /// The same server, but with another verb.
    pub fn with(&self, verb: Verb) -> Self {
        let name = match verb {
            Verb::Send => self.name.clone(),
            Verb::Post(Key::Random) => format!("{} post, UUID v4", self.name),
            Verb::Post(Key::TimeOrdered) => format!("{} post, UUID v7", self.name),
            Verb::Http => format!("{} HTTP, UUID v7", self.name),
        };
        // One target with one-shot commands suffices: the verb does not change their cost.
        Self { name, verb, client: None, ..self.clone() }
    }

    /// Starts it in an empty folder. `wrapper` is a program that gets the server's command line.
    pub fn start_under(&self, folder: &Path, wrapper: &[String]) -> Result<RunningChat> {
        let database = folder.join("chat.sqlite");
        fs::copy(&self.template, &database)?;
        let options: &[&str] = if self.verb == Verb::Http { HTTP } else { &[] };
        let server = Server::start_under(&self.program, &database, wrapper, options)?;
        let token = server.log_in(SENDER)?;
        let (verb, client) = (self.verb, self.client.clone());
        Ok(RunningChat { server, token, database, verb, client })
    }
}

/// Creates a database whose users can receive messages and log in.
pub fn create<'a>(
    program: &Path,
    database: &Path,
    names: impl Iterator<Item = &'a str>,
) -> Result<()> {
    let file = database.with_extension("users");
    fs::write(&file, users(names)?)?;
    let mut import = Command::new(program);
    import.env_clear().arg("--db").arg(database).arg("import").arg(&file);
    run(&mut import)?;
    Ok(fs::remove_file(file)?)
}

/// An export with the users. They have a password hash that is cheap to check, because no figure
/// here is about argon2.
pub fn users<'a>(names: impl Iterator<Item = &'a str>) -> Result<String> {
    let password = password_hash()?;
    let mut lines =
        "{\"type\":\"header\",\"format\":\"chat-export\",\"version\":1,\"newest\":0}\n".to_owned();
    for name in std::iter::once(SENDER).chain(names) {
        lines.push_str(&format!(
            "{{\"type\":\"user\",\"name\":\"{name}\",\"display_name\":\"{name}\",\
             \"created_at\":\"2026-01-01T00:00:00.000Z\",\
             \"password\":{{\"hash\":\"{password}\",\"is_published\":false}}}}\n"
        ));
    }
    Ok(lines)
}

fn password_hash() -> Result<String> {
    let params = Params::new(Params::MIN_M_COST, 1, 1, None);
    let params = params.map_err(|error| anyhow::anyhow!("{error}"))?;
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(PASSWORD.as_bytes())
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(hash.to_string())
}

impl Peer for Chat {
    fn name(&self) -> &str {
        &self.name
    }

    fn description(&self) -> String {
        first_line(&self.program, "--version").unwrap_or_default()
    }

    fn start(&self, folder: &Path) -> Result<Box<dyn Running>> {
        Ok(Box::new(self.start_under(folder, &[])?))
    }
}

/// A server that runs on its own database.
pub struct RunningChat {
    server: Server,
    token: String,
    database: PathBuf,
    verb: Verb,
    client: Option<PathBuf>,
}

impl RunningChat {
    /// The `chat-cli` command for this server.
    fn client_command(&self) -> Option<Command> {
        let mut command = Command::new(self.client.as_ref()?);
        command.env("CHAT_SERVER", self.server.address().to_string());
        Some(command)
    }
}

impl Running for RunningChat {
    fn address(&self) -> SocketAddr {
        match (self.verb, self.server.http()) {
            (Verb::Http, Some(address)) => address,
            _ => self.server.address(),
        }
    }

    fn process(&self) -> u32 {
        self.server.process()
    }

    fn one_shot(&self, body: &str) -> Option<Command> {
        if self.verb == Verb::Http {
            let mut command = Command::new(find_program("curl")?);
            command.args(["-sS", "--fail", "-d", body, "-H"]);
            command.arg(format!("Authorization: Bearer {}", self.token));
            command.arg(format!("http://{}/{}", self.address(), recipient(0)));
            return Some(command);
        }
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
        // The first only starts and parses its arguments. The second also finds its session and
        // reaches the server.
        [step("config path", &["config", "path"]), step("whoami", &["whoami"])]
            .into_iter()
            .flatten()
            .collect()
    }

    fn protocol(&self, messages: Messages) -> Box<dyn Protocol> {
        protocol(self.verb, &self.token, messages)
    }

    fn log_in(&self, home: &Path) -> Result<()> {
        if self.verb == Verb::Http {
            // Each request has the token.
            return Ok(());
        }
        let mut command = self.client_command().context("there is no chat-cli")?;
        command.args(["auth", SENDER, PASSWORD]);
        command.env_remove("CHAT_TOKEN").env("XDG_STATE_HOME", home).env("HOME", home);
        run(&mut command)
    }

    /// Checks that the database contains the first `acknowledged` messages, each once.
    fn stop(self: Box<Self>, _: Messages, acknowledged: u64) -> Result<()> {
        self.server.stop()?;
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

/// A `chat-server` process.
pub struct Server {
    process: Process,
    address: SocketAddr,
    http: Option<SocketAddr>,
}

impl Server {
    /// Starts it, and waits until it accepts connections.
    pub fn start(program: &Path, database: &Path) -> Result<Self> {
        Self::start_under(program, database, &[], &[])
    }

    /// Starts it as `wrapper … program …`, with additional options.
    pub fn start_under(
        program: &Path,
        database: &Path,
        wrapper: &[String],
        options: &[&str],
    ) -> Result<Self> {
        let mut command = match wrapper {
            [] => Command::new(program),
            [first, rest @ ..] => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.env_clear().arg("--db").arg(database).args(options);
        command.args(["--listen", "127.0.0.1:0", "--log", "warn"]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("{} does not start", program.display()))?;
        let stdout = child.stdout.take().context("its standard output")?;
        let process = Process(child);
        let mut stdout = BufReader::new(stdout);
        let address = next_address(&mut stdout)?;
        let http = options.contains(&"--http").then(|| next_address(&mut stdout)).transpose()?;
        Ok(Self { process, address, http })
    }

    /// Its address for HTTP, if it was started with one.
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn process(&self) -> u32 {
        self.process.id()
    }

    pub fn connect(&self) -> Result<Client> {
        Client::connect(self.address)
    }

    /// Opens a session of a user from [`create`], and returns its token.
    pub fn log_in(&self, name: &str) -> Result<String> {
        let reply = self.connect()?.ask(&format!("auth {name} {PASSWORD}"))?;
        let token = reply["tokenid"].as_str();
        Ok(token.with_context(|| format!("not logged in: {reply}"))?.to_owned())
    }

    /// Opens a session of the user who sends all messages.
    pub fn log_in_sender(&self) -> Result<String> {
        self.log_in(SENDER)
    }

    pub fn stop(self) -> Result<()> {
        self.process.stop()
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        // The exit status does not matter.
        let _ = self.process.stop_by(Signal::KILL);
    }
}

/// The address at the end of the next line that a server prints.
fn next_address(stdout: &mut impl BufRead) -> Result<SocketAddr> {
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let last = line.trim_end().rsplit(' ').next().unwrap_or_default();
    let address = last.trim_start_matches("http://").trim_end_matches('/');
    address.parse().ok().with_context(|| format!("no address in {line:?}"))
}

/// The protocol for sending messages with `verb` in the session of `token`.
pub fn protocol(verb: Verb, token: &str, messages: Messages) -> Box<dyn Protocol> {
    let source = MessageSource::new(messages);
    match verb {
        Verb::Send => Box::new(Sends { prefix: format!("send {token} "), source }),
        Verb::Post(key) => {
            let prefix = format!("post {token} ");
            Box::new(Posts { prefix, room: None, key, source })
        }
        Verb::Http => Box::new(Requests::of_session(token, messages)),
    }
}

/// The protocol for posts to one room, with time-ordered keys.
pub fn posts_to_room(room: &str, token: &str, body_bytes: usize) -> Box<dyn Protocol> {
    let source = MessageSource::new(Messages { recipients: 1, body_bytes });
    let prefix = format!("post {token} ");
    Box::new(Posts { prefix, room: Some(room.to_owned()), key: Key::TimeOrdered, source })
}

/// `send`.
struct Sends {
    prefix: String,
    source: MessageSource,
}

impl Protocol for Sends {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix.as_bytes());
        write_recipient(out, self.source.recipient());
        out.push(b' ');
        self.source.write_body(out);
        out.extend_from_slice(b"\r\n");
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        sent(received)
    }
}

/// The length of the acknowledgement of a `send`.
pub fn sent(received: &[u8]) -> Result<Option<usize>> {
    const EXPECTED: &[u8] = b"{\"status\": \"OK\", \"message\": \"Message Sent\"}\r\n\r\n";
    begins_with(received, EXPECTED)?;
    Ok((received.len() >= EXPECTED.len()).then_some(EXPECTED.len()))
}

/// `post` with a key.
struct Posts {
    prefix: String,
    /// The recipient of all messages; without it, each has a random user.
    room: Option<String>,
    key: Key,
    source: MessageSource,
}

impl Key {
    /// The key of the next message. `Uuid::new_v4` would call the system for each one.
    pub(super) fn next(self, source: &mut MessageSource) -> uuid::Uuid {
        let random = (u128::from(source.random()) << 64) | u128::from(source.random());
        let random = random.to_be_bytes();
        match self {
            Self::Random => Builder::from_random_bytes(random).into_uuid(),
            Self::TimeOrdered => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let bytes = std::array::from_fn(|index| random[index]);
                Builder::from_unix_timestamp_millis(now.as_millis() as u64, &bytes).into_uuid()
            }
        }
    }
}

impl Protocol for Posts {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(b"{\"to\": [\"");
        match &self.room {
            Some(room) => out.extend_from_slice(room.as_bytes()),
            None => write_recipient(out, self.source.recipient()),
        }
        let key = self.key.next(&mut self.source);
        write!(out, "\"], \"key\": \"{key}\", \"body\": \"").expect("a vector accepts bytes");
        self.source.write_body(out);
        out.extend_from_slice(b"\"}\r\n");
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        begins_with(received, b"{\"status\": \"OK\", \"id\"")?;
        Ok(reply_length(received))
    }
}

/// The same line again and again. Every successful reply is an acknowledgement.
pub struct Repeats(pub String);

impl Protocol for Repeats {
    fn write_request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        begins_with(received, OK)?;
        Ok(reply_length(received))
    }
}

pub(super) fn begins_with(received: &[u8], expected: &[u8]) -> Result<()> {
    let length = received.len().min(expected.len());
    if received[..length] != expected[..length] {
        bail!("not an acknowledgement: {}", String::from_utf8_lossy(received));
    }
    Ok(())
}

/// The length of the reply at the start of `received`; `None` if it is incomplete. A reply contains
/// no LF except in its end.
pub fn reply_length(received: &[u8]) -> Option<usize> {
    let place = received.iter().position(|&byte| byte == b'\n')?;
    let length = place + REPLY_END_BYTES - 1;
    (received.len() >= length).then_some(length)
}
