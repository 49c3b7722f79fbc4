//! Acknowledged is durable, exactly once. The server is killed, or the power of its disk cut, at
//! random moments under the load of several clients. They continue with the same keys each time.
//! Meanwhile a user joins and leaves a room, another one marks it as read, and an author edits and
//! deletes messages. One more schedules messages, cancels some, and expects reports that do not come.
//!
//! The short version runs with the other tests; the long one (`CHAT_TEST_FULL=1`) is that of
//! docs/reliability.md. The power cuts need root, a loop device, `mkfs.ext4`, `mount` and
//! `python3`, and say so where they are skipped.

mod author;
mod later;
mod members;
mod requests;

use std::io::{BufRead, BufReader, Read, Seek, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use author::Author;
use later::Later;
use members::{Members, ROOM};
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::load::{CLIENTS, Client, PIPELINE, judge, name, name_of};
use crate::support::disk::Disk;
use crate::support::preload;
use crate::support::{PATIENCE, Random, Wire, scaled, server_command};

/// The file system whose power is cut.
const DISK_BYTES: u64 = 96 << 20;
/// A round ends somewhere before so many acknowledgements.
const ACKNOWLEDGED_IN_ROUND_MAX: usize = 2_500;
/// The longest stop (`server::STOP_WAIT`), whatever is pending.
const STOP_WAIT: Duration = Duration::from_secs(10);
/// After each round one in so many acknowledged messages is repeated: the server must recognise its
/// key.
const ASKED_AGAIN_OF: usize = 31;
/// Each round ends with a check of the database; after so many rounds a new database replaces it.
const ROUNDS_OF_A_DATABASE: usize = 20;
/// To whom the clients send.
const RECIPIENTS: [&str; 5] = ["neko", "robo", "ivy", "vanessa", ROOM];

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kills_at_random_moments() {
    let mut random = Random::new();
    let rounds = scaled(12, 1_000);
    let mut acknowledged = 0;
    for first in (0..rounds).step_by(ROUNDS_OF_A_DATABASE) {
        let folder = tempfile::TempDir::new().unwrap();
        let mut session = Session::begin(folder.path().join("chat.sqlite"), &[]);
        for round in first..rounds.min(first + ROUNDS_OF_A_DATABASE) {
            let enough = random.below(ACKNOWLEDGED_IN_ROUND_MAX);
            let mut server = session.serve();
            let pid = Pid::from_child(&server.child);
            session.load(server.address, enough, Answers::AllCount, &|| {
                kill_process(pid, Signal::KILL).unwrap();
            });
            server.child.wait().unwrap();
            let lost = session.check();
            assert_eq!(lost, 0, "lost after the kill of round {round}");
        }
        acknowledged += session.acknowledged();
        session.finish();
        session.check_file();
    }
    println!("{rounds} kills, {acknowledged} acknowledged, 0 lost, 0 doubled");
}

/// A stop answers every executed request, so nothing has to be repeated.
#[test]
fn stop_under_load_answers_every_stored_message_and_ends_within_ten_seconds() {
    let mut random = Random::new();
    let folder = tempfile::TempDir::new().unwrap();
    let mut session = Session::begin(folder.path().join("chat.sqlite"), &[]);
    let stops = scaled(4, 100);
    for stop in 0..stops {
        let enough = random.below(ACKNOWLEDGED_IN_ROUND_MAX);
        let mut server = session.serve();
        let pid = Pid::from_child(&server.child);
        let stopped = Mutex::new(None);
        session.load(server.address, enough, Answers::AllCount, &|| {
            *stopped.lock().unwrap() = Some(Instant::now());
            kill_process(pid, Signal::TERM).unwrap();
        });
        assert_eq!(server.child.wait().unwrap().code(), Some(0), "stop {stop}");
        let took = stopped.lock().unwrap().unwrap().elapsed();
        assert!(took < STOP_WAIT, "stop {stop} took {took:?}");
        assert_eq!(session.check(), 0, "lost after stop {stop}");
        assert_eq!(session.unanswered_and_stored(), 0, "stored and not answered by stop {stop}");
    }
    println!("{stops} stops, {} acknowledged, 0 lost, 0 unanswered", session.acknowledged());
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_power_cuts_at_random_moments() {
    let Some(disk) = Disk::with_switch(DISK_BYTES) else { return };
    let mut random = Random::new();
    let cuts = scaled(3, 200);
    let (mut acknowledged, mut session) = (0, Session::begin(disk.database(), &[]));
    for cut in 0..cuts {
        if cut > 0 && cut % ROUNDS_OF_A_DATABASE == 0 {
            acknowledged += session.acknowledged();
            session.finish();
            disk.clear();
            session = Session::begin(disk.database(), &[]);
        }
        let lost = cut_power(&disk, &mut session, &mut random);
        assert_eq!(lost, 0, "lost after power cut {cut}");
    }
    acknowledged += session.acknowledged();
    session.finish();
    session.check_file();
    println!("{cuts} power cuts, {acknowledged} acknowledged, 0 lost, 0 doubled");
}

/// The harness finds losses: here commits are not synced, as with `synchronous=NORMAL`. No option
/// of the server weakens its promise, so a preloaded library drops each sync of the WAL. In a
/// session without a checkpoint, as here, `NORMAL` differs from `FULL` only in that sync.
#[test]
fn power_cut_loses_messages_where_commits_are_not_synced() {
    let Some(disk) = Disk::with_switch(DISK_BYTES) else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let Some(library) = preload::library(folder.path(), SYNC_OF_NORMAL) else { return };
    let mut random = Random::new();
    let preload = [("LD_PRELOAD".to_owned(), library.display().to_string())];
    let mut session = Session::begin(disk.database(), &preload);
    // The state before the load is made durable, so that there is a database at all.
    assert!(Command::new("sync").status().unwrap().success());
    end_by_power_cut(&disk, &mut session, &mut random);
    set_aside_wal_that_is_refused(&session.database);
    let lost = session.check();
    assert!(lost > 0, "the harness sees that messages are lost");
    println!("without a sync a power cut lost {lost} of {}", session.acknowledged());
}

/// A WAL without its syncs may be of an older generation than the file. The server refuses that;
/// the test follows its hint, and loses the contents of the WAL.
fn set_aside_wal_that_is_refused(database: &Path) {
    let mut check = Command::new(env!("CARGO_BIN_EXE_chat-server"));
    let checked = check.args(["check", "--db"]).arg(database).output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    if checked.status.code() == Some(65) && said.contains("does not belong to") {
        let wal = database.with_extension("sqlite-wal");
        std::fs::rename(&wal, database.with_extension("aside")).unwrap();
    }
}

/// One power cut at a random moment under load. Returns the number of lost messages.
fn cut_power(disk: &Disk, session: &mut Session, random: &mut Random) -> usize {
    end_by_power_cut(disk, session, random);
    session.check()
}

/// Serves under load until the power is cut at a random moment.
fn end_by_power_cut(disk: &Disk, session: &mut Session, random: &mut Random) {
    let mut server = session.serve();
    let switch = disk.switch();
    let enough = random.below(ACKNOWLEDGED_IN_ROUND_MAX).max(1);
    session.load(server.address, enough, Answers::CountUntilTheEnd, &|| switch.cut());
    // The server has ended because it cannot write, or it hangs without noticing.
    let _ = server.child.kill();
    server.child.wait().unwrap();
    disk.mount_again();
}

/// The messages that the clients sent to one database, and the replies.
struct Session {
    database: PathBuf,
    environment: Vec<(String, String)>,
    /// Of the user who sends everything and owns the room.
    tokens: Vec<String>,
    /// The last ones post to the room while a guest comes and goes, and what the author changes.
    clients: Vec<Client>,
    members: Option<Members>,
    later: Option<Later>,
    author: Option<Author>,
}

/// Which acknowledgements count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// For a killed process: all that arrive.
    AllCount,
    /// For a machine without power: those that arrive before. It only seems to continue.
    CountUntilTheEnd,
}

struct Running {
    child: Child,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Session {
    /// A new database, and a session in it for every client.
    fn begin(database: PathBuf, environment: &[(String, String)]) -> Self {
        let environment = environment.to_vec();
        let mut clients: Vec<_> =
            (0..CLIENTS).map(|number| Client::to(number, &RECIPIENTS)).collect();
        clients.push(Client::to(CLIENTS, &[ROOM]));
        clients.push(Client::to(CLIENTS + 1, author::TO));
        let (tokens, members, later, author) = (Vec::new(), None, None, None);
        let mut session = Self { database, environment, tokens, clients, members, later, author };
        let server = session.serve();
        let mut wire = Wire::connect(server.address);
        session.tokens = session.clients.iter().map(|_| wire.log_in("paff")).collect();
        session.members = Some(Members::begin(&mut wire, &session.tokens[0]));
        session.later = Some(Later::begin(&mut wire));
        session.author = Some(Author::begin(&mut wire, &session.tokens[CLIENTS + 1]));
        session
    }

    fn serve(&self) -> Running {
        let mut command = server_command(&self.database);
        // The database disappears on purpose here, so the errors about it are discarded, unless the
        // server does not start.
        let mut complaints = tempfile::tempfile().unwrap();
        command.envs(self.environment.iter().cloned()).stderr(complaints.try_clone().unwrap());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().rsplit(' ').next().and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| {
            let mut said = String::new();
            complaints.rewind().unwrap();
            complaints.read_to_string(&mut said).unwrap();
            panic!("the server does not start: {said}");
        });
        Running { child, address }
    }

    fn acknowledged(&self) -> usize {
        self.clients.iter().map(|client| client.acknowledged.len()).sum()
    }

    /// The number of stored messages without an acknowledgement.
    fn unanswered_and_stored(&self) -> usize {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(&self.database, flags).unwrap();
        let mut statement = database.prepare("SELECT 1 FROM messages WHERE key = ?1").unwrap();
        let clients = self.clients.iter().enumerate();
        let unanswered = clients.flat_map(|(number, client)| {
            client.unanswered.iter().map(move |message| name(number, *message))
        });
        let mut stored = 0;
        for key in unanswered {
            stored += usize::from(statement.exists([key]).unwrap());
        }
        stored
    }

    /// All clients send until their connections break. After `enough` acknowledgements `end` is
    /// called, which must break them.
    fn load(
        &mut self,
        address: SocketAddr,
        enough: usize,
        answers: Answers,
        end: &(dyn Fn() + Sync),
    ) {
        let count = AtomicUsize::new(0);
        // Returns whether an acknowledgement counts.
        let acknowledged = || {
            let earlier = count.fetch_add(1, Ordering::SeqCst);
            if earlier == enough {
                end();
            }
            answers == Answers::AllCount || earlier < enough
        };
        let (clients, others) = self.clients.split_at_mut(CLIENTS);
        let (posters, authors) = others.split_at_mut(1);
        thread::scope(|scope| {
            for (client, token) in clients.iter_mut().zip(&self.tokens) {
                let acknowledged = &acknowledged;
                scope.spawn(move || send(client, token, address, acknowledged));
            }
            for (poster, members) in posters.iter_mut().zip(&mut self.members) {
                let (owner, acknowledged) = (&self.tokens[CLIENTS], &acknowledged);
                scope.spawn(move || members.come_and_go(poster, owner, address, acknowledged));
            }
            if let Some(later) = &mut self.later {
                let acknowledged = &acknowledged;
                scope.spawn(move || later.schedule(address, acknowledged));
            }
            for (poster, author) in authors.iter_mut().zip(&mut self.author) {
                let acknowledged = &acknowledged;
                scope.spawn(move || author.change_messages(poster, address, acknowledged));
            }
        });
    }

    /// Compares the stored messages with the acknowledged ones, after a server has opened the
    /// database; returns the number of missing ones.
    fn check(&self) -> usize {
        let server = self.serve();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(&self.database, flags).unwrap();
        let sound: String =
            database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        let astray: i64 = database.query_row(KEYS_ASTRAY, [], |row| row.get(0)).unwrap();
        assert_eq!(astray, 0, "the table of keys differs from the message log");
        // As they were sent, whatever the author has made of them.
        let load = "SELECT key, id, body FROM messages
                     WHERE sender_id = (SELECT id FROM users WHERE name = 'paff')";
        let mut statement = database.prepare(load).unwrap();
        let rows = statement.query_map([], |row| {
            let (key, id, body): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            assert_eq!(name_of(&body), key, "message {id}");
            Ok((id, body))
        });
        let lost = judge(&self.clients, rows.unwrap().map(Result::unwrap));
        if lost == 0 {
            self.ask_again(&server);
            self.members.iter().for_each(|members| members.check(server.address, &database));
            self.later.iter().for_each(|later| later.check(&database));
            self.author.iter().for_each(|author| author.check(server.address, &database));
        }
        lost
    }

    /// Serves until everything is sent that was to be sent later.
    fn finish(&self) {
        let _server = self.serve();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let database = Connection::open_with_flags(&self.database, flags).unwrap();
        if let Some(later) = &self.later {
            let [sent, cancelled, expected] = later.finish(&database);
            println!("{sent} sent later, {cancelled} cancelled, {expected} reports missed");
        }
    }

    /// The file is sound to the last page, and everything that is derived from the log agrees with it.
    fn check_file(&self) {
        let mut check = Command::new(env!("CARGO_BIN_EXE_chat-server"));
        let checked = check.args(["check", "--db"]).arg(&self.database).output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }

    /// The server recognises the keys of stored messages.
    fn ask_again(&self, server: &Running) {
        let mut wire = Wire::connect(server.address);
        for client in &self.clients {
            let token = &self.tokens[client.number];
            for (message, id) in &client.acknowledged {
                if message % ASKED_AGAIN_OF == 0 {
                    let reply = wire.done(client.post(token, *message));
                    assert_eq!((&reply["duplicate"], &reply["id"]), (&json!(true), &json!(id)));
                }
            }
        }
    }
}

/// Sends the unanswered messages of a client, then new ones, until the connection breaks or the
/// server stores nothing more.
fn send(client: &mut Client, token: &str, address: SocketAddr, acknowledged: &impl Fn() -> bool) {
    client.unanswered.splice(0..0, client.unheard.drain(..));

    let Ok(stream) = TcpStream::connect(address) else { return };
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut wire = Wire::over(stream);
    let request = |wire: &Wire, client: &Client, message: usize| {
        let line = format!("{}\r\n", client.post(token, message));
        wire.stream().write_all(line.as_bytes()).is_ok()
    };
    // A server that reads nothing more may still reply.
    let mut open = client.unanswered.iter().all(|message| request(&wire, client, *message));
    loop {
        while open && client.unanswered.len() < PIPELINE {
            let message = client.make();
            open = request(&wire, client, message);
        }
        let Some(reply) = wire.try_reply_bytes() else { return };
        let reply: Value = serde_json::from_slice(&reply).unwrap();
        if reply["status"] != "OK" {
            return;
        }
        let message = client.unanswered.remove(0);
        if acknowledged() {
            client.acknowledge(message, reply["sent"][0]["id"].as_i64().unwrap());
        } else {
            client.unheard.push(message);
        }
    }
}

/// The number of keys that the table lacks within its range, or has without a message.
const KEYS_ASTRAY: &str = "
    SELECT (SELECT count(*) FROM messages m LEFT JOIN keys k ON k.key = m.key AND k.message_id = m.id
             WHERE k.key IS NULL AND m.id <= (SELECT value + 0 FROM meta WHERE name = 'keys_upto'))
         + (SELECT count(*) FROM keys k LEFT JOIN messages m ON m.key = k.key AND m.id = k.message_id
             WHERE m.id IS NULL)";

/// An fsync (and fdatasync) that does nothing for the WAL, and otherwise works.
const SYNC_OF_NORMAL: &str = r#"
    #define _GNU_SOURCE
    #include <stdio.h>
    #include <string.h>
    #include <sys/syscall.h>
    #include <unistd.h>

    static int is_log(int file) {
        char link[64], path[4096];
        snprintf(link, sizeof link, "/proc/self/fd/%d", file);
        ssize_t length = readlink(link, path, sizeof path);
        return length > 4 && memcmp(path + length - 4, "-wal", 4) == 0;
    }
    int fsync(int file) { return is_log(file) ? 0 : (int)syscall(SYS_fsync, file); }
    int fdatasync(int file) { return is_log(file) ? 0 : (int)syscall(SYS_fdatasync, file); }
"#;
