//! PostgreSQL: one prepared insert per message, into a table like ours with the same index.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::cluster::{Cluster, Programs, USER};
use super::{MessageSource, Messages, Peer, Running};
use crate::harness::generator::Protocol;

/// The table and the statement, equivalent to our `messages` and `send`.
pub const TABLE: &str = "
    CREATE TABLE messages (
        id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        sent_at      bigint NOT NULL,
        sender_id    bigint NOT NULL,
        recipient_id bigint NOT NULL,
        key          text,
        body         text   NOT NULL);
    CREATE INDEX messages_by_recipient ON messages (recipient_id, id)";
const INSERT: &str = "INSERT INTO messages (sent_at, sender_id, recipient_id, body)
    VALUES (1700000000000, 1, $1, $2)";

/// `postgres`.
pub struct Postgres {
    programs: Programs,
}

impl Postgres {
    /// Finds the newest version on this machine.
    pub fn find() -> Option<Self> {
        Some(Self { programs: Programs::find()? })
    }
}

impl Peer for Postgres {
    fn name(&self) -> &str {
        "PostgreSQL"
    }

    fn description(&self) -> String {
        let version = self.programs.version();
        format!("{version}; prepared insert, same index, fsync and synchronous_commit on")
    }

    fn start(&self, folder: &Path) -> Result<Box<dyn Running>> {
        let cluster = Cluster::start(&self.programs, folder, 0)?;
        cluster.ask(TABLE)?;
        Ok(Box::new(RunningPostgres { cluster, programs: self.programs.clone() }))
    }
}

struct RunningPostgres {
    cluster: Cluster,
    programs: Programs,
}

impl Running for RunningPostgres {
    fn address(&self) -> SocketAddr {
        self.cluster.address
    }

    fn process(&self) -> u32 {
        self.cluster.process()
    }

    fn one_shot(&self, body: &str) -> Option<Command> {
        // Not Debian's script of the same name, which first searches for a version.
        let program = self.programs.path("psql");
        program.is_file().then(|| {
            let mut command = Command::new(program);
            command.args(["-d", &self.cluster.url("postgres"), "-c"]);
            command.arg(format!(
                "INSERT INTO messages (sent_at, sender_id, recipient_id, body)
                 VALUES (1700000000000, 1, 1, '{body}')"
            ));
            command
        })
    }

    fn protocol(&self, messages: Messages) -> Box<dyn Protocol> {
        Box::new(Inserts { source: MessageSource::new(messages) })
    }

    fn stop(self: Box<Self>, _: Messages, acknowledged: u64) -> Result<()> {
        let stored = self.cluster.ask("SELECT count(*) FROM messages")?;
        let stored: u64 = stored.context("there is no count")?.parse()?;
        ensure!(stored == acknowledged, "{acknowledged} were acknowledged, {stored} are stored");
        self.cluster.stop()
    }
}

/// Bind, Execute and Sync for each message, in PostgreSQL's protocol version 3.0 (chapter "Message
/// Formats" of its documentation).
struct Inserts {
    source: MessageSource,
}

impl Protocol for Inserts {
    fn prepare_connection(&self, stream: &mut TcpStream) -> Result<()> {
        start_up(stream, "postgres")?;
        let mut parse = b"send\0".to_vec();
        parse.extend_from_slice(INSERT.as_bytes());
        parse.extend_from_slice(b"\0\0\0");
        let mut said = Vec::new();
        write_message(&mut said, b'P', &parse);
        write_message(&mut said, b'S', b"");
        stream.write_all(&said)?;
        read_until_ready(stream)?;
        Ok(())
    }

    fn write_request(&mut self, out: &mut Vec<u8>) {
        let recipient = self.source.recipient().to_string();
        // The portal and the statement; all values as text; two values; no result columns.
        let mut bind = b"\0send\0\0\0\0\x02".to_vec();
        bind.extend_from_slice(&(recipient.len() as u32).to_be_bytes());
        bind.extend_from_slice(recipient.as_bytes());
        bind.extend_from_slice(&(self.source.messages.body_bytes as u32).to_be_bytes());
        self.source.write_body(&mut bind);
        bind.extend_from_slice(b"\0\0");
        write_message(out, b'B', &bind);
        write_message(out, b'E', b"\0\0\0\0\0");
        write_message(out, b'S', b"");
    }

    fn acknowledgement(&self, received: &[u8]) -> Result<Option<usize>> {
        let mut place = 0;
        while let Some((kind, length)) = message(&received[place..])? {
            place += length;
            if kind == b'Z' {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// A connection to a database.
pub fn connect_to(address: SocketAddr, database: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    start_up(&mut stream, database)?;
    Ok(stream)
}

fn start_up(stream: &mut TcpStream, database: &str) -> Result<()> {
    let mut message = Vec::new();
    message.extend_from_slice(&196_608_u32.to_be_bytes());
    message.extend_from_slice(format!("user\0{USER}\0database\0{database}\0\0").as_bytes());
    stream.write_all(&(message.len() as u32 + 4).to_be_bytes())?;
    stream.write_all(&message)?;
    read_until_ready(stream)?;
    Ok(())
}

/// Executes a command, and returns the first value of its result.
pub fn ask(stream: &mut TcpStream, command: &str) -> Result<Option<String>> {
    let mut said = Vec::new();
    write_message(&mut said, b'Q', format!("{command}\0").as_bytes());
    stream.write_all(&said)?;
    let received = read_until_ready(stream)?;
    let mut place = 0;
    while let Some((kind, length)) = message(&received[place..])? {
        // Type, length, number of columns, length of the first column, and its value.
        if kind == b'D' {
            let end = place
                + 11
                + u32::from_be_bytes(received[place + 7..place + 11].try_into()?) as usize;
            return Ok(Some(String::from_utf8(received[place + 11..end].to_vec())?));
        }
        place += length;
    }
    Ok(None)
}

fn write_message(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&(content.len() as u32 + 4).to_be_bytes());
    out.extend_from_slice(content);
}

/// The kind and the length of the message at the start of `received`.
fn message(received: &[u8]) -> Result<Option<(u8, usize)>> {
    let Some(length) = received.get(1..5) else { return Ok(None) };
    let length = u32::from_be_bytes(length.try_into()?) as usize + 1;
    if received.len() < length {
        return Ok(None);
    }
    if received[0] == b'E' {
        bail!("{}", String::from_utf8_lossy(&received[5..length]).replace('\0', " "));
    }
    Ok(Some((received[0], length)))
}

/// Reads up to and including `ReadyForQuery`.
fn read_until_ready(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut received = Vec::new();
    loop {
        let mut place = 0;
        while let Some((kind, length)) = message(&received[place..])? {
            place += length;
            if kind == b'Z' {
                return Ok(received);
            }
        }
        let mut some = [0; 4096];
        let count = stream.read(&mut some)?;
        ensure!(count > 0, "it closed the connection");
        received.extend_from_slice(&some[..count]);
    }
}
